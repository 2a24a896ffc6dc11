// SPDX-License-Identifier: MIT
/* The function table, called as an arena of mozjemalloc calls it. */
#include <errno.h>
#include <sys/resource.h>

#include <chunk_mozjemalloc.h>

#include "common.h"

static const struct chunk_mozjemalloc *const table = &chunk_mozjemalloc;

static char *map(size_t size, size_t alignment)
{
	char *p = table->map(size, alignment);

	expect(p);
	expect_equal((uintptr_t)p % alignment, 0);
	expect(is_zero(p, size));
	return p;
}

static void maps(void)
{
	for (size_t alignment = MIB; alignment <= 16 * MIB; alignment *= 2) {
		char *p;

		errno = E2BIG;
		p = map(3 * MIB, alignment);
		expect_equal(errno, E2BIG);
		fill(p, 3 * MIB, alignment);
		expect(chunk_is_live(p) && chunk_is_live(p + 3 * MIB - 1));
		table->unmap(p, 3 * MIB);
		expect(!chunk_is_live(p));
		expect_trap(p);
	}
}

/* By option, what is unmapped is mapped again without a call, and zero. */
static void kept(void)
{
	char *p;

	if (!chunk_set_reuse(REUSE_OFFERED, 64 * MIB))
		tap_skip("no memory can be offered here");
	p = map(MIB, MIB);
	for (int i = 0; i < 3; i++) {
		fill(p, MIB, i);
		table->decommit(p + MIB / 2, MIB / 4);
		table->unmap(p, MIB);
		expect_equal(stats_now().offered_bytes, MIB);
		expect(map(MIB, MIB) == p);
	}
	expect_equal(stats_now().offered_taken, 3 * MIB);
}

/* A chunk of an arena has guards, and runs that are committed as needed. */
static void arena_chunk(void)
{
	size_t page = page_size();
	char *p = map(MIB, MIB);

	fill(p, MIB, 1);
	table->decommit(p + page, page);
	table->decommit(p + MIB - page, page);
	expect_trap(p + page);
	expect_trap(p + MIB - page);
	expect(table->commit(p + page, page));
	expect(is_zero(p + page, page));
	expect_trap(p + MIB - page);
	table->unmap(p, MIB);
}

/* mozjemalloc commits more than it needs at once, with one call for each run. */
static void commits_in_runs(void)
{
	size_t page = page_size(), run = 32 * page, runs = 0;
	char *p = map(MIB, MIB);
	uint64_t before;

	fill(p, MIB, 1);
	table->decommit(p + page, MIB - page);
	before = stats_now().commits;
	for (size_t at = page; at + run <= MIB; at += run, runs++) {
		expect(table->commit(p + at, run));
		expect(is_zero(p + at, run));
		fill(p + at, run, runs);
	}
	expect_equal(stats_now().commits - before, runs);
	/* Committing again leaves contents alone. */
	expect(table->commit(p + page, run));
	expect(is_filled(p + page, run, 0));
	expect(is_filled(p, page, 1));
	table->unmap(p, MIB);
}

/* A chunk that is mapped and unmapped repeatedly takes the memory of one. */
static void comes_and_goes(void)
{
	uint64_t mapped;

	table->unmap(map(MIB, MIB), MIB);
	mapped = stats_now().mapped_bytes;
	for (size_t i = 0; i < 1000; i++)
		table->unmap(map(MIB, MIB), MIB);
	expect_equal(stats_now().mapped_bytes, mapped);
}

/**
 * struct misuse - a misuse that must end the process
 * @what: name for the log
 * @run:  function that commits it, on a live extent of 4 MiB
 */
struct misuse {
	const char *what;
	void (*run)(char *p);
};

static void unmap_twice(char *p)
{
	table->unmap(p, 4 * MIB);
	table->unmap(p, 4 * MIB);
}

static void unmap_less(char *p)
{
	table->unmap(p, MIB);
}

static void unmap_inside(char *p)
{
	table->unmap(p + MIB, 3 * MIB);
}

static void map_nothing(char *p)
{
	(void)p;
	table->map(0, MIB);
}

static void map_unaligned(char *p)
{
	(void)p;
	table->map(MIB, 3 * MIB);
}

static void commit_unaligned(char *p)
{
	table->commit(p + 1, page_size());
}

static const struct misuse misuses[] = {
	{ "unmap twice", unmap_twice },
	{ "unmap less", unmap_less },
	{ "unmap inside", unmap_inside },
	{ "map nothing", map_nothing },
	{ "map at no power of two", map_unaligned },
	{ "commit parts of pages", commit_unaligned },
};

static void do_misuse(void *arg)
{
	const struct misuse *misuse = arg;

	misuse->run(map(4 * MIB, MIB));
}

static void misuse_ends(void)
{
	for (size_t i = 0; i < TAP_COUNT(misuses); i++) {
		struct tap_outcome outcome;

		tap_child(&outcome, do_misuse, (void *)&misuses[i]);
		tap_note("%s: %s", misuses[i].what, outcome.text);
		expect(tap_aborted(&outcome));
		expect_equal(outcome.lines, 1);
	}
}

static void reuse(void)
{
	char *p = map(2 * MIB, MIB);

	fill(p, 2 * MIB, 2);
	table->unmap(p, 2 * MIB);
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	expect(map(2 * MIB, MIB) == p);
	expect_equal(stats_now().allocs_recycled, 1);
}

static void out_of_memory(void)
{
	struct rlimit limit = { 0, RLIM_INFINITY };
	char *p = map(MIB, MIB);

	need_limit(RLIMIT_AS);
	expect(!setrlimit(RLIMIT_AS, &limit));
	expect(!table->map(4 * GIB, MIB));
	expect(chunk_is_live(p));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "unmapped chunks are kept by option", kept },
	{ "map: aligned and zero; unmap: traps", maps },
	{ "a chunk of an arena: guards, commit, decommit", arena_chunk },
	{ "a run of pages is one commit", commits_in_runs },
	{ "chunks that come and go take up no more memory", comes_and_goes },
	{ "misuse ends the process with one line", misuse_ends },
	{ "unmapped chunks are reused", reuse },
	{ "out of memory", out_of_memory },
};

const struct tap_suite tap_suite = {
	"mozjemalloc's table on libchunk", cases, TAP_COUNT(cases)
};
