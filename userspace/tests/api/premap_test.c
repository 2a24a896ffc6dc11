// SPDX-License-Identifier: MIT
/*
 * Premapping: with a fresh chunk libchunk maps address space for the next ones,
 * within bounds, and never where that costs memory or others lack it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "common.h"
#include "kernel_file.h"

#define PREMAP_MAX	(16 * MIB)
#define CHUNKS		64
#define THREADS		8

static char *chunks[CHUNKS];

/* Address space that is mapped, and neither live nor recycled nor bookkeeping */
static size_t premapped(void)
{
	struct chunk_stats s = stats_now();

	return s.mapped_bytes - s.live_bytes - s.recycled_bytes;
}

static void need_premap(void)
{
	if (on_device())
		tap_skip("the module premaps by itself");
	if (plain_posix())
		tap_skip("POSIX cannot tell whether that costs memory");
	if (overcommit_mode() == 2)
		tap_skip("nothing is premapped in overcommit mode 2");
}

/* Return how much is premapped then, at least 4 MiB. */
static size_t get_premapped(void)
{
	need_premap();
	for (size_t i = 0; i < CHUNKS && premapped() < 4 * MIB; i++)
		alloc_mib(1);
	expect(premapped() >= 4 * MIB);
	return premapped();
}

/* Limit address space to the use of now and @more bytes. */
static void limit_to(size_t more)
{
	struct rlimit limit;

	expect(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = status_bytes("VmSize") + more;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* All mapped address space is counted, but for a little of the C library's. */
static void expect_counted(size_t space, size_t mapped)
{
	size_t more = stats_now().mapped_bytes - mapped;

	if (getenv("TAP_UNDER"))
		tap_note("not checked: the emulator has mapped more");
	else if (!on_device())
		expect(status_bytes("VmSize") - space <= more + MIB / 2);
}

static void bounded(void)
{
	size_t most = 0;

	need_premap();
	alloc_mib(1);
	expect_equal(premapped(), 0);
	for (size_t i = 0; i < 300; i++) {
		size_t now;

		expect(is_zero(alloc_mib(1 + i % 3), MIB));
		now = premapped();
		expect(now <= PREMAP_MAX);
		expect(now <= stats_now().live_bytes / 2);
		if (now > most)
			most = now;
	}
	expect(most > PREMAP_MAX / 2);
	expect_stats_consistent();
}

/* No call could succeed: premapped space must do. */
static void serves(void)
{
	size_t count;

	need_limit(RLIMIT_AS);
	count = get_premapped() / MIB;
	limit_to(0);
	for (size_t i = 0; i < count; i++) {
		char *chunk = alloc_mib(1);

		expect(is_zero(chunk, MIB));
		fill(chunk, MIB, i);
	}
	expect_equal(premapped(), 0);
	expect(!chunk_alloc(MIB, MIB, false));
	expect_stats_consistent();
}

static void given_up_when_short(void)
{
	size_t there;

	need_limit(RLIMIT_AS);
	there = get_premapped();
	limit_to(MIB);
	fill(alloc_mib(there / MIB + 1), there + MIB, 1);
	expect_equal(premapped(), 0);
	expect_stats_consistent();
}

static void not_of_locked_memory(void)
{
	size_t space, mapped;

	need_premap();
	space = status_bytes("VmSize");
	mapped = stats_now().mapped_bytes;
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		tap_skip("memory cannot be locked here");
	for (size_t i = 0; i < 20; i++) {
		fill(alloc_mib(1), MIB, i);
		expect_equal(premapped(), 0);
	}
	expect_counted(space, mapped);
	expect_stats_consistent();
}

static void fill_and_check(uint64_t seed)
{
	for (size_t i = 0; i < 20; i++) {
		chunks[i] = alloc_mib(1 + i % 2);
		expect(is_zero(chunks[i], MIB));
		fill(chunks[i], MIB, seed + i);
	}
	for (size_t i = 0; i < 20; i++)
		expect(is_filled(chunks[i], MIB, seed + i));
	expect_stats_consistent();
}

static void both_sides_of_a_fork(void)
{
	size_t before = get_premapped();
	pid_t child = tap_fork();

	if (!child) {
		expect_equal(premapped(), before);
		fill_and_check(1);
		_exit(0);
	}
	fill_and_check(100);
	tap_join(child);
}

/* Random requests never overlap, and no address space is lost. */
static void random_requests(void)
{
	size_t space = status_bytes("VmSize"), mapped = stats_now().mapped_bytes;
	uint64_t random = random_seed();
	size_t sizes[CHUNKS] = { 0 };

	chunk_set_recycle_limit(0);
	for (size_t i = 0; i < rounds(3000); i++) {
		size_t at = random_below(&random, CHUNKS);
		size_t alignment = MIB << random_below(&random, 4);

		if (sizes[at]) {
			expect(is_filled(chunks[at], page_size(), at));
			chunk_dealloc(chunks[at], sizes[at], ARENA_CHUNK);
			sizes[at] = 0;
			continue;
		}
		sizes[at] = MIB * (1 + random_below(&random, 5));
		chunks[at] = chunk_alloc(sizes[at], alignment, false);
		expect(chunks[at]);
		expect_equal((uintptr_t)chunks[at] % alignment, 0);
		expect(is_zero(chunks[at], page_size()));
		expect(is_zero(chunks[at] + sizes[at] - page_size(),
			       page_size()));
		fill(chunks[at], page_size(), at);
		touch(chunks[at] + page_size(), sizes[at] - page_size());
		expect_stats_consistent();
		if (!on_device())
			expect(premapped() <= PREMAP_MAX);
	}
	expect_counted(space, mapped);
}

static void *allocate(void *seed)
{
	/* All of them together must fit in 32 bits. */
	for (size_t i = 0; i < rounds(sizeof(void *) > 4 ? 200 : 50); i++) {
		char *chunk = alloc_mib(1 + i % 3);

		expect(is_zero(chunk, page_size()));
		fill(chunk, page_size(), (uintptr_t)seed);
		expect(is_filled(chunk, page_size(), (uintptr_t)seed));
		if (i % 2)
			dealloc_mib(chunk, 1 + i % 3);
	}
	return NULL;
}

static void threads(void)
{
	pthread_t ids[THREADS];

	chunk_set_recycle_limit(0);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_create(&ids[i], NULL, allocate,
				      (void *)(i + 1)) == 0);
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(ids[i], NULL) == 0);
	if (!on_device())
		expect(premapped() <= THREADS * PREMAP_MAX);
	expect_stats_consistent();
}

/* There is no room to map more than the chunk and trim it. */
static void aligned_without_more(void)
{
	char *first, *second;

	if (on_device())
		tap_skip("the module finds aligned places by itself");
	need_limit(RLIMIT_AS);
	first = chunk_alloc(MIB, 4 * MIB, false);
	limit_to(MIB);
	second = chunk_alloc(MIB, 4 * MIB, false);
	expect(second);
	expect_equal((uintptr_t)second % (4 * MIB), 0);
	expect(first != second);
	fill(second, MIB, 1);
	expect_stats_consistent();
}

/* One more large chunk is premapped, and no very large ones. */
static void large_chunks(void)
{
	size_t most = 0;

	if (sizeof(void *) < 8)
		tap_skip("there are few addresses");
	need_premap();
	for (size_t i = 0; i < 10; i++) {
		expect(chunk_alloc(64 * MIB, MIB, false));
		expect(premapped() <= 64 * MIB);
		if (premapped() > most)
			most = premapped();
	}
	expect_equal(most, 64 * MIB);
	for (size_t i = 0; i < 4; i++) {
		expect(chunk_alloc(512 * MIB, MIB, false));
		expect(premapped() <= 64 * MIB);
	}
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "premapped address space is bounded", bounded },
	{ "premapping of large chunks is bounded", large_chunks },
	{ "premapped chunks need no call to the system", serves },
	{ "premapped space is given up when address space is short",
	  given_up_when_short },
	{ "locked memory is not premapped",
	  not_of_locked_memory },
	{ "both sides of a fork use premapped space", both_sides_of_a_fork },
	{ "random requests do not overlap", random_requests },
	{ "threads premap at once", threads },
	{ "an aligned place is found without mapping more", aligned_without_more },
};

const struct tap_suite tap_suite = {
	.about = "Tests premapped address space",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
