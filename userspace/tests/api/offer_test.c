// SPDX-License-Identifier: MIT
/*
 * Discardable memory on every system: what is offered comes back as it was, or as
 * zeroes, and never as a mixture.
 */
#include <errno.h>
#include <pthread.h>

#include "common.h"

#define THREADS	8
#define CYCLES	rounds(2000)

/* May chunk_reclaim() return true? */
static bool contents_are_known(void)
{
	return chunk_offer_way() != OFFER_ADVICE;
}

/* All is intact, or all is zero, as the result says. */
static void expect_taken(char *chunk, size_t size, uint64_t seed)
{
	if (chunk_reclaim(chunk, size))
		expect(is_filled(chunk, size, seed));
	else
		expect(is_zero(chunk, size));
}

/* As expect_taken(), when nothing is short of memory. */
static void expect_kept(char *chunk, size_t size, uint64_t seed)
{
	bool intact = chunk_reclaim(chunk, size);

	expect_equal(intact, contents_are_known());
	expect(intact ? is_filled(chunk, size, seed) : is_zero(chunk, size));
}

static void as_the_backend_can(void)
{
	enum chunk_offer_way way;

	errno = EXDEV;
	way = chunk_offer_way();
	expect_equal(errno, EXDEV);
	tap_note("chunk_offer_way() is %d", way);
	/* A kernel that exports no zap function has no words. */
	if (on_device())
		expect(way == OFFER_WORDS || way == OFFER_NONE);
	else
		expect(way != OFFER_WORDS);
}

static void taken_back(void)
{
	char *chunk = alloc_mib(3);

	fill(chunk, 3 * MIB, 1);
	errno = EXDEV;
	chunk_offer(chunk, 3 * MIB);
	expect_equal(errno, EXDEV);
	expect_kept(chunk, 3 * MIB, 1);
	expect_equal(errno, EXDEV);
	fill(chunk, 3 * MIB, 2);
	expect(is_filled(chunk, 3 * MIB, 2));
	dealloc_mib(chunk, 3);
}

/* Offered and taken back by ranges that differ; the others are untouched. */
static void any_chunks_of_an_extent(void)
{
	char *chunk = alloc_mib(6);

	fill(chunk, 6 * MIB, 1);
	chunk_offer(chunk + MIB, 2 * MIB);
	chunk_offer(chunk + 3 * MIB, 2 * MIB);
	expect_kept(chunk + 2 * MIB, 2 * MIB, 1 + 2 * MIB);
	expect_kept(chunk + MIB, MIB, 1 + MIB);
	expect_kept(chunk + 4 * MIB, MIB, 1 + 4 * MIB);
	expect(is_filled(chunk, MIB, 1));
	expect(is_filled(chunk + 5 * MIB, MIB, 1 + 5 * MIB));
	dealloc_mib(chunk, 6);
}

static void never_touched(void)
{
	char *chunk = alloc_mib(2);

	chunk_offer(chunk, 2 * MIB);
	chunk_reclaim(chunk, 2 * MIB);
	expect(is_zero(chunk, 2 * MIB));
}

/* Pages that were decommitted before trap afterwards, and no others. */
static void decommitted_pages(void)
{
	size_t page = page_size(), hole = MIB - 2 * page;
	char *chunk = alloc_mib(3);

	fill(chunk, 3 * MIB, 1);
	pages_decommit(chunk + hole, 4 * page);
	pages_decommit(chunk + 2 * MIB, MIB);
	chunk_offer(chunk, 3 * MIB);
	if (chunk_reclaim(chunk, 3 * MIB)) {
		expect(is_filled(chunk, hole, 1));
		expect(is_filled(chunk + MIB + 2 * page, MIB - 2 * page,
				 1 + MIB + 2 * page));
	} else {
		expect(is_zero(chunk, hole));
		expect(is_zero(chunk + MIB + 2 * page, MIB - 2 * page));
	}
	expect_trap_only(chunk + hole, 4 * page);
	expect_trap(chunk + 2 * MIB);
	expect_trap(chunk + 3 * MIB - 1);
	expect(pages_commit(chunk + hole, 4 * page));
	expect(is_zero(chunk + hole, 4 * page));
	expect_stats_consistent();
}

static void all_decommitted(void)
{
	char *chunk = chunk_alloc_decommitted(2 * MIB, MIB);

	expect(chunk);
	chunk_offer(chunk, 2 * MIB);
	chunk_reclaim(chunk, 2 * MIB);
	expect_trap(chunk);
	expect_trap(chunk + 2 * MIB - 1);
	expect(pages_commit(chunk, 2 * MIB));
	expect(is_zero(chunk, 2 * MIB));
}

/* The next owner of the address space finds zeroes, which nothing takes away. */
static void given_back_while_offered(void)
{
	for (unsigned int i = 0; i < 20; i++) {
		char *chunk = alloc_mib(2);

		expect(is_zero(chunk, 2 * MIB));
		fill(chunk, 2 * MIB, i);
		expect(chunk_reclaim(chunk, 2 * MIB));
		expect(is_filled(chunk, 2 * MIB, i));
		chunk_offer(chunk + (i & 1) * MIB, MIB);
		dealloc_mib(chunk, 2);
	}
	expect_stats_consistent();
}

static void not_offered(void)
{
	char *chunk = alloc_mib(2);

	fill(chunk, 2 * MIB, 1);
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect(is_filled(chunk, 2 * MIB, 1));
	chunk_offer(chunk, MIB);
	chunk_offer(chunk, MIB);
	expect_kept(chunk, MIB, 1);
	fill(chunk, MIB, 1);
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect(is_filled(chunk, 2 * MIB, 1));
}

/* The contents that were written last count. */
static void again_and_again(void)
{
	char *chunk = alloc_mib(1);

	for (unsigned int i = 0; i < CYCLES; i++) {
		fill(chunk, page_size(), i);
		chunk_offer(chunk, MIB);
		if (chunk_reclaim(chunk, MIB))
			expect(is_filled(chunk, page_size(), i));
		else
			expect(is_zero(chunk, page_size()));
	}
}

static void *offer_own(void *arg)
{
	uint64_t random = (uintptr_t)arg;
	char *chunk = alloc_mib(4);

	for (unsigned int i = 0; i < CYCLES / 4; i++) {
		size_t at = random_below(&random, 4) * MIB;
		size_t size = MIB + random_below(&random, 4 - at / MIB) * MIB;
		uint64_t seed = random_next(&random);

		fill(chunk + at, size, seed);
		chunk_offer(chunk + at, size);
		expect_taken(chunk + at, size, seed);
	}
	dealloc_mib(chunk, 4);
	return NULL;
}

static void many_threads(void)
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, offer_own,
				      (void *)(i + 1)) == 0);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "memory is offered as the backend can", as_the_backend_can },
	{ "what is offered is taken back", taken_back },
	{ "any chunks of an extent are offered", any_chunks_of_an_extent },
	{ "chunks that were never touched are zero", never_touched },
	{ "decommitted pages still trap", decommitted_pages },
	{ "a decommitted extent still traps", all_decommitted },
	{ "chunks are given back while they are offered",
	  given_back_while_offered },
	{ "offered twice, or taken without being offered: no change",
	  not_offered },
	{ "offered and taken again and again", again_and_again },
	{ "many threads offer and take their own", many_threads },
};

const struct tap_suite tap_suite = {
	"Discardable memory: chunk_offer() and chunk_reclaim().",
	cases, TAP_COUNT(cases),
};
