// SPDX-License-Identifier: MIT
/* chunk_configure(): when it can be called, and with which arguments */
#include <errno.h>
#include <string.h>

#include "common.h"

static void too_late(void)
{
	void *chunk = alloc_mib(1);

	expect(!chunk_configure(HUGE_BACKING, 0));
	expect_equal(errno, EBUSY);
	dealloc_mib(chunk, 1);
	expect(!chunk_configure(GUARDED_BACKING, 64 * MIB));
	expect_equal(errno, EBUSY);
	/* The refused call has changed nothing. */
	chunk = alloc_mib(1);
	pages_decommit(chunk, page_size());
	expect_trap(chunk);
}

static void growth(void)
{
	struct chunk_stats stats;

	expect(chunk_configure(GUARDED_BACKING, 16 * MIB));
	alloc_mib(1);
	stats = stats_now();
	if (on_device())
		expect_equal(stats.mapped_bytes - stats.base_bytes, 16 * MIB);
}

/* Chunks must work whether the huge backing was refused or not. */
static void huge(void)
{
	char *chunk;

	errno = 0;
	expect(chunk_configure(HUGE_BACKING, 0) ? !errno : errno == EOPNOTSUPP);
	expect(chunk_configure(GUARDED_BACKING, 0));
	chunk = alloc_mib(2);
	expect(is_zero(chunk, 2 * MIB));
	pages_decommit(chunk + MIB / 2, MIB);
	expect_trap_only(chunk + MIB / 2, MIB);
	expect_stats_consistent();
}

static void bad_growth(void *arg)
{
	(void)arg;
	chunk_configure(GUARDED_BACKING, MIB + 1);
}

static void bad_backing(void *arg)
{
	(void)arg;
	chunk_configure(2, 0);
}

static void misuse(void)
{
	void (*const bad[])(void *arg) = { bad_growth, bad_backing };
	struct tap_outcome outcome;

	for (size_t i = 0; i < TAP_COUNT(bad); i++) {
		tap_child(&outcome, bad[i], NULL);
		expect(tap_aborted(&outcome));
		expect(strstr(outcome.text, "chunk_configure"));
	}
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a call after the first chunk is too late", too_late },
	{ "the device maps as much at a time as it is told", growth },
	{ "the huge backing, available or not, then the default", huge },
	{ "misuse ends the process", misuse },
};

const struct tap_suite tap_suite = {
	.about = "Tests chunk_configure()",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
