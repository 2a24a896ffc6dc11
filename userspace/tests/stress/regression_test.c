// SPDX-License-Identifier: MIT
/* Defects that were found once, each in the fewest steps that show it */
#include <errno.h>

#include <sys/mman.h>

#include "uapi.h"

/*
 * A foreign page lies at the beginning of recycled address space: releasing
 * that space must not unmap it.
 */
static void release_spares_others(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, 4 * MIB, 0), *page;

	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	page = mmap(extent, page_size(), PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(page == extent);
	fill(page, page_size(), 1);
	device_limit(fd, 0);
	expect(!read_traps(page));
	expect(is_filled(page, page_size(), 1));
	expect_consistent(fd);
}

/* The same, where DEALLOC itself releases, together with a neighbour. */
static void dealloc_spares_others(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, 2 * MIB, 0), *page;

	device_limit(fd, 0);
	/* Each half is an extent; they adjoin and are retained. */
	expect(mmap(extent, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, fd, 0) == extent);
	spare_strangers();
	page = mmap(extent + MIB, page_size(), PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(page == extent + MIB);
	fill(page, page_size(), 1);
	expect_equal(device_dealloc(fd, extent, 2 * MIB), ESTALE);
	expect(!read_traps(page));
	expect(is_filled(page, page_size(), 1));
	expect_consistent(fd);
}

/*
 * The device is not told when these regions are unmapped. With others mapped in
 * their place it seems as if they were still there.
 */
#define PLACES	8

static void huge_regions_are_dropped(void)
{
	int fd = device_open_huge();
	char *place;

	place = device_mmap(fd, PLACES * MIB, 0);
	for (size_t i = 0; i < 4000; i++) {
		char *addr = place + i * i % PLACES * MIB;

		expect(mmap(addr, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_NORESERVE | MAP_FIXED, fd, 0) == addr);
		addr = place + i % PLACES * MIB;
		expect(mmap(addr, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_NORESERVE | MAP_FIXED, fd, 0) == addr);
	}
	tap_note("%llu regions",
		 (unsigned long long)device_stats(fd).regions);
	expect_equal(device_stats(fd).live_extents, PLACES);
	expect(device_stats(fd).regions <= 256);
	expect_consistent(fd);
}

/*
 * The kernel merges a mapping with the next one if the offsets go on there, and
 * does not tell the device. The offsets do so if the beginning of a region is
 * mapped anew.
 */
static void map_over_beginning(int fd)
{
	char *extent = device_mmap(fd, 4 * MIB, 0);

	fill(extent, 4 * MIB, 1);
	expect(mmap(extent, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, fd, 0) == extent);
	expect_equal(device_stats(fd).allocs, 2);
	expect_equal(device_lookup(fd, extent).length, MIB);
	expect(is_zero(extent, MIB));
	fill(extent, MIB, 2);
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_consistent(fd);
}

static void guarded_over_beginning(void)
{
	map_over_beginning(device_open());
}

static void huge_over_beginning(void)
{
	map_over_beginning(device_open_huge());
}

/*
 * A process that may map at address 0 must not get an extent there: ALLOC
 * returns 0 for none, and an extent there that could not be populated was never
 * taken back.
 */
static void nothing_at_zero(void)
{
	int fd = device_open();

	expect(mmap(NULL, 3 * MIB, PROT_NONE, MAP_PRIVATE | MAP_NORESERVE |
		    MAP_FIXED, fd, 0) == MAP_FAILED);
	expect_equal(errno, EINVAL);
	expect_equal(device_stats(fd).allocs, 0);
	expect_consistent(fd);
}

/*
 * An extent that was mapped without access must not be handed out once it was
 * given back: it could not be populated.
 */
static void populate_protected(void)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = CHUNK_ALLOC_POPULATE,
		.length = MIB,
		.alignment = MIB,
	};
	int fd = device_open();
	char *extent = mmap(NULL, 3 * MIB, PROT_NONE, MAP_PRIVATE |
			    MAP_NORESERVE, fd, 0);
	struct chunk_ioc_stats before, after;

	expect(extent != MAP_FAILED);
	device_limit(fd, 7 * MIB);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	before = device_stats(fd);
	expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
	after = device_stats(fd);
	expect_equal(after.live_extents, before.live_extents + 1);
	expect_equal(after.allocs, before.allocs + 1);
	expect_equal(after.deallocs, before.deallocs);
	expect(!store_traps((char *)(uintptr_t)args.addr, 1));
	expect_consistent(fd);
}

/*
 * Many parts of a region were replaced, each by a region of its own. When the
 * rest is unmapped its extents are dropped, however many others come before
 * them.
 */
#define OTHERS	280
#define ALL	300

static char *alloc_all(int fd)
{
	char *first = device_alloc(fd, MIB, MIB);

	for (size_t i = 1; i < ALL; i++)
		expect(device_alloc(fd, MIB, MIB) == first + i * MIB);
	return first;
}

static void map_over(int fd, char *addr, size_t count)
{
	for (size_t i = 0; i < count; i++, addr += MIB)
		expect(mmap(addr, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_NORESERVE | MAP_FIXED, fd, 0) == addr);
}

static void drop_behind_others(unsigned int backing)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = backing,
		.grow = 512 * MIB,
	};
	int fd = backing == CHUNK_BACKING_HUGE ? device_open_huge() : device_open();
	char *first, *rest;

	expect_equal(call(fd, CHUNK_IOC_CONFIGURE, &args), 0);
	first = alloc_all(fd);
	rest = first + OTHERS * MIB;
	map_over(fd, first, OTHERS);
	expect(munmap(rest, 512 * MIB - OTHERS * MIB) == 0);
	/*
	 * For the huge backing the unmapping is found later, and only if all of
	 * the region is unmapped.
	 */
	if (backing == CHUNK_BACKING_HUGE) {
		expect(mmap(first, 512 * MIB, PROT_NONE, MAP_PRIVATE |
			    MAP_ANONYMOUS | MAP_NORESERVE | MAP_FIXED, -1, 0) ==
		       first);
		first = device_mmap(fd, 512 * MIB, 0);
		map_over(fd, first, 512);
	}
	expect_equal(device_state(fd, rest), 0);
	expect_equal(device_commit(fd, rest, MIB), ENOENT);
	expect_equal(device_stats(fd).live_extents,
		     device_stats(fd).regions);
	expect_consistent(fd);
	map_over(fd, first, 1);
}

static void guarded_behind_others(void)
{
	drop_behind_others(CHUNK_BACKING_GUARDED);
}

static void huge_behind_others(void)
{
	drop_behind_others(CHUNK_BACKING_HUGE);
}

/* A commit in the huge backing checked each page, and no signal could end it. */
static void huge_commit_ends(void)
{
	int fd = device_open_huge();
	char *extent = device_mmap(fd, CHUNK_LENGTH_MAX, 0);

	expect_equal(device_decommit(fd, extent + 9 * GIB, page_size()), 0);
	touch(extent + 9 * GIB, page_size());
	expect_equal(device_commit(fd, extent, CHUNK_LENGTH_MAX), 0);
	expect(is_zero(extent + 9 * GIB, page_size()));
}

static const struct tap_case cases[] = {
	{ "releasing recycled space spares others' pages",
	  release_spares_others },
	{ "DEALLOC that releases spares others' pages", dealloc_spares_others },
	{ "replaced regions of the huge backing are dropped",
	  huge_regions_are_dropped },
	{ "the beginning of a region mapped anew is a new extent",
	  guarded_over_beginning },
	{ "the same of the huge backing", huge_over_beginning },
	{ "there is no extent at address 0", nothing_at_zero },
	{ "extents without access are not handed out", populate_protected },
	{ "extents behind many foreign ones are dropped with their region",
	  guarded_behind_others },
	{ "extents behind many foreign ones, of the huge backing",
	  huge_behind_others },
	{ "a commit of the longest extent of the huge backing ends", huge_commit_ends },
};

const struct tap_suite tap_suite = {
	.about = "Tests for bugs that were found in the device",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
