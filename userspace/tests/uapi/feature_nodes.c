// SPDX-License-Identifier: MIT
/*
 * NUMA and merging for a whole process, on the device's memory: see feature.h.
 * On a machine of one node no page moves, but calls are accepted or refused; boot
 * with numa=fake=2 to have pages move.
 */
#include <errno.h>
#include <stdint.h>
#include <unistd.h>

#include <linux/mempolicy.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "feature.h"
#include "smaps.h"
#include "uapi.h"

#ifndef SYS_set_mempolicy_home_node
#define SYS_set_mempolicy_home_node	450
#endif
#ifndef PR_SET_MEMORY_MERGE
#define PR_SET_MEMORY_MERGE		67
#endif

/* Get the node to which memory is to move: another one, if there are two. */
static int other_node(void)
{
	return access("/sys/devices/system/node/node1", F_OK) ? 0 : 1;
}

/* Get the node of a page, or a negative errno. */
static int node_of(char *page)
{
	void *pages[] = { page };
	int status = -1;

	if (syscall(SYS_move_pages, 0, 1, pages, NULL, &status, 0))
		untested("this kernel knows no nodes");
	return status;
}

static void expect_on(const struct site *site, int node)
{
	for (size_t at = 0; at < site->length; at += site->page) {
		int there = node_of(site->addr + at);

		if (site->addr + at == site->hole)
			expect(there < 0);
		else
			expect_equal(there, node);
	}
	expect_kept(site);
}

static int bind_to(const struct site *site, int node)
{
	uint64_t nodes = 1ULL << node;

	return syscall(SYS_mbind, site->addr, site->length, MPOL_BIND, &nodes,
		       64, MPOL_MF_STRICT | MPOL_MF_MOVE) ? errno : WORKS;
}

int try_mbind(const struct site *site)
{
	int node = other_node(), error;

	site_small(site);
	error = bind_to(site, node);
	if (!error)
		expect_on(site, node);
	return error;
}

int try_move_pages(const struct site *site)
{
	size_t count = site->length / site->page;
	int nodes[64], status[64], node = other_node();
	void *pages[64];

	expect(count <= TAP_COUNT(nodes));
	site_small(site);
	for (size_t i = 0; i < count; i++) {
		pages[i] = site->addr + i * site->page;
		nodes[i] = node;
	}
	if (syscall(SYS_move_pages, 0, count, pages, nodes, status,
		    MPOL_MF_MOVE))
		return errno;
	for (size_t i = 0; i < count; i++) {
		if (pages[i] == site->hole)
			expect(status[i] < 0);
		else
			expect_equal(status[i], node);
	}
	expect_on(site, node);
	return WORKS;
}

int try_migrate_pages(const struct site *site)
{
	uint64_t from, to = 1ULL << other_node();
	long left;

	site_small(site);
	from = 1ULL << node_of(site->addr);
	if (from == to)
		to = 1;
	left = syscall(SYS_migrate_pages, 0, 64, &from, &to);
	if (left < 0)
		return errno;
	expect_on(site, to >> 1);
	return WORKS;
}

int try_home_node(const struct site *site)
{
	int node = other_node();

	site_small(site);
	expect_equal(bind_to(site, node), 0);
	if (syscall(SYS_set_mempolicy_home_node, site->addr, site->length, node,
		    0))
		return errno;
	expect_kept(site);
	return WORKS;
}

/* try_mergeable() has pages that are merged. */
int try_memory_merge(const struct site *site)
{
	if (prctl(PR_SET_MEMORY_MERGE, 1, 0, 0, 0))
		return errno;
	expect(vm_flag(site->addr, "mg"));
	expect_kept(site);
	expect(prctl(PR_SET_MEMORY_MERGE, 0, 0, 0, 0) == 0);
	expect(!vm_flag(site->addr, "mg"));
	return WORKS;
}
