// SPDX-License-Identifier: MIT
/* chunk_is_live(): the right answer for every address, from any thread */
#include <pthread.h>
#include <stdatomic.h>
#include <stdlib.h>

#include "common.h"

static void interior_addresses(void)
{
	char *chunk = alloc_mib(5);

	for (size_t at = 0; at < 5 * MIB; at += 1 + at / 7)
		expect(chunk_is_live(chunk + at));
	expect(chunk_is_live(chunk + 5 * MIB - 1));
	/* The answer is the same for memory that cannot be read. */
	pages_decommit(chunk + MIB, MIB);
	expect(chunk_is_live(chunk + MIB));
}

static void edges(void)
{
	char *chunks = adjoining_chunks(3), *middle = chunks + MIB;

	dealloc_mib(chunks, 1);
	dealloc_mib(chunks + 2 * MIB, 1);
	expect(!chunk_is_live(middle - 1));
	expect(chunk_is_live(middle));
	expect(chunk_is_live(middle + MIB - 1));
	expect(!chunk_is_live(middle + MIB));
}

static void after_dealloc(void)
{
	size_t mib = recyclable(3);
	char *chunk = alloc_mib(mib);

	dealloc_mib(chunk, mib);
	for (size_t at = 0; at < mib * MIB; at += MIB / 2)
		expect(!chunk_is_live(chunk + at));
	/* A part of the extent becomes live again. */
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk);
	expect(chunk_is_live(chunk));
	expect(!chunk_is_live(chunk + MIB));
	chunk_set_recycle_limit(0);
	dealloc_mib(chunk, 1);
	expect(!chunk_is_live(chunk));
}

static void foreign_addresses(void)
{
	static int variable;
	void *heap = malloc(1), *mapped = pages_map(NULL, MIB);
	void *other = foreign_mapping(MIB);

	expect(heap && mapped);
	for (int live = 0; live <= 1; live++) {
		expect(!chunk_is_live(NULL));
		expect(!chunk_is_live(&variable));
		expect(!chunk_is_live(&live));
		expect(!chunk_is_live(heap));
		expect(!chunk_is_live(mapped));
		expect(!chunk_is_live(other));
		expect(!chunk_is_live((void *)(uintptr_t)foreign_addresses));
		alloc_mib(1);
	}
	free(heap);
}

/* In 32 bits the chunk may be anywhere. */
static void expect_not_live(const char *chunk, uintptr_t addr)
{
	if (addr - (uintptr_t)chunk >= MIB)
		expect(!chunk_is_live((void *)addr));
}

static void impossible_addresses(void)
{
	char *chunk = alloc_mib(1);

	for (unsigned int bit = 0; bit < 8 * sizeof(void *); bit++) {
		uintptr_t one = (uintptr_t)1 << bit;

		expect_not_live(chunk, one);
		expect_not_live(chunk, one - 1);
		expect_not_live(chunk, -one);
		expect_not_live(chunk, ~-one);
		/* Aliases of a live address have a bit more, or one less. */
		expect_not_live(chunk, (uintptr_t)chunk ^ one);
	}
	expect(chunk_is_live(chunk));
}

static atomic_bool stop;
static char *always_live;
static atomic_uint asked;

static void *ask(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		expect(chunk_is_live(always_live));
		expect(chunk_is_live(always_live + MIB - 1));
		expect(!chunk_is_live(&stop));
		atomic_fetch_add(&asked, 1);
	}
	return NULL;
}

/* Readers take no lock while the registry changes. */
static void while_others_change_it(void)
{
	void *chunks[64] = { 0 };
	size_t far = sizeof(void *) < 8 ? 3 : 8;
	const char *text = getenv("TEST_ASKED");
	unsigned int least = text ? atoi(text) : 1000;
	pthread_t threads[3];
	uint64_t random = 1;

	always_live = alloc_mib(1);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_create(&threads[i], NULL, ask, NULL) == 0);
	chunk_set_recycle_limit(8 * MIB);
	for (int round = 0; round < 3000 || atomic_load(&asked) < least;
	     round++) {
		size_t i = random_below(&random, TAP_COUNT(chunks));

		if (chunks[i]) {
			expect(chunk_is_live(chunks[i]));
			dealloc_mib(chunks[i], 1);
			chunks[i] = NULL;
		} else {
			chunks[i] = chunk_alloc(MIB, MIB << i % far, false);
			expect(chunks[i]);
		}
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_join(threads[i], NULL) == 0);
	tap_note("asked %u times", atomic_load(&asked));
}

/* With many extents far apart the registry grows, and drops nodes again. */
static void many(void)
{
	static char *chunks[400];
	size_t far = sizeof(void *) < 8 ? 3 : 9;

	for (size_t i = 0; i < TAP_COUNT(chunks); i++) {
		chunks[i] = chunk_alloc(MIB, MIB << i % far, false);
		expect(chunks[i]);
	}
	for (size_t i = 0; i < TAP_COUNT(chunks); i += 2)
		dealloc_mib(chunks[i], 1);
	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		expect_equal(chunk_is_live(chunks[i] + MIB / 2), i % 2);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "interior addresses are live", interior_addresses },
	{ "addresses one byte outside are not live", edges },
	{ "no address is live after dealloc", after_dealloc },
	{ "foreign addresses and NULL are not live", foreign_addresses },
	{ "impossible addresses are not live", impossible_addresses },
	{ "asked while other threads change the registry",
	  while_others_change_it },
	{ "many chunks, far apart", many },
};

const struct tap_suite tap_suite = {
	.about = "Tests chunk_is_live",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
