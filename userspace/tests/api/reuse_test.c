// SPDX-License-Identifier: MIT
/*
 * Deallocated extents that are kept with their contents, as offered memory: what is
 * handed out again, how much is kept, and what is misuse. See reuse_system_test for
 * cases that need a system call.
 */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

#define THREADS	8

/* Keep extents, or skip the case where none can be. */
static void reuse(size_t limit)
{
	if (!chunk_set_reuse(REUSE_OFFERED, limit))
		tap_skip("no memory can be offered here");
}

static char *alloc_dirty(size_t mib, bool *zero)
{
	char *chunk = chunk_alloc_dirty(mib * MIB, MIB, zero);

	expect(chunk && chunk_is_live(chunk));
	return chunk;
}

/* Each page holds what fill() left there, or was discarded. */
static bool is_filled_or_zero(char *addr, size_t size, uint64_t seed)
{
	size_t page = page_size();

	for (size_t at = 0; at < size; at += page)
		if (!is_filled(addr + at, page, seed + at) &&
		    !is_zero(addr + at, page))
			return false;
	return true;
}

static uint64_t offered_now(void)
{
	return stats_now().offered_bytes;
}

static uint64_t live_now(void)
{
	struct chunk_stats stats = stats_now();

	return stats.live_bytes - stats.base_bytes;
}

static void trapped_by_default(void)
{
	char *chunk;
	bool zero = false;

	for (int i = 0; i < 2; i++) {
		chunk = alloc_dirty(2, &zero);
		expect(zero);
		expect(is_zero(chunk, 2 * MIB));
		fill(chunk, 2 * MIB, 1);
		dealloc_mib(chunk, 2);
		expect_trap(chunk);
		expect_equal(offered_now(), 0);
		expect_equal(stats_now().offered_taken, 0);
	}
}

static void handed_out_as_it_was(void)
{
	char *chunk = alloc_mib(1);
	struct chunk_stats before;
	bool zero = true;

	reuse(64 * MIB);
	fill(chunk, MIB, 1);
	errno = EXDEV;
	dealloc_mib(chunk, 1);
	expect_equal(errno, EXDEV);
	before = stats_now();
	expect_equal(before.offered_bytes, MIB);
	expect_equal(before.recycled_bytes, 0);
	for (int i = 0; i < 10; i++) {
		expect_equal((uintptr_t)alloc_dirty(1, &zero), (uintptr_t)chunk);
		expect_equal(errno, EXDEV);
		expect(is_filled_or_zero(chunk, MIB, 1));
		expect(!zero || is_zero(chunk, MIB));
		expect_equal(offered_now(), 0);
		expect_equal(stats_now().offered_taken, (i + 1) * MIB);
		fill(chunk, MIB, 1);
		dealloc_mib(chunk, 1);
	}
	expect_equal(stats_now().mapped_bytes, before.mapped_bytes);
	expect_stats_consistent();
}

static void zeroed(void)
{
	char *chunk = alloc_mib(1);

	reuse(64 * MIB);
	for (int i = 0; i < 4; i++) {
		fill(chunk, MIB, i);
		dealloc_mib(chunk, 1);
		expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk);
		expect(is_zero(chunk, MIB));
	}
	fill(chunk, MIB, 9);
	dealloc_mib(chunk, 1);
	expect_equal((uintptr_t)chunk_alloc_populated(MIB, MIB),
		     (uintptr_t)chunk);
	expect(is_zero(chunk, MIB));
	expect_resident(chunk, MIB, MIB);
}

static void zero_by_type(void)
{
	char *chunk;
	bool zero = false;

	reuse(64 * MIB);
	chunk = alloc_mib(1);
	chunk_dealloc(chunk, MIB, ZEROED_CHUNK);
	expect_equal((uintptr_t)alloc_dirty(1, &zero), (uintptr_t)chunk);
	expect(zero);
	expect(is_zero(chunk, MIB));
	/* That held once. */
	fill(chunk, MIB, 1);
	chunk_dealloc(chunk, MIB, ARENA_CHUNK);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk);
	expect(is_zero(chunk, MIB));
}

static void best_fit_and_coalescing(void)
{
	char *row;
	bool zero;

	need_cutting();
	row = adjoining_chunks(16);
	reuse(64 * MIB);
	fill(row, 16 * MIB, 1);
	/* Holes of 3, 1 and 5 chunks, each chunk an extent of its own */
	for (size_t i = 1; i < 4; i++)
		dealloc_mib(row + i * MIB, 1);
	dealloc_mib(row + 6 * MIB, 1);
	for (size_t i = 12; i > 7; i--)
		dealloc_mib(row + i * MIB, 1);
	expect_equal(offered_now(), 9 * MIB);
	expect_equal((uintptr_t)alloc_dirty(2, &zero), (uintptr_t)row + MIB);
	expect(is_filled_or_zero(row + MIB, 2 * MIB, 1 + MIB));
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)row + 3 * MIB);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)row + 6 * MIB);
	expect_equal((uintptr_t)alloc_mib(5), (uintptr_t)row + 8 * MIB);
	expect(is_zero(row + 8 * MIB, 5 * MIB));
	expect_equal(offered_now(), 0);
	/* Live neighbours are as they were. */
	expect(is_filled(row, MIB, 1));
	expect(is_filled(row + 4 * MIB, 2 * MIB, 1 + 4 * MIB));
	expect(is_filled(row + 13 * MIB, 3 * MIB, 1 + 13 * MIB));
	/* Pages of an extent that was put together are used like any other's. */
	fill(row + 8 * MIB, 5 * MIB, 2);
	pages_decommit(row + 9 * MIB + MIB / 2, MIB);
	expect_trap_only(row + 9 * MIB + MIB / 2, MIB);
	expect(pages_commit(row + 9 * MIB, 2 * MIB));
	expect(is_zero(row + 9 * MIB + MIB / 2, MIB));
	expect(is_filled(row + 8 * MIB, MIB, 2));
	dealloc_mib(row + 8 * MIB, 5);
	dealloc_mib(row + MIB, 2);
	expect_stats_consistent();
}

static void aligned(void)
{
	char *chunk;
	bool zero;

	need_cutting();
	chunk = chunk_alloc(32 * MIB, 32 * MIB, false);
	expect(chunk);
	reuse(64 * MIB);
	dealloc_mib(chunk, 32);
	expect_equal((uintptr_t)alloc_dirty(1, &zero), (uintptr_t)chunk);
	expect_equal((uintptr_t)chunk_alloc_dirty(8 * MIB, 16 * MIB, &zero),
		     (uintptr_t)chunk + 16 * MIB);
	expect_equal((uintptr_t)chunk_alloc(4 * MIB, 4 * MIB, false),
		     (uintptr_t)chunk + 24 * MIB);
	dealloc_mib(chunk, 1);
	dealloc_mib(chunk + 16 * MIB, 8);
	dealloc_mib(chunk + 24 * MIB, 4);
	expect_equal((uintptr_t)chunk_alloc(32 * MIB, 32 * MIB, false),
		     (uintptr_t)chunk);
}

/* Kept extents go back as a whole, in whatever parts they were handed out. */
static void released_when_trapped(void)
{
	char *chunks[20], *large;
	uint64_t live;

	need_cutting();
	reuse(64 * MIB);
	live = live_now();
	for (size_t i = 0; i < 20; i++)
		chunks[i] = alloc_mib(1);
	large = alloc_mib(10);
	for (size_t i = 0; i < 20; i++)
		dealloc_mib(chunks[i], 1);
	dealloc_mib(large, 10);
	expect_equal(offered_now(), 30 * MIB);
	chunks[0] = alloc_mib(3);
	chunks[1] = alloc_mib(9);
	expect(chunk_set_reuse(REUSE_TRAPPED, 64 * MIB));
	/* On the device, parts of extents stay until the rest comes back. */
	if (on_device())
		expect(offered_now() <= 18 * MIB);
	else
		expect_equal(offered_now(), 0);
	fill(chunks[0], 3 * MIB, 1);
	fill(chunks[1], 9 * MIB, 2);
	dealloc_mib(chunks[0], 3);
	dealloc_mib(chunks[1], 9);
	expect_equal(offered_now(), 0);
	expect_equal(live_now(), live);
	expect_trap(large);
	expect(is_zero(alloc_mib(30), 30 * MIB));
	expect_stats_consistent();
}

static void limit_is_obeyed(void)
{
	char *chunks[40], *large;

	reuse(8 * MIB);
	for (size_t i = 0; i < 40; i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < 40; i += 2) {
		dealloc_mib(chunks[i], 1);
		expect_equal(offered_now(), (i / 2 < 8 ? i / 2 + 1 : 8) * MIB);
	}
	large = alloc_mib(9);
	dealloc_mib(large, 9);
	/* Too large to be kept at all */
	expect_trap(large);
	expect_equal(offered_now(), 8 * MIB);
	expect(chunk_set_reuse(REUSE_OFFERED, 3 * MIB));
	expect_equal(offered_now(), 3 * MIB);
	expect(chunk_set_reuse(REUSE_OFFERED, 0));
	expect_equal(offered_now(), 0);
	dealloc_mib(chunks[1], 1);
	expect_equal(offered_now(), 0);
	expect_trap(chunks[1]);
	expect(chunk_set_reuse(REUSE_OFFERED, SIZE_MAX));
	dealloc_mib(chunks[3], 1);
	expect_equal(offered_now(), MIB);
	expect_stats_consistent();
}

/* Extents that nobody wants make room for others. */
static void unwanted_make_room(void)
{
	char *chunks[32], *large;

	need_cutting();
	reuse(16 * MIB);
	large = alloc_mib(12);
	for (size_t i = 0; i < 32; i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < 32; i += 2)
		dealloc_mib(chunks[i], 1);
	expect_equal(offered_now(), 16 * MIB);
	for (int i = 0; i < 3; i++) {
		dealloc_mib(large, 12);
		expect(offered_now() <= 16 * MIB);
		expect(offered_now() >= 12 * MIB);
		large = alloc_mib(12);
		expect_equal(stats_now().offered_taken, (i + 1) * 12 * MIB);
	}
}

/* Parts that cannot be returned alone have no memory beyond the limit. */
static void parts_over_the_limit(void)
{
	char *chunk;
	bool zero;

	need_cutting();
	chunk = alloc_mib(8);
	reuse(8 * MIB);
	dealloc_mib(chunk, 8);
	for (size_t i = 0; i < 8; i++) {
		expect_equal((uintptr_t)alloc_dirty(1, &zero),
			     (uintptr_t)chunk + i * MIB);
		fill(chunk + i * MIB, MIB, i);
	}
	expect(chunk_set_reuse(REUSE_OFFERED, 2 * MIB));
	for (size_t i = 0; i < 7; i++) {
		dealloc_mib(chunk + i * MIB, 1);
		if (on_device())
			expect_equal(offered_now(), (i + 1) * MIB);
		else
			expect(offered_now() <= 2 * MIB);
	}
	expect(!on_device() || resident_bytes(chunk, 7 * MIB) <= 2 * MIB);
	/* With the last part all of it goes. */
	dealloc_mib(chunk + 7 * MIB, 1);
	expect(offered_now() <= 2 * MIB);
	expect_stats_consistent();
}

/* Two extents are released, and one takes their place: it goes back as one. */
static void one_in_the_place_of_two(void)
{
	char *row, *both;

	need_cutting();
	row = adjoining_chunks(3);
	reuse(64 * MIB);
	dealloc_mib(row, 1);
	dealloc_mib(row + MIB, 1);
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	/* The system's address space may begin before the row. */
	both = alloc_mib(2);
	if (on_device())
		expect_equal((uintptr_t)both, (uintptr_t)row);
	expect(chunk_set_reuse(REUSE_OFFERED, 64 * MIB));
	dealloc_mib(both, 2);
	expect_equal(offered_now(), 2 * MIB);
	expect(chunk_set_reuse(REUSE_OFFERED, MIB));
	expect_equal(offered_now(), on_device() ? 0 : MIB);
	expect_stats_consistent();
}

/* Decommitted pages are committed when their chunk is handed out again. */
static void decommitted_pages(void)
{
	char *chunk = alloc_mib(1);
	bool zero;

	pages_decommit(chunk + MIB / 2, MIB / 4);
	reuse(64 * MIB);
	for (int i = 0; i < 3; i++) {
		dealloc_mib(chunk, 1);
		expect_equal((uintptr_t)alloc_dirty(1, &zero),
			     (uintptr_t)chunk);
		expect(is_zero(chunk + MIB / 2, MIB / 4));
		fill(chunk, MIB, 1);
		if (i == 0)
			pages_decommit(chunk, MIB);
		else
			pages_decommit(chunk + MIB / 2, MIB / 4);
	}
	dealloc_mib(chunk, 1);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk);
	expect(is_zero(chunk, MIB));
	pages_purge(chunk, MIB, true);
	dealloc_mib(chunk, 1);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk);
	expect(is_zero(chunk, MIB));
	expect_stats_consistent();
}

static void born_decommitted(void)
{
	char *chunk;
	bool zero;

	reuse(64 * MIB);
	chunk = chunk_alloc_decommitted(MIB, MIB);
	expect(chunk);
	expect_trap(chunk);
	dealloc_mib(chunk, 1);
	expect_equal((uintptr_t)alloc_dirty(1, &zero), (uintptr_t)chunk);
	expect(is_zero(chunk, MIB));
	dealloc_mib(chunk, 1);
	/* Kept memory is not decommitted for the next one. */
	expect((char *)chunk_alloc_decommitted(MIB, MIB) != chunk);
	expect_equal(offered_now(), MIB);
}

static void looked_up(void)
{
	struct chunk_info info = { .size = sizeof(info) };
	char *chunk = alloc_mib(1);

	reuse(64 * MIB);
	fill(chunk, MIB, 1);
	dealloc_mib(chunk, 1);
	expect(!chunk_is_live(chunk));
	expect(!chunk_lookup(chunk + 5, &info));
	expect_equal(info.where, FREE_CHUNK);
	expect(!info.committed);
	expect_equal((uintptr_t)info.start, 0);
	errno = 0;
	expect(!pages_commit(chunk, MIB));
	expect_equal(errno, EINVAL);
	expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk);
	expect(chunk_lookup(chunk, &info) && info.committed);
}

static void in_batches(void)
{
	struct chunk_op ops[70] = { 0 };

	reuse(128 * MIB);
	for (size_t i = 0; i < 70; i++) {
		ops[i].size = MIB;
		ops[i].alignment = MIB;
	}
	for (int round = 0; round < 3; round++) {
		expect_equal(chunk_alloc_batch(ops, 70), 70);
		expect_equal(offered_now(), 0);
		for (size_t i = 0; i < 70; i++) {
			expect(is_zero(ops[i].addr, MIB));
			fill(ops[i].addr, MIB, i);
		}
		chunk_dealloc_batch(ops, 70);
		expect_equal(offered_now(), 70 * MIB);
	}
	expect_equal(stats_now().offered_taken, 2 * 70 * MIB);
	expect_stats_consistent();
}

static char *victim;

static void free_twice(void *arg)
{
	(void)arg;
	reuse(64 * MIB);
	victim = alloc_mib(1);
	dealloc_mib(victim, 1);
	dealloc_mib(victim, 1);
}

static void decommit_kept(void *arg)
{
	(void)arg;
	reuse(64 * MIB);
	victim = alloc_mib(1);
	dealloc_mib(victim, 1);
	pages_decommit(victim, MIB);
}

static void bad_reuse(void *arg)
{
	(void)arg;
	chunk_set_reuse((enum chunk_reuse)5, MIB);
}

static void try_reuse(void *arg)
{
	(void)arg;
	if (!chunk_set_reuse(REUSE_OFFERED, 64 * MIB))
		_Exit(1);
}

/* Skip the case where reuse() would: a child asks, so that libchunk has not begun here. */
static void need_reuse(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, try_reuse, NULL);
	if (outcome.status)
		tap_skip("no memory can be offered here");
}

static void misuse(void)
{
	struct tap_outcome outcome;

	need_reuse();
	tap_child(&outcome, free_twice, NULL);
	expect(tap_aborted(&outcome));
	expect(strstr(outcome.text, "this chunk is not live"));
	tap_child(&outcome, decommit_kept, NULL);
	expect(tap_aborted(&outcome));
	expect(strstr(outcome.text, "this memory is not live"));
	tap_child(&outcome, bad_reuse, NULL);
	expect(tap_aborted(&outcome));
	expect(strstr(outcome.text, "chunk_set_reuse(5, 1048576): "));
}

static size_t offset;

/* Accesses to kept memory; AddressSanitizer would report them. */
static __attribute__((noinline, no_sanitize("address"))) char kept_byte(const char *at)
{
	return *at;
}

static __attribute__((noinline, no_sanitize("address"))) void change_byte(char *at)
{
	*at ^= 1;
}

static void write_after_free(void *arg)
{
	bool zero;

	(void)arg;
	reuse(64 * MIB);
	victim = alloc_mib(2);
	fill(victim, 2 * MIB, 1);
	dealloc_mib(victim, 2);
	change_byte(victim + offset);
	fprintf(stderr, "%p+", (void *)(victim + offset / MIB * MIB));
	fprintf(stderr, "%zu\n", offset % MIB);
	alloc_dirty(2, &zero);
}

static void add_options(const char *more)
{
	const char *now = getenv("CHUNK_OPTIONS");
	char options[256];

	snprintf(options, sizeof(options), "%s%s%s", now ? now : "",
		 now ? "," : "", more);
	tap_setenv("CHUNK_OPTIONS", options);
}

/* The message names the chunk and the offset in it. */
static void poison_finds(size_t where)
{
	struct tap_outcome outcome;
	unsigned long long chunk;
	char expected[64];
	size_t at;

	offset = where;
	tap_child(&outcome, write_after_free, NULL);
	expect(tap_aborted(&outcome));
	expect(sscanf(outcome.text, "%llx+%zu", &chunk, &at) == 2);
	snprintf(expected, sizeof(expected), "(0x%llx, %zu): poison:on", chunk,
		 at);
	expect(strstr(outcome.text, expected));
}

static void poisoned(void)
{
	char *chunk;
	bool zero = true;

	need_cutting();
	need_reuse();
	add_options("poison:on");
	poison_finds(0);
	poison_finds(4097);
	poison_finds(MIB - 1);
	poison_finds(2 * MIB - 1);
	reuse(64 * MIB);
	chunk = alloc_mib(2);
	for (int i = 0; i < 3; i++) {
		fill(chunk, 2 * MIB, 1);
		dealloc_mib(chunk, 2);
		expect(kept_byte(chunk + 5) == (char)0xdb || kept_byte(chunk + 5) == 0);
		expect_equal((uintptr_t)alloc_dirty(1, &zero),
			     (uintptr_t)chunk);
		expect(!zero);
		expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)chunk + MIB);
		expect(is_zero(chunk + MIB, MIB));
		dealloc_mib(chunk, 1);
		chunk_dealloc(chunk + MIB, MIB, ZEROED_CHUNK);
		expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)chunk);
		expect(is_zero(chunk, 2 * MIB));
	}
}

static void by_options(void)
{
	char *chunks[8];

	add_options("reuse:offered,offer_limit:3M");
	for (size_t i = 0; i < 8; i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < 8; i += 2)
		dealloc_mib(chunks[i], 1);
	reuse(3 * MIB);
	expect_equal(offered_now(), 3 * MIB);
}

static void trapped_by_options(void)
{
	char *chunk;

	add_options("reuse:trapped,offer_limit:3M");
	chunk = alloc_mib(1);
	dealloc_mib(chunk, 1);
	expect_trap(chunk);
}

/* A program that was compiled for the first version of the structure */
static void short_stats(void)
{
	size_t first = offsetof(struct chunk_stats, offered_bytes);
	struct chunk_stats all, part;
	char more[sizeof(all) + 16];

	alloc_mib(1);
	memset(&part, 0x55, sizeof(part));
	(chunk_get_stats)(&part);
	chunk_get_stats(&all);
	expect(!memcmp(&part, &all, first));
	expect_equal(part.offered_bytes, 0x5555555555555555);
	memset(more, 0x55, sizeof(more));
	chunk_get_stats_sized((struct chunk_stats *)more, sizeof(more));
	expect(!memcmp(more, &all, sizeof(all)));
	expect(is_zero(more + sizeof(all), 16));
}

/* Live extents of the model; their sizes in MiB */
#define HELD	24
#define LARGEST	6

/**
 * struct held - a live extent of the model
 * @chunk: its first byte, or NULL
 * @mib:   its size
 * @seed:  seed of its contents
 * @pages: number of pages that have them, every third from the first on
 */
struct held {
	char *chunk;
	size_t mib;
	uint64_t seed;
	size_t pages;
};

static void expect_contents(const struct held *held)
{
	for (size_t i = 0; i < held->pages; i++)
		expect(is_filled(held->chunk + 3 * i * page_size(), page_size(),
				 held->seed + i));
}

static void write_contents(struct held *held, uint64_t *random)
{
	size_t most = held->mib * MIB / page_size() / 3;

	held->seed = random_next(random);
	held->pages = random_below(random, most + 1);
	for (size_t i = 0; i < held->pages; i++)
		fill(held->chunk + 3 * i * page_size(), page_size(),
		     held->seed + i);
}

static void model_alloc(struct held *held, uint64_t *random)
{
	size_t way = random_below(random, 8);
	size_t alignment = MIB << random_below(random, 3);
	bool zero = true;

	held->mib = 1 + random_below(random, LARGEST);
	if (way < 4)
		held->chunk = chunk_alloc_dirty(held->mib * MIB, alignment,
						&zero);
	else if (way < 7)
		held->chunk = chunk_alloc(held->mib * MIB, alignment, false);
	else
		held->chunk = chunk_alloc_decommitted(held->mib * MIB,
						      alignment);
	expect(held->chunk && (uintptr_t)held->chunk % alignment == 0);
	if (way == 7)
		expect(pages_commit(held->chunk, held->mib * MIB));
	expect(!zero || is_zero(held->chunk, held->mib * MIB));
	write_contents(held, random);
}

/* Decommit or purge the rear half. */
static void model_lose(struct held *held, uint64_t *random)
{
	size_t half = held->mib * MIB / 2;
	size_t kept = (half + 3 * page_size() - 1) / page_size() / 3;

	if (held->pages > kept)
		held->pages = kept;
	if (random_below(random, 2))
		pages_purge(held->chunk + half, half, true);
	else
		pages_decommit(held->chunk + half, half);
}

static void model_dealloc(struct held *held, uint64_t *random)
{
	enum chunk_type type = held->pages ? ARENA_CHUNK : UNKNOWN_CHUNK;

	expect_contents(held);
	if (!random_below(random, 4))
		model_lose(held, random);
	chunk_dealloc(held->chunk, held->mib * MIB, type);
	held->chunk = NULL;
}

static void model_step(struct held *helds, uint64_t *random, size_t limit)
{
	struct held *held = &helds[random_below(random, HELD)];

	if (held->chunk)
		model_dealloc(held, random);
	else
		model_alloc(held, random);
	if (!on_device())
		expect(offered_now() <= limit);
}

/* Random calls; every page of every extent is checked. */
static void model(void)
{
	static const size_t limits[] = { 64 * MIB, 8 * MIB, 3 * MIB, 0, GIB };
	struct held helds[HELD] = { 0 };
	uint64_t random = random_seed();

	for (size_t i = 0; i < TAP_COUNT(limits); i++) {
		reuse(limits[i]);
		for (unsigned int step = 0; step < rounds(400); step++)
			model_step(helds, &random, limits[i]);
		for (size_t j = 0; j < HELD; j++)
			if (helds[j].chunk)
				expect_contents(&helds[j]);
		expect_stats_consistent();
	}
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	for (size_t j = 0; j < HELD; j++)
		if (helds[j].chunk)
			model_dealloc(&helds[j], &random);
	expect_equal(offered_now(), 0);
	expect_stats_consistent();
}

static void *churn(void *arg)
{
	uint64_t random = (uintptr_t)arg;
	struct held helds[4] = { 0 };

	for (unsigned int step = 0; step < rounds(400); step++) {
		struct held *held = &helds[random_below(&random, 4)];

		if (held->chunk)
			model_dealloc(held, &random);
		else
			model_alloc(held, &random);
	}
	for (size_t i = 0; i < 4; i++)
		if (helds[i].chunk)
			model_dealloc(&helds[i], &random);
	return NULL;
}

static void threads(void)
{
	pthread_t ids[THREADS];
	uint64_t seed = random_seed() % 1000 * THREADS;

	reuse(32 * MIB);
	for (size_t i = 0; i < THREADS; i++)
		expect(!pthread_create(&ids[i], NULL, churn,
				       (void *)(uintptr_t)(seed + i)));
	for (size_t i = 0; i < 20; i++)
		expect(chunk_set_reuse(i % 3 ? REUSE_OFFERED : REUSE_TRAPPED,
				       (8 + i) * MIB));
	for (size_t i = 0; i < THREADS; i++)
		expect(!pthread_join(ids[i], NULL));
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	expect_equal(offered_now(), 0);
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "deallocated chunks trap unless asked for", trapped_by_default },
	{ "a chunk is handed out as it was", handed_out_as_it_was },
	{ "chunk_alloc() zeroes it", zeroed },
	{ "a chunk known to be zero", zero_by_type },
	{ "best fit, and extents coalesce", best_fit_and_coalescing },
	{ "alignment", aligned },
	{ "all is released under REUSE_TRAPPED", released_when_trapped },
	{ "the limit", limit_is_obeyed },
	{ "what nobody wants makes room", unwanted_make_room },
	{ "parts of an extent over the limit", parts_over_the_limit },
	{ "one extent in the place of two", one_in_the_place_of_two },
	{ "decommitted pages", decommitted_pages },
	{ "extents that were decommitted from the start", born_decommitted },
	{ "kept chunks are not live", looked_up },
	{ "batches", in_batches },
	{ "misuse of kept chunks", misuse },
	{ "poison", poisoned },
	{ "reuse:offered and offer_limit", by_options },
	{ "reuse:trapped", trapped_by_options },
	{ "counters for programs of the first version", short_stats },
	{ "random calls", model },
	{ "threads", threads },
};

const struct tap_suite tap_suite = {
	.about = "Tests reuse by offered memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
