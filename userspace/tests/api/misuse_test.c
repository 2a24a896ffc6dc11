// SPDX-License-Identifier: MIT
/*
 * Misuse ends the process by abort(), with one line that names the call; it
 * never corrupts anything and is never ignored.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"

/**
 * struct misuse - a misuse that must end the process
 * @call:   the function that the message must name
 * @checks: with CHUNK_OPTIONS="check:on", from the start
 * @commit: the misuse; @chunk is allocated by then
 */
struct misuse {
	const char *call;
	bool checks;
	void (*commit)(void);
};

static char *chunk;

/* A size so large that a range from the chunk on ends in the first MiB */
#define WRAP	(-(uintptr_t)chunk + MIB)

static void use_checks(void)
{
	const char *now = getenv("CHUNK_OPTIONS");
	char options[256];

	snprintf(options, sizeof(options), "%s%scheck:on", now ? now : "",
		 now ? "," : "");
	tap_setenv("CHUNK_OPTIONS", options);
}

static void commit(void *arg)
{
	const struct misuse *misuse = arg;

	if (misuse->checks)
		use_checks();
	chunk = alloc_mib(4);
	misuse->commit();
}

static void run_child(struct tap_outcome *outcome, void (*run)(void *arg),
		      const void *arg)
{
	tap_child(outcome, run, (void *)arg);
	tap_note("%.*s", (int)strcspn(outcome->text, "\n"), outcome->text);
}

/* The message is one line, which starts with @start. Returns its rest. */
static const char *expect_message(struct tap_outcome *outcome,
				  void (*run)(void *arg), const void *arg,
				  const char *start)
{
	run_child(outcome, run, arg);
	expect(tap_aborted(outcome));
	expect_equal(outcome->lines, 1);
	expect(!strncmp(outcome->text, start, strlen(start)));
	return outcome->text + strlen(start);
}

static void expect_peace(void (*run)(void *arg))
{
	struct tap_outcome outcome;

	run_child(&outcome, run, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 0);
}

static void expect_death(const struct misuse *misuse)
{
	struct tap_outcome outcome;
	const char *values;
	char start[64];

	snprintf(start, sizeof(start), "libchunk: %s", misuse->call);
	values = expect_message(&outcome, commit, misuse, start);
	/* The call may be a batch of one: see by_batch.h. */
	if (!strncmp(values, "_batch", 6))
		values += strlen("_batch(ops[0]: ");
	else
		values = strchr(values, '(') + 1;
	/* An allocation has no address yet, so its size comes first. */
	if (!strcmp(misuse->call, "chunk_alloc"))
		expect(*values >= '0' && *values <= '9' && values[1] != 'x');
	else
		expect(!strncmp(values, "0x", 2));
}

#define DEADLY(name, function, checks, statement)			\
static void name##_commit(void)						\
{									\
	statement;							\
}									\
									\
static void name(void)							\
{									\
	static const struct misuse misuse = {				\
		function, checks, name##_commit,			\
	};								\
									\
	expect_death(&misuse);						\
}

#define MISUSED(name, function, statement)				\
	DEADLY(name, function, false, statement)

/* A misuse that only check:on finds */
#define CHECKED(name, function, statement)				\
	DEADLY(name, function, true, statement)

/* The ranges that no function of pages takes; @statement has @at and @size. */
#define MISUSED_RANGES(name, function, statement)			\
static void name##_range(char *at, size_t size)				\
{									\
	statement;							\
}									\
									\
MISUSED(name##_nothing, function, name##_range(chunk, 0))		\
MISUSED(name##_odd_size, function, name##_range(chunk, 100))		\
MISUSED(name##_odd_addr, function, name##_range(chunk + 8, MIB))	\
MISUSED(name##_null, function, name##_range(NULL, MIB))			\
MISUSED(name##_wraps, function, name##_range(chunk, WRAP))

MISUSED(alloc_nothing, "chunk_alloc", chunk_alloc(0, MIB, false))
MISUSED(alloc_odd_size, "chunk_alloc", chunk_alloc(MIB + 4096, MIB, false))
MISUSED(alloc_huge_odd_size, "chunk_alloc", chunk_alloc(SIZE_MAX, MIB, false))
MISUSED(alloc_unaligned, "chunk_alloc", chunk_alloc(MIB, 0, false))
MISUSED(alloc_page_aligned, "chunk_alloc", chunk_alloc(MIB, 4096, false))
MISUSED(alloc_three_aligned, "chunk_alloc", chunk_alloc(MIB, 3 * MIB, false))
MISUSED(alloc_odd_aligned, "chunk_alloc", chunk_alloc(MIB, MIB + 1, false))
MISUSED(alloc_base_nothing, "chunk_alloc", chunk_alloc(0, MIB, true))

MISUSED(alloc_decommitted_odd, "chunk_alloc", chunk_alloc_decommitted(100, MIB))
MISUSED(alloc_decommitted_unaligned, "chunk_alloc",
	chunk_alloc_decommitted(MIB, 3 * MIB))

MISUSED(dealloc_null, "chunk_dealloc", dealloc_mib(NULL, 1))
MISUSED(dealloc_part, "chunk_dealloc", dealloc_mib(chunk, 2))
MISUSED(dealloc_tail, "chunk_dealloc", dealloc_mib(chunk + 2 * MIB, 2))
MISUSED(dealloc_inner, "chunk_dealloc", dealloc_mib(chunk + MIB, 1))
MISUSED(dealloc_more, "chunk_dealloc", dealloc_mib(chunk, 5))
MISUSED(dealloc_nothing, "chunk_dealloc", dealloc_mib(chunk, 0))
MISUSED(dealloc_page, "chunk_dealloc", chunk_dealloc(chunk, 4096,
						     UNKNOWN_CHUNK))
MISUSED(dealloc_unaligned, "chunk_dealloc", dealloc_mib(chunk + 4096, 1))
MISUSED(dealloc_wraps, "chunk_dealloc", chunk_dealloc(chunk, -MIB,
						      UNKNOWN_CHUNK))
MISUSED(dealloc_odd_type, "chunk_dealloc", chunk_dealloc(chunk, 4 * MIB, 77))

/* Memory of the system's, whose address is that of a chunk. */
static void dealloc_mapped(void)
{
	char *mapped = pages_map(NULL, 2 * MIB);

	dealloc_mib((char *)(((uintptr_t)mapped + MIB - 1) & -MIB), 1);
}

MISUSED(dealloc_twice, "chunk_dealloc",
	dealloc_mib(chunk, 4); dealloc_mib(chunk, 4))
MISUSED(dealloc_twice_released, "chunk_dealloc",
	chunk_set_recycle_limit(0);
	dealloc_mib(chunk, 4); dealloc_mib(chunk, 4))
MISUSED(dealloc_foreign, "chunk_dealloc", dealloc_mapped())
MISUSED(dealloc_two_as_one, "chunk_dealloc",
	dealloc_mib(chunk, 4);
	dealloc_mib(adjoining_chunks(2), 2))

MISUSED(map_nothing, "pages_map", pages_map(NULL, 0))
MISUSED(map_odd_size, "pages_map", pages_map(NULL, 100))
MISUSED(map_odd_addr, "pages_map", pages_map((void *)100, 4096))
MISUSED(map_wraps, "pages_map", pages_map((void *)-4096, 8192))
MISUSED_RANGES(unmap, "pages_unmap", pages_unmap(at, size))
MISUSED_RANGES(commit, "pages_commit", (void)!pages_commit(at, size))
MISUSED_RANGES(decommit, "pages_decommit", pages_decommit(at, size))
MISUSED_RANGES(purge, "pages_purge", pages_purge(at, size, true))

/* Memory that its owner has given back: recycled, or unmapped */
static char *dead(size_t limit)
{
	char *dying = alloc_mib(4);

	chunk_set_recycle_limit(limit);
	fill(dying, 4 * MIB, 1);
	dealloc_mib(dying, 4);
	return dying;
}

/* Windows recycles only single chunks. */
static char *kept_dead(void)
{
	char *dying = alloc_mib(1);

	dealloc_mib(dying, 1);
	return dying;
}

static void expect_not_committed(char *at, size_t size)
{
	struct chunk_stats before = stats_now();

	errno = 0;
	expect(!pages_commit(at, size));
	/* A batch returns the error in its element. */
	expect(errno == EINVAL || errno == ENOMEM);
	expect_trap(at);
	errno = 0;
	expect(!pages_populate(at, size));
	expect_equal(errno, EINVAL);
	expect_trap(at);
	expect_equal(stats_now().commits, before.commits);
	expect_equal(stats_now().decommitted_bytes, before.decommitted_bytes);
}

/* The commit is refused, which the caller sees by its result. */
static void commit_dead(void)
{
	static const size_t limits[] = { 128 * MIB, 0 };
	size_t page = page_size();

	chunk = alloc_mib(4);
	fill(chunk, 4 * MIB, 1);
	for (size_t i = 0; i < TAP_COUNT(limits); i++) {
		char *freed = dead(limits[i]);

		expect_not_committed(freed, 4 * MIB);
		expect_not_committed(freed, page);
		expect_not_committed(freed + 3 * MIB + page, MIB - page);
		expect_equal((uintptr_t)chunk_is_live(freed), false);
	}
	expect(is_filled(chunk, 4 * MIB, 1));
	expect_stats_consistent();
}

static void commit_dead_in_batch(void)
{
	char *freed = dead(128 * MIB);
	struct chunk_op some[3] = {
		{ .addr = alloc_mib(1), .size = MIB },
		{ .addr = freed + MIB, .size = MIB },
		{ .addr = alloc_mib(1), .size = MIB },
	};

	/* One of these allocations may have taken the extent, so make a new one. */
	some[1].addr = dead(128 * MIB);
	pages_decommit(some[0].addr, MIB);
	pages_decommit(some[2].addr, MIB);
	expect_equal(pages_commit_batch(some, 3), 2);
	expect_equal(some[0].error, 0);
	expect_equal(some[1].error, EINVAL);
	expect_equal(some[2].error, 0);
	expect(is_zero(some[0].addr, MIB) && is_zero(some[2].addr, MIB));
	expect_trap(some[1].addr);
}

static void commit_unmapped(void)
{
	size_t page = page_size();
	char *mapped = pages_map(NULL, 9 * page);

	expect(mapped);
	pages_unmap(mapped, 9 * page);
	errno = 0;
	expect(!pages_commit(mapped, 9 * page));
	expect(errno);
	expect_trap(mapped);
}

MISUSED(decommit_dead, "pages_decommit", pages_decommit(dead(128 * MIB), MIB))
MISUSED(decommit_released, "pages_decommit", pages_decommit(dead(0), 4 * MIB))
MISUSED(decommit_dead_tail, "pages_decommit",
	pages_decommit(dead(128 * MIB) + 4 * MIB - page_size(), page_size()))
MISUSED(purge_dead, "pages_purge", pages_purge(dead(128 * MIB), MIB, true))
MISUSED(purge_released, "pages_purge", pages_purge(dead(0), MIB, true))
MISUSED(unmap_dead, "pages_unmap", pages_unmap(kept_dead(), MIB))
MISUSED(unmap_live, "pages_unmap", pages_unmap(chunk, 4 * MIB))
MISUSED(unmap_live_part, "pages_unmap", pages_unmap(chunk + MIB, MIB))

/* Ranges beyond the end of their chunk, into unmapped, recycled or live memory */
MISUSED(commit_beyond_end, "pages_commit",
	(void)!pages_commit(chunk + 3 * MIB, MIB + page_size()))
MISUSED(populate_beyond_end, "pages_populate",
	(void)!pages_populate(chunk + 3 * MIB, MIB + page_size()))
MISUSED(decommit_beyond_end, "pages_decommit",
	pages_decommit(chunk, 4 * MIB + page_size()))
MISUSED(purge_beyond_end, "pages_purge",
	pages_purge(chunk + 4 * MIB - page_size(), 2 * page_size(), true))
MISUSED(unmap_beyond_end, "pages_unmap", pages_unmap(chunk, 5 * MIB))
MISUSED(decommit_neighbour, "pages_decommit",
	pages_decommit(adjoining_chunks(2) + MIB / 2, MIB))
MISUSED(commit_neighbour, "pages_commit",
	(void)!pages_commit(adjoining_chunks(2), 2 * MIB))

/* The middle of the first of two chunks, of which only the second is live */
static char *half_dead(void)
{
	char *row = adjoining_chunks(2);

	dealloc_mib(row, 1);
	return row + MIB / 2;
}

MISUSED(commit_dead_to_live, "pages_commit",
	(void)!pages_commit(half_dead(), MIB))
MISUSED(decommit_dead_to_live, "pages_decommit",
	pages_decommit(half_dead(), MIB))
MISUSED(purge_dead_to_live, "pages_purge", pages_purge(half_dead(), MIB, false))
MISUSED(unmap_dead_to_live, "pages_unmap", pages_unmap(half_dead(), MIB))

/* The purge is valid without check:on, which alone tells foreign memory apart. */
static void use_foreign(void *arg)
{
	char *foreign = foreign_mapping(MIB);

	(void)arg;
	fill(foreign, MIB, 1);
	expect(pages_purge(foreign, MIB, true));
	expect(is_zero(foreign, MIB));
}

static char *foreign_pages(void)
{
	return foreign_mapping(MIB);
}

CHECKED(commit_foreign, "pages_commit",
	(void)!pages_commit(foreign_pages(), MIB))
CHECKED(decommit_foreign, "pages_decommit",
	pages_decommit(foreign_pages(), MIB))
CHECKED(purge_foreign, "pages_purge", pages_purge(foreign_pages(), MIB, true))
CHECKED(unmap_foreign, "pages_unmap", pages_unmap(foreign_pages(), MIB))
CHECKED(purge_decommitted, "pages_purge",
	(pages_decommit(chunk + MIB, page_size()),
	 pages_purge(chunk, 4 * MIB, false)))
CHECKED(dealloc_not_zero, "chunk_dealloc",
	(chunk[3 * MIB + 5] = 1,
	 pages_decommit(chunk + MIB, MIB),
	 chunk_dealloc(chunk, 4 * MIB, ZEROED_CHUNK)))

/* Ranges that are not whole chunks of one live extent */
static char *not_registered(void)
{
	return chunk_alloc(MIB, MIB, true);
}

MISUSED(offer_nothing, "chunk_offer", chunk_offer(chunk, 0))
MISUSED(offer_odd_size, "chunk_offer", chunk_offer(chunk, page_size()))
MISUSED(offer_odd_addr, "chunk_offer", chunk_offer(chunk + page_size(), MIB))
MISUSED(offer_null, "chunk_offer", chunk_offer(NULL, MIB))
MISUSED(offer_wraps, "chunk_offer", chunk_offer(chunk, -MIB))
MISUSED(offer_dead, "chunk_offer", chunk_offer(dead(128 * MIB), MIB))
MISUSED(offer_base, "chunk_offer", chunk_offer(not_registered(), MIB))
MISUSED(offer_beyond_end, "chunk_offer", chunk_offer(chunk + 3 * MIB, 2 * MIB))
MISUSED(offer_neighbour, "chunk_offer",
	chunk_offer(adjoining_chunks(2), 2 * MIB))
MISUSED(reclaim_nothing, "chunk_reclaim", chunk_reclaim(chunk, 0))
MISUSED(reclaim_dead, "chunk_reclaim",
	(chunk_offer(chunk, MIB), dealloc_mib(chunk, 4),
	 chunk_reclaim(chunk, MIB)))
MISUSED(reclaim_beyond_end, "chunk_reclaim",
	(chunk_offer(chunk, 4 * MIB), chunk_reclaim(chunk, 5 * MIB)))
CHECKED(offer_twice, "chunk_offer",
	(chunk_offer(chunk + MIB, MIB), chunk_offer(chunk, 4 * MIB)))
CHECKED(reclaim_not_offered, "chunk_reclaim",
	(chunk_offer(chunk, 3 * MIB), chunk_reclaim(chunk, 4 * MIB)))
CHECKED(reclaim_twice, "chunk_reclaim",
	(chunk_offer(chunk, MIB), chunk_reclaim(chunk, MIB),
	 chunk_reclaim(chunk, MIB)))

static void use_everything(void *arg)
{
	size_t page = page_size();
	char *mapped, *base;

	(void)arg;
	use_checks();
	chunk = alloc_mib(4);
	mapped = pages_map(NULL, 16 * page);
	base = chunk_alloc(2 * MIB, MIB, true);
	expect(mapped && base);
	for (int i = 0; i < 3; i++) {
		pages_decommit(mapped + 4 * page, 8 * page);
		expect(pages_commit(mapped, 16 * page));
		pages_purge(mapped, 16 * page, true);
		pages_decommit(base + MIB, MIB);
		expect(pages_commit(base, 2 * MIB));
		pages_decommit(chunk + MIB, 2 * MIB);
		expect(pages_commit(chunk, 3 * MIB));
		pages_purge(chunk, 4 * MIB, true);
		pages_decommit(chunk + 2 * MIB, MIB);
		chunk_offer(chunk, 4 * MIB);
		chunk_reclaim(chunk + MIB, 3 * MIB);
		chunk_offer(chunk + 3 * MIB, MIB);
		chunk_dealloc(chunk, 4 * MIB, ZEROED_CHUNK);
		chunk = alloc_mib(4);
	}
	pages_unmap(mapped, 16 * page);
	expect_stats_consistent();
}

/* Correct calls must pass with all checks on. */
static void checks_accept_correct_use(void)
{
	expect_peace(use_everything);
	expect_peace(use_foreign);
}

/* More than any processor has room for, or most of it */
#define NOWHERE	(sizeof(size_t) > 4 ? (size_t)1 << sizeof(size_t) * 57 / 8 : \
					      (size_t)255 << 24)

/* A request that cannot be met is no misuse, and no message is printed. */
static void impossible(void *arg)
{
	(void)arg;
	expect(!chunk_alloc(-MIB, MIB, false));
	/* Half of 32 bits is possible, on a kernel of 64. */
	if (sizeof(size_t) > 4) {
		expect(!chunk_alloc(SIZE_MAX / 2 + 1, MIB, false));
		expect(!chunk_alloc(MIB, SIZE_MAX / 2 + 1, false));
	}
	expect(!chunk_alloc(-MIB, SIZE_MAX / 2 + 1, false));
	expect(!chunk_alloc(-2 * MIB, 2 * MIB, false));
	expect(!chunk_alloc(-MIB, MIB, true));
	expect(!chunk_alloc(NOWHERE, MIB, false));
	expect(is_zero(alloc_mib(1), MIB));
	expect_stats_consistent();
}

static void impossible_is_no_misuse(void)
{
	expect_peace(impossible);
}

/* The values are shown in the order of the arguments. */
static void message_shows_values(void)
{
	static const struct misuse misuse = {
		"chunk_alloc", false, alloc_three_aligned_commit,
	};
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

/* The element is beyond the first group that the device gets. */
static void message_names_the_element(void)
{
	static const struct {
		void (*run)(void *arg);
		const char *start;
	} bad[] = {
		{ bad_alloc_batch,
		  "libchunk: chunk_alloc_batch(ops[70]: 1048576, 3): " },
		{ bad_dealloc_batch,
		  "libchunk: chunk_dealloc_batch(ops[70]: 0x" },
		{ bad_type_batch, "libchunk: chunk_dealloc_batch(ops[70]: 0x" },
		{ bad_commit_batch,
		  "libchunk: pages_commit_batch(ops[70]: 0x" },
		{ bad_decommit_batch,
		  "libchunk: pages_decommit_batch(ops[70]: 0x" },
	};
	struct tap_outcome outcome;

	for (size_t i = 0; i < TAP_COUNT(bad); i++)
		expect_message(&outcome, bad[i].run, NULL, bad[i].start);
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

/* Misuse is fatal also without a standard error to write to. */
static void fatal_without_stderr(void)
{
	static const struct misuse misuse = {
		"chunk_alloc", false, alloc_three_aligned_commit,
	};
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
	CASE(alloc_base_nothing), CASE(alloc_decommitted_odd),
	CASE(alloc_decommitted_unaligned),
	CASE(dealloc_null), CASE(dealloc_part), CASE(dealloc_tail),
	CASE(dealloc_inner), CASE(dealloc_more), CASE(dealloc_nothing),
	CASE(dealloc_page), CASE(dealloc_unaligned), CASE(dealloc_wraps),
	CASE(dealloc_odd_type), CASE(dealloc_twice),
	CASE(dealloc_twice_released), CASE(dealloc_foreign),
	CASE(dealloc_two_as_one),
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
	CASE(commit_dead), CASE(commit_dead_in_batch), CASE(commit_unmapped),
	CASE(decommit_dead), CASE(decommit_released), CASE(decommit_dead_tail),
	CASE(purge_dead), CASE(purge_released), CASE(unmap_dead),
	CASE(unmap_live), CASE(unmap_live_part),
	CASE(commit_beyond_end), CASE(populate_beyond_end),
	CASE(decommit_beyond_end), CASE(purge_beyond_end),
	CASE(unmap_beyond_end), CASE(decommit_neighbour),
	CASE(commit_neighbour),
	CASE(commit_dead_to_live), CASE(decommit_dead_to_live),
	CASE(purge_dead_to_live), CASE(unmap_dead_to_live),
	CASE(commit_foreign), CASE(decommit_foreign), CASE(purge_foreign),
	CASE(unmap_foreign), CASE(purge_decommitted), CASE(dealloc_not_zero),
	CASE(offer_nothing), CASE(offer_odd_size), CASE(offer_odd_addr),
	CASE(offer_null), CASE(offer_wraps), CASE(offer_dead),
	CASE(offer_base), CASE(offer_beyond_end), CASE(offer_neighbour),
	CASE(reclaim_nothing), CASE(reclaim_dead), CASE(reclaim_beyond_end),
	CASE(offer_twice), CASE(reclaim_not_offered), CASE(reclaim_twice),
	CASE(checks_accept_correct_use),
	CASE(fatal_without_stderr),
	CASE(message_shows_values), CASE(message_names_the_element),
	CASE(configure_shows_values), CASE(impossible_is_no_misuse),
};

const struct tap_suite tap_suite = {
	.about = "Tests what misuse leads to",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
