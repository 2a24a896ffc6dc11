// SPDX-License-Identifier: MIT
/*
 * The defects of the chunk layer that libchunk is modelled on, mozjemalloc's: each
 * test provokes one. And races for a place that was just unmapped.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "fake_memory.h"
#include "fake_os.h"
#include "fake_work.h"

static void commit_fails_in_recycling(void)
{
	char *chunk = alloc_mib(8);
	struct chunk_stats before;

	scribble(chunk, 8 * MIB);
	dealloc_mib(chunk, 8);
	before = stats_now();
	expect_equal(before.recycled_bytes, 8 * MIB);
	/* Fresh memory cannot be had either. */
	fake.fail_from[FAKE_COMMIT] = 1;
	fake.fail_from[FAKE_MAP] = 1;
	for (size_t mib = 1; mib <= 8; mib++) {
		expect(!chunk_alloc(mib * MIB, MIB, false));
		expect_equal(stats_now().recycled_bytes, 8 * MIB);
		expect_none_lost();
	}
	expect_equal(stats_now().mapped_bytes, before.mapped_bytes);
	fake.fail_from[FAKE_COMMIT] = 0;
	expect(alloc_mib(8) == chunk);
	expect_blank(chunk, 8 * MIB);
	expect_equal(stats_now().recycled_bytes, 0);
}

/* A fresh chunk is mapped instead, and the recycled one is still there later. */
static void commit_fails_once(void)
{
	char *chunk = alloc_mib(4), *other;

	dealloc_mib(chunk, 4);
	fake.fail_at[FAKE_COMMIT] = fake.calls[FAKE_COMMIT] + 1;
	other = alloc_mib(4);
	expect(other != chunk);
	expect_equal(chunk_recycled_bytes(), 4 * MIB);
	expect(alloc_mib(4) == chunk);
	expect_none_lost();
}

static void split_with_nodes(unsigned int nodes)
{
	char *chunk = alloc_mib(64), *got[2];
	struct chunk_stats before;

	dealloc_mib(chunk, 64);
	before = stats_now();
	leave_nodes(nodes, 0);
	/* The cut leaves a lead, the extent and a trail. */
	for (int i = 0; i < 2; i++) {
		got[i] = chunk_alloc(3 * MIB, 2 * MIB, false);
		expect_none_lost();
		expect_equal(chunk_recycled_bytes() +
			     stats_now().live_bytes - stats_now().base_bytes,
			     before.recycled_bytes);
	}
	tap_note("%u nodes: %p %p", nodes, got[0], got[1]);
	expect(nodes || !got[0]);
	fake.fail_from[FAKE_MAP] = 0;
	for (int i = 0; i < 2; i++)
		if (got[i])
			dealloc_mib(got[i], 3);
	/* All parts are one extent again. */
	expect_equal(chunk_recycled_bytes(), 64 * MIB);
	expect(alloc_mib(64) == chunk);
	expect_none_lost();
}

static void no_node_in_a_split(void)
{
	for (unsigned int nodes = 0; nodes <= 4; nodes++) {
		pid_t child = tap_fork();

		if (child) {
			tap_join(child);
			continue;
		}
		split_with_nodes(nodes);
		_exit(0);
	}
}

static char *inner;
static size_t most_recycled;

/* Deallocate another extent while one is on its way into the tree. */
static void dealloc_inner(enum fake_call call, void *addr, size_t size)
{
	char *chunk = inner;

	(void)addr;
	(void)size;
	if (call != FAKE_DECOMMIT || !chunk)
		return;
	inner = NULL;
	dealloc_mib(chunk, 8);
	most_recycled = chunk_recycled_bytes();
}

static void limit_holds_for_all_threads(void)
{
	char *outer = alloc_mib(8);

	inner = alloc_mib(8);
	chunk_set_recycle_limit(10 * MIB);
	fake.before = dealloc_inner;
	dealloc_mib(outer, 8);
	fake.before = NULL;
	expect(!inner);
	tap_note("%zu and %zu MiB recycled", most_recycled / MIB,
		 chunk_recycled_bytes() / MIB);
	expect(most_recycled <= 10 * MIB);
	expect_equal(chunk_recycled_bytes(), 10 * MIB);
	expect_none_lost();
}

/* Lower the limit while an extent is on its way into the tree. */
static void lower_limit(enum fake_call call, void *addr, size_t size)
{
	(void)addr;
	(void)size;
	if (call != FAKE_DECOMMIT)
		return;
	fake.before = NULL;
	chunk_set_recycle_limit(3 * MIB);
}

static void limit_is_lowered_meanwhile(void)
{
	char *chunk = alloc_mib(8);

	fake.before = lower_limit;
	dealloc_mib(chunk, 8);
	expect(!fake.before);
	expect_equal(chunk_recycled_bytes(), 3 * MIB);
	expect_none_lost();
}

static bool forked;

/* Fork while libchunk maps memory for itself with its lock held. */
static void fork_inside(enum fake_call call, void *addr, size_t size)
{
	pid_t child;

	(void)addr;
	if (call != FAKE_MAP || size != MIB || forked)
		return;
	forked = true;
	child = tap_fork();
	if (child) {
		tap_join(child);
		return;
	}
	fake.before = NULL;
	for (size_t i = 0; i < 20; i++) {
		char *chunk = alloc_mib(3);

		expect_blank(chunk, 3 * MIB);
		scribble(chunk, 3 * MIB);
		pages_decommit(chunk + MIB, MIB);
		expect(pages_commit(chunk + MIB, MIB));
		dealloc_mib(chunk, 3);
	}
	_exit(0);
}

static void fork_with_the_lock_held(void)
{
	size_t had;

	chunks_init();
	had = stats_now().base_bytes;
	fake.before = fork_inside;
	/* The registry's first node is mapped under the lock. */
	expect(alloc_mib(2));
	expect(stats_now().base_bytes > had);
	expect(forked);
}

static char *place;
static size_t place_size, takes;

/* Take the place that libchunk is about to map. */
static void take_the_place(enum fake_call call, void *addr, size_t size)
{
	if (call != FAKE_MAP || !addr || !takes)
		return;
	takes--;
	place = addr;
	place_size = size;
	if (fake_take(addr, size))
		fake.lost += size;
}

static void shift_by_a_chunk(void)
{
	chunks_init();
	expect(chunk_alloc(MIB, MIB, true));
}

static void place_taken(void)
{
	char *chunk;

	shift_by_a_chunk();
	takes = 1;
	fake.before = take_the_place;
	chunk = chunk_alloc(8 * MIB, 8 * MIB, false);
	fake.before = NULL;
	expect(place && !takes);
	expect(chunk);
	expect_equal((uintptr_t)chunk % (8 * MIB), 0);
	expect(chunk + 8 * MIB <= place || chunk >= place + place_size);
	expect_blank(chunk, 8 * MIB);
	expect_none_lost();
}

static void place_taken_whole_mappings(void)
{
	char *chunk;

	fake.partial = false;
	shift_by_a_chunk();
	takes = 4;
	fake.before = take_the_place;
	chunk = chunk_alloc(8 * MIB, 8 * MIB, false);
	fake.before = NULL;
	expect_equal(takes, 0);
	expect(chunk);
	expect_equal((uintptr_t)chunk % (8 * MIB), 0);
	expect_blank(chunk, 8 * MIB);
	expect_none_lost();
}

/* mozjemalloc tries for ever. */
static void place_always_taken(void)
{
	unsigned long maps;

	fake.partial = false;
	shift_by_a_chunk();
	takes = 1000;
	maps = fake.calls[FAKE_MAP];
	fake.before = take_the_place;
	expect(!chunk_alloc(4 * MIB, 4 * MIB, false));
	fake.before = NULL;
	tap_note("%lu maps", fake.calls[FAKE_MAP] - maps);
	expect(fake.calls[FAKE_MAP] - maps <= 30);
	expect_none_lost();
	expect(chunk_alloc(4 * MIB, 4 * MIB, false));
}

/* The exact size is mapped first, and nothing more if that is aligned. */
static void exact_size_first(void)
{
	char *chunk;
	unsigned long maps, unmaps;

	expect(chunk_alloc(8 * MIB, 8 * MIB, false));
	maps = fake.calls[FAKE_MAP];
	unmaps = fake.calls[FAKE_UNMAP];
	for (int i = 0; i < 4; i++) {
		chunk = chunk_alloc(8 * MIB, 8 * MIB, false);
		expect(chunk);
		maps++;
	}
	/* One more for bookkeeping */
	expect(fake.calls[FAKE_MAP] <= maps + 1);
	expect_equal(fake.calls[FAKE_UNMAP], unmaps);
}

/* Rounding up must not wrap around. */
static void sizes_that_wrap(void)
{
	chunks_init();
	for (unsigned int shift = 20; shift < sizeof(size_t) * 8; shift++) {
		size_t alignment = (size_t)1 << shift;

		expect(!chunk_alloc(-alignment, alignment, false));
		expect(!chunk_alloc(SIZE_MAX / 2 + 1 - MIB, alignment, false));
	}
	expect(!chunk_alloc((SIZE_MAX >> 1) + 1, (SIZE_MAX >> 1) + 1, false));
	expect_none_lost();
}

/* mozjemalloc ends the process here; freeing memory must not. */
static void decommit_that_cannot_trap(void)
{
	char *chunk = alloc_mib(4);

	scribble(chunk, 4 * MIB);
	fake.fail_from[FAKE_DECOMMIT] = 1;
	pages_decommit(chunk + MIB, 2 * MIB);
	expect_equal(stats_now().decommitted_bytes, 2 * MIB);
	/* The memory does not trap and is written to, but reads as zero later. */
	scribble(chunk + MIB, 2 * MIB);
	expect(pages_commit(chunk, 4 * MIB));
	expect_blank(chunk + MIB, 2 * MIB);
	expect_equal(chunk[0], 1);
	expect_equal(chunk[4 * MIB - 1], 1);
	dealloc_mib(chunk, 4);
	/* Memory kept for reuse does not trap either. */
	scribble(chunk, 4 * MIB);
	expect(alloc_mib(4) == chunk);
	expect_blank(chunk, 4 * MIB);
	expect_equal(fake.complaints, 0);
}

/* Memory that cannot be purged either is cleared by writing. */
static void neither_traps_nor_purges(void)
{
	char *chunk = alloc_mib(2);

	fake.fail_from[FAKE_DECOMMIT] = 1;
	fake.fail_from[FAKE_PURGE] = 1;
	pages_decommit(chunk, MIB);
	scribble(chunk, MIB);
	expect(pages_commit(chunk, MIB));
	expect_blank(chunk, MIB);
	dealloc_mib(chunk, 2);
	scribble(chunk, 2 * MIB);
	expect(alloc_mib(2) == chunk);
	expect_blank(chunk, 2 * MIB);
}

/* The extent is kept, traps, is reused, and is unmapped when the system can. */
static void unmap_that_fails(void)
{
	char *chunk = alloc_mib(2), *others[3];

	chunk_set_recycle_limit(0);
	scribble(chunk, 2 * MIB);
	for (size_t i = 0; i < TAP_COUNT(others); i++)
		others[i] = alloc_mib(2);
	fake.fail_from[FAKE_UNMAP] = fake.calls[FAKE_UNMAP] + 1;
	dealloc_mib(chunk, 2);
	expect(!chunk_is_live(chunk));
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	expect_trap(chunk);
	expect(alloc_mib(2) == chunk);
	expect_blank(chunk, 2 * MIB);
	dealloc_mib(chunk, 2);
	dealloc_mib(others[0], 2);
	dealloc_mib(others[1], 2);
	expect_equal(fake.complaints, 1);
	expect_equal(chunk_recycled_bytes(), 6 * MIB);
	expect_none_lost();
	fake.fail_from[FAKE_UNMAP] = 0;
	dealloc_mib(others[2], 2);
	expect_equal(chunk_recycled_bytes(), 0);
	expect_none_lost();
	expect_equal(fake.mapped, stats_now().base_bytes);
}

/* So are whole chunks that are cut off an extent. */
static void trim_that_fails(void)
{
	size_t had, before;
	char *chunk;

	chunks_init();
	had = stats_now().mapped_bytes;
	fake.fail_from[FAKE_UNMAP] = fake.calls[FAKE_UNMAP] + 1;
	chunk = chunk_alloc(3 * MIB, 8 * MIB, false);
	expect(chunk);
	expect(chunk_recycled_bytes() >= 6 * MIB);
	expect_none_lost();
	before = fake.mapped;
	expect(alloc_mib(2) && alloc_mib(1) && alloc_mib(3));
	expect_equal(fake.mapped, before);
	expect(stats_now().mapped_bytes > had);
	expect_none_lost();
}

static void whole_mappings_only(void)
{
	char *two, *one, *another;

	fake.partial = false;
	one = alloc_mib(1);
	another = alloc_mib(1);
	two = alloc_mib(2);
	dealloc_mib(two, 2);
	expect_equal(chunk_recycled_bytes(), 0);
	dealloc_mib(one, 1);
	dealloc_mib(another, 1);
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	/* Neighbours are not merged. */
	two = alloc_mib(2);
	expect(two != one && two != another);
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	expect(alloc_mib(1) < alloc_mib(1));
	expect_equal(chunk_recycled_bytes(), 0);
	expect_none_lost();
}

static const struct tap_case cases[] = {
	{ "commit fails in recycling: nothing is lost",
	  commit_fails_in_recycling },
	{ "commit fails once: mapped afresh", commit_fails_once },
	{ "no node for a split: nothing is lost or counted twice",
	  no_node_in_a_split },
	{ "the recycle limit holds for all threads",
	  limit_holds_for_all_threads },
	{ "the recycle limit is lowered meanwhile",
	  limit_is_lowered_meanwhile },
	{ "fork with the lock held", fork_with_the_lock_held },
	{ "the place is taken between unmap and map", place_taken },
	{ "the same where mappings are unmapped whole",
	  place_taken_whole_mappings },
	{ "the place is always taken: an end", place_always_taken },
	{ "exact size first", exact_size_first },
	{ "sizes that wrap around", sizes_that_wrap },
	{ "decommit that cannot trap", decommit_that_cannot_trap },
	{ "decommit that can neither trap nor purge",
	  neither_traps_nor_purges },
	{ "unmap that fails: kept for reuse, and said once",
	  unmap_that_fails },
	{ "trimming that fails: kept for reuse", trim_that_fails },
	{ "no cutting and merging where mappings are unmapped whole",
	  whole_mappings_only },
};

const struct tap_suite tap_suite = {
	.about = "Tests policy for the original's defects",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
