// SPDX-License-Identifier: MIT
/*
 * Windows refuses memory, or another thread takes a place that was released. The
 * test replaces the system's calls, Sleep among them: no case waits.
 */
#include <limits.h>
#include <string.h>

#include "windows_calls.h"

#include "common.h"

#define ERROR_OURS	4711

static const DWORD short_of_memory[] = {
	ERROR_COMMITMENT_LIMIT, ERROR_NOT_ENOUGH_MEMORY,
};

/* A chunk with a decommitted part */
static char *chunk;

static void prepare(void)
{
	chunk = alloc_mib(2);
	pages_decommit(chunk, MIB);
	calls_take_over(true);
}

/* Commit while the first tries fail. */
static bool commit_after(unsigned int failures, DWORD error)
{
	bool good;

	calls_fail(MEM_COMMIT, error, failures);
	SetLastError(ERROR_OURS);
	good = pages_commit(chunk, MIB);
	expect_equal(GetLastError(), ERROR_OURS);
	return good;
}

/* Try each number of failures up to the limit, and more than that. */
static void expect_attempts(unsigned int attempts, unsigned int delay_ms)
{
	for (size_t i = 0; i < TAP_COUNT(short_of_memory); i++) {
		unsigned int n;

		for (n = 0; n <= attempts; n++) {
			expect(commit_after(n, short_of_memory[i]));
			expect_equal(calls.asked, n + 1);
			expect_equal(calls.slept, n);
			expect_equal(calls.slept_ms, n * delay_ms);
			expect(is_zero(chunk, MIB));
			fill(chunk, MIB, 1);
			pages_decommit(chunk, MIB);
		}
		expect(!commit_after(UINT_MAX, short_of_memory[i]));
		expect_equal(calls.asked, attempts + 1);
		expect_equal(calls.slept, attempts);
		expect_equal(calls.slept_ms, attempts * delay_ms);
		expect_trap(chunk);
	}
}

static void as_it_starts(void)
{
	prepare();
	expect_attempts(10, 50);
}

static void as_a_child(void)
{
	prepare();
	chunk_set_child(true);
	expect_attempts(5, 50);
}

static void as_it_is_set(void)
{
	static const struct chunk_stall stalls[] = { { 3, 7 }, { 1, 0 }, { 0, 9 } };

	prepare();
	for (size_t i = 0; i < TAP_COUNT(stalls); i++) {
		expect(chunk_set_stall(&stalls[i]));
		expect_attempts(stalls[i].attempts, stalls[i].delay_ms);
	}
}

static void as_an_option_says(void)
{
	tap_setenv("CHUNK_OPTIONS", "stall_attempts:4,stall_delay:9");
	prepare();
	expect_attempts(4, 9);
	chunk_set_child(true);
	expect_attempts(2, 9);
}

static void delay_comes_first(void)
{
	prepare();
	expect(commit_after(3, ERROR_COMMITMENT_LIMIT));
	expect(!strcmp(calls.order, "asasasa"));
}

static void other_errors(void)
{
	static const DWORD errors[] = {
		ERROR_ACCESS_DENIED, ERROR_INVALID_PARAMETER,
		ERROR_INVALID_ADDRESS, ERROR_NO_SYSTEM_RESOURCES,
	};

	prepare();
	for (size_t i = 0; i < TAP_COUNT(errors); i++) {
		expect(!commit_after(UINT_MAX, errors[i]));
		expect_equal(calls.slept, 0);
		expect_equal(calls.asked, 1);
	}
	/* Another error ends the waiting. */
	calls_fail(MEM_COMMIT, ERROR_COMMITMENT_LIMIT, 2);
	calls.then = ERROR_ACCESS_DENIED;
	expect(!pages_commit(chunk, MIB));
	expect(!strcmp(calls.order, "asasa"));
}

/* Nothing frees address space, so there is no waiting for it. */
static void reserving_is_not_retried(void)
{
	prepare();
	for (size_t i = 0; i < TAP_COUNT(short_of_memory); i++) {
		calls_fail(MEM_RESERVE, short_of_memory[i], UINT_MAX);
		expect(!chunk_alloc(2 * MIB, MIB, false));
		expect(!chunk_alloc(2 * MIB, 8 * MIB, false));
		expect(!pages_map(NULL, MIB));
		expect_equal(calls.slept, 0);
	}
	calls_fail(0, 0, 0);
	expect(is_zero(alloc_mib(2), 2 * MIB));
	expect_stats_consistent();
}

static void purging_is_not_retried(void)
{
	prepare();
	calls_fail(MEM_RESET, ERROR_NOT_ENOUGH_MEMORY, UINT_MAX);
	fill(chunk + MIB, MIB, 1);
	expect(pages_purge(chunk + MIB, MIB, true));
	expect(is_zero(chunk + MIB, MIB));
	expect_equal(calls.slept, 0);
	expect_equal(calls.asked, 1);
}

/* One call reserves and commits; if that fails, only the commit is retried. */
static void fresh_chunks_wait(void)
{
	prepare();
	for (unsigned int n = 1; n <= 11; n++) {
		size_t alignment = MIB << n % 5;
		char *fresh;

		calls_fail(MEM_COMMIT, ERROR_COMMITMENT_LIMIT, n);
		SetLastError(ERROR_OURS);
		fresh = chunk_alloc(2 * MIB, alignment, false);
		expect(fresh);
		expect_equal(GetLastError(), ERROR_OURS);
		expect_equal((uintptr_t)fresh % alignment, 0);
		expect(is_zero(fresh, 2 * MIB));
		fill(fresh, 2 * MIB, n);
		/* The call that reserves and commits is not waited for. */
		expect_equal(calls.slept, n - 1);
	}
}

static void fresh_chunks_in_vain(void)
{
	int reserved;

	prepare();
	alloc_mib(1);
	reserved = calls.reserved;
	calls_fail(MEM_COMMIT, ERROR_COMMITMENT_LIMIT, UINT_MAX);
	expect(!chunk_alloc(2 * MIB, 4 * MIB, false));
	expect_equal(calls.slept, 10);
	expect(!pages_map(NULL, MIB));
	expect_equal(calls.slept, 20);
	/* The reserved places are released. */
	expect_equal(calls.reserved, reserved);
	expect_stats_consistent();
}

/* mozjemalloc loses the address space of a chunk that it cannot commit. */
static void recycled_in_vain(void)
{
	struct chunk_stats before;
	char *single = alloc_mib(1);

	prepare();
	dealloc_mib(single, 1);
	before = stats_now();
	calls_fail(MEM_COMMIT, ERROR_COMMITMENT_LIMIT, UINT_MAX);
	for (int i = 0; i < 5; i++)
		expect(!chunk_alloc(MIB, MIB, false));
	expect_equal(stats_now().recycled_bytes, before.recycled_bytes);
	expect_equal(stats_now().mapped_bytes, before.mapped_bytes);
	calls_fail(0, 0, 0);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)single);
	expect(is_zero(single, MIB));
}

/* A range might lie in several mappings, so each chunk is treated by itself. */
static void piecewise(void)
{
	char *row = alloc_mib(4);
	size_t page = page_size();

	calls_take_over(true);
	fill(row, 4 * MIB, 1);
	calls_fail(MEM_COMMIT, 0, 0);
	pages_decommit(row + page, 3 * MIB);
	expect_trap_only(row + page, 3 * MIB);
	expect_equal(calls.decommits, 4);
	expect(pages_commit(row + page, 3 * MIB));
	expect_equal(calls.asked, 4);
	expect(is_zero(row + page, 3 * MIB));
	expect(is_filled(row, page, 1));
}

static void expect_aligned(size_t size, size_t alignment)
{
	char *fresh = chunk_alloc(size, alignment, false);

	expect(fresh);
	expect_equal((uintptr_t)fresh % alignment, 0);
	expect(is_zero(fresh, size));
	fill(fresh, size, alignment);
}

/* One call suffices if the system can align. */
static void with_virtualalloc2(void)
{
	prepare();
	if (!calls_take_over(true))
		tap_skip("there is no VirtualAlloc2 here");
	for (size_t alignment = MIB; alignment <= 64 * MIB; alignment *= 2) {
		calls_fail(MEM_RESERVE, 0, 0);
		expect_aligned(3 * MIB, alignment);
		expect_equal(calls.asked, 1);
	}
	expect_stats_consistent();
}

/* If the system cannot align, libchunk releases a mapping and maps again. */
static void without_virtualalloc2(void)
{
	int reserved, chunks = 0;

	prepare();
	calls_take_over(false);
	/* The first chunk for bookkeeping is mapped by now. */
	reserved = calls.reserved;
	for (size_t alignment = MIB; alignment <= 64 * MIB; alignment *= 2)
		for (size_t mib = 1; mib <= 5; mib += 2, chunks++)
			expect_aligned(mib * MIB, alignment);
	expect_equal(calls.reserved - reserved, chunks);
	expect_stats_consistent();
}

/* The function exists, but does not know the parameter. */
static void virtualalloc2_refuses(void)
{
	static const DWORD errors[] = {
		ERROR_CALL_NOT_IMPLEMENTED, ERROR_INVALID_PARAMETER,
	};

	prepare();
	for (size_t i = 0; i < TAP_COUNT(errors); i++) {
		calls_fail(MEM_RESERVE, errors[i], 1);
		expect_aligned(3 * MIB, 16 * MIB);
		expect_equal(calls.slept, 0);
	}
}

/* An alignment with few places, so that they run out; fewer with 32 bits */
#define RARE	((sizeof(void *) > 4 ? 64 : 16) * MIB)

static void place_is_taken(void)
{
	prepare();
	calls_take_over(false);
	for (unsigned int thief = 1; thief <= 6; thief++) {
		calls.thief = thief;
		calls.alignment = RARE;
		expect_aligned(3 * MIB, RARE);
		tap_note("%u places taken, thief has %u left", calls.stolen,
			 calls.thief);
		expect_equal(calls.thief, 0);
	}
	expect_stats_consistent();
}

static void place_is_always_taken(void)
{
	struct chunk_stats before;
	int reserved;

	prepare();
	calls_take_over(false);
	alloc_mib(1);
	before = stats_now();
	reserved = calls.reserved;
	calls_fail(MEM_RESERVE, 0, 0);
	calls.thief = UINT_MAX;
	calls.alignment = RARE;
	expect(!chunk_alloc(3 * MIB, RARE, false));
	tap_note("given up after %u allocations, %u places taken", calls.asked,
		 calls.stolen);
	/* Ten tries of two calls each: a larger mapping, then the place in it */
	expect_equal(calls.asked, 20);
	expect(calls.stolen >= 10);
	expect_equal(calls.reserved, reserved);
	expect_equal(stats_now().mapped_bytes, before.mapped_bytes);
	calls.thief = 0;
	expect_aligned(3 * MIB, RARE);
}

static const struct tap_case cases[] = {
	{ "memory is waited for: 10 times 50 ms", as_it_starts },
	{ "half as often in a child", as_a_child },
	{ "as it is set", as_it_is_set },
	{ "as CHUNK_OPTIONS says", as_an_option_says },
	{ "the delay comes before the try", delay_comes_first },
	{ "other errors are not waited for", other_errors },
	{ "reserving is not retried", reserving_is_not_retried },
	{ "purging is not retried", purging_is_not_retried },
	{ "fresh chunks wait, their place kept", fresh_chunks_wait },
	{ "fresh chunks that wait in vain leave nothing",
	  fresh_chunks_in_vain },
	{ "recycled chunks that wait in vain are kept", recycled_in_vain },
	{ "commit and decommit go chunk by chunk", piecewise },
	{ "alignment by VirtualAlloc2, in one call", with_virtualalloc2 },
	{ "alignment without VirtualAlloc2", without_virtualalloc2 },
	{ "alignment where VirtualAlloc2 refuses", virtualalloc2_refuses },
	{ "a place taken between release and map", place_is_taken },
	{ "a place that is always taken: ten tries", place_is_always_taken },
};

const struct tap_suite tap_suite = {
	.about = "Tests Windows that refuses memory or addresses",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
