// SPDX-License-Identifier: MIT
/*
 * Mappings that the user changed: protected, sealed, locked, kept from children.
 * ALLOC hands out only readable and writable extents; DEALLOC and DECOMMIT
 * discard no memory that mseal(2) keeps.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "uapi.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

#define READ_WRITE	(PROT_READ | PROT_WRITE)

/* More extents than fit in premapped space, so that a recycled one would come again */
#define MANY		80

/* Every extent that ALLOC hands out can be written. */
static void expect_writable(int fd)
{
	char *extents[MANY];

	for (size_t i = 0; i < MANY; i++) {
		extents[i] = device_alloc(fd, MIB, MIB);
		expect(!store_traps(extents[i], 1));
		expect(!store_traps(extents[i] + MIB - page_size(), 1));
	}
	for (size_t i = 0; i < MANY; i++)
		expect_equal(device_dealloc(fd, extents[i], MIB), 0);
	expect_consistent(fd);
}

static void given_back_protected(int fd, int protection)
{
	char *extent = device_alloc(fd, 3 * MIB, MIB);
	char *page = extent + MIB + page_size();

	expect(mprotect(extent, 3 * MIB, protection) == 0);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect_writable(fd);

	extent = device_alloc(fd, 3 * MIB, MIB);
	page = extent + MIB + page_size();
	expect(mprotect(page, page_size(), protection) == 0);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect_writable(fd);
}

static void guarded_given_back_protected(void)
{
	given_back_protected(device_open(), PROT_READ);
	given_back_protected(device_open(), PROT_NONE);
	given_back_protected(device_open(), READ_WRITE | PROT_EXEC);
}

static void huge_given_back_protected(void)
{
	given_back_protected(device_open_huge(), PROT_READ);
	given_back_protected(device_open_huge(), PROT_NONE);
}

static void protected_while_free(int fd)
{
	char *extent = device_alloc(fd, 3 * MIB, MIB);

	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect(mprotect(extent + MIB, page_size(), PROT_READ) == 0);
	expect_writable(fd);
}

static void guarded_protected_while_free(void)
{
	protected_while_free(device_open());
}

static void huge_protected_while_free(void)
{
	protected_while_free(device_open_huge());
}

static void born_protected(int fd)
{
	char *extent = mmap(NULL, 3 * MIB, PROT_NONE, MAP_PRIVATE |
			    MAP_NORESERVE, fd, 0);

	expect(extent != MAP_FAILED);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect_writable(fd);
}

static void guarded_born_protected(void)
{
	born_protected(device_open());
}

static void huge_born_protected(void)
{
	born_protected(device_open_huge());
}

/* A protection that was undone again has no effect. */
static void protected_and_back(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, MIB, MIB);

	expect(mprotect(extent, MIB, PROT_READ) == 0);
	expect(mprotect(extent, MIB, READ_WRITE) == 0);
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_equal(device_stats(fd).recycled_bytes, MIB);
	expect(device_alloc(fd, MIB, MIB) == extent);
}

static void keyed(void)
{
	int fd = device_open(), key = pkey_alloc(0, PKEY_DISABLE_WRITE);
	char *extent = device_alloc(fd, MIB, MIB);

	if (key < 0)
		tap_skip("no protection keys");
	expect(pkey_mprotect(extent, MIB, READ_WRITE, key) == 0);
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_writable(fd);
}

/* DEALLOC unmaps a locked extent, and its lock goes with it. */
static void locked(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, MIB, MIB);

	if (mlock(extent, MIB))
		tap_skip("mlock: %s", strerror(errno));
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_equal(device_stats(fd).recycled_bytes, 0);
	expect_equal(device_state(fd, extent), 0);
	expect(msync(extent, page_size(), MS_ASYNC) == -1 && errno == ENOMEM);
	expect_writable(fd);
}

/* The contents of the next owner are inherited by a child. */
static void kept_from_children(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, MIB, MIB), *next;
	struct tap_outcome outcome = { 0 };
	pid_t child;

	expect(madvise(extent, MIB, MADV_DONTFORK) == 0);
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	next = device_alloc(fd, MIB, MIB);
	fill(next, MIB, 5);
	child = tap_fork();
	if (child == 0)
		_exit(!is_filled(next, MIB, 5));
	expect(waitpid(child, &outcome.status, 0) == child);
	expect_equal(outcome.status, 0);
}

static void seal(char *addr, size_t size)
{
	if (syscall(SYS_mseal, addr, size, 0))
		tap_skip("mseal: %s", strerror(errno));
}

static void sealed_read_only(int fd)
{
	char *extent = device_alloc(fd, 4 * MIB, MIB), *part = extent + MIB;
	struct chunk_ioc_dealloc dealloc = {
		.size = sizeof(dealloc),
		.addr = (uintptr_t)extent,
		.length = 4 * MIB,
	};

	fill(extent, 4 * MIB, 3);
	expect(mprotect(part, MIB, PROT_READ) == 0);
	seal(part, MIB);
	expect_refusal(fd, EACCES, device_decommit(fd, part, page_size()));
	expect_refusal(fd, EACCES, device_decommit(fd, extent, 4 * MIB));
	/* device_dealloc() frees memory first, where the device does not. */
	expect_refusal(fd, EACCES, ioctl(fd, CHUNK_IOC_DEALLOC, &dealloc) ? errno : 0);
	expect(is_filled(extent, 4 * MIB, 3));
	expect_equal(device_commit(fd, extent, 4 * MIB), 0);
	expect(is_filled(extent, 4 * MIB, 3));
	/* Memory beside the sealed part can still be changed. */
	expect_equal(device_decommit(fd, extent, MIB), 0);
	expect_writable(fd);
}

static void guarded_sealed_read_only(void)
{
	sealed_read_only(device_open());
}

static void huge_sealed_read_only(void)
{
	sealed_read_only(device_open_huge());
}

/* A sealed writable extent may be discarded, but not unmapped. */
static void sealed_writable(int fd)
{
	char *extent = device_alloc(fd, MIB, MIB);

	fill(extent, MIB, 3);
	seal(extent, MIB);
	expect_equal(device_decommit(fd, extent, page_size()), 0);
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_writable(fd);
	device_limit(fd, 0);
	expect_writable(fd);
}

static void guarded_sealed_writable(void)
{
	sealed_writable(device_open());
}

static void huge_sealed_writable(void)
{
	sealed_writable(device_open_huge());
}

static const struct tap_case cases[] = {
	{ "given back while protected", guarded_given_back_protected },
	{ "the same of the huge backing", huge_given_back_protected },
	{ "protected while free", guarded_protected_while_free },
	{ "the same of the huge backing", huge_protected_while_free },
	{ "mapped without access, and given back", guarded_born_protected },
	{ "the same of the huge backing", huge_born_protected },
	{ "protected and unprotected", protected_and_back },
	{ "given back with a protection key", keyed },
	{ "given back while mlocked", locked },
	{ "given back with MADV_DONTFORK", kept_from_children },
	{ "sealed and read-only", guarded_sealed_read_only },
	{ "the same of the huge backing", huge_sealed_read_only },
	{ "sealed and writable", guarded_sealed_writable },
	{ "the same of the huge backing", huge_sealed_writable },
};

const struct tap_suite tap_suite = {
	.about = "Tests what the device makes of mappings that the user changed",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
