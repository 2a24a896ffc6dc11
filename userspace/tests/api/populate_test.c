// SPDX-License-Identifier: MIT
/* Memory whose page faults are taken in advance. */
#include <errno.h>
#include <stdlib.h>

#include "common.h"

/* Writing to each page must cause no fault. */
static void expect_no_faults(char *addr, size_t size)
{
	unsigned long before = page_faults();

	touch(addr, size);
	if (getenv("TAP_UNDER"))
		tap_note("not checked: page faults are the emulator's");
	else
		expect(page_faults() - before <= 2);
}

static void alloc_is_present(void)
{
	char *chunk = chunk_alloc_populated(8 * MIB, 2 * MIB);

	expect(chunk);
	expect_equal((uintptr_t)chunk % (2 * MIB), 0);
	expect_resident(chunk, 8 * MIB, 8 * MIB);
	expect_no_faults(chunk, 8 * MIB);
	chunk_dealloc(chunk, 8 * MIB, UNKNOWN_CHUNK);
}

static void alloc_is_zero(void)
{
	size_t size = recyclable(4) * MIB;
	char *chunk = chunk_alloc_populated(size, MIB);

	expect(is_zero(chunk, size));
	fill(chunk, size, 1);
	chunk_dealloc(chunk, size, ARENA_CHUNK);
	expect_trap(chunk);
	chunk = chunk_alloc_populated(size, MIB);
	expect(stats_now().allocs_recycled == 1);
	expect_resident(chunk, size, size);
	expect(is_zero(chunk, size));
	fill(chunk, size, 2);
}

static void pages_are_present(void)
{
	size_t page = page_size();
	char *chunk = alloc_mib(2);

	pages_decommit(chunk, 2 * MIB);
	expect(pages_populate(chunk + page, MIB));
	expect_resident(chunk, 2 * MIB, MIB);
	expect(is_zero(chunk + page, MIB));
	expect_no_faults(chunk + page, MIB);
	expect_trap(chunk);
	expect_trap(chunk + page + MIB);
}

static void contents_are_kept(void)
{
	size_t page = page_size();
	char *chunk = alloc_mib(1);

	fill(chunk, 4 * page, 1);
	pages_decommit(chunk + 4 * page, page);
	expect(pages_populate(chunk, MIB));
	expect(is_filled(chunk, 4 * page, 1));
	expect(is_zero(chunk + 4 * page, MIB - 4 * page));
}

static void any_memory(void)
{
	size_t page = page_size();
	char *mapped = pages_map(NULL, 8 * page);

	expect(mapped);
	pages_decommit(mapped, 8 * page);
	expect(pages_populate(mapped, 8 * page));
	expect_resident(mapped, 8 * page, 8 * page);
	pages_unmap(mapped, 8 * page);
}

static void counted(void)
{
	struct chunk_stats before = stats_now();
	char *chunk = chunk_alloc_populated(MIB, MIB);

	pages_populate(chunk, MIB);
	expect_equal(stats_now().allocs, before.allocs + 1);
	expect_equal(stats_now().commits, before.commits + 1);
	expect_stats_consistent();
}

static void too_much(void)
{
	struct chunk_stats before;

	alloc_mib(1);
	before = stats_now();
	errno = 0;
	expect(!chunk_alloc_populated(-MIB, MIB));
	expect_equal(errno, ENOMEM);
	expect_equal(stats_now().live_bytes, before.live_bytes);
}

static void in_child(void *arg)
{
	char *chunk = arg;

	pages_decommit(chunk, MIB);
	expect(pages_populate(chunk, 2 * MIB));
	expect(is_zero(chunk, MIB));
	expect(is_filled(chunk + MIB, MIB, 1));
	expect_resident(chunk, 2 * MIB, 2 * MIB);
}

static void inherited(void)
{
	struct tap_outcome outcome;
	char *chunk = alloc_mib(2);

	fill(chunk + MIB, MIB, 1);
	tap_child(&outcome, in_child, chunk);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	expect(is_filled(chunk + MIB, MIB, 1));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a chunk is present, and no page faults", alloc_is_present },
	{ "a chunk is zero, recycled too", alloc_is_zero },
	{ "pages are present, and those beside them trap", pages_are_present },
	{ "committed pages keep their contents", contents_are_kept },
	{ "memory of pages_map", any_memory },
	{ "populating calls are counted as allocs and commits", counted },
	{ "too much is NULL, and nothing is lost", too_much },
	{ "a child populates inherited memory", inherited },
};

const struct tap_suite tap_suite = {
	.about = "Tests memory that is present from the start",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
