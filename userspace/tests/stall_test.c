// SPDX-License-Identifier: MIT
/* How long memory is waited for: what can be read and set, where and where not. */
#include <errno.h>
#include <string.h>

#include "common.h"

static struct chunk_stall stall;

/* Windows alone promises no more than it has. */
static bool stalls(void)
{
	return !strcmp(chunk_backend(), "windows");
}

static void expect_stall(unsigned int attempts, unsigned int delay_ms)
{
	memset(&stall, 0xee, sizeof(stall));
	expect_equal(chunk_get_stall(&stall), stalls());
	expect_equal(stall.attempts, stalls() ? attempts : 0);
	expect_equal(stall.delay_ms, stalls() ? delay_ms : 0);
}

static void set(unsigned int attempts, unsigned int delay_ms)
{
	stall.attempts = attempts;
	stall.delay_ms = delay_ms;
	expect_equal(chunk_set_stall(&stall), stalls());
}

static void at_the_start(void)
{
	expect_stall(10, 50);
}

static void settable(void)
{
	set(3, 7);
	expect_stall(3, 7);
	set(0, 0);
	expect_stall(0, 0);
	set(65535, 65535);
	expect_stall(65535, 65535);
	set(65536, 70000);
	expect_stall(65535, 65535);
	set(-1, -1);
	expect_stall(65535, 65535);
}

static void half_in_children(void)
{
	chunk_set_child(true);
	expect_stall(5, 50);
	set(3, 7);
	expect_stall(1, 7);
	chunk_set_child(false);
	expect_stall(3, 7);
}

/* Whoever starts children may not be able to change what they run. */
static void half_by_option(void)
{
	tap_setenv("CHUNK_OPTIONS", "child:on");
	expect_stall(5, 50);
	chunk_set_child(false);
	expect_stall(10, 50);
}

static void errno_is_kept(void)
{
	errno = 4711;
	chunk_get_stall(&stall);
	chunk_set_stall(&stall);
	chunk_set_child(true);
	expect_equal(errno, 4711);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "10 times 50 ms, or not at all", at_the_start },
	{ "it can be set, within bounds", settable },
	{ "a child waits half as often", half_in_children },
	{ "a child by CHUNK_OPTIONS", half_by_option },
	{ "errno is kept", errno_is_kept },
};

const struct tap_suite tap_suite = {
	.about = "Tests the settings of waiting for memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
