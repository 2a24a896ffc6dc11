// SPDX-License-Identifier: MIT
/* Many threads at once, each of which owns its chunks alone. */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

#include "common.h"

#define THREADS		16
#define SLOTS		12
#define ROUNDS		rounds(400)

static void in_threads(size_t count, void *(*run)(void *))
{
	pthread_t threads[THREADS];

	for (size_t i = 0; i < count; i++)
		expect(pthread_create(&threads[i], NULL, run,
				      (void *)(i + 1)) == 0);
	for (size_t i = 0; i < count; i++)
		expect(pthread_join(threads[i], NULL) == 0);
}

/**
 * struct slot - a chunk that a thread owns
 * @chunk: first byte, or NULL
 * @size:  bytes
 * @seed:  seed of the owner's pattern
 * @hole:  index of the decommitted page, or 0
 */
struct slot {
	char *chunk;
	size_t size;
	uint64_t seed;
	size_t hole;
};

/* The first and the last page hold a pattern that names the owner. */
static void check_owned(const struct slot *slot)
{
	size_t page = page_size();

	expect(chunk_is_live(slot->chunk));
	expect(is_filled(slot->chunk, page, slot->seed));
	expect(is_filled(slot->chunk + slot->size - page, page,
			 slot->seed + 1));
	if (slot->hole) {
		expect(read_traps(slot->chunk + slot->hole * page));
		expect(!read_traps(slot->chunk + (slot->hole + 1) * page));
	}
}

static void take(struct slot *slot, uint64_t *random)
{
	size_t page = page_size();

	slot->size = (1 + random_below(random, 4)) * MIB;
	slot->chunk = chunk_alloc(slot->size, MIB << random_below(random, 5),
				  false);
	slot->seed = random_next(random);
	slot->hole = 0;
	expect(slot->chunk);
	for (size_t at = 0; at < slot->size; at += MIB / 4)
		expect(is_zero(slot->chunk + at, page));
	expect(is_zero(slot->chunk + slot->size - page, page));
	fill(slot->chunk, page, slot->seed);
	fill(slot->chunk + slot->size - page, page, slot->seed + 1);
}

static void change(struct slot *slot, uint64_t *random)
{
	size_t page = page_size(), pages = slot->size / page;

	if (slot->hole) {
		expect(pages_commit(slot->chunk + slot->hole * page, page));
		expect(is_zero(slot->chunk + slot->hole * page, page));
		slot->hole = 0;
	} else {
		slot->hole = 2 + random_below(random, pages - 5);
		fill(slot->chunk + slot->hole * page, page, 1);
		pages_decommit(slot->chunk + slot->hole * page, page);
	}
}

static void *own_and_check(void *arg)
{
	struct slot slots[SLOTS] = { 0 };
	uint64_t random = (uintptr_t)arg * 7919;

	for (size_t i = 0; i < ROUNDS; i++) {
		struct slot *slot = &slots[random_below(&random, SLOTS)];
		size_t what = random_below(&random, 4);

		if (!slot->chunk) {
			take(slot, &random);
			continue;
		}
		check_owned(slot);
		if (what == 0) {
			dealloc_mib(slot->chunk, slot->size / MIB);
			slot->chunk = NULL;
		} else if (what == 1) {
			change(slot, &random);
		}
	}
	for (size_t i = 0; i < SLOTS; i++) {
		if (!slots[i].chunk)
			continue;
		check_owned(&slots[i]);
		dealloc_mib(slots[i].chunk, slots[i].size / MIB);
	}
	return NULL;
}

static void check_all_returned(void)
{
	struct chunk_stats s = stats_now();

	expect_equal(s.live_bytes, s.base_bytes);
	expect_equal(s.decommitted_bytes, 0);
	expect_stats_consistent();
}

static void random_operations(void)
{
	chunks_init();
	in_threads(THREADS, own_and_check);
	check_all_returned();
}

static void with_a_small_limit(void)
{
	chunk_set_recycle_limit(3 * MIB);
	in_threads(THREADS, own_and_check);
	check_all_returned();
	expect(chunk_recycled_bytes() <= 3 * MIB);
}

/* Number of limits that each thread sets, and how often */
#define LIMITS		8
#define LIMIT_ROUNDS	300

static void *set_limits(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	for (int i = 0; i < LIMITS; i++)
		chunk_set_recycle_limit(random_below(&random, 9) * MIB);
	return NULL;
}

/* Whichever limit was set last, chunk_get_stats() shows it and recycling obeys it. */
static void limits_at_once(void)
{
	for (unsigned int i = 0; i < rounds(LIMIT_ROUNDS); i++) {
		size_t mib = recyclable(9);
		void *chunks[9];

		in_threads(4, set_limits);
		for (size_t at = 0; at < 9; at += mib)
			chunks[at] = alloc_mib(mib);
		for (size_t at = 0; at < 9; at += mib)
			dealloc_mib(chunks[at], mib);
		expect_equal(chunk_recycled_bytes(),
			     stats_now().recycle_limit);
	}
}

static atomic_uint waiting;

/* The very first calls are made by all threads at once. */
static void *first_call(void *arg)
{
	char *chunk;

	atomic_fetch_add(&waiting, 1);
	while (atomic_load(&waiting) < THREADS)
		;
	chunk = alloc_mib(1);
	fill(chunk, page_size(), (uintptr_t)arg);
	for (int i = 0; i < 100; i++)
		expect(chunk_is_live(chunk));
	expect(is_filled(chunk, page_size(), (uintptr_t)arg));
	return NULL;
}

static void first_calls_at_once(void)
{
	in_threads(THREADS, first_call);
	expect_equal(stats_now().live_bytes - stats_now().base_bytes,
		     THREADS * MIB);
}

static char *shared;

/* Each thread has its own pages of one chunk. */
static void *own_pages(void *arg)
{
	size_t page = page_size(), pages = 2 * MIB / page;
	size_t mine = (uintptr_t)arg - 1;
	uint64_t random = mine;

	for (size_t i = 0; i < ROUNDS; i++) {
		size_t at = random_below(&random, pages / THREADS) * THREADS + mine;
		char *p = shared + at * page;

		fill(p, page, at);
		expect(is_filled(p, page, at));
		pages_decommit(p, page);
		expect(read_traps(p));
		expect(pages_commit(p, page));
		expect(is_zero(p, page));
	}
	return NULL;
}

static void pages_of_one_chunk(void)
{
	shared = alloc_mib(2);
	in_threads(THREADS, own_pages);
	expect(is_zero(shared, 2 * MIB));
	expect_equal(stats_now().decommitted_bytes, 0);
}

#define QUEUE	64

static atomic_uintptr_t queue[QUEUE];

/* Chunks are returned by other threads than those that took them. */
static void *produce_and_consume(void *arg)
{
	uint64_t random = (uintptr_t)arg;

	for (size_t i = 0; i < ROUNDS; i++) {
		char *chunk = alloc_mib(1);
		size_t at;

		expect(is_zero(chunk, page_size()));
		fill(chunk, page_size(), (uintptr_t)chunk);
		at = random_below(&random, QUEUE);
		chunk = (char *)atomic_exchange(&queue[at], (uintptr_t)chunk);
		if (!chunk)
			continue;
		expect(is_filled(chunk, page_size(), (uintptr_t)chunk));
		dealloc_mib(chunk, 1);
	}
	return NULL;
}

static void returned_by_others(void)
{
	in_threads(THREADS, produce_and_consume);
	for (size_t i = 0; i < QUEUE; i++)
		if (queue[i])
			dealloc_mib((char *)queue[i], 1);
	check_all_returned();
}

static atomic_uint writes;
static atomic_bool stop;

/* Writes where it may trap: the write traps or is lost by the decommit. */
static void *write_always(void *arg)
{
	char *p = shared + (uintptr_t)arg * page_size();

	while (!atomic_load(&stop))
		atomic_fetch_add(&writes, !store_traps(p, 1));
	return NULL;
}

static void races_with_accesses(void)
{
	pthread_t threads[3];
	size_t done = 0, least = rounds(2000);

	shared = alloc_mib(1);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_create(&threads[i], NULL, write_always,
				      (void *)i) == 0);
	while (done < least || (atomic_load(&writes) < 100 &&
				done < 100 * least)) {
		pages_decommit(shared, MIB);
		expect_equal(resident_bytes(shared, 4 * page_size()), 0);
		expect(read_traps(shared));
		expect(pages_commit(shared, MIB));
		done++;
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(pthread_join(threads[i], NULL) == 0);
	tap_note("%u writes got through", atomic_load(&writes));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "the first calls ever, all at once", first_calls_at_once },
	{ "random operations, ownership checked", random_operations },
	{ "random operations with a small recycle limit", with_a_small_limit },
	{ "the limit when threads set it at once", limits_at_once },
	{ "threads share a chunk, each its pages", pages_of_one_chunk },
	{ "chunks are returned by other threads", returned_by_others },
	{ "no page stays behind when accesses race with decommit",
	  races_with_accesses },
};

const struct tap_suite tap_suite = {
	.about = "Tests use by many threads",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
