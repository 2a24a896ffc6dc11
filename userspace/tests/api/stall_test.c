// SPDX-License-Identifier: MIT
/* Waiting for memory: how its settings are read and set, and where it is done. */
#include <errno.h>
#include <string.h>

#include "common.h"

static struct chunk_stall stall;

/* Windows alone promises no more memory than it has. */
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

/* A parent may be unable to change the programs that it runs. */
static void half_by_option(void)
{
	tap_setenv("CHUNK_OPTIONS", "child:on");
	expect_stall(5, 50);
	chunk_set_child(false);
	expect_stall(10, 50);
}

/**
 * struct setting - options, read by a process of their own, and their effect
 * @options:  CHUNK_OPTIONS
 * @attempts: number of attempts that they set
 * @delay_ms: milliseconds between attempts that they set
 * @lines:    number of lines that report bad options
 */
struct setting {
	const char *options;
	unsigned int attempts;
	unsigned int delay_ms;
	unsigned int lines;
};

static void start_with(void *arg)
{
	const struct setting *setting = arg;

	tap_setenv("CHUNK_OPTIONS", setting->options);
	expect_stall(setting->attempts, setting->delay_ms);
}

static void expect_settings(const struct setting *settings, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		struct tap_outcome outcome;

		tap_child(&outcome, start_with, (void *)&settings[i]);
		tap_note("%s -> %s", settings[i].options, outcome.text);
		expect_equal(outcome.status, 0);
		expect_equal(outcome.lines, settings[i].lines);
		expect(!outcome.lines || strstr(outcome.text, "stall_"));
	}
}

static void by_option(void)
{
	static const struct setting settings[] = {
		{ "stall_attempts:3", 3, 50, 0 },
		{ "stall_delay:7", 10, 7, 0 },
		{ "stall_attempts:4,stall_delay:9", 4, 9, 0 },
		{ "stall_attempts:9,stall_attempts:4", 4, 50, 0 },
		{ "stall_attempts:0", 0, 50, 0 },
		{ "stall_delay:0", 10, 0, 0 },
		{ "stall_attempts:65535,stall_delay:65535", 65535, 65535, 0 },
		{ "child:on,stall_attempts:7", 3, 50, 0 },
		{ "stall_attempts:7,child:on", 3, 50, 0 },
	};

	expect_settings(settings, TAP_COUNT(settings));
}

static void bad_options(void)
{
	static const struct setting settings[] = {
		{ "stall_attempts:65536", 10, 50, 1 },
		{ "stall_delay:65536", 10, 50, 1 },
		{ "stall_delay:1K", 10, 50, 1 },
		{ "stall_delay:-1", 10, 50, 1 },
		{ "stall_delay:,stall_attempts:3", 3, 50, 1 },
		{ "stall_attempts:4294967299", 10, 50, 1 },
		{ "stall_attempts:18446744073709551619", 10, 50, 1 },
		{ "stall_attempts", 10, 50, 1 },
		{ "stall_attempts:many,stall_delay:soon", 10, 50, 2 },
	};

	expect_settings(settings, TAP_COUNT(settings));
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
	{ "the default is 10 attempts of 50 ms, or none", at_the_start },
	{ "settings are read back, within bounds", settable },
	{ "a child waits half as often", half_in_children },
	{ "a process is a child by CHUNK_OPTIONS", half_by_option },
	{ "CHUNK_OPTIONS sets it", by_option },
	{ "bad options are reported once and ignored", bad_options },
	{ "errno is kept", errno_is_kept },
};

const struct tap_suite tap_suite = {
	.about = "Tests the settings of waiting for memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
