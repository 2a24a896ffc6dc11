// SPDX-License-Identifier: MIT
/*
 * Fresh chunks: with one that is needed comes address space for the next ones,
 * within bounds, and never where it costs memory or others lack it.
 */
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "common.h"

#define AHEAD_MAX	(16 * MIB)
#define CHUNKS		64
#define THREADS		8

static char *chunks[CHUNKS];

/* Mapped, and neither live nor recycled nor bookkeeping */
static size_t ahead(void)
{
	struct chunk_stats s = stats_now();

	return s.mapped_bytes - s.live_bytes - s.recycled_bytes;
}

static void need_ahead(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
	int mode = 0;

	if (on_device())
		tap_skip("the module maps ahead by itself");
	if (plain_posix())
		tap_skip("POSIX cannot tell whether that costs memory");
	if (file) {
		expect(fscanf(file, "%d", &mode) == 1);
		fclose(file);
	}
	if (mode == 2)
		tap_skip("nothing is mapped ahead in overcommit mode 2");
}

/* Returns how much is mapped ahead then, which is some. */
static size_t get_some_ahead(void)
{
	need_ahead();
	for (size_t i = 0; i < CHUNKS && ahead() < 4 * MIB; i++)
		alloc_mib(1);
	expect(ahead() >= 4 * MIB);
	return ahead();
}

/* What the kernel says, in bytes */
static size_t address_space(void)
{
	char line[256];
	size_t kib = 0;
	FILE *status = fopen("/proc/self/status", "r");

	expect(status);
	while (fgets(line, sizeof(line), status))
		if (!strncmp(line, "VmSize:", 7))
			kib = strtoul(line + 7, NULL, 10);
	fclose(status);
	return kib << 10;
}

/* Address space in use now, and so much more, is all there may be. */
static void limit_to(size_t more)
{
	struct rlimit limit;

	expect(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = address_space() + more;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
}

/* Everything in use since then is counted, but for a little of the C library. */
static void expect_counted(size_t space, size_t mapped)
{
	size_t more = stats_now().mapped_bytes - mapped;

	if (getenv("TAP_UNDER"))
		tap_note("not checked: the emulator has mapped more");
	else if (!on_device())
		expect(address_space() - space <= more + MIB / 2);
}

static void bounded(void)
{
	size_t most = 0;

	need_ahead();
	alloc_mib(1);
	expect_equal(ahead(), 0);
	for (size_t i = 0; i < 300; i++) {
		size_t now;

		expect(is_zero(alloc_mib(1 + i % 3), MIB));
		now = ahead();
		expect(now <= AHEAD_MAX);
		expect(now <= stats_now().live_bytes / 2);
		if (now > most)
			most = now;
	}
	expect(most > AHEAD_MAX / 2);
	expect_stats_consistent();
}

/* Without a call: none would succeed. */
static void serves(void)
{
	size_t count;

	need_limit(RLIMIT_AS);
	count = get_some_ahead() / MIB;
	limit_to(0);
	for (size_t i = 0; i < count; i++) {
		char *chunk = alloc_mib(1);

		expect(is_zero(chunk, MIB));
		fill(chunk, MIB, i);
	}
	expect_equal(ahead(), 0);
	expect(!chunk_alloc(MIB, MIB, false));
	expect_stats_consistent();
}

static void given_up_when_short(void)
{
	size_t there;

	need_limit(RLIMIT_AS);
	there = get_some_ahead();
	limit_to(MIB);
	fill(alloc_mib(there / MIB + 1), there + MIB, 1);
	expect_equal(ahead(), 0);
	expect_stats_consistent();
}

static void not_of_locked_memory(void)
{
	size_t space, mapped;

	need_ahead();
	space = address_space();
	mapped = stats_now().mapped_bytes;
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		tap_skip("memory cannot be locked here");
	for (size_t i = 0; i < 20; i++) {
		fill(alloc_mib(1), MIB, i);
		expect_equal(ahead(), 0);
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
	size_t before = get_some_ahead();
	pid_t child = tap_fork();

	if (!child) {
		expect_equal(ahead(), before);
		fill_and_check(1);
		_exit(0);
	}
	fill_and_check(100);
	tap_join(child);
}

/* Whatever is asked for: nothing overlaps, and nothing is lost. */
static void random_requests(void)
{
	size_t space = address_space(), mapped = stats_now().mapped_bytes;
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
			expect(ahead() <= AHEAD_MAX);
	}
	expect_counted(space, mapped);
}

static void *allocate(void *seed)
{
	for (size_t i = 0; i < rounds(200); i++) {
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
		expect(ahead() <= THREADS * AHEAD_MAX);
	expect_stats_consistent();
}

/* There is no room to map more than that and trim it. */
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

/* With large chunks one more, and with very large ones none. */
static void large_chunks(void)
{
	size_t most = 0;

	if (sizeof(void *) < 8)
		tap_skip("there are few addresses");
	need_ahead();
	for (size_t i = 0; i < 10; i++) {
		expect(chunk_alloc(64 * MIB, MIB, false));
		expect(ahead() <= 64 * MIB);
		if (ahead() > most)
			most = ahead();
	}
	expect_equal(most, 64 * MIB);
	for (size_t i = 0; i < 4; i++) {
		expect(chunk_alloc(512 * MIB, MIB, false));
		expect(ahead() <= 64 * MIB);
	}
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "what is mapped ahead is bounded", bounded },
	{ "what is mapped ahead of large chunks is, too", large_chunks },
	{ "it serves without a call to the system", serves },
	{ "it is given up when address space is short",
	  given_up_when_short },
	{ "nothing is mapped ahead of locked memory",
	  not_of_locked_memory },
	{ "both sides of a fork use it", both_sides_of_a_fork },
	{ "random requests do not overlap", random_requests },
	{ "threads map ahead at once", threads },
	{ "an aligned place without mapping more", aligned_without_more },
};

const struct tap_suite tap_suite = {
	.about = "Tests what is mapped ahead",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
