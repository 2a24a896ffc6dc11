// SPDX-License-Identifier: MIT
/* chunk_alloc(): chunks are zero, aligned, usable, and owned by nobody else. */
#include <errno.h>
#include <stdlib.h>

#include "common.h"

/* Enough chunks not to be aligned by chance */
#define SOME	64

static const enum chunk_type dirty_types[] = {
	UNKNOWN_CHUNK, ARENA_CHUNK, HUGE_CHUNK, RECYCLED_CHUNK,
};

static void fresh_is_zero(void)
{
	for (size_t mib = 1; mib <= 16; mib++) {
		void *chunk = alloc_mib(mib);

		expect(is_zero(chunk, mib * MIB));
		fill(chunk, mib * MIB, mib);
		expect(is_filled(chunk, mib * MIB, mib));
	}
}

static void recycled_is_zero(void)
{
	for (size_t i = 0; i < TAP_COUNT(dirty_types); i++) {
		struct chunk_stats before = stats_now();
		size_t mib = recyclable(4);
		char *chunk = alloc_mib(mib), *again;

		fill(chunk, mib * MIB, i);
		chunk_dealloc(chunk, mib * MIB, dirty_types[i]);
		again = alloc_mib(mib);
		expect(stats_now().allocs_recycled > before.allocs_recycled);
		expect_equal((uintptr_t)again, (uintptr_t)chunk);
		expect(is_zero(again, mib * MIB));
		fill(again, mib * MIB, i + 7);
		dealloc_mib(again, mib);
	}
}

static void zeroed_is_zero(void)
{
	char *chunk = alloc_mib(4);

	expect(is_zero(chunk, 4 * MIB));
	chunk_dealloc(chunk, 4 * MIB, ZEROED_CHUNK);
	chunk = alloc_mib(4);
	expect(is_zero(chunk, 4 * MIB));
	fill(chunk, 4 * MIB, 1);
}

static void merged_is_zero(void)
{
	char *chunk;

	need_cutting();
	chunk = alloc_mib(4);
	/* A dirty extent and a zeroed one become one extent. */
	dealloc_mib(chunk, 4);
	chunk = alloc_mib(2);
	fill(alloc_mib(2), 2 * MIB, 1);
	chunk_dealloc(chunk + 2 * MIB, 2 * MIB, ARENA_CHUNK);
	chunk_dealloc(chunk, 2 * MIB, ZEROED_CHUNK);
	expect_equal((uintptr_t)alloc_mib(4), (uintptr_t)chunk);
	expect(is_zero(chunk, 4 * MIB));
}

static void partly_decommitted_is_committed(void)
{
	size_t page = page_size(), mib = recyclable(4), size = mib * MIB;
	char *chunk = alloc_mib(mib);

	fill(chunk, size, 1);
	for (size_t at = 0; at < size; at += 4 * page)
		pages_decommit(chunk + at, page);
	pages_decommit(chunk + size / 4, size / 2);
	dealloc_mib(chunk, mib);
	expect_equal((uintptr_t)alloc_mib(mib), (uintptr_t)chunk);
	expect(is_zero(chunk, size));
	fill(chunk, size, 2);
}

static void check_aligned(char *chunk, size_t size, size_t alignment)
{
	expect_equal((uintptr_t)chunk % alignment, 0);
	expect(chunk_is_live(chunk) && chunk_is_live(chunk + size - 1));
	expect(is_zero(chunk, page_size()));
	expect(is_zero(chunk + size - page_size(), page_size()));
	fill(chunk, page_size(), size);
	fill(chunk + size - page_size(), page_size(), alignment);
}

/* The sizes are below, at and above the alignment, multiples of it and others. */
static void every_alignment(void)
{
	static const size_t extra[] = { 1, 2, 3, 5, 7 };

	for (size_t alignment = MIB; alignment <= GIB / (sizeof(void *) < 8 ? 8 : 1);
	     alignment *= 2) {
		for (size_t i = 0; i < TAP_COUNT(extra); i++) {
			size_t size = extra[i] * MIB;
			char *chunk;

			if (alignment <= 64 * MIB && i % 2)
				size += alignment;
			chunk = chunk_alloc(size, alignment, false);
			expect(chunk);
			check_aligned(chunk, size, alignment);
			/* Half of the chunks stay live, so that the next is fresh. */
			if (i % 2)
				dealloc_mib(chunk, size / MIB);
		}
	}
	expect_stats_consistent();
}

static void alignment_when_recycled(void)
{
	char *chunk;

	need_cutting();
	chunk = alloc_mib(96);
	dealloc_mib(chunk, 96);
	for (size_t alignment = 32 * MIB; alignment >= MIB; alignment /= 2) {
		size_t recycled = chunk_recycled_bytes();

		chunk = chunk_alloc(3 * MIB, alignment, false);
		expect(chunk);
		check_aligned(chunk, 3 * MIB, alignment);
		/* 96 MiB hold 3 MiB at any multiple of 32. */
		expect_equal(chunk_recycled_bytes(), recycled - 3 * MIB);
	}
}

/**
 * struct extent - a live extent
 * @at:   first byte, or NULL
 * @size: bytes; 0: none
 */
struct extent {
	char *at;
	size_t size;
};

static int by_address(const void *a, const void *b)
{
	const struct extent *left = a, *right = b;

	return (left->at > right->at) - (left->at < right->at);
}

/* Live chunks must not overlap after any carving, merging and mapping. */
static void nothing_overlaps(void)
{
	static struct extent extents[256];
	/* On 32 bits fewer chunks have room. Unused entries sort first. */
	size_t count = TAP_COUNT(extents) / (sizeof(void *) < 8 ? 4 : 1);
	uint64_t random = random_seed();

	for (size_t i = 0; i < 4 * TAP_COUNT(extents); i++) {
		struct extent *p = &extents[random_below(&random, count)];
		size_t alignment = MIB << random_below(&random, 5);

		if (p->size)
			chunk_dealloc(p->at, p->size, UNKNOWN_CHUNK);
		p->size = (1 + random_below(&random, 6)) * MIB;
		p->at = chunk_alloc(p->size, alignment, false);
		expect(p->at);
		check_aligned(p->at, p->size, alignment);
	}
	qsort(extents, TAP_COUNT(extents), sizeof(*extents), by_address);
	for (size_t i = 1; i < TAP_COUNT(extents); i++)
		expect(!extents[i - 1].size || extents[i - 1].at +
		       extents[i - 1].size <= extents[i].at);
	expect_stats_consistent();
}

static void base_chunks(void)
{
	size_t mib = recyclable(2);
	char *recycled = alloc_mib(mib), *base;
	struct chunk_stats before;

	dealloc_mib(recycled, mib);
	before = stats_now();
	base = chunk_alloc(2 * MIB, 2 * MIB, true);
	expect(base);
	expect_equal((uintptr_t)base % (2 * MIB), 0);
	expect(is_zero(base, 2 * MIB));
	fill(base, 2 * MIB, 3);
	for (size_t at = 0; at < 2 * MIB; at += MIB / 2)
		expect(!chunk_is_live(base + at));
	/* A base chunk is not taken from recycled memory, which stays untouched. */
	expect(base + 2 * MIB <= recycled || recycled + mib * MIB <= base);
	expect_equal(chunk_recycled_bytes(), before.recycled_bytes);
	expect_equal(stats_now().allocs_recycled, before.allocs_recycled);
}

static void base_chunks_decommit(void)
{
	char *base = chunk_alloc(2 * MIB, MIB, true);

	expect(base);
	fill(base, 2 * MIB, 3);
	pages_decommit(base + MIB, MIB / 2);
	expect_trap_only(base + MIB, MIB / 2);
	expect(is_filled(base, MIB, 3));
	expect(pages_commit(base + MIB, MIB / 2));
	expect(is_zero(base + MIB, MIB / 2));
	expect(is_filled(base + 3 * MIB / 2, MIB / 2, 3 + 3 * MIB / 2));
}

/* A caller may rely on errno across a call that succeeds: free() must keep it. */
static void errno_is_kept(void)
{
	char *chunk, *mapped;

	errno = 4711;
	chunks_init();
	for (size_t i = 0; i < SOME; i++) {
		chunk = chunk_alloc(3 * MIB, 4 * MIB, false);
		expect(chunk);
		expect_equal(errno, 4711);
		pages_decommit(chunk, MIB);
		expect_equal(errno, 4711);
		expect(pages_commit(chunk, MIB));
		expect_equal(errno, 4711);
		pages_purge(chunk, 3 * MIB, i % 2);
		expect_equal(errno, 4711);
		expect(chunk_is_live(chunk));
		if (i % 2)
			dealloc_mib(chunk, 3);
		expect_equal(errno, 4711);
	}
	mapped = pages_map(NULL, MIB);
	expect(mapped);
	pages_unmap(mapped, MIB);
	stats_now();
	chunk_set_recycle_limit(0);
	expect(chunk_alloc(MIB, MIB, true));
	expect(chunk_backend());
	expect_equal(errno, 4711);
}

static void init_repeats(void)
{
	void *chunk;

	chunks_init();
	chunk = alloc_mib(1);
	chunks_init();
	expect(chunk_is_live(chunk));
	expect_equal(stats_now().live_bytes - stats_now().base_bytes, MIB);
}

/* The chunk traps until it is committed, and is counted as decommitted. */
static void born_decommitted(void)
{
	size_t page = page_size();

	for (int round = 0; round < 3; round++) {
		char *chunk = chunk_alloc_decommitted(4 * MIB, 8 * MIB);

		expect(chunk);
		expect_equal((uintptr_t)chunk % (8 * MIB), 0);
		expect(chunk_is_live(chunk + 3 * MIB));
		expect_equal(stats_now().decommitted_bytes, 4 * MIB);
		for (size_t at = 0; at < 4 * MIB; at += 64 * page)
			expect(read_traps(chunk + at));
		expect(pages_commit(chunk + MIB - page, 2 * page));
		expect(is_zero(chunk + MIB - page, 2 * page));
		fill(chunk + MIB - page, 2 * page, 1);
		expect_equal(stats_now().decommitted_bytes, 4 * MIB - 2 * page);
		expect_trap(chunk + MIB + page);
		expect_trap(chunk + MIB - page - 1);
		pages_decommit(chunk + MIB, page);
		expect_trap(chunk + MIB);
		expect(is_filled(chunk + MIB - page, page, 1));
		expect(pages_populate(chunk, 4 * MIB));
		expect(is_filled(chunk + MIB - page, page, 1));
		expect(is_zero(chunk + MIB, 3 * MIB));
		expect_equal(stats_now().decommitted_bytes, 0);
		pages_decommit(chunk + 2 * MIB, MIB);
		expect_stats_consistent();
		dealloc_mib(chunk, 4);
		expect_equal(stats_now().decommitted_bytes, 0);
		expect_trap(chunk + MIB);
	}
	expect(is_zero(alloc_mib(4), 4 * MIB));
	expect_stats_consistent();
}

/* A cage: address space far larger than memory */
static void born_decommitted_huge(void)
{
	size_t size = (size_t)256 << (sizeof(size_t) > 4 ? 30 : 20);
	size_t base = stats_now().base_bytes;
	char *cage, *other;

	cage = chunk_alloc_decommitted(size, 32 * MIB);
	if (!cage && getenv("TAP_UNDER"))
		tap_skip("the emulator has no such address space");
	expect(cage);
	expect_equal((uintptr_t)cage % (32 * MIB), 0);
	/* Address space that is not used takes next to no bookkeeping. */
	expect_equal(stats_now().base_bytes - base <= 2 * MIB, true);
	expect(pages_commit(cage + size / 2, MIB));
	fill(cage + size / 2, MIB, 1);
	expect_trap(cage + size / 2 + MIB);
	expect_trap(cage);
	expect_trap(cage + size - 1);
	expect_equal(stats_now().decommitted_bytes, size - MIB);
	other = alloc_mib(4);
	expect(other + 4 * MIB <= cage || cage + size <= other);
	chunk_dealloc(cage, size, UNKNOWN_CHUNK);
	expect_equal(stats_now().decommitted_bytes, 0);
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "fresh chunks read as zero", fresh_is_zero },
	{ "recycled chunks read as zero, whatever their type",
	  recycled_is_zero },
	{ "chunks recycled as zeroed read as zero", zeroed_is_zero },
	{ "coalesced chunks of different types read as zero", merged_is_zero },
	{ "chunks recycled partly decommitted come back committed and zero",
	  partly_decommitted_is_committed },
	{ "every alignment from 1 MiB to 1 GiB", every_alignment },
	{ "alignment when recycled", alignment_when_recycled },
	{ "live chunks never overlap", nothing_overlaps },
	{ "base chunks: zero, not registered, not recycled", base_chunks },
	{ "base chunks can be decommitted and committed",
	  base_chunks_decommit },
	{ "decommitted from the start", born_decommitted },
	{ "decommitted from the start, more than there is memory",
	  born_decommitted_huge },
	{ "errno is kept on success", errno_is_kept },
	{ "chunks_init can be repeated", init_repeats },
};

const struct tap_suite tap_suite = {
	.about = "Tests chunk_alloc",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
