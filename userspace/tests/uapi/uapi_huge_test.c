// SPDX-License-Identifier: MIT
/*
 * The huge backing: huge pages, and the guarantees that hold although nothing
 * traps.
 */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/mman.h>

#include "random.h"
#include "rounds.h"
#include "smaps.h"
#include "uapi.h"

static void huge_pages(void)
{
	size_t size = some_huge_pages();
	int fd = device_open_huge();
	char *extent = device_alloc(fd, size, huge_page_size());

	/* Memory that was read first would be in small pages. */
	fill(extent, size, 1);
	expect(mapping_figure(extent, "AnonHugePages") >= size);
	expect(is_filled(extent, size, 1));
	expect_equal(device_dealloc(fd, extent, size), 0);
	expect_equal(mapping_figure(extent, "AnonHugePages"), 0);
	expect_consistent(fd);
}

/* mmap(2) on the device aligns mappings that huge pages fit in. */
static void aligned(void)
{
	int fd = device_open_huge();
	size_t huge = huge_page_size();

	for (size_t mib = 0; mib < 10; mib++) {
		char *extent = device_mmap(fd, huge + mib * MIB, 0);

		expect_equal((uintptr_t)extent % huge, 0);
	}
	expect_consistent(fd);
}

/* The context is not configured: it maps as much as it does by default. */
static void grown(void)
{
	int fd = device_open_huge();

	device_alloc(fd, MIB, MIB);
	expect(device_stats(fd).mapped_bytes >= huge_page_size());
	expect_consistent(fd);
}

static void decommitted_is_zero(void)
{
	int fd = device_open_huge();
	char *extent = device_alloc(fd, 4 * MIB, 2 * MIB);
	size_t page = page_size(), before;

	fill(extent, 4 * MIB, 1);
	/* A huge page may reach beyond the extent. */
	before = mapping_figure(extent, "Rss");
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect_equal(device_stats(fd).decommitted_bytes, MIB);
	expect(mapping_figure(extent, "Rss") <= before - MIB);
	expect(is_zero(extent + MIB, MIB));
	expect(is_filled(extent, MIB, 1));
	expect(is_filled(extent + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	/* Data written to decommitted memory is lost. */
	fill(extent + MIB, MIB, 7);
	/* The neighbouring page is not decommitted, so it keeps its contents. */
	expect_equal(device_commit(fd, extent + MIB - page, 2 * page), 0);
	expect(is_filled(extent + MIB - page, page, 1 + MIB - page));
	expect(is_zero(extent + MIB, page));
	fill(extent + MIB, page, 9);
	expect_equal(device_commit(fd, extent, 4 * MIB), 0);
	expect(is_filled(extent + MIB, page, 9));
	expect(is_zero(extent + MIB + page, MIB - page));
	expect(is_filled(extent, MIB, 1));
	expect_equal(device_stats(fd).decommitted_bytes, 0);
}

/* Nothing traps; data written before the commit is lost. */
static void born_decommitted(void)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = CHUNK_ALLOC_DECOMMITTED,
		.length = 4 * MIB,
		.alignment = 2 * MIB,
	};
	int fd = device_open_huge();
	char *extent;

	expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
	extent = (char *)(uintptr_t)args.addr;
	expect_equal(device_stats(fd).decommitted_bytes, 4 * MIB);
	expect_equal(device_state(fd, extent), CHUNK_STATE_LIVE |
		     CHUNK_STATE_DECOMMITTED);
	fill(extent, 4 * MIB, 1);
	expect_equal(device_commit(fd, extent, 2 * MIB), 0);
	expect(is_zero(extent, 2 * MIB));
	expect_equal(device_stats(fd).decommitted_bytes, 2 * MIB);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect_consistent(fd);
}

/* Places of stray writes, in pages: at both ends of chunks, and of page bitmaps */
static const struct {
	size_t first;
	size_t count;
} left[] = {
	{ 0, 1 }, { 5, 3 }, { 255, 2 }, { 3 * 256, 256 }, { 5 * 256 - 1, 258 },
	{ 127 * 256 + 255, 1 }, { 128 * 256, 1 }, { 200 * 256, 3 * 256 },
	{ 255 * 256 + 7, 20 * 256 }, { 299 * 256 + 255, 1 },
};

/* One commit of everything drops the stray writes, and nothing else. */
static void stray_writes_are_lost(void)
{
	size_t page = page_size(), size = 300 * MIB, at = 0;
	int fd = device_open_huge();
	char *extent = device_alloc(fd, size, 2 * MIB);

	if (page != 4096)
		tap_skip("written for pages of 4 KiB");
	for (size_t i = 0; i < size; i += MIB / 8)
		fill(extent + i, 16, i);
	for (size_t i = 0; i < TAP_COUNT(left); i++) {
		char *range = extent + left[i].first * page;

		expect_equal(device_decommit(fd, range, left[i].count * page),
			     0);
		touch(range, left[i].count * page);
	}
	expect_equal(device_commit(fd, extent, size), 0);
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	for (size_t i = 0; i <= TAP_COUNT(left); i++) {
		size_t end = i < TAP_COUNT(left) ? left[i].first * page : size;

		for (; at < end; at += MIB / 8)
			expect(is_filled(extent + at, 16, at));
		if (end == size)
			break;
		at = end + left[i].count * page;
		expect(is_zero(extent + end, at - end));
		at = (at + MIB / 8 - 1) & -(MIB / 8);
	}
}

/* Stray writes into free memory must not be seen by its next owner. */
static void handed_out_zero(void)
{
	int fd = device_open_huge();
	char *extent, *again;

	extent = device_alloc(fd, 4 * MIB, MIB);
	fill(extent, 4 * MIB, 1);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect(is_zero(extent, 4 * MIB));
	fill(extent, 4 * MIB, 2);
	again = device_alloc(fd, 4 * MIB, MIB);
	expect(again == extent);
	expect(is_zero(again, 4 * MIB));
	/* The same holds for premapped memory. */
	fill(again + 4 * MIB, MIB, 3);
	for (int i = 0; i < 8; i++) {
		extent = device_alloc(fd, MIB, MIB);
		expect(is_zero(extent, MIB));
	}
	expect_consistent(fd);
}

static void random_use(void)
{
	struct { char *addr; size_t size; uint64_t seed; } slots[24] = { 0 };
	int fd = device_open_huge();
	uint64_t random = 1;

	for (unsigned int i = 0; i < rounds(1500); i++) {
		size_t at = random_below(&random, TAP_COUNT(slots));

		if (slots[at].addr) {
			expect(is_filled(slots[at].addr, slots[at].size,
					 slots[at].seed));
			expect_equal(device_dealloc(fd, slots[at].addr,
						    slots[at].size), 0);
			/* A stray write, now and then */
			if (i % 3 == 0)
				slots[at].addr[page_size()] = 1;
			slots[at].addr = NULL;
			continue;
		}
		slots[at].size = (1 + random_below(&random, 4)) * MIB;
		slots[at].addr = device_alloc(fd, slots[at].size,
					      MIB << random_below(&random, 3));
		slots[at].seed = i;
		expect(is_zero(slots[at].addr, slots[at].size));
		fill(slots[at].addr, slots[at].size, i);
	}
	expect_consistent(fd);
}

static void unmapped(void)
{
	int fd = device_open_huge();
	char *one = device_alloc(fd, 2 * MIB, MIB), *two, *three;

	two = device_mmap(fd, 4 * MIB, 0);
	three = device_alloc(fd, MIB, MIB);
	fill(three, MIB, 3);
	expect(munmap(one + MIB, page_size()) == 0);
	expect(munmap(two, 4 * MIB) == 0);
	expect_equal(device_decommit(fd, one, 2 * MIB), ESTALE);
	expect_equal(device_commit(fd, two, MIB), ESTALE);
	expect_equal(device_dealloc(fd, one, 2 * MIB), ESTALE);
	expect_equal(device_dealloc(fd, one, 2 * MIB), ENOENT);
	expect_equal(device_dealloc(fd, two, 4 * MIB), ESTALE);
	expect(is_filled(three, MIB, 3));
	for (int i = 0; i < 100; i++)
		expect(is_zero(device_alloc(fd, MIB, MIB), MIB));
	expect(is_filled(three, MIB, 3));
	expect_consistent(fd);
}

/* The device is not told of unmappings; the state left behind must be bounded. */
static void unmapped_for_ever(void)
{
	int fd = device_open_huge();

	for (size_t i = 0; i < 3000; i++) {
		char *extent = device_mmap(fd, MIB * (1 + i % 3), 0);

		*extent = 1;
		expect(munmap(extent, MIB * (1 + i % 3)) == 0);
	}
	expect(device_stats(fd).regions <= 256);
	expect(device_stats(fd).live_extents <= 256);
	expect_consistent(fd);
}

static void forked(void)
{
	int fd = device_open_huge();
	char *extent = device_alloc(fd, 4 * MIB, 2 * MIB);
	pid_t child;

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent, MIB), 0);
	child = tap_fork();
	if (!child) {
		expect(is_zero(extent, MIB));
		expect(is_filled(extent + MIB, 3 * MIB, 1 + MIB));
		fill(extent + MIB, MIB, 5);
		expect_equal(device_decommit(fd, extent, MIB), EPERM);
		_exit(0);
	}
	tap_join(child);
	expect(is_filled(extent + MIB, 3 * MIB, 1 + MIB));
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
}

static void moved(void)
{
	int fd = device_open_huge();
	char *extent = device_mmap(fd, 2 * MIB, 0), *to;

	fill(extent, 2 * MIB, 1);
	to = mremap(extent, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		    anonymous(2 * MIB, PROT_NONE));
	if (to == MAP_FAILED)
		tap_skip("moving is refused");
	expect(is_filled(to, 2 * MIB, 1));
	expect_equal(device_dealloc(fd, to, 2 * MIB), ENOENT);
	expect_equal(device_dealloc(fd, extent, 2 * MIB), ESTALE);
	expect(is_filled(to, 2 * MIB, 1));
	for (int i = 0; i < 100; i++)
		expect(is_zero(device_alloc(fd, MIB, MIB), MIB));
	expect(is_filled(to, 2 * MIB, 1));
}

static void settled(void)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = CHUNK_BACKING_GUARDED,
	};
	int fd = device_open_huge();
	char *extent;

	/* Until the first extent the backing may be changed. */
	expect_equal(call(fd, CHUNK_IOC_CONFIGURE, &args), 0);
	extent = device_alloc(fd, MIB, MIB);
	expect_equal(device_decommit(fd, extent, MIB), 0);
	expect_trap(extent);
	args.backing = CHUNK_BACKING_HUGE;
	expect_refusal(fd, EBUSY, call(fd, CHUNK_IOC_CONFIGURE, &args));
}

static const struct tap_case cases[] = {
	{ "huge pages, seen in smaps", huge_pages },
	{ "mappings that huge pages fit in are aligned", aligned },
	{ "a first extent brings room for a huge page", grown },
	{ "decommitted pages read as zero", decommitted_is_zero },
	{ "decommitted from the start", born_decommitted },
	{ "one commit takes all stray writes, and nothing but them",
	  stray_writes_are_lost },
	{ "extents are zero when handed out", handed_out_zero },
	{ "random use, with stray writes", random_use },
	{ "unmapped behind its back", unmapped },
	{ "mapped and unmapped without end", unmapped_for_ever },
	{ "fork", forked },
	{ "moved by mremap", moved },
	{ "the first extent settles the backing", settled },
};

const struct tap_suite tap_suite = {
	.about = "Tests the device's huge backing",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
