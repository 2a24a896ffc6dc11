// SPDX-License-Identifier: MIT
/* mmap() and munmap(), called one at a time as jemalloc calls them. */
#include <errno.h>
#include <sys/mman.h>

#include <chunk.h>
#include <chunk_jemalloc.h>

#include "common.h"
#include "maps.h"

#define RW	(PROT_READ | PROT_WRITE)
#define MEMORY	(MAP_PRIVATE | MAP_ANONYMOUS)

static char *get(size_t size)
{
	char *p = maps_get(NULL, size, RW, MEMORY);

	expect(p && chunk_is_live(p) && chunk_is_live(p + size - 1));
	return p;
}

static bool put(char *p, size_t size)
{
	int result = -2;
	bool ours = maps_put(p, size, munmap, &result);

	expect_equal(result, ours ? 0 : -2);
	return ours;
}

static struct chunk_jemalloc_stats hook_stats(void)
{
	struct chunk_jemalloc_stats stats;

	chunk_jemalloc_get_stats(&stats);
	return stats;
}

static void expect_nothing_left(void)
{
	expect_equal(hook_stats().extent_bytes, 0);
	expect_equal(hook_stats().piece_bytes, 0);
	expect_equal(stats_now().live_bytes - stats_now().base_bytes, 0);
}

static void sizes(void)
{
	maps_start();
	/*
	 * Single pages, which jemalloc maps to probe the system, are left to
	 * the system.
	 */
	expect(!maps_get(NULL, page_size(), RW, MEMORY));
	for (size_t size = MIB; size < 9 * MIB; size += MIB / 2) {
		char *p = get(size);

		expect(is_zero(p, size));
		fill(p, size, size);
		if (size % (2 * MIB) == 0)
			expect_equal((uintptr_t)p % (2 * MIB), 0);
		expect_equal(hook_stats().extent_bytes, size);
		expect(put(p, size));
		expect(!chunk_is_live(p));
		expect_nothing_left();
	}
}

static void small_ones(void)
{
	char *p, *q;

	maps_start();
	p = get(2 * MIB);
	q = get(page_size());
	expect(is_zero(q, page_size()));
	fill(q, page_size(), 1);
	expect(put(q, page_size()));
	expect(put(p, 2 * MIB));
	expect_nothing_left();
}

static void in_parts(void)
{
	char *p;

	maps_start();
	p = get(5 * MIB / 2);
	fill(p, 5 * MIB / 2, 1);
	expect(put(p + MIB, page_size()));
	expect_trap(p + MIB);
	expect(is_filled(p, MIB, 1));
	expect(put(p + MIB + page_size(), 3 * MIB / 2 - page_size()));
	expect(chunk_is_live(p));
	expect(put(p, MIB));
	expect_nothing_left();
}

static char *map_at(char *p, size_t size)
{
	void *got = mmap(p, size, RW, MEMORY | MAP_FIXED, -1, 0);

	expect(got == p);
	return got;
}

/* jemalloc merges adjoining extents, and unmaps them with one call. */
static void between_others(void)
{
	char *p = adjoining_chunks(3);

	maps_start();
	/* The outer extents get another owner. */
	chunk_set_recycle_limit(0);
	chunk_dealloc(p, MIB, ARENA_CHUNK);
	chunk_dealloc(p + 2 * MIB, MIB, ARENA_CHUNK);
	map_at(p, MIB);
	map_at(p + 2 * MIB, MIB);
	expect(put(p, 3 * MIB));
	expect(!chunk_is_live(p + MIB));
	expect_trap(p);
	expect_trap(p + MIB);
	expect_trap(p + 3 * MIB - 1);
}

static void of_others(void)
{
	char *p;

	maps_start();
	p = mmap(NULL, 4 * MIB, RW, MEMORY, -1, 0);
	expect(p != MAP_FAILED);
	expect(!put(p, 4 * MIB));
	expect_no_trap(p);
	expect(!put(p + 1, MIB) && !put(p, 0));
}

/* Where the system does not overcommit, jemalloc commits by mapping in place. */
static void in_place(void)
{
	char *p, *foreign = mmap(NULL, MIB, RW, MEMORY, -1, 0);

	maps_start();
	p = maps_get(NULL, 2 * MIB, PROT_NONE, MEMORY);
	expect(p && chunk_is_live(p));
	expect_trap(p);
	expect_trap(p + 2 * MIB - 1);
	expect(maps_get(p + MIB, MIB / 2, RW, MEMORY | MAP_FIXED) == p + MIB);
	expect(is_zero(p + MIB, MIB / 2));
	fill(p + MIB, MIB / 2, 1);
	expect_trap(p + MIB - 1);
	expect_trap(p + 3 * MIB / 2);
	expect(maps_get(p + MIB, page_size(), PROT_NONE, MEMORY | MAP_FIXED));
	expect_trap(p + MIB);
	expect_no_trap(p + MIB + page_size());
	expect(!maps_get(foreign, MIB, PROT_NONE, MEMORY | MAP_FIXED));
	expect(put(p, 2 * MIB));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "any size of at least a chunk", sizes },
	{ "small sizes, once a large one was mapped", small_ones },
	{ "unmapped in parts", in_parts },
	{ "unmapped together with its neighbours", between_others },
	{ "foreign mappings are left alone", of_others },
	{ "committed and decommitted in place", in_place },
};

const struct tap_suite tap_suite = {
	.about = "mmap() and munmap() as jemalloc calls them",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
