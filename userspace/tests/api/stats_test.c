// SPDX-License-Identifier: MIT
/* chunk_get_stats(): each counter counts its calls and bytes. */
#include <stddef.h>
#include <string.h>

#include "common.h"

static void counters_follow(void)
{
	struct chunk_stats a, b;
	size_t mib = recyclable(3);
	char *chunk;

	chunks_init();
	a = stats_now();
	chunk = alloc_mib(mib);
	b = stats_now();
	expect_equal(b.live_chunks - a.live_chunks,
		     1 + (b.base_bytes != a.base_bytes));
	expect_equal(b.live_bytes - b.base_bytes,
		     a.live_bytes - a.base_bytes + mib * MIB);
	expect(b.allocs > a.allocs);
	expect_equal(b.allocs_recycled, a.allocs_recycled);

	a = b;
	pages_decommit(chunk, MIB);
	b = stats_now();
	expect_equal(b.decommits, a.decommits + 1);
	expect_equal(b.decommitted_bytes, MIB);
	expect_equal(b.live_bytes, a.live_bytes);

	a = b;
	expect(pages_commit(chunk, page_size()));
	b = stats_now();
	expect_equal(b.commits, a.commits + 1);
	expect_equal(b.decommitted_bytes, MIB - page_size());

	a = b;
	dealloc_mib(chunk, mib);
	b = stats_now();
	expect_equal(b.deallocs, a.deallocs + 1);
	expect_equal(b.decommitted_bytes, 0);
	expect_equal(b.recycled_bytes, a.recycled_bytes + mib * MIB);
	expect_equal(b.live_bytes, a.live_bytes - mib * MIB);
	expect_equal(b.live_chunks, a.live_chunks - 1);

	a = b;
	alloc_mib(1);
	b = stats_now();
	expect_equal(b.allocs, a.allocs + 1);
	expect_equal(b.allocs_recycled, a.allocs_recycled + 1);
	expect_equal(b.recycled_bytes, a.recycled_bytes - MIB);
	expect_equal(b.mapped_bytes, a.mapped_bytes);
	expect_stats_consistent();
}

static void decommitted_is_exact(void)
{
	size_t page = page_size(), expected = 0;
	char *chunk = alloc_mib(4);

	for (size_t at = 0; at < MIB; at += 2 * page) {
		pages_decommit(chunk + at, page);
		expected += page;
		expect_equal(stats_now().decommitted_bytes, expected);
	}
	/* Half of the chunk is decommitted already. */
	pages_decommit(chunk, MIB);
	expect_equal(stats_now().decommitted_bytes, MIB);
	pages_decommit(chunk + MIB / 2, 2 * MIB);
	expect_equal(stats_now().decommitted_bytes, 2 * MIB + MIB / 2);
	expect(pages_commit(chunk, 4 * MIB));
	expect_equal(stats_now().decommitted_bytes, 0);
	expect(pages_commit(chunk, 4 * MIB));
	expect_equal(stats_now().decommitted_bytes, 0);
	pages_decommit(chunk + MIB, page);
	dealloc_mib(chunk, 4);
	expect_equal(stats_now().decommitted_bytes, 0);
}

static void base_is_counted(void)
{
	struct chunk_stats before, after;

	chunks_init();
	before = stats_now();
	expect(chunk_alloc(3 * MIB, MIB, true));
	after = stats_now();
	expect_equal(after.base_bytes, before.base_bytes + 3 * MIB);
	expect_equal(after.live_bytes, before.live_bytes + 3 * MIB);
	expect_equal(after.live_chunks, before.live_chunks + 1);
	expect_stats_consistent();
}

static void release_shrinks_mapped(void)
{
	char *chunk = chunk_alloc(256 * MIB, 64 * MIB, false);
	struct chunk_stats before = stats_now();

	expect(chunk);
	chunk_set_recycle_limit(0);
	chunk_dealloc(chunk, 256 * MIB, UNKNOWN_CHUNK);
	expect_equal(stats_now().recycled_bytes, 0);
	/* The device may keep some address space premapped. */
	expect(stats_now().mapped_bytes < before.mapped_bytes);
	expect_stats_consistent();
}

static void random_operations(void)
{
	struct chunk_stats before;
	size_t sizes[32] = { 0 }, live = 0, count = 0;
	uint64_t random = random_seed();
	void *chunks[32];

	chunks_init();
	chunk_set_recycle_limit(20 * MIB);
	before = stats_now();
	for (size_t i = 0; i < 2000; i++) {
		size_t at = random_below(&random, 32);
		struct chunk_stats now;

		if (sizes[at]) {
			dealloc_mib(chunks[at], sizes[at]);
			live -= sizes[at];
			sizes[at] = 0;
			count--;
		} else {
			sizes[at] = 1 + random_below(&random, 4);
			chunks[at] = alloc_mib(sizes[at]);
			live += sizes[at];
			count++;
		}
		now = stats_now();
		expect_equal(now.live_bytes - now.base_bytes,
			     before.live_bytes - before.base_bytes +
			     live * MIB);
		expect(now.live_chunks >= count);
		expect_equal(now.recycle_limit, 20 * MIB);
		expect_stats_consistent();
	}
}

/* Members that the caller does not know are left alone; others unknown are zero. */
static void of_any_size(void)
{
	static const size_t sizes[] = {
		0, 8, offsetof(struct chunk_stats, offered_bytes),
		offsetof(struct chunk_stats, retained_bytes),
		offsetof(struct chunk_stats, mapping_room),
		sizeof(struct chunk_stats), sizeof(struct chunk_stats) + 64,
	};
	struct chunk_stats whole;

	alloc_mib(3);
	whole = stats_now();
	for (size_t i = 0; i < TAP_COUNT(sizes); i++) {
		unsigned char bytes[sizeof(whole) + 128];
		size_t known = sizes[i] < sizeof(whole) ? sizes[i] : sizeof(whole);

		memset(bytes, 0xee, sizeof(bytes));
		chunk_get_stats_sized((void *)bytes, sizes[i]);
		expect(!memcmp(bytes, &whole, known));
		expect(is_zero(bytes + known, sizes[i] - known));
		expect_equal(bytes[sizes[i]], 0xee);
	}
}

static void retained_and_traps(void)
{
	struct chunk_stats before, after;
	char *chunk = alloc_mib(2);

	dealloc_mib(alloc_mib(1), 1);
	before = stats_now();
	expect_equal(before.retained_bytes + before.recycled_bytes +
		     before.live_bytes, before.mapped_bytes);
	pages_decommit(chunk, MIB);
	expect_trap(chunk);
	after = stats_now();
	expect_equal(after.traps > before.traps, on_device());
	expect_equal(after.retained_bytes, before.retained_bytes);
	expect_equal(after.word_offered_bytes, 0);
	expect_equal(after.word_discards, 0);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "each counter follows its calls", counters_follow },
	{ "decommitted bytes are exact", decommitted_is_exact },
	{ "base chunks are counted", base_is_counted },
	{ "releasing shrinks what is mapped", release_shrinks_mapped },
	{ "a structure of any size", of_any_size },
	{ "retained address space, and traps", retained_and_traps },
	{ "random operations keep the counters consistent",
	  random_operations },
};

const struct tap_suite tap_suite = {
	.about = "Tests chunk_get_stats",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
