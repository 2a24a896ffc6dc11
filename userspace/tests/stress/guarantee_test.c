// SPDX-License-Identifier: MIT
/*
 * Guarantees under the memory manager: pages are swapped out, shared by fork,
 * counted in every place that counts memory, and read without end.
 *
 * Core dumps and forks without swap are in uapi_memory_test.c.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "group.h"
#include "kernel_file.h"
#include "smaps.h"
#include "uapi.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define SIZE	(8 * MIB)

/* Every eighth page traps; the others hold their index. */
static char *with_holes(int fd)
{
	char *extent = device_alloc(fd, SIZE, MIB);
	size_t page = page_size();

	fill(extent, SIZE, 1);
	for (size_t at = 0; at < SIZE; at += 8 * page)
		expect_equal(device_decommit(fd, extent + at, page), 0);
	return extent;
}

static void expect_holes(char *extent, uint64_t seed)
{
	size_t page = page_size();

	for (size_t at = 0; at < SIZE; at += 8 * page) {
		expect(read_traps(extent + at) && write_traps(extent + at));
		expect(is_filled(extent + at + page, 7 * page,
				 seed + at + page));
	}
}

static void page_out(char *addr, size_t size)
{
	expect(madvise(addr, size, MADV_PAGEOUT) == 0);
	/* Some pages may have been in use at the moment. */
	tap_note("%zu bytes are out", mapping_figure(addr, "Swap"));
	expect(mapping_figure(addr, "Swap") >= size / 2);
}

static void out_and_in(void)
{
	int fd = device_open();
	char *extent;

	need_swap();
	extent = with_holes(fd);
	page_out(extent, SIZE);
	expect_holes(extent, 1);
	/* A page that is decommitted while in swap does not come back. */
	page_out(extent, SIZE);
	expect_equal(device_decommit(fd, extent, SIZE / 2), 0);
	expect(read_traps(extent + page_size()));
	expect_equal(device_commit(fd, extent, SIZE / 2), 0);
	expect(is_zero(extent, SIZE / 2));
	expect(is_filled(extent + SIZE - page_size(), page_size(),
			 1 + SIZE - page_size()));
	expect_equal(device_dealloc(fd, extent, SIZE), 0);
	expect_consistent(fd);
}

/* Parent and child have the same pages in swap, and change them both. */
static void fork_while_out(void)
{
	int fd = device_open();
	pid_t child;
	char *extent;

	need_swap();
	extent = with_holes(fd);
	page_out(extent, SIZE);
	child = tap_fork();
	if (child == 0) {
		expect_holes(extent, 1);
		for (size_t at = 0; at < SIZE; at += 8 * page_size())
			fill(extent + at + page_size(), 7 * page_size(),
			     2 + at + page_size());
		madvise(extent, SIZE, MADV_PAGEOUT);
		expect_holes(extent, 2);
		_exit(0);
	}
	expect_equal(device_decommit(fd, extent, SIZE / 2), 0);
	expect_equal(device_commit(fd, extent, SIZE / 2), 0);
	fill(extent, SIZE / 2, 3);
	tap_join(child);
	expect(is_filled(extent, SIZE / 2, 3));
	expect(is_filled(extent + SIZE - page_size(), page_size(),
			 1 + SIZE - page_size()));
}

/* Pages count as anonymous memory when they are written, not when they are read. */
static void in_smaps(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, SIZE, 0);
	size_t rss = status_bytes("RssAnon");

	expect_equal(mapping_figure(extent, "Rss"), 0);
	expect(is_zero(extent, SIZE));
	expect_equal(mapping_figure(extent, "Rss"), 0);
	touch(extent, SIZE / 2);
	expect_equal(mapping_figure(extent, "Rss"), SIZE / 2);
	expect_equal(mapping_figure(extent, "Pss"), SIZE / 2);
	expect_equal(mapping_figure(extent, "Private_Dirty"), SIZE / 2);
	expect_equal(mapping_figure(extent, "Anonymous"), SIZE / 2);
	expect_equal(mapping_figure(extent, "Shared_Clean"), 0);
	/* Up to 64 pages of a task are not counted there yet. */
	expect(status_bytes("RssAnon") - rss >= SIZE / 4);
	expect_equal(device_decommit(fd, extent, SIZE / 4), 0);
	expect_equal(mapping_figure(extent, "Rss"), SIZE / 4);
	expect_equal(device_dealloc(fd, extent, SIZE), 0);
	expect_equal(mapping_figure(extent, "Rss"), 0);
}

/*
 * A page is charged to the group of the process that wrote it first, until it
 * is freed.
 */
static void in_group(void)
{
	uint64_t before, with, without;
	char *extent;
	int fd;

	group_make("256M", "0");
	group_join();
	fd = device_open();
	extent = device_alloc(fd, 4 * SIZE, MIB);
	before = group_number("memory.current", "");
	touch(extent, 4 * SIZE);
	with = group_number("memory.current", "");
	expect_equal(device_decommit(fd, extent, 4 * SIZE), 0);
	without = group_number("memory.current", "");
	group_remove();
	tap_note("KiB: %llu, %llu, %llu", (unsigned long long)before >> 10,
		 (unsigned long long)with >> 10,
		 (unsigned long long)without >> 10);
	/* The kernel charges up to 64 pages in advance for each processor. */
	expect(with >= before + 4 * SIZE - MIB);
	expect(without + 4 * SIZE - MIB <= with);
}

/* Address space counts when it is mapped, used or not. */
static void under_limit(void)
{
	int fd = device_open();
	char *extent, *other;
	struct rlimit limit;
	size_t before;

	extent = device_mmap(fd, SIZE, 0);
	before = status_bytes("VmSize");
	other = device_mmap(fd, SIZE, 0);
	expect_equal(status_bytes("VmSize"), before + SIZE);
	expect_equal(device_decommit(fd, other, SIZE), 0);
	expect_equal(status_bytes("VmSize"), before + SIZE);
	limit.rlim_cur = before + SIZE + MIB;
	limit.rlim_max = limit.rlim_cur;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	expect(mmap(NULL, SIZE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE, fd, 0) == MAP_FAILED);
	expect_equal(errno, ENOMEM);
	expect_equal(try_alloc(fd, 4 * GIB, MIB, &other), ENOMEM);
	/* After an allocation that failed, space that was given back can be allocated. */
	expect_equal(device_dealloc(fd, extent, SIZE), 0);
	expect_equal(try_alloc(fd, SIZE, MIB, &other), 0);
	expect_equal(device_stats(fd).allocs_recycled, 1);
	expect_consistent(fd);
}

static void under_data_limit(void)
{
	struct rlimit limit = { 64 * MIB, 64 * MIB };
	int fd = device_open();
	size_t before = status_bytes("VmData");
	char *extent = device_mmap(fd, SIZE, 0);

	/* The mapping is private and writable, like other memory of an allocator. */
	expect_equal(status_bytes("VmData"), before + SIZE);
	expect(setrlimit(RLIMIT_DATA, &limit) == 0);
	expect(mmap(NULL, GIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE, fd, 0) == MAP_FAILED);
	expect_equal(errno, ENOMEM);
	fill(extent, SIZE, 1);
	expect(is_filled(extent, SIZE, 1));
}

#define READS	((size_t)(1 << 20) + 4096)

/* Each page that is read maps the zero page: no count of it may overflow. */
static void read_faults(void)
{
	size_t page = page_size(), size = (READS * page + MIB - 1) & -MIB;
	int fd = device_open();
	char *extent = device_alloc(fd, size, MIB), *other;
	size_t rss = status_bytes("VmRSS");

	for (size_t at = 0; at < READS * page; at += page) {
		if (*(volatile char *)(extent + at))
			expect_equal(extent[at], 0);
	}
	tap_note("VmRSS: %zu KiB, then %zu", rss >> 10,
		 status_bytes("VmRSS") >> 10);
	/* Not one in a thousand of the pages is counted. */
	expect(status_bytes("VmRSS") <= rss + READS * page / 1000);
	expect_equal(mapping_figure(extent, "Rss"), 0);
	expect_equal(device_dealloc(fd, extent, size), 0);
	other = device_alloc(fd, MIB, MIB);
	expect(is_zero(other, MIB));
	fill(other, MIB, 1);
	expect(is_filled(other, MIB, 1));
}

static const struct tap_case cases[] = {
	{ "paged out and in: contents and guards", out_and_in },
	{ "forked while paged out, then changed on both sides",
	  fork_while_out },
	{ "counted in smaps, as anonymous memory", in_smaps },
	{ "counted in the memory of the control group", in_group },
	{ "counted in RLIMIT_AS", under_limit },
	{ "counted in RLIMIT_DATA", under_data_limit },
	{ "more than 2^20 faults by reading", read_faults },
};

const struct tap_suite tap_suite = {
	.about = "Tests what holds under the memory manager",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
