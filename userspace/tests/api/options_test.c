// SPDX-License-Identifier: MIT
/* CHUNK_OPTIONS: which options are understood, and how others are reported. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "kernel_file.h"

static struct tap_outcome outcome;

/* Run a fresh process that prints the result of these options. */
static void run_with(const char *options)
{
	static char program[4096], variable[512];
	char *const argv[] = { program, NULL };
	char *const environment[] = { variable, NULL };

	tap_sibling("state", program, sizeof(program));
	snprintf(variable, sizeof(variable), "CHUNK_OPTIONS=%s", options);
	tap_exec(&outcome, argv, environment);
	tap_note("%s -> %s", options, outcome.text);
}

static void run_as_now_with(const char *more)
{
	const char *now = getenv("CHUNK_OPTIONS");
	char options[256];

	snprintf(options, sizeof(options), "%s%s%s", now ? now : "",
		 now && *more ? "," : "", more);
	run_with(options);
}

/* The process' own line is "= backend limit". */
static void expect_state(size_t limit)
{
	char line[64];

	snprintf(line, sizeof(line), "= %s %zu\n", chunk_backend(), limit);
	expect_equal(outcome.status, 0);
	expect(strstr(outcome.text, line));
}

static void accepted(const char *options, size_t limit)
{
	run_as_now_with(options);
	expect_state(limit);
	expect_equal(outcome.lines, 1);
}

static void limits(void)
{
	accepted("", 128 * MIB);
	accepted("recycle_limit:64M", 64 * MIB);
	accepted("recycle_limit:0", 0);
	accepted("recycle_limit:3145728", 3 * MIB);
	accepted("recycle_limit:2048K", 2 * MIB);
	accepted("recycle_limit:1G", GIB);
	/* Of options that are given twice the last one counts. */
	accepted("recycle_limit:64M,recycle_limit:32M", 32 * MIB);
}

/* Each bad option gets one line that names it; other options still hold. */
static void reported(const char *options, const char *named)
{
	run_as_now_with(options);
	expect_equal(outcome.lines, 2);
	expect(strstr(outcome.text, named));
	expect_state(strstr(options, "16M") ? 16 * MIB : 128 * MIB);
}

static void unknown_keys(void)
{
	reported("colour:red", "colour");
	reported("colour", "colour");
	reported("colour:red,recycle_limit:16M", "colour");
	reported("recycle_limit:16M,colour:red", "colour");
	reported("Recycle_limit:4M", "Recycle_limit");
	reported("recycle_limi:4M", "recycle_limi");
	reported("recycle_limit_:4M", "recycle_limit_");
}

static void bad_values(void)
{
	static const char *const values[] = {
		"", "-1", "many", "1T1", "4M4", " 4M", "4 M", "0x", "99999999999G",
		"18446744073709551616", "18446744073709551615M", "4MM", "M",
	};

	for (size_t i = 0; i < TAP_COUNT(values); i++) {
		char option[64];

		snprintf(option, sizeof(option), "recycle_limit:%s", values[i]);
		reported(option, "recycle_limit");
		snprintf(option, sizeof(option),
			 "recycle_limit:%s,recycle_limit:16M", values[i]);
		reported(option, "recycle_limit");
	}
	reported("recycle_limit", "recycle_limit");
}

static void bad_backend(void)
{
	run_with("backend:floppy");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 2);
	expect(strstr(outcome.text, "floppy"));
}

static void bad_backing(void)
{
	reported("backing:tiny", "tiny");
	reported("backing", "backing");
	accepted("backing:guarded,recycle_limit:16M", 16 * MIB);
}

static void explaining(void)
{
	accepted("explain:stack", 128 * MIB);
	accepted("explain:on,explain:off", 128 * MIB);
	reported("explain:heap", "heap");
}

/* Windows allows variables of twice that length at most. */
#define LONG	16000

/* Options of any length are read, and the message is still one line. */
static void very_long(void *arg)
{
	char *options = malloc(LONG);

	(void)arg;
	expect(options);
	memset(options, 'x', LONG - 1);
	options[LONG - 1] = '\0';
	tap_setenv("CHUNK_OPTIONS", options);
	chunks_init();
	expect(alloc_mib(1));
}

static void long_is_survived(void)
{
	tap_child(&outcome, very_long, NULL);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
}

/* If the device was asked for and is missing, the message says so. */
static void missing_device(void)
{
	if (!access("/dev/chunk", F_OK))
		tap_skip("/dev/chunk exists");
	run_with("backend:device");
	expect(tap_aborted(&outcome));
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "/dev/chunk"));
}

/* In overcommit mode 2 the device cannot give back charged memory. */
static bool is_charged(void)
{
	return overcommit_mode() == 2;
}

static void automatic(void)
{
	const char *other = on_device() ? "mmap" : chunk_backend();
	char backend[32];

	snprintf(backend, sizeof(backend), "= %s ",
		 access("/dev/chunk", R_OK | W_OK) || is_charged() ? other :
								     "device");
	run_with("backend:auto");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, backend));
	run_with("");
	expect_equal(outcome.status, 0);
	expect(strstr(outcome.text, backend));
	run_with("backend:mmap");
	expect_equal(outcome.status, 0);
	snprintf(backend, sizeof(backend), "= %s ", other);
	expect(strstr(outcome.text, backend));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "recycle_limit", limits },
	{ "unknown keys are reported once and ignored", unknown_keys },
	{ "bad values are reported once and ignored", bad_values },
	{ "a bad backend is reported", bad_backend },
	{ "a bad backing is reported", bad_backing },
	{ "whether traps are explained", explaining },
	{ "very long options", long_is_survived },
	{ "backend:device without the device is fatal", missing_device },
	{ "backend:auto", automatic },
};

const struct tap_suite tap_suite = {
	.about = "Tests CHUNK_OPTIONS",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
