// SPDX-License-Identifier: MIT
/* chunk_lookup(): what a scanner of memory may read, and how it steps on. */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"

static struct chunk_info look(const void *addr)
{
	struct chunk_info info = { .size = sizeof(info) };

	errno = 4711;
	expect_equal(chunk_lookup(addr, &info), info.where == LIVE_CHUNK);
	expect_equal(errno, 4711);
	expect_equal(info.size, sizeof(info));
	expect((uintptr_t)info.end > (uintptr_t)addr ||
	       addr == (void *)UINTPTR_MAX);
	return info;
}

/* Count the bytes of a range in a state, stepping from one end to the next. */
static size_t count(const char *from, const char *to, enum chunk_where where,
		    bool committed)
{
	size_t bytes = 0, calls = 0;

	while (from < to) {
		struct chunk_info info = look(from);
		const char *end = info.end;

		expect(++calls < 100000);
		if (end > to)
			end = to;
		if (info.where == where && info.committed == committed)
			bytes += end - from;
		from = end;
	}
	return bytes;
}

static void live(void)
{
	char *chunk = alloc_mib(3);
	size_t page = page_size();
	struct chunk_info info;

	info = look(chunk + MIB + 5);
	expect_equal(info.where, LIVE_CHUNK);
	expect(info.start == chunk);
	expect_equal(info.length, 3 * MIB);
	expect(info.committed);
	expect(info.end == chunk + 3 * MIB);
	pages_decommit(chunk + MIB, 2 * page);
	info = look(chunk);
	expect(info.committed && info.end == chunk + MIB);
	info = look(chunk + MIB + 1);
	expect(!info.committed && info.end == chunk + MIB + 2 * page);
	expect(info.start == chunk && info.length == 3 * MIB);
	info = look(chunk + MIB + 2 * page);
	expect(info.committed && info.end == chunk + 3 * MIB);
	expect(pages_commit(chunk + MIB, page));
	expect_equal(count(chunk, chunk + 3 * MIB, LIVE_CHUNK, false), page);
	pages_decommit(chunk, 3 * MIB);
	expect_equal(count(chunk, chunk + 3 * MIB, LIVE_CHUNK, true), 0);
}

/* For each page, chunk_lookup() agrees with an access. */
static void as_accesses_find(void)
{
	size_t page = page_size(), size = 4 * MIB;
	uint64_t random = random_seed();
	char *chunk = alloc_mib(4);

	for (unsigned int i = 0; i < rounds(40); i++) {
		size_t first = random_below(&random, size / page);
		size_t pages = 1 + random_below(&random, size / page - first);

		if (i % 3)
			pages_decommit(chunk + first * page, pages * page);
		else
			expect(pages_commit(chunk + first * page, pages * page));
	}
	for (size_t at = 0; at < size; at += page)
		expect_equal(look(chunk + at).committed,
			     !read_traps(chunk + at));
	expect_equal(count(chunk, chunk + size, LIVE_CHUNK, false),
		     stats_now().decommitted_bytes);
}

static void given_back(void)
{
	char *chunk = alloc_mib(4), *single = alloc_mib(1);
	struct chunk_info info;

	dealloc_mib(single, 1);
	expect_equal(look(single + 5).where, FREE_CHUNK);
	expect(!look(single).committed);
	dealloc_mib(chunk, 4);
	info = look(chunk + MIB);
	expect(info.where != LIVE_CHUNK && !info.committed && !info.start);
	expect_equal(info.length, 0);
	chunk_set_recycle_limit(0);
	expect_equal(look(chunk + MIB).committed, false);
	expect(look(chunk + MIB).where != LIVE_CHUNK);
}

static void nothing_of_ours(void)
{
	char *mapped = pages_map(NULL, MIB);
	const void *const elsewhere[] = {
		NULL, (void *)1, mapped, &mapped, (void *)live,
		(void *)UINTPTR_MAX, (void *)(UINTPTR_MAX / 2),
		chunk_alloc(MIB, MIB, true),
	};

	alloc_mib(1);
	for (size_t i = 0; i < TAP_COUNT(elsewhere); i++) {
		struct chunk_info info = look(elsewhere[i]);

		expect_equal(info.where, NO_CHUNK);
		expect(!info.committed && !info.start && !info.length);
	}
}

/* Step over the whole address space, which must take few steps. */
static void everything(void)
{
	struct chunk_stats stats;
	size_t free;

	for (size_t i = 1; i < 20; i++)
		pages_decommit(alloc_mib(i), MIB / 2);
	dealloc_mib(alloc_mib(7), 7);
	stats = stats_now();
	expect_equal(count(NULL, (char *)UINTPTR_MAX, LIVE_CHUNK, false),
		     stats.decommitted_bytes);
	expect_equal(count(NULL, (char *)UINTPTR_MAX, LIVE_CHUNK, true),
		     stats.live_bytes - stats.base_bytes -
		     stats.decommitted_bytes);
	free = count(NULL, (char *)UINTPTR_MAX, FREE_CHUNK, false);
	expect(free >= stats.recycled_bytes);
	/* Without the device it is all that is mapped, premapped too, and not live. */
	if (!on_device())
		expect_equal(free, stats.mapped_bytes - stats.live_bytes);
}

/* Use the structure of a program built earlier, and of one built later. */
static void other_versions(void)
{
	struct {
		struct chunk_info info;
		char more[64];
	} later;
	char *chunk = alloc_mib(1);
	struct chunk_info earlier = {
		.size = offsetof(struct chunk_info, end), .end = &earlier,
	};

	expect(chunk_lookup(chunk, &earlier));
	expect(earlier.where == LIVE_CHUNK && earlier.committed);
	expect(earlier.start == chunk);
	expect(earlier.end == &earlier);
	memset(&later, 0xee, sizeof(later));
	later.info.size = sizeof(later);
	expect(chunk_lookup(chunk, &later.info));
	expect(later.info.end == chunk + MIB);
	expect_equal(later.info.size, sizeof(later));
	expect(is_zero(later.more, sizeof(later.more)));
}

static void born_decommitted(void)
{
	size_t page = page_size();
	char *chunk = chunk_alloc_decommitted(300 * MIB, MIB);

	expect(chunk);
	expect_equal(count(chunk, chunk + 300 * MIB, LIVE_CHUNK, false),
		     300 * MIB);
	expect(pages_commit(chunk + 200 * MIB - page, 2 * page));
	expect_equal(count(chunk, chunk + 300 * MIB, LIVE_CHUNK, true),
		     2 * page);
	expect(look(chunk + 200 * MIB).end == chunk + 200 * MIB + page);
}

/* Choose a range of an extent of @size: its ends at chunks or not, or all of it. */
static size_t any_range(uint64_t *random, size_t size, size_t *first)
{
	size_t unit = random_below(random, 2) ? MIB : page_size();

	*first = 0;
	if (!random_below(random, 8))
		return size;
	*first = random_below(random, size / unit) * unit;
	return (1 + random_below(random, (size - *first) / unit)) * unit;
}

/* chunk_lookup() says of every @step-th page what @committed says. */
static void expect_noted(const char *chunk, const bool *committed, size_t pages,
			 size_t step)
{
	size_t page = page_size(), decommitted = 0;

	for (size_t i = 0; i < pages; i++)
		decommitted += !committed[i];
	for (size_t i = 0; i < pages; i += step)
		expect_equal(look(chunk + i * page).committed, committed[i]);
	expect_equal(stats_now().decommitted_bytes, decommitted * page);
}

/* Commit and decommit pages and chunks of an extent that is mostly decommitted. */
static void sparse_and_dense(void)
{
	static bool committed[MIB / 4096 * 12];
	size_t page = page_size(), size = 12 * MIB, first, bytes;
	char *chunk = chunk_alloc_decommitted(size, MIB);
	uint64_t random = random_seed();

	expect(chunk && size / page <= TAP_COUNT(committed));
	for (unsigned int i = 0; i < rounds(60); i++) {
		bool commit = random_below(&random, 2);

		bytes = any_range(&random, size, &first);
		if (commit)
			expect(pages_commit(chunk + first, bytes));
		else
			pages_decommit(chunk + first, bytes);
		memset(committed + first / page, commit, bytes / page);
		expect_noted(chunk, committed, size / page, 41);
	}
	expect_noted(chunk, committed, size / page, 1);
	for (size_t i = 0; i < size / page; i++)
		expect_equal(read_traps(chunk + i * page), !committed[i]);
	chunk_dealloc(chunk, size, ARENA_CHUNK);
	expect_equal(stats_now().decommitted_bytes, 0);
}

/* A committed page in a large decommitted extent takes bookkeeping for itself alone. */
static void one_page_of_many(void)
{
	size_t size = (size_t)256 << (sizeof(size_t) > 4 ? 30 : 20);
	size_t page = page_size(), base = stats_now().base_bytes;
	char *chunk = chunk_alloc_decommitted(size, MIB);

	if (!chunk && getenv("TAP_UNDER"))
		tap_skip("the emulator has no such address space");
	expect(chunk);
	pages_decommit(chunk, size);
	for (size_t i = 0; i < 16; i++)
		expect(pages_commit(chunk + size / 16 * i, page));
	expect_equal(stats_now().decommitted_bytes, size - 16 * page);
	expect(stats_now().base_bytes - base <= 2 * MIB);
	expect(!look(chunk + page).committed);
	expect(look(chunk + size / 16 * 15).committed);
	chunk_dealloc(chunk, size, ARENA_CHUNK);
	expect_equal(stats_now().decommitted_bytes, 0);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a live chunk, and runs of its pages", live },
	{ "accesses agree with it", as_accesses_find },
	{ "a chunk that was given back", given_back },
	{ "foreign addresses", nothing_of_ours },
	{ "the whole address space, from run to run", everything },
	{ "shorter and longer structures", other_versions },
	{ "a chunk decommitted from the start", born_decommitted },
	{ "ranges committed in such a chunk, and decommitted",
	  sparse_and_dense },
	{ "one committed page of a large decommitted chunk", one_page_of_many },
};

const struct tap_suite tap_suite = {
	.about = "Tests chunk_lookup",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
