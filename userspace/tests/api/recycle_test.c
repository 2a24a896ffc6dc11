// SPDX-License-Identifier: MIT
/*
 * Recycling as a caller sees it: the limit is exact, the best fit with the
 * lowest address is taken, and neighbours coalesce.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common.h"

#define THREADS	8

static void default_limit(void)
{
	expect_equal(stats_now().recycle_limit, 128 * MIB);
	expect_equal(chunk_set_recycle_limit(64 * MIB), 128 * MIB);
	expect_equal(chunk_set_recycle_limit(128 * MIB), 64 * MIB);
	expect_equal(stats_now().recycle_limit, 128 * MIB);
}

/* Deallocate @mib single chunks, of which the limit has room for @kept. */
static void saturate(size_t mib, size_t kept)
{
	static void *chunks[64];

	for (size_t i = 0; i < mib; i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < mib; i++) {
		dealloc_mib(chunks[i], 1);
		expect_equal(chunk_recycled_bytes(),
			     (i + 1 < kept ? i + 1 : kept) * MIB);
		expect_equal(stats_now().recycled_bytes,
			     chunk_recycled_bytes());
	}
	expect_stats_consistent();
}

static void limit_is_exact(void)
{
	chunk_set_recycle_limit(7 * MIB);
	saturate(20, 7);
	/* Take all recycled chunks, and fill up to the limit again. */
	saturate(20, 7);
}

static void limit_of_zero(void)
{
	chunk_set_recycle_limit(0);
	saturate(5, 0);
	expect_equal(stats_now().allocs_recycled, 0);
}

static void limit_between_chunks(void)
{
	chunk_set_recycle_limit(3 * MIB + MIB / 2);
	expect_equal(stats_now().recycle_limit, 3 * MIB + MIB / 2);
	saturate(6, 3);
	expect_equal(chunk_set_recycle_limit(MIB - 1), 3 * MIB + MIB / 2);
	expect_equal(chunk_recycled_bytes(), 0);
	saturate(3, 0);
}

static void limit_inside_an_extent(void)
{
	char *chunk;

	need_cutting();
	chunk_set_recycle_limit(5 * MIB);
	dealloc_mib(alloc_mib(2), 2);
	chunk = alloc_mib(9);
	fill(chunk, 9 * MIB, 1);
	dealloc_mib(chunk, 9);
	/* As much of the extent is recycled as the limit has room for. */
	expect_equal(chunk_recycled_bytes(), 5 * MIB);
	expect_stats_consistent();
}

static void largest_limit(void)
{
	size_t limit;

	need_cutting();
	limit = chunk_set_recycle_limit(SIZE_MAX);
	dealloc_mib(alloc_mib(150), 150);
	expect_equal(chunk_recycled_bytes(), 150 * MIB);
	chunk_set_recycle_limit(limit);
	expect_equal(chunk_recycled_bytes(), 128 * MIB);
	expect_stats_consistent();
}

static void lowered_while_full(void)
{
	static void *chunks[40];
	size_t limit;

	/* Every second chunk is deallocated, so that nothing coalesces. */
	for (size_t i = 0; i < 40; i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < 40; i += 2)
		dealloc_mib(chunks[i], 1);
	expect_equal(chunk_recycled_bytes(), 20 * MIB);
	for (limit = 15 * MIB + 1; limit > MIB; limit -= 3 * MIB) {
		chunk_set_recycle_limit(limit);
		expect_equal(chunk_recycled_bytes(), limit / MIB * MIB);
	}
	/* The same holds for one extent that is larger than the limit. */
	chunk_set_recycle_limit(128 * MIB);
	dealloc_mib(alloc_mib(60), 60);
	chunk_set_recycle_limit(11 * MIB);
	expect(chunk_recycled_bytes() <= 11 * MIB);
	chunk_set_recycle_limit(0);
	expect_equal(chunk_recycled_bytes(), 0);
	for (size_t i = 1; i < 40; i += 2)
		expect(is_zero(chunks[i], MIB));
	expect_stats_consistent();
}

static atomic_bool stop;

static void *churn(void *arg)
{
	uint64_t random = (uintptr_t)arg;
	void *chunks[8] = { 0 };
	size_t sizes[8];

	while (!atomic_load(&stop)) {
		size_t i = random_below(&random, 8);

		if (chunks[i]) {
			dealloc_mib(chunks[i], sizes[i]);
			chunks[i] = NULL;
		} else {
			sizes[i] = 1 + random_below(&random, 5);
			chunks[i] = alloc_mib(sizes[i]);
		}
		expect(chunk_recycled_bytes() <= 13 * MIB);
	}
	for (size_t i = 0; i < 8; i++)
		if (chunks[i])
			dealloc_mib(chunks[i], sizes[i]);
	return NULL;
}

/* The recycled bytes never exceed the limit, and equal it in the end. */
static void limit_under_threads(void)
{
	pthread_t threads[THREADS];

	chunk_set_recycle_limit(13 * MIB);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, churn,
				      (void *)(i + 1)) == 0);
	for (size_t i = 0; i < rounds(20000); i++) {
		expect(chunk_recycled_bytes() <= 13 * MIB);
		if (i % 16 == 0)
			expect(stats_now().recycled_bytes <= 13 * MIB);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	saturate(30, 13);
	expect_equal(chunk_recycled_bytes(), 13 * MIB);
	expect_stats_consistent();
}

/* When a call that changes the limit has returned, the new one is never exceeded. */
static void limit_changes_under_threads(void)
{
	pthread_t threads[THREADS];

	chunk_set_recycle_limit(13 * MIB);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, churn,
				      (void *)(i + 1)) == 0);
	for (size_t i = 0; i < rounds(200); i++) {
		size_t limit = (i * 5 % 14) * MIB;

		chunk_set_recycle_limit(limit);
		for (size_t j = 0; j < 50; j++)
			expect(chunk_recycled_bytes() <= limit);
	}
	chunk_set_recycle_limit(2 * MIB);
	atomic_store(&stop, true);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect(chunk_recycled_bytes() <= 2 * MIB);
	expect_stats_consistent();
}

/*
 * Runs of a row of single chunks are deallocated: between live neighbours, they
 * are the only free extents.
 */
static char *row_with_holes(const size_t (*holes)[2], size_t count)
{
	char *row = adjoining_chunks(40);

	for (size_t i = 0; i < count; i++)
		for (size_t at = 0; at < holes[i][1]; at++)
			dealloc_mib(row + (holes[i][0] + at) * MIB, 1);
	return row;
}

static void best_fit(void)
{
	/* First chunk of each hole, and its number of chunks */
	static const size_t holes[][2] = {
		{ 1, 5 }, { 8, 3 }, { 13, 2 }, { 17, 3 }, { 22, 7 }, { 31, 2 },
	};
	char *row;

	need_cutting();
	row = row_with_holes(holes, TAP_COUNT(holes));
	/*
	 * The smallest extent that is large enough is taken, and of equal ones
	 * the lowest.
	 */
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)row + 13 * MIB);
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)row + 31 * MIB);
	expect_equal((uintptr_t)alloc_mib(3), (uintptr_t)row + 8 * MIB);
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)row + 17 * MIB);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)row + 19 * MIB);
	expect_equal((uintptr_t)alloc_mib(6), (uintptr_t)row + 22 * MIB);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)row + 28 * MIB);
	expect_equal((uintptr_t)alloc_mib(5), (uintptr_t)row + 1 * MIB);
	expect_equal(chunk_recycled_bytes(), 0);
}

/* The original misses this fit: it searches for size + alignment - 1 MiB. */
static void exact_aligned_fit(void)
{
	need_cutting();
	for (size_t alignment = 2 * MIB; alignment <= 64 * MIB;
	     alignment *= 2) {
		char *chunk = chunk_alloc(alignment, alignment, false);
		uint64_t recycled = stats_now().allocs_recycled;

		expect(chunk);
		chunk_dealloc(chunk, alignment, UNKNOWN_CHUNK);
		expect_equal((uintptr_t)chunk_alloc(alignment, alignment,
						    false),
			     (uintptr_t)chunk);
		expect(stats_now().allocs_recycled > recycled);
		chunk_dealloc(chunk, alignment, UNKNOWN_CHUNK);
		chunk_set_recycle_limit(0);
		chunk_set_recycle_limit(128 * MIB);
	}
}

/* The orders are last to first, first to last, and the like. */
static void coalesce_in_order(const unsigned char *order)
{
	char *row = alloc_mib(8);
	struct chunk_stats before;

	dealloc_mib(row, 8);
	for (size_t i = 0; i < 8; i++)
		expect_equal((uintptr_t)alloc_mib(1),
			     (uintptr_t)row + i * MIB);
	expect_equal(chunk_recycled_bytes(), 0);
	for (size_t i = 0; i < 8; i++) {
		fill(row + order[i] * MIB, page_size(), i);
		dealloc_mib(row + order[i] * MIB, 1);
	}
	before = stats_now();
	expect_equal(before.recycled_bytes, 8 * MIB);
	expect_equal((uintptr_t)alloc_mib(8), (uintptr_t)row);
	expect_equal(stats_now().mapped_bytes, before.mapped_bytes);
	expect_equal(stats_now().allocs_recycled, before.allocs_recycled + 1);
	expect(is_zero(row, 8 * MIB));
	dealloc_mib(row, 8);
}

static void coalescing(void)
{
	static const unsigned char orders[][8] = {
		{ 0, 1, 2, 3, 4, 5, 6, 7 }, { 7, 6, 5, 4, 3, 2, 1, 0 },
		{ 0, 2, 4, 6, 1, 3, 5, 7 }, { 1, 3, 5, 7, 6, 4, 2, 0 },
		{ 3, 4, 2, 5, 1, 6, 0, 7 }, { 0, 7, 1, 6, 2, 5, 3, 4 },
		{ 5, 0, 3, 6, 1, 7, 4, 2 },
	};

	need_cutting();
	for (size_t i = 0; i < TAP_COUNT(orders); i++)
		coalesce_in_order(orders[i]);
}

/* Neighbours of equal and different sizes, with live chunks between them */
static void live_is_not_coalesced(void)
{
	char *row;

	need_cutting();
	row = adjoining_chunks(5);
	fill(row, 5 * MIB, 2);
	dealloc_mib(row, 1);
	dealloc_mib(row + MIB, 1);
	dealloc_mib(row + 3 * MIB, 1);
	dealloc_mib(row + 4 * MIB, 1);
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)row);
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)row + 3 * MIB);
	expect(is_filled(row + 2 * MIB, MIB, 2 + 2 * MIB));
}

/* Live extents of the endless churn; their sizes and alignments are in MiB */
#define HELD		48
#define LARGEST		16
#define MOST_ALIGNED	32

/**
 * struct churn - extents that are allocated and freed without end
 * @chunks:    the live extents, or NULL
 * @sizes:     size of each, in MiB
 * @low:       the lowest address that any has had
 * @high:      the highest end that any has had
 * @live:      MiB in all live extents
 * @most_live: the most MiB that were live at a time
 */
struct churn {
	char *chunks[HELD];
	size_t sizes[HELD];
	uintptr_t low, high;
	size_t live, most_live;
};

static void churn_alloc(struct churn *churn, size_t i, uint64_t *random)
{
	size_t mib = 1 + random_below(random, LARGEST);
	size_t alignment = MIB << random_below(random, 6);
	char *chunk = chunk_alloc(mib * MIB, alignment, false);

	expect(chunk && (uintptr_t)chunk % alignment == 0);
	chunk[0] = 1;
	churn->chunks[i] = chunk;
	churn->sizes[i] = mib;
	churn->live += mib;
	if (churn->live > churn->most_live)
		churn->most_live = churn->live;
	if (!churn->low || (uintptr_t)chunk < churn->low)
		churn->low = (uintptr_t)chunk;
	if ((uintptr_t)chunk + mib * MIB > churn->high)
		churn->high = (uintptr_t)chunk + mib * MIB;
}

static void churn_step(struct churn *churn, uint64_t *random)
{
	size_t i = random_below(random, HELD);

	if (!churn->chunks[i]) {
		churn_alloc(churn, i, random);
		return;
	}
	dealloc_mib(churn->chunks[i], churn->sizes[i]);
	churn->chunks[i] = NULL;
	churn->live -= churn->sizes[i];
}

/*
 * An extent is mapped at a new place only if no hole is large enough. There is
 * at most one hole between two extents, and none is that large. The device
 * premaps as much as is live, so it looks for holes of that size.
 */
static void expect_bounded(const struct churn *churn, size_t limit)
{
	uint64_t hole = (LARGEST + MOST_ALIGNED) * MIB;
	uint64_t mapped = 2 * churn->most_live * MIB + limit + 256 * MIB;
	struct chunk_stats s = stats_now();

	if (on_device()) {
		hole += 2 * churn->most_live * MIB + limit;
		mapped = 8 * churn->most_live * MIB + limit;
	}

	tap_note("in use %zu MiB at most, in %zu MiB of addresses; mapped %zu, for bookkeeping %zu",
		 churn->most_live, (churn->high - churn->low) / MIB,
		 (size_t)(s.mapped_bytes / MIB), (size_t)(s.base_bytes / MIB));
	expect((uint64_t)churn->high - churn->low <=
	       churn->most_live * MIB + limit + (HELD + 1) * hole);
	expect(s.mapped_bytes - s.base_bytes <= mapped);
	expect(s.base_bytes <= 2 * MIB);
}

static void bounded_for_ever(void)
{
	static const size_t limits[] = { 0, 24 * MIB, 128 * MIB };
	struct churn churn = { 0 };
	uint64_t random = 1;

	need_cutting();
	for (size_t i = 0; i < TAP_COUNT(limits); i++) {
		chunk_set_recycle_limit(limits[i]);
		for (unsigned int step = 0; step < rounds(3000); step++)
			churn_step(&churn, &random);
		expect_bounded(&churn, limits[i]);
	}
	expect_stats_consistent();
}

/* A single extent at a time need not move. */
static void one_for_ever(void)
{
	uintptr_t low = UINTPTR_MAX, high = 0;

	need_cutting();
	chunk_set_recycle_limit(0);
	for (unsigned int i = 0; i < rounds(2000); i++) {
		char *chunk = chunk_alloc(65 * MIB, 64 * MIB, false);

		expect(chunk);
		if ((uintptr_t)chunk < low)
			low = (uintptr_t)chunk;
		if ((uintptr_t)chunk > high)
			high = (uintptr_t)chunk;
		dealloc_mib(chunk, 65);
	}
	expect(high - low <= 1024 * MIB);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "address space and bookkeeping stay bounded",
	  bounded_for_ever },
	{ "one extent at a time stays where it is", one_for_ever },
	{ "the limit is 128 MiB and can be set", default_limit },
	{ "the limit is exact", limit_is_exact },
	{ "a limit of 0", limit_of_zero },
	{ "a limit that is no multiple of a chunk", limit_between_chunks },
	{ "a limit reached in the middle of an extent",
	  limit_inside_an_extent },
	{ "the largest limit", largest_limit },
	{ "lowering the limit releases at once", lowered_while_full },
	{ "threads never exceed the limit", limit_under_threads },
	{ "a limit that changes is obeyed by threads",
	  limit_changes_under_threads },
	{ "best fit, lowest address", best_fit },
	{ "an extent that fits exactly and is aligned is found",
	  exact_aligned_fit },
	{ "neighbours coalesce in whatever order", coalescing },
	{ "live chunks separate free ones", live_is_not_coalesced },
};

const struct tap_suite tap_suite = {
	.about = "Tests recycling",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
