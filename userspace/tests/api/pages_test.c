// SPDX-License-Identifier: MIT
/* pages_map() and pages_unmap(): a demand is met exactly or not at all. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "common.h"

static void anywhere(void)
{
	for (size_t pages = 1; pages <= 64; pages *= 4) {
		size_t size = pages * page_size();
		char *mapped = pages_map(NULL, size);

		expect(mapped);
		expect_equal((uintptr_t)mapped % page_size(), 0);
		expect(is_zero(mapped, size));
		fill(mapped, size, pages);
		expect(is_filled(mapped, size, pages));
		pages_unmap(mapped, size);
		expect_trap(mapped);
		expect_trap(mapped + size - 1);
	}
}

static void on_demand(void)
{
	size_t size = 4 * page_size();
	char *place = foreign_mapping(3 * size);

	/* Memory that libchunk maps for itself must not come to lie in the gap. */
	chunks_init();
	fill(place, 3 * size, 1);
	expect(munmap(place + size, size) == 0);
	expect(pages_map(place + size, size) == place + size);
	expect(is_zero(place + size, size));
	expect(is_filled(place, size, 1));
	expect(is_filled(place + 2 * size, size, 1 + 2 * size));
	fill(place + size, size, 2);
	pages_unmap(place + size, size);
	expect_trap_only(place + size, size);
}

/* If any part of the place is taken the call fails and nothing changes. */
static void never_over_a_mapping(void)
{
	size_t page = page_size(), size = 8 * page;
	char *place = foreign_mapping(3 * size);

	chunks_init();
	fill(place, 3 * size, 1);
	expect(munmap(place + size, size) == 0);
	for (size_t from = page; from < 2 * size; from += page) {
		size_t mappings = count_mappings();

		if (from >= size && from + size <= 2 * size)
			continue;
		expect(!pages_map(place + from, size));
		expect_equal(count_mappings(), mappings);
	}
	expect(is_filled(place, size, 1));
	expect(is_filled(place + 2 * size, size, 1 + 2 * size));
	expect_trap_only(place + size, size);
}

static void never_over_ours(void)
{
	char *chunk = alloc_mib(2), *mapped = pages_map(NULL, MIB);

	fill(chunk, 2 * MIB, 1);
	fill(mapped, MIB, 2);
	pages_decommit(chunk, MIB);
	expect(!pages_map(chunk, MIB));
	expect(!pages_map(chunk + MIB, MIB));
	expect(!pages_map(mapped, MIB));
	expect(!pages_map(mapped + MIB - page_size(), page_size()));
	expect(is_filled(chunk + MIB, MIB, 1 + MIB));
	expect_trap(chunk);
	expect(is_filled(mapped, MIB, 2));
	/* Recycled memory is not mapped over, either. */
	dealloc_mib(chunk, 2);
	expect(!pages_map(chunk, MIB));
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)chunk);
}

static void impossible_demands(void)
{
	size_t page = page_size();

	expect(!pages_map((void *)-page, page));
	/* A 32-bit machine may have this address. */
	expect(!pages_map((void *)(UINTPTR_MAX / 2 + 1), page) ||
	       sizeof(void *) < 8);
	expect(!pages_map(NULL, SIZE_MAX / page * page));
	expect(!pages_map(NULL, SIZE_MAX / 2 / page * page));
}

static void not_registered(void)
{
	struct chunk_stats before = stats_now();
	char *mapped = pages_map(NULL, 2 * MIB);

	expect(mapped);
	expect(!chunk_is_live(mapped));
	expect(!chunk_is_live(mapped + MIB));
	expect_equal(stats_now().live_bytes, before.live_bytes);
	expect_equal(stats_now().recycled_bytes, before.recycled_bytes);
}

static void decommit_and_commit(void)
{
	size_t page = page_size(), size = 16 * page;
	char *mapped = pages_map(NULL, size);

	expect(mapped);
	fill(mapped, size, 3);
	pages_decommit(mapped + 4 * page, 4 * page);
	expect_trap_only(mapped + 4 * page, 4 * page);
	expect_equal(resident_bytes(mapped + 4 * page, 4 * page), 0);
	expect(pages_commit(mapped + 4 * page, 4 * page));
	expect(is_zero(mapped + 4 * page, 4 * page));
	expect(is_filled(mapped, 4 * page, 3));
	expect(is_filled(mapped + 8 * page, 8 * page, 3 + 8 * page));
	expect(pages_purge(mapped, size, true));
	expect(is_zero(mapped, size));
	pages_decommit(mapped, size);
	pages_unmap(mapped, size);
	expect_trap(mapped);
}

static void unmap_a_part(void)
{
	size_t page = page_size();
	char *mapped = pages_map(NULL, 9 * page);

	expect(mapped);
	fill(mapped, 9 * page, 3);
	pages_unmap(mapped + 3 * page, 3 * page);
	expect_trap_only(mapped + 3 * page, 3 * page);
	expect(is_filled(mapped, 3 * page, 3));
	pages_unmap(mapped, 3 * page);
	pages_unmap(mapped + 6 * page, 3 * page);
	expect_trap(mapped + 8 * page);
}

static void unmap_what_cannot_be(void *arg)
{
	size_t page = page_size();

	(void)arg;
	chunks_init();
	errno = 4711;
	/* No address space has these pages. */
	pages_unmap((void *)-page, page);
	expect(alloc_mib(1));
}

static void unmap_raw(void *arg)
{
	(void)arg;
	expect(munmap((void *)-page_size(), page_size()) == -1);
}

static void failure_is_reported(void)
{
	struct tap_outcome outcome;

	if (!emulator_survives(unmap_raw, NULL))
		tap_skip("the emulator dies of munmap at the top");
	tap_child(&outcome, unmap_what_cannot_be, NULL);
	tap_note("stderr: %s", outcome.text);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "unmap"));
	/* The message has the error in words, or at least its number. */
	expect(strstr(outcome.text, "nvalid") ||
	       strstr(outcome.text, "error 22"));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "anywhere", anywhere },
	{ "exactly where demanded", on_demand },
	{ "never over an existing mapping", never_over_a_mapping },
	{ "never over a chunk or an earlier mapping", never_over_ours },
	{ "impossible demands", impossible_demands },
	{ "mapped memory is not registered as a chunk", not_registered },
	{ "decommit, commit and purge mapped memory", decommit_and_commit },
	{ "unmapping a part", unmap_a_part },
	{ "a failure to unmap is reported and not fatal",
	  failure_is_reported },
};

const struct tap_suite tap_suite = {
	.about = "Tests pages_map and pages_unmap",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
