// SPDX-License-Identifier: MIT
/*
 * chunk_assert_zero(), in the build of libchunk that it is linked with:
 * VIGILANT is 1 if that is a vigilant one.
 */
#include <string.h>

#include "common.h"

static const size_t offsets[] = { 0, 1, 7, 8, 63, 4095, 4096, MIB / 2,
				  MIB - 9, MIB - 1 };

static char *chunk;
static size_t dirty, from, size = MIB;

static void check(void *arg)
{
	(void)arg;
	chunk[dirty] = 1;
	chunk_assert_zero(chunk + from, size);
}

static void expect_verdict(bool dies)
{
	struct tap_outcome outcome;

	tap_child(&outcome, check, NULL);
	if (!VIGILANT || !dies) {
		expect_equal(outcome.status, 0);
		expect_equal(outcome.lines, 0);
		return;
	}
	expect(tap_aborted(&outcome));
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "chunk_assert_zero"));
}

static void zero_passes(void)
{
	chunk = alloc_mib(2);
	chunk_assert_zero(chunk, 2 * MIB);
	chunk_assert_zero(chunk + 3, 5);
	chunk_assert_zero(chunk, 0);
	chunk_assert_zero(NULL, 0);
}

static void any_byte_is_found(void)
{
	chunk = alloc_mib(2);
	for (size_t i = 0; i < TAP_COUNT(offsets); i++) {
		dirty = offsets[i];
		expect_verdict(true);
	}
}

static void none_outside(void)
{
	chunk = alloc_mib(2);
	from = 4096 + 3;
	size = 1001;
	dirty = from - 1;
	expect_verdict(false);
	dirty = from;
	expect_verdict(true);
	dirty = from + size - 1;
	expect_verdict(true);
	dirty = from + size;
	expect_verdict(false);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "zero passes", zero_passes },
	{ "any byte that is not zero is found", any_byte_is_found },
	{ "bytes outside do not matter", none_outside },
};

const struct tap_suite tap_suite = {
	.about = "Tests chunk_assert_zero",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
