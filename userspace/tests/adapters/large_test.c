// SPDX-License-Identifier: MIT
/*
 * libchunk-large.so preloaded into an ordinary program, with several allocators
 * below: the C library's, Debian's jemalloc and mimalloc, and one whose blocks look
 * like large ones.
 */
#include <libgen.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

#define JEMALLOC	"libjemalloc.so.2"
#define MIMALLOC	"libmimalloc.so.2.0"
/* In the folder of this program */
#define LOOKALIKE	"large_below.so"

static char dir[PATH_MAX];
static char library[PATH_MAX + 64];
static char worker[PATH_MAX + 64];

static bool on_device(void)
{
	const char *backend = getenv("TEST_BACKEND");

	return backend && !strcmp(backend, "device");
}

/* The build folder may have been moved or mounted. */
static void find_files(void)
{
	ssize_t length = readlink("/proc/self/exe", dir, sizeof(dir) - 1);

	expect(length > 0);
	dir[length] = 0;
	dirname(dir);
	snprintf(worker, sizeof(worker), "%s/large_worker", dir);
	snprintf(library, sizeof(library), "%s/../libchunk-large.so", dir);
}

/**
 * struct trial - a job for the worker
 * @job:     name of the job
 * @below:   library to be preloaded below; may be NULL: none
 * @options: options behind those of the test; may be NULL: none
 * @setting: "NAME=VALUE" for the environment; may be NULL: none
 */
struct trial {
	const char *job;
	const char *below;
	const char *options;
	char *setting;
};

static void run(const struct trial *trial, struct tap_outcome *outcome)
{
	/* With a device, processors are emulated, so there are fewer rounds. */
	char *const argv[] = {
		worker, (char *)trial->job, on_device() ? "300" : "2000", NULL
	};
	char preload[PATH_MAX + 128], path[PATH_MAX + 64], options[256];
	const char *given = getenv("CHUNK_OPTIONS");
	char *const environment[] = {
		preload, path, options, "CHUNK_LARGE_REPORT=1",
		"PATH=/usr/bin:/bin", trial->setting, NULL
	};

	find_files();
	snprintf(options, sizeof(options), "CHUNK_OPTIONS=%s%s%s",
		 given ? given : "", given && trial->options ? "," : "",
		 trial->options ? trial->options : "");
	snprintf(path, sizeof(path), "LD_LIBRARY_PATH=%s", dir);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s %s", library,
		 trial->below ? trial->below : "");
	tap_exec(outcome, argv, environment);
	tap_note("%s", outcome->text);
}

/* Skip the case unless the allocator is installed: it is found by a symbol. */
static void need(const char *below, const char *symbol)
{
	char preload[PATH_MAX];
	char *const argv[] = { worker, "has", (char *)symbol, NULL };
	char *const environment[] = { preload, NULL };
	struct tap_outcome outcome;

	find_files();
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", below);
	tap_exec(&outcome, argv, environment);
	if (outcome.status)
		tap_skip("%s is not installed", below);
}

/* Run a job, which must succeed, and print nothing but the report. */
static void succeed(const struct trial *trial)
{
	struct tap_outcome outcome;

	run(trial, &outcome);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, on_device() ? "libchunk-large: backend device" :
						  "libchunk-large: backend mmap"));
}

static void on_libc(const char *job)
{
	succeed(&(struct trial) { .job = job });
}

static void on_jemalloc(const char *job)
{
	need(JEMALLOC, "mallctl");
	succeed(&(struct trial) { .job = job, .below = JEMALLOC });
}

static void on_mimalloc(const char *job)
{
	need(MIMALLOC, "mi_version");
	succeed(&(struct trial) { .job = job, .below = MIMALLOC });
}

static void on_lookalike(const char *job)
{
	succeed(&(struct trial) { .job = job, .below = LOOKALIKE });
}

#define ON(where, job)							\
static void where##_##job(void)						\
{									\
	on_##where(#job);						\
}

ON(libc, family)
ON(libc, alignments)
ON(libc, zeroes)
ON(libc, in_place)
ON(libc, moves)
ON(libc, stress)
ON(libc, forks)
ON(libc, around_main)
ON(libc, errors)
ON(libc, to_nothing)
ON(libc, guards)
ON(libc, colours)
ON(libc, sparse)
ON(libc, growth)
ON(libc, errno_stays)
ON(libc, limited)
ON(jemalloc, family)
ON(jemalloc, alignments)
ON(jemalloc, zeroes)
ON(jemalloc, in_place)
ON(jemalloc, moves)
ON(jemalloc, stress)
ON(jemalloc, forks)
ON(jemalloc, around_main)
ON(jemalloc, errors)
ON(jemalloc, to_nothing)
ON(mimalloc, family)
ON(mimalloc, alignments)
ON(mimalloc, zeroes)
ON(mimalloc, in_place)
ON(mimalloc, moves)
ON(mimalloc, stress)
ON(mimalloc, forks)
ON(mimalloc, around_main)
ON(mimalloc, errors)
ON(mimalloc, to_nothing)
ON(lookalike, family)
ON(lookalike, alignments)
ON(lookalike, zeroes)
ON(lookalike, in_place)
ON(lookalike, moves)
ON(lookalike, stress)
ON(lookalike, forks)
ON(lookalike, around_main)
ON(lookalike, refused)

static void warm(void)
{
	struct tap_outcome outcome;

	/* It leaves without the handlers that print the report. */
	run(&(struct trial) { .job = "warm" }, &outcome);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 0);
}

static void tight(void)
{
	succeed(&(struct trial) {
		.job = "guards", .setting = "CHUNK_LARGE_COLOUR=0"
	});
}

static void threshold(void)
{
	succeed(&(struct trial) {
		.job = "threshold", .setting = "CHUNK_LARGE_THRESHOLD=64K"
	});
}

static void trapped(void)
{
	succeed(&(struct trial) {
		.job = "use_after_free", .options = "reuse:trapped"
	});
}

static void poisoned(void)
{
	succeed(&(struct trial) { .job = "stress", .options = "poison:on" });
}

static void checked(void)
{
	succeed(&(struct trial) { .job = "stress", .options = "check:on" });
}

static void huge(void)
{
	struct tap_outcome outcome;

	/* Some systems print a line about huge pages. */
	run(&(struct trial) { .job = "stress", .options = "backing:huge" },
	    &outcome);
	expect_equal(outcome.status, 0);
}

static void die(const char *job, const char *message)
{
	struct tap_outcome outcome;

	run(&(struct trial) { .job = job }, &outcome);
	expect(tap_aborted(&outcome));
	expect(strstr(outcome.text, message));
	expect_equal(outcome.lines, 1);
}

static void misuse(void)
{
	die("double_free", "libchunk-large: free(0x");
	die("double_free", "): this block is free");
	die("double_free_late", "): this block is free");
	die("free_inside", "): this is inside a block, not its start");
	die("free_inside_later_chunk", "): this is inside a block, not its start");
	die("realloc_free", "libchunk-large: realloc(0x");
	die("usable_free", "libchunk-large: malloc_usable_size(0x");
}

static void bad_settings(void)
{
	static char *const settings[] = {
		"CHUNK_LARGE_THRESHOLD=1000", "CHUNK_LARGE_THRESHOLD=-1",
		"CHUNK_LARGE_THRESHOLD=1MB", "CHUNK_LARGE_THRESHOLD=",
		"CHUNK_LARGE_THRESHOLD=99999999999G",
		"CHUNK_LARGE_THRESHOLD=99999999999999999999999999",
		"CHUNK_LARGE_COLOUR=2", "CHUNK_LARGE_COLOUR=off",
	};

	for (size_t i = 0; i < TAP_COUNT(settings); i++) {
		struct tap_outcome outcome;
		const char *value = strchr(settings[i], '=') + 1;
		char line[128];

		snprintf(line, sizeof(line), "%.*s: ignoring the bad value \"%s\"\n",
			 (int)(value - settings[i] - 1), settings[i], value);
		run(&(struct trial) { .job = "none", .setting = settings[i] },
		    &outcome);
		expect_equal(outcome.status, 0);
		expect(strstr(outcome.text, line));
		expect_equal(outcome.lines, 2);
	}
}

/* A program without large blocks does not even open the device. */
static void small_only(void)
{
	struct tap_outcome outcome;

	run(&(struct trial) { .job = "none" }, &outcome);
	expect_equal(outcome.status, 0);
	expect(strstr(outcome.text, "backend none, blocks 0,"));
}

static void late_load(void)
{
	char *const argv[] = { worker, "late_load", library, NULL };
	char *const environment[] = { "PATH=/usr/bin:/bin", NULL };
	struct tap_outcome outcome;

	find_files();
	tap_exec(&outcome, argv, environment);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
}

static const struct tap_case cases[] = {
	{ "every function, small and large sizes", libc_family },
	{ "every alignment", libc_alignments },
	{ "calloc() of memory that was used", libc_zeroes },
	{ "resized in place, with the guard", libc_in_place },
	{ "resized from small to large and back", libc_moves },
	{ "threads that free each other's blocks", libc_stress },
	{ "forks while threads are at work", libc_forks },
	{ "before all constructors and after main()", libc_around_main },
	{ "sizes and alignments that cannot be", libc_errors },
	{ "resized to nothing", libc_to_nothing },
	{ "a guard within a page behind each block", libc_guards },
	{ "blocks of one size begin at different cache sets", libc_colours },
	{ "calloc() of much, of which little is touched", libc_sparse },
	{ "a growing block is seldom copied", libc_growth },
	{ "errno stays if nothing fails", libc_errno_stays },
	{ "kept memory is given up before a call fails", libc_limited },
	{ "on jemalloc: every function, small and large sizes", jemalloc_family },
	{ "on jemalloc: every alignment", jemalloc_alignments },
	{ "on jemalloc: calloc() of memory that was used", jemalloc_zeroes },
	{ "on jemalloc: resized in place, with the guard", jemalloc_in_place },
	{ "on jemalloc: resized from small to large and back", jemalloc_moves },
	{ "on jemalloc: threads that free each other's blocks", jemalloc_stress },
	{ "on jemalloc: forks while threads are at work", jemalloc_forks },
	{ "on jemalloc: before all constructors and after main()", jemalloc_around_main },
	{ "on jemalloc: sizes and alignments that cannot be", jemalloc_errors },
	{ "on jemalloc: resized to nothing", jemalloc_to_nothing },
	{ "on mimalloc: every function, small and large sizes", mimalloc_family },
	{ "on mimalloc: every alignment", mimalloc_alignments },
	{ "on mimalloc: calloc() of memory that was used", mimalloc_zeroes },
	{ "on mimalloc: resized in place, with the guard", mimalloc_in_place },
	{ "on mimalloc: resized from small to large and back", mimalloc_moves },
	{ "on mimalloc: threads that free each other's blocks", mimalloc_stress },
	{ "on mimalloc: forks while threads are at work", mimalloc_forks },
	{ "on mimalloc: before all constructors and after main()", mimalloc_around_main },
	{ "on mimalloc: sizes and alignments that cannot be", mimalloc_errors },
	{ "on mimalloc: resized to nothing", mimalloc_to_nothing },
	{ "on a look-alike: every function, small and large sizes", lookalike_family },
	{ "on a look-alike: every alignment", lookalike_alignments },
	{ "on a look-alike: calloc() of memory that was used", lookalike_zeroes },
	{ "on a look-alike: resized in place, with the guard", lookalike_in_place },
	{ "on a look-alike: resized from small to large and back", lookalike_moves },
	{ "on a look-alike: threads that free each other's blocks", lookalike_stress },
	{ "on a look-alike: forks while threads are at work", lookalike_forks },
	{ "on a look-alike: before all constructors and after main()", lookalike_around_main },
	{ "on a look-alike: serves what libchunk does not", lookalike_refused },
	{ "a warm malloc() and free() make no system call", warm },
	{ "without colours blocks end at their guards", tight },
	{ "another threshold", threshold },
	{ "freed blocks trap with reuse:trapped", trapped },
	{ "with poison:on", poisoned },
	{ "with check:on", checked },
	{ "with backing:huge", huge },
	{ "bad pointers end the process", misuse },
	{ "bad settings are reported", bad_settings },
	{ "nothing is done for small blocks", small_only },
	{ "loaded late, it does no harm", late_load },
};

const struct tap_suite tap_suite = {
	.about = "libchunk-large.so in an ordinary program",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
