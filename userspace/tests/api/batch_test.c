// SPDX-License-Identifier: MIT
/*
 * Batches: many operations in one call, each with a result of its own. Other
 * suites, compiled with by_batch.h, check that each operation does the same as
 * a single call.
 */
#include <errno.h>
#include <string.h>

#include "common.h"

/* More elements than libchunk passes on at a time */
#define MANY	200

static struct chunk_op ops[MANY];

static void ask_for(size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++)
		ops[i] = (struct chunk_op) {
			.size = size,
			.alignment = MIB,
			.error = -1,
		};
}

static void alloc_many(size_t count, size_t size)
{
	ask_for(count, size);
	expect_equal(chunk_alloc_batch(ops, count), count);
}

static void none_is_nothing(void)
{
	struct chunk_stats before = stats_now(), after;

	expect_equal(chunk_alloc_batch(NULL, 0), 0);
	chunk_dealloc_batch(NULL, 0);
	expect_equal(pages_commit_batch(NULL, 0), 0);
	pages_decommit_batch(NULL, 0);
	after = stats_now();
	expect(!memcmp(&before, &after, sizeof(before)));
}

static void many_chunks(void)
{
	struct chunk_stats before = stats_now();

	alloc_many(MANY, MIB);
	for (size_t i = 0; i < MANY; i++) {
		expect(ops[i].addr && !ops[i].error);
		expect(chunk_is_live(ops[i].addr));
		expect(is_zero(ops[i].addr, MIB));
		fill(ops[i].addr, MIB, i);
	}
	for (size_t i = 0; i < MANY; i++)
		expect(is_filled(ops[i].addr, MIB, i));
	expect_equal(stats_now().allocs, before.allocs + MANY);
	expect_equal(stats_now().live_bytes - stats_now().base_bytes,
		     MANY * MIB);
	chunk_dealloc_batch(ops, MANY);
	for (size_t i = 0; i < MANY; i++) {
		expect_equal(ops[i].error, 0);
		expect(!chunk_is_live(ops[i].addr));
	}
	expect_equal(stats_now().deallocs, before.deallocs + MANY);
	expect_stats_consistent();
}

static void many_recycled(void)
{
	chunk_set_recycle_limit(MANY * MIB);
	alloc_many(MANY, MIB);
	for (size_t i = 0; i < MANY; i++)
		fill(ops[i].addr, MIB, i);
	chunk_dealloc_batch(ops, MANY);
	expect_equal(stats_now().recycled_bytes, MANY * MIB);
	for (size_t i = 0; i < MANY; i++)
		expect_trap(ops[i].addr);
	alloc_many(MANY, MIB);
	expect_equal(stats_now().allocs_recycled, MANY);
	for (size_t i = 0; i < MANY; i++)
		expect(is_zero(ops[i].addr, MIB));
}

static void sizes_and_alignments(void)
{
	ask_for(32, 0);
	for (size_t i = 0; i < 32; i++) {
		ops[i].size = (i % 5 + 1) * MIB;
		ops[i].alignment = MIB << i % 4;
	}
	expect_equal(chunk_alloc_batch(ops, 32), 32);
	for (size_t i = 0; i < 32; i++) {
		expect_equal((uintptr_t)ops[i].addr % ops[i].alignment, 0);
		expect(is_zero(ops[i].addr, ops[i].size));
	}
	chunk_dealloc_batch(ops, 32);
}

static void some_are_too_much(void)
{
	size_t good = 0;

	ask_for(MANY, MIB);
	for (size_t i = 0; i < MANY; i += 3)
		ops[i].size = -MIB;
	errno = 0;
	expect_equal(chunk_alloc_batch(ops, MANY), MANY - (MANY + 2) / 3);
	expect_equal(errno, ENOMEM);
	for (size_t i = 0; i < MANY; i++) {
		if (i % 3) {
			expect(!ops[i].error && is_zero(ops[i].addr, MIB));
			ops[good++] = ops[i];
			continue;
		}
		expect_equal(ops[i].error, ENOMEM);
		expect(!ops[i].addr);
	}
	chunk_dealloc_batch(ops, good);
	expect_equal(stats_now().live_bytes, stats_now().base_bytes);
}

static void pages_of_many(void)
{
	struct chunk_stats before;
	size_t page = page_size();
	char *chunk = alloc_mib(MANY);

	for (size_t i = 0; i < MANY; i++)
		fill(chunk + i * MIB, 3 * page, i);
	for (size_t i = 0; i < MANY; i++)
		ops[i] = (struct chunk_op) {
			.addr = chunk + i * MIB + page,
			.size = page,
			.error = -1,
		};
	before = stats_now();
	errno = 0;
	pages_decommit_batch(ops, MANY);
	expect_equal(errno, 0);
	for (size_t i = 0; i < MANY; i++) {
		expect_equal(ops[i].error, 0);
		expect_trap_only(ops[i].addr, page);
		ops[i].error = -1;
	}
	expect_equal(stats_now().decommitted_bytes, MANY * page);
	expect_equal(stats_now().decommits, before.decommits + MANY);
	errno = 0;
	expect_equal(pages_commit_batch(ops, MANY), MANY);
	expect_equal(errno, 0);
	for (size_t i = 0; i < MANY; i++) {
		expect_equal(ops[i].error, 0);
		expect(is_zero(ops[i].addr, page));
		expect(!is_zero((char *)ops[i].addr - page, page));
	}
	expect_equal(stats_now().commits, before.commits + MANY);
	expect_equal(stats_now().decommitted_bytes, 0);
}

/* The ranges are of several sources, some foreign: each is treated by itself. */
static void mixed_ranges(void)
{
	size_t page = page_size();
	char *chunks = adjoining_chunks(4);
	char *mapped = pages_map(NULL, 4 * page);

	expect(mapped);
	fill(chunks, 4 * MIB, 1);
	fill(mapped, 4 * page, 2);
	ops[0] = (struct chunk_op) { .addr = chunks, .size = page };
	ops[1] = (struct chunk_op) { .addr = mapped, .size = page };
	ops[2] = (struct chunk_op) {
		.addr = chunks + 2 * MIB - page, .size = page,
	};
	ops[3] = (struct chunk_op) {
		.addr = chunks + 3 * MIB, .size = page,
	};
	pages_decommit_batch(ops, 4);
	for (size_t i = 0; i < 4; i++) {
		expect_trap(ops[i].addr);
		expect_trap((char *)ops[i].addr + ops[i].size - 1);
	}
	expect_no_trap(mapped + page);
	expect_equal(pages_commit_batch(ops, 4), 4);
	for (size_t i = 0; i < 4; i++)
		expect(is_zero(ops[i].addr, ops[i].size));
}

/* A child has a context of its own, and its parent's chunks. */
static void child_of_fork(void *arg)
{
	(void)arg;
	for (size_t i = 0; i < 8; i++)
		expect(is_filled(ops[i].addr, MIB, i));
	pages_decommit_batch(ops, 8);
	for (size_t i = 0; i < 8; i++)
		expect_trap(ops[i].addr);
	expect_equal(pages_commit_batch(ops, 8), 8);
	for (size_t i = 0; i < 8; i++)
		expect(is_zero(ops[i].addr, MIB));
	chunk_dealloc_batch(ops, 8);
	alloc_many(8, MIB);
	for (size_t i = 0; i < 8; i++)
		expect(is_zero(ops[i].addr, MIB));
	chunk_dealloc_batch(ops, 8);
}

static void inherited(void)
{
	struct tap_outcome outcome;

	alloc_many(8, MIB);
	for (size_t i = 0; i < 8; i++)
		fill(ops[i].addr, MIB, i);
	tap_child(&outcome, child_of_fork, NULL);
	expect_equal(outcome.status, 0);
	for (size_t i = 0; i < 8; i++)
		expect(is_filled(ops[i].addr, MIB, i));
}

static void dealloc_one_twice(void *arg)
{
	(void)arg;
	alloc_many(8, MIB);
	ops[5].addr = ops[2].addr;
	chunk_dealloc_batch(ops, 8);
}

static void twice_in_one(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, dealloc_one_twice, NULL);
	expect(tap_aborted(&outcome));
	expect(strstr(outcome.text, "chunk_dealloc_batch"));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "an empty batch does nothing", none_is_nothing },
	{ "chunks are zero, apart from each other, and counted", many_chunks },
	{ "a batch gets what another gave back", many_recycled },
	{ "each element has its own size and alignment", sizes_and_alignments },
	{ "each element fails by itself, with its own error",
	  some_are_too_much },
	{ "exactly the decommitted pages trap", pages_of_many },
	{ "ranges across chunks and mappings", mixed_ranges },
	{ "a child's batches of inherited chunks", inherited },
	{ "a chunk twice in one batch ends the process", twice_in_one },
};

const struct tap_suite tap_suite = {
	.about = "Tests many operations in one call",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
