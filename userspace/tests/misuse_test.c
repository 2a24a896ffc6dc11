// SPDX-License-Identifier: MIT
/*
 * Misuse ends the process, as abort() does, with one line that names the call; it
 * never corrupts and is never ignored.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/* A misuse, and the call its message must name */
struct misuse {
	const char *call;
	void (*commit)(void);
};

static char *chunk;

/* So long that a range from the chunk on ends in the first MiB */
#define WRAP	(-(uintptr_t)chunk + MIB)

static void commit(void *arg)
{
	const struct misuse *misuse = arg;

	chunk = alloc_mib(4);
	misuse->commit();
}

static void expect_death(const struct misuse *misuse)
{
	struct tap_outcome outcome;
	const char *values;
	char start[64];

	tap_child(&outcome, commit, (void *)misuse);
	tap_note("%.*s", (int)strcspn(outcome.text, "\n"), outcome.text);
	expect(tap_aborted(&outcome));
	expect_equal(outcome.lines, 1);
	snprintf(start, sizeof(start), "libchunk: %s", misuse->call);
	expect(!strncmp(outcome.text, start, strlen(start)));
	values = outcome.text + strlen(start);
	/* Or its sibling for many at once: see by_batch.h. */
	if (!strncmp(values, "_batch", 6))
		values += strlen("_batch(ops[0]: ");
	else
		values += strlen("(");
	/* What is allocated has no address yet. */
	if (!strcmp(misuse->call, "chunk_alloc"))
		expect(*values >= '0' && *values <= '9' && values[1] != 'x');
	else
		expect(!strncmp(values, "0x", 2));
}

#define MISUSE(name, function, statement)				\
static void name##_commit(void)						\
{									\
	statement;							\
}									\
									\
static void name(void)							\
{									\
	static const struct misuse misuse = { function, name##_commit };\
									\
	expect_death(&misuse);						\
}

MISUSE(alloc_nothing, "chunk_alloc", chunk_alloc(0, MIB, false))
MISUSE(alloc_odd_size, "chunk_alloc", chunk_alloc(MIB + 4096, MIB, false))
MISUSE(alloc_huge_odd_size, "chunk_alloc", chunk_alloc(SIZE_MAX, MIB, false))
MISUSE(alloc_unaligned, "chunk_alloc", chunk_alloc(MIB, 0, false))
MISUSE(alloc_page_aligned, "chunk_alloc", chunk_alloc(MIB, 4096, false))
MISUSE(alloc_three_aligned, "chunk_alloc", chunk_alloc(MIB, 3 * MIB, false))
MISUSE(alloc_odd_aligned, "chunk_alloc", chunk_alloc(MIB, MIB + 1, false))
MISUSE(alloc_base_nothing, "chunk_alloc", chunk_alloc(0, MIB, true))

MISUSE(dealloc_null, "chunk_dealloc", dealloc_mib(NULL, 1))
MISUSE(dealloc_part, "chunk_dealloc", dealloc_mib(chunk, 2))
MISUSE(dealloc_tail, "chunk_dealloc", dealloc_mib(chunk + 2 * MIB, 2))
MISUSE(dealloc_inner, "chunk_dealloc", dealloc_mib(chunk + MIB, 1))
MISUSE(dealloc_more, "chunk_dealloc", dealloc_mib(chunk, 5))
MISUSE(dealloc_nothing, "chunk_dealloc", dealloc_mib(chunk, 0))
MISUSE(dealloc_page, "chunk_dealloc", chunk_dealloc(chunk, 4096,
						    UNKNOWN_CHUNK))
MISUSE(dealloc_unaligned, "chunk_dealloc", dealloc_mib(chunk + 4096, 1))
MISUSE(dealloc_wraps, "chunk_dealloc", chunk_dealloc(chunk, -MIB,
						     UNKNOWN_CHUNK))
MISUSE(dealloc_odd_type, "chunk_dealloc", chunk_dealloc(chunk, 4 * MIB, 77))

static void dealloc_twice_commit(void)
{
	dealloc_mib(chunk, 4);
	dealloc_mib(chunk, 4);
}

static void dealloc_twice(void)
{
	static const struct misuse misuse = {
		"chunk_dealloc", dealloc_twice_commit,
	};

	expect_death(&misuse);
}

static void dealloc_twice_released_commit(void)
{
	chunk_set_recycle_limit(0);
	dealloc_twice_commit();
}

static void dealloc_twice_released(void)
{
	static const struct misuse misuse = {
		"chunk_dealloc", dealloc_twice_released_commit,
	};

	expect_death(&misuse);
}

static void dealloc_foreign_commit(void)
{
	char *mapped = pages_map(NULL, 2 * MIB);

	dealloc_mib((char *)(((uintptr_t)mapped + MIB - 1) & -MIB), 1);
}

static void dealloc_foreign(void)
{
	static const struct misuse misuse = {
		"chunk_dealloc", dealloc_foreign_commit,
	};

	expect_death(&misuse);
}

static void dealloc_two_commit(void)
{
	dealloc_mib(chunk, 4);
	chunk = adjoining_chunks(2);
	dealloc_mib(chunk, 2);
}

static void dealloc_two(void)
{
	static const struct misuse misuse = {
		"chunk_dealloc", dealloc_two_commit,
	};

	expect_death(&misuse);
}

MISUSE(map_nothing, "pages_map", pages_map(NULL, 0))
MISUSE(map_odd_size, "pages_map", pages_map(NULL, 100))
MISUSE(map_odd_addr, "pages_map", pages_map((void *)100, 4096))
MISUSE(map_wraps, "pages_map", pages_map((void *)-4096, 8192))
MISUSE(unmap_nothing, "pages_unmap", pages_unmap(chunk, 0))
MISUSE(unmap_odd_size, "pages_unmap", pages_unmap(chunk, 100))
MISUSE(unmap_odd_addr, "pages_unmap", pages_unmap(chunk + 8, MIB))
MISUSE(unmap_null, "pages_unmap", pages_unmap(NULL, MIB))
MISUSE(unmap_wraps, "pages_unmap", pages_unmap(chunk, WRAP))
MISUSE(commit_nothing, "pages_commit", (void)!pages_commit(chunk, 0))
MISUSE(commit_odd_size, "pages_commit", (void)!pages_commit(chunk, 100))
MISUSE(commit_odd_addr, "pages_commit", (void)!pages_commit(chunk + 8, MIB))
MISUSE(commit_null, "pages_commit", (void)!pages_commit(NULL, MIB))
MISUSE(commit_wraps, "pages_commit", (void)!pages_commit(chunk, WRAP))
MISUSE(decommit_nothing, "pages_decommit", pages_decommit(chunk, 0))
MISUSE(decommit_odd_size, "pages_decommit", pages_decommit(chunk, 100))
MISUSE(decommit_odd_addr, "pages_decommit", pages_decommit(chunk + 8, MIB))
MISUSE(decommit_null, "pages_decommit", pages_decommit(NULL, MIB))
MISUSE(decommit_wraps, "pages_decommit", pages_decommit(chunk, WRAP))
MISUSE(purge_nothing, "pages_purge", pages_purge(chunk, 0, true))
MISUSE(purge_odd_size, "pages_purge", pages_purge(chunk, 100, true))
MISUSE(purge_odd_addr, "pages_purge", pages_purge(chunk + 8, MIB, true))
MISUSE(purge_null, "pages_purge", pages_purge(NULL, MIB, true))
MISUSE(purge_wraps, "pages_purge", pages_purge(chunk, WRAP, true))

/* As large as all of the address space, or half of it */
#define NOWHERE	((size_t)1 << (sizeof(size_t) > 4 ? 47 : 31))

/* From a request that cannot be met: no misuse, and nothing is said. */
static void impossible(void *arg)
{
	(void)arg;
	expect(!chunk_alloc(-MIB, MIB, false));
	expect(!chunk_alloc(SIZE_MAX / 2 + 1, MIB, false));
	expect(!chunk_alloc(MIB, SIZE_MAX / 2 + 1, false));
	expect(!chunk_alloc(-MIB, SIZE_MAX / 2 + 1, false));
	expect(!chunk_alloc(-2 * MIB, 2 * MIB, false));
	expect(!chunk_alloc(-MIB, MIB, true));
	expect(!chunk_alloc(NOWHERE, MIB, false));
	expect(is_zero(alloc_mib(1), MIB));
	expect_stats_consistent();
}

static void impossible_is_no_misuse(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, impossible, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 0);
}

/* In the order in which they were given */
static void message_shows_values(void)
{
	static const struct misuse misuse = { "chunk_alloc",
					      alloc_three_aligned_commit };
	struct tap_outcome outcome;

	tap_child(&outcome, commit, (void *)&misuse);
	expect(strstr(outcome.text, "1048576, 3145728)"));
}

static struct chunk_op ops[100];

static void fill_ops(char *first, size_t size)
{
	for (size_t i = 0; i < TAP_COUNT(ops); i++)
		ops[i] = (struct chunk_op) {
			.addr = first ? first + i * MIB : NULL,
			.size = size, .alignment = MIB,
		};
}

static void bad_alloc_batch(void *arg)
{
	(void)arg;
	fill_ops(NULL, MIB);
	ops[70].alignment = 3;
	chunk_alloc_batch(ops, TAP_COUNT(ops));
}

static void bad_dealloc_batch(void *arg)
{
	(void)arg;
	fill_ops(adjoining_chunks(TAP_COUNT(ops)), MIB);
	ops[70].addr = ops[69].addr;
	chunk_dealloc_batch(ops, TAP_COUNT(ops));
}

static void bad_type_batch(void *arg)
{
	(void)arg;
	fill_ops(adjoining_chunks(TAP_COUNT(ops)), MIB);
	ops[70].type = 77;
	chunk_dealloc_batch(ops, TAP_COUNT(ops));
}

static void bad_commit_batch(void *arg)
{
	(void)arg;
	fill_ops(alloc_mib(TAP_COUNT(ops)), MIB);
	ops[70].size = 100;
	pages_commit_batch(ops, TAP_COUNT(ops));
}

static void bad_decommit_batch(void *arg)
{
	(void)arg;
	fill_ops(alloc_mib(TAP_COUNT(ops)), MIB);
	ops[70].size = 100;
	pages_decommit_batch(ops, TAP_COUNT(ops));
}

static void expect_element(void (*run)(void *), const char *start)
{
	struct tap_outcome outcome;

	tap_child(&outcome, run, NULL);
	tap_note("%.*s", (int)strcspn(outcome.text, "\n"), outcome.text);
	expect(tap_aborted(&outcome));
	expect_equal(outcome.lines, 1);
	expect(!strncmp(outcome.text, start, strlen(start)));
}

/* Behind the first group of them, as well */
static void message_names_the_element(void)
{
	expect_element(bad_alloc_batch,
		       "libchunk: chunk_alloc_batch(ops[70]: 1048576, 3): ");
	expect_element(bad_dealloc_batch,
		       "libchunk: chunk_dealloc_batch(ops[70]: 0x");
	expect_element(bad_type_batch,
		       "libchunk: chunk_dealloc_batch(ops[70]: 0x");
	expect_element(bad_commit_batch,
		       "libchunk: pages_commit_batch(ops[70]: 0x");
	expect_element(bad_decommit_batch,
		       "libchunk: pages_decommit_batch(ops[70]: 0x");
}

static void bad_backing(void *arg)
{
	(void)arg;
	chunk_configure((enum chunk_backing)7, 3 * MIB);
}

static void configure_shows_values(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, bad_backing, NULL);
	expect(strstr(outcome.text, "chunk_configure(7, 3145728): "));
}

static void commit_unheard(void *arg)
{
	close(STDERR_FILENO);
	commit(arg);
}

/* Without anybody to tell it is fatal all the same. */
static void no_stderr(void)
{
	static const struct misuse misuse = { "chunk_alloc",
					      alloc_three_aligned_commit };
	struct tap_outcome outcome;

	tap_child(&outcome, commit_unheard, (void *)&misuse);
	expect(tap_aborted(&outcome));
}

#define CASE(name) { #name, name }

static const struct tap_case cases[] = {
	BACKEND_CASE,
	CASE(alloc_nothing), CASE(alloc_odd_size), CASE(alloc_huge_odd_size),
	CASE(alloc_unaligned), CASE(alloc_page_aligned),
	CASE(alloc_three_aligned), CASE(alloc_odd_aligned),
	CASE(alloc_base_nothing),
	CASE(dealloc_null), CASE(dealloc_part), CASE(dealloc_tail),
	CASE(dealloc_inner), CASE(dealloc_more), CASE(dealloc_nothing),
	CASE(dealloc_page), CASE(dealloc_unaligned), CASE(dealloc_wraps),
	CASE(dealloc_odd_type), CASE(dealloc_twice),
	CASE(dealloc_twice_released), CASE(dealloc_foreign),
	CASE(dealloc_two),
	CASE(map_nothing), CASE(map_odd_size), CASE(map_odd_addr),
	CASE(map_wraps),
	CASE(unmap_nothing), CASE(unmap_odd_size), CASE(unmap_odd_addr),
	CASE(unmap_null), CASE(unmap_wraps),
	CASE(commit_nothing), CASE(commit_odd_size), CASE(commit_odd_addr),
	CASE(commit_null), CASE(commit_wraps),
	CASE(decommit_nothing), CASE(decommit_odd_size),
	CASE(decommit_odd_addr), CASE(decommit_null), CASE(decommit_wraps),
	CASE(purge_nothing), CASE(purge_odd_size), CASE(purge_odd_addr),
	CASE(purge_null), CASE(purge_wraps),
	CASE(no_stderr),
	CASE(message_shows_values), CASE(message_names_the_element),
	CASE(configure_shows_values), CASE(impossible_is_no_misuse),
};

const struct tap_suite tap_suite = {
	.about = "Tests what misuse leads to",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
