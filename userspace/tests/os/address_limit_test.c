// SPDX-License-Identifier: MIT
/*
 * The address limit of 47 bits, with a kernel that maps beyond it unless it gets a
 * hint.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "common.h"
#include "address_limit.h"

#define FROM	0x0000070000000000
#define TO	0x0000800000000000
#define HIGH	0xfff8000100000000

/**
 * struct taken - addresses that the kernel does not map
 * @from: first byte
 * @to:   byte after the last
 */
static struct taken {
	uint64_t from;
	uint64_t to;
} taken[64];

static unsigned int taken_count, maps, unmaps;
static uint64_t chosen;
static long error;

static void take(uint64_t from, uint64_t to)
{
	taken[taken_count++] = (struct taken) { from, to };
}

static bool is_free(uint64_t from, uint64_t to)
{
	for (unsigned int i = 0; i < taken_count; i++)
		if (from < taken[i].to && taken[i].from < to)
			return false;
	return true;
}

/* SPARC's kernel maps at the hint if that is free, else at the top. */
static long kernel_map(void *hint, size_t size)
{
	uint64_t at = (uintptr_t)hint;

	maps++;
	if (error)
		return error;
	if (!at || !is_free(at, at + size))
		at = chosen;
	return at;
}

/* Itanium's kernel maps at the first free place from the hint on. */
static long kernel_map_from(void *hint, size_t size)
{
	uint64_t at = (uintptr_t)hint;

	maps++;
	while (!is_free(at, at + size))
		at += 0x10000;
	return at;
}

static void kernel_unmap(void *addr, size_t size)
{
	expect_equal((uintptr_t)addr, chosen);
	expect(size);
	unmaps++;
}

static struct chunk_address_limit limit_47_bits(void)
{
	chosen = HIGH;
	return (struct chunk_address_limit) {
		.map = kernel_map, .unmap = kernel_unmap,
		.from = FROM, .to = TO, .step = 1 << 20,
	};
}

static void need_64_bits(void)
{
	if (sizeof(void *) < 8)
		tap_skip("addresses of 32 bits");
}

static void no_limit(void)
{
	struct chunk_address_limit limit = { .map = kernel_map, .unmap = kernel_unmap };

	chosen = (uintptr_t)&limit & -4096;
	expect_equal((uintptr_t)chunk_address_limit_map(&limit, MIB), chosen);
	expect(chunk_address_limit_allows(&limit, (void *)(uintptr_t)-4096, 4096));
	expect_equal(maps, 1);
	expect_equal(unmaps, 0);
}

static void first_hint_serves(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	expect_equal(chunk_address_limit_map(&limit, 4 * MIB), FROM);
	expect_equal(maps, 1);
	expect_equal(unmaps, 0);
}

static void scans_over_what_is_taken(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	take(FROM, FROM + 100 * MIB);
	take(FROM + 102 * MIB, FROM + 103 * MIB + 4096);
	expect_equal(chunk_address_limit_map(&limit, 4 * MIB), FROM + 104 * MIB);
	/* Mappings beyond the limit are unmapped. */
	expect_equal(maps, 105);
	expect_equal(unmaps, 104);
	/* The next one takes one try. */
	take(FROM + 104 * MIB, FROM + 108 * MIB);
	expect_equal(chunk_address_limit_map(&limit, 4096), FROM + 108 * MIB);
	take(FROM + 108 * MIB, FROM + 108 * MIB + 4096);
	expect_equal(chunk_address_limit_map(&limit, MIB), FROM + 109 * MIB);
	expect_equal(maps, 107);
	expect_equal(unmaps, 104);
}

static void begins_anew_at_the_end(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	take(TO - 8 * MIB, TO - 4 * MIB);
	atomic_store(&limit.next, (uintptr_t)(TO - 8 * MIB));
	/* The last place is free. */
	expect_equal(chunk_address_limit_map(&limit, 4 * MIB), TO - 4 * MIB);
	take(TO - 4 * MIB, TO);
	expect_equal(chunk_address_limit_map(&limit, 4 * MIB), FROM);
	expect_equal(maps, unmaps + 2);
}

/* Memory is free only before the place of the last mapping. */
static void begins_anew_before(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	limit.from = TO - 100 * MIB;
	take(TO - 100 * MIB, TO - 90 * MIB);
	take(TO - 50 * MIB, TO);
	atomic_store(&limit.next, (uintptr_t)(TO - 50 * MIB));
	expect_equal(chunk_address_limit_map(&limit, 4 * MIB), TO - 90 * MIB);
	expect_equal(maps, unmaps + 1);
	expect(maps <= 58);
}

/* The kernel ignores the hint, and maps below all hints. */
static void below_all_hints(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	take(FROM, FROM + MIB);
	chosen = FROM / 2;
	expect_equal(chunk_address_limit_map(&limit, MIB), FROM / 2);
	expect_equal(maps, 1);
	/* The next scan begins at the first hint again. */
	chosen = HIGH;
	expect_equal(chunk_address_limit_map(&limit, MIB), FROM + MIB);
	expect_equal(maps, 3);
	expect_equal(unmaps, 1);
}

static void none_left(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	limit.from = TO - 1000 * MIB;
	take(FROM, TO - MIB - 4096);
	expect_equal(chunk_address_limit_map(&limit, 2 * MIB), -ENOMEM);
	expect_equal(maps, unmaps);
	expect(maps >= 998 && maps <= 1000);
	expect_equal(chunk_address_limit_map(&limit, 1001 * MIB), -ENOMEM);
	expect_equal(chunk_address_limit_map(&limit, SIZE_MAX - 4095), -ENOMEM);
}

static void out_of_memory_ends_it(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	error = -ENOMEM;
	expect_equal(chunk_address_limit_map(&limit, MIB), -ENOMEM);
	expect(maps <= 2);
	error = -EPERM;
	expect_equal(chunk_address_limit_map(&limit, MIB), -EPERM);
	expect_equal(unmaps, 0);
}

/* The last byte of a mapping counts, too. */
static void one_byte_too_high(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	limit.step = 0;
	limit.map = kernel_map_from;
	limit.from = TO - 64 * MIB;
	take(FROM, TO - MIB);
	expect_equal(chunk_address_limit_map(&limit, MIB), TO - MIB);
	chosen = TO - MIB;
	expect_equal(chunk_address_limit_map(&limit, MIB + 4096), -ENOMEM);
	expect_equal(unmaps, 1);
	expect(chunk_address_limit_allows(&limit, (void *)(uintptr_t)(TO - 4096), 4096));
	expect(!chunk_address_limit_allows(&limit, (void *)(uintptr_t)(TO - 4096), 8192));
	expect(!chunk_address_limit_allows(&limit, (void *)(uintptr_t)HIGH, 4096));
	expect(!chunk_address_limit_allows(&limit, (void *)-4096, 8192));
}

static void one_hint_verified(void)
{
	struct chunk_address_limit limit;

	need_64_bits();
	limit = limit_47_bits();
	limit.step = 0;
	limit.map = kernel_map_from;
	expect_equal(chunk_address_limit_map(&limit, MIB), FROM);
	take(FROM, FROM + 77 * MIB);
	expect_equal(chunk_address_limit_map(&limit, MIB), FROM + 77 * MIB);
	expect_equal(unmaps, 0);
	limit.map = kernel_map;
	expect_equal(chunk_address_limit_map(&limit, MIB), -ENOMEM);
	expect_equal(maps, 3);
	expect_equal(unmaps, 1);
}

/* On the machine at hand libchunk hands out no address beyond the limit. */
static void real_addresses(void)
{
#if defined(__sparc__) || defined(__ia64__)
	for (int i = 0; i < 64; i++) {
		char *chunk = chunk_alloc((1 + i % 3) * MIB, MIB << i % 4, false);
		char *page = pages_map(NULL, page_size());

		expect(chunk && page);
		expect_equal((uint64_t)(uintptr_t)chunk >> CHUNK_ADDRESS_BITS, 0);
		expect_equal((uint64_t)(uintptr_t)page >> CHUNK_ADDRESS_BITS, 0);
	}
	tap_note("a page at %p", pages_map(NULL, page_size()));
#else
	tap_skip("no limit on this machine");
#endif
}

static const struct tap_case cases[] = {
	{ "no limit: wherever the kernel likes", no_limit },
	{ "the first hint serves", first_hint_serves },
	{ "scans over what is taken", scans_over_what_is_taken },
	{ "begins anew at the end", begins_anew_at_the_end },
	{ "begins anew before where the last was", begins_anew_before },
	{ "a place below all hints", below_all_hints },
	{ "none left", none_left },
	{ "out of memory ends it", out_of_memory_ends_it },
	{ "one byte too high is too high", one_byte_too_high },
	{ "one hint, verified", one_hint_verified },
	{ "real addresses", real_addresses },
};

const struct tap_suite tap_suite = {
	.about = "Tests the search for addresses of 47 bits",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
