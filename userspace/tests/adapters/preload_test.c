// SPDX-License-Identifier: MIT
/*
 * The preloaded library in ordinary programs: in one on jemalloc, with many
 * settings of jemalloc, and in one without jemalloc.
 */
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char library[PATH_MAX];
static char preload[PATH_MAX + 64];
static char probe[PATH_MAX];
static char worker[PATH_MAX];

static bool on_device(void)
{
	const char *backend = getenv("TEST_BACKEND");

	return backend && !strcmp(backend, "device");
}

/* The build folder may have been moved or mounted. */
static void find_files(void)
{
	char self[PATH_MAX];
	ssize_t length = readlink("/proc/self/exe", self, sizeof(self) - 1);
	const char *dir;

	expect(length > 0);
	self[length] = 0;
	dir = dirname(self);
	snprintf(worker, sizeof(worker), "%s/worker", dir);
	snprintf(probe, sizeof(probe), "%s/probe", dir);
	snprintf(library, sizeof(library), "%s/../libchunk-jemalloc.so", dir);
	snprintf(preload, sizeof(preload), "LD_PRELOAD=%s", library);
}

static void run(struct tap_outcome *outcome, const char *malloc_conf,
		const char *chunk_options, char *const argv[])
{
	char conf[256], options[256];
	char *const environment[] = {
		preload, conf, options, "CHUNK_JEMALLOC_REPORT=1",
		"PATH=/usr/bin:/bin", NULL
	};

	snprintf(conf, sizeof(conf), "MALLOC_CONF=%s", malloc_conf);
	if (!chunk_options)
		chunk_options = getenv("CHUNK_OPTIONS");
	snprintf(options, sizeof(options), "CHUNK_OPTIONS=%s",
		 chunk_options ? chunk_options : "");
	tap_exec(outcome, argv, environment);
}

/* Run the program and its jemalloc without the preloaded library. */
static void run_plainly(struct tap_outcome *outcome, const char *malloc_conf,
			char *const argv[])
{
	char conf[256];
	char *const environment[] = { conf, "PATH=/usr/bin:/bin", NULL };

	snprintf(conf, sizeof(conf), "MALLOC_CONF=%s", malloc_conf);
	tap_exec(outcome, argv, environment);
}

/* Run a job, which must succeed and report the backend that was asked for. */
static void job(const char *name, const char *malloc_conf)
{
	/* With a device, processors are emulated, so there are fewer rounds. */
	char *rounds = on_device() ? "300" : "3000";
	char *const argv[] = { worker, (char *)name, rounds, NULL };
	struct tap_outcome outcome;
	unsigned int lines = 1;

	find_files();
	run(&outcome, malloc_conf, NULL, argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	/*
	 * Huge pages cost traps on such a kernel, and libchunk prints a line
	 * about that.
	 */
	if (strstr(malloc_conf, "thp:always") &&
	    strstr(outcome.text, "has no MADV_GUARD_INSTALL"))
		lines++;
	/* That line is the only one: nothing was reported. */
	expect_equal(outcome.lines, lines);
	expect(strstr(outcome.text, on_device() ? "backend device" :
						  "backend mmap"));
}

#define JOB(function, name, conf)					\
static void function(void)						\
{									\
	job(name, conf);						\
}

JOB(every_arena, "every-arena", "")
JOB(every_arena_narenas, "every-arena", "narenas:3")
JOB(every_arena_percpu, "every-arena", "percpu_arena:percpu")
JOB(every_arena_no_large, "every-arena", "oversize_threshold:0")
JOB(large_arena, "large-arena", "")
JOB(large_arena_percpu, "large-arena", "percpu_arena:percpu")
JOB(heap, "heap", "")
JOB(heap_unretained, "heap", "retain:false")
JOB(heap_one_arena, "heap", "narenas:1")
JOB(arenas, "arenas", "")
JOB(arenas_unretained, "arenas", "retain:false")
JOB(arenas_background, "arenas", "background_thread:true")
JOB(forks, "forks", "")
JOB(forks_background, "forks", "background_thread:true")
JOB(forks_unretained, "forks", "retain:false")

JOB(stress_plain, "stress", "")
JOB(stress_one, "stress", "narenas:1")
JOB(stress_unretained, "stress", "retain:false")
JOB(stress_both, "stress", "retain:false,dirty_decay_ms:0,muzzy_decay_ms:0")
JOB(stress_now, "stress", "dirty_decay_ms:0,muzzy_decay_ms:0")
JOB(stress_never, "stress", "dirty_decay_ms:-1,muzzy_decay_ms:-1")
JOB(stress_muzzy, "stress", "dirty_decay_ms:10,muzzy_decay_ms:1000")
JOB(stress_background, "stress", "background_thread:true,dirty_decay_ms:10")
JOB(stress_percpu, "stress", "percpu_arena:percpu")
JOB(stress_threshold, "stress", "oversize_threshold:1048576")
JOB(stress_no_large, "stress", "oversize_threshold:0")
JOB(stress_no_tcache, "stress", "tcache:false")
JOB(stress_junk, "stress", "junk:true")
JOB(stress_dss, "stress", "dss:primary")
/* With more rounds jemalloc 5.3.0 hangs now and then with hpa:true, also without us. */
JOB(heap_hpa, "heap", "hpa:true")
JOB(stress_thp, "stress", "thp:always,metadata_thp:always")

static void in_the_device(void)
{
	if (!on_device())
		tap_skip("not on the device");
	job("mappings", "");
}

/* The library does not read its options here: they would end the program. */
static void without_jemalloc(void)
{
	char *const argv[] = { "/bin/cat", "/proc/self/maps", NULL };
	struct tap_outcome outcome;

	find_files();
	run(&outcome, "", "backend:device,nonsense", argv);
	expect_equal(outcome.status, 0);
	expect(!strstr(outcome.text, "libchunk: "));
	expect(!strstr(outcome.text, "/dev/chunk"));
}

static void without_device(void)
{
	char *const argv[] = { worker, "stress", NULL };
	struct tap_outcome outcome;

	if (!access("/dev/chunk", F_OK))
		tap_skip("/dev/chunk exists");
	find_files();
	run(&outcome, "", "backend:device", argv);
	expect(WIFSIGNALED(outcome.status));
	expect(strstr(outcome.text, "backend:device"));
}

/* Read the number behind a word, which must be there. */
static long number_in(const char *text, const char *word)
{
	const char *at = strstr(text, word);
	char *end = NULL;
	long number = at ? strtol(at + strlen(word), &end, 10) : 0;

	if (!at || end == at + strlen(word))
		tap_note("no \"%s\" and a number in: %s", word, text);
	expect(at && end != at + strlen(word));
	return number;
}

/**
 * struct cost - cost of a job
 * @faults:       page faults of the program
 * @child_faults: page faults of its forked child
 * @resident:     KiB in memory
 */
struct cost {
	long faults;
	long child_faults;
	long resident;
};

static struct cost cost_of(char *job, const char *conf, bool preloaded)
{
	char *const argv[] = { probe, job, NULL };
	struct tap_outcome outcome;

	find_files();
	if (preloaded)
		run(&outcome, conf, NULL, argv);
	else
		run_plainly(&outcome, conf, argv);
	tap_note("%s, %s: %s", job, preloaded ? "preloaded" : "plain",
		 outcome.text);
	expect_equal(outcome.status, 0);
	return (struct cost) {
		number_in(outcome.text, "faults "),
		number_in(outcome.text, "child "),
		number_in(outcome.text, "resident "),
	};
}

/*
 * The library itself may cost a few page faults, once. Huge pages are turned
 * off: plain memory may get them, and guarded memory of the device does not.
 */
static void expect_cheap(char *job, const char *conf)
{
	struct cost plain, ours;

	/* The programs inherit the setting. */
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	plain = cost_of(job, conf, false);
	ours = cost_of(job, conf, true);
	expect(ours.faults < plain.faults + plain.faults / 20 + 30);
	expect(ours.child_faults <= plain.child_faults + plain.child_faults / 20
	       + 3);
	expect(ours.resident < plain.resident + plain.resident / 20 + 256);
}

static void start_is_cheap(void)
{
	expect_cheap("start", "narenas:8");
	expect_cheap("start", "narenas:512");
}

static void fork_is_cheap(void)
{
	expect_cheap("forks", "narenas:512");
}

static void calloc_is_cheap(void)
{
	expect_cheap("callocs", "");
}

/* The job has objects of all sizes, threads, and forks. */
static void work_is_cheap(void)
{
	expect_cheap("work", "");
	expect_cheap("work", "dirty_decay_ms:0,muzzy_decay_ms:0");
}

static void expect_figures(const char *text)
{
	long ours = number_in(text, "KiB from libchunk ");

	tap_note("%s", text);
	expect(ours >= 2048);
	expect(number_in(text, "from elsewhere ") < ours);
}

/* Either library may be named first, in a program without jemalloc. */
static void either_order(void)
{
	char *const argv[] = { "/bin/true", NULL };
	struct tap_outcome outcome;

	for (unsigned int i = 0; i < 2; i++) {
		find_files();
		snprintf(preload, sizeof(preload), i ? "LD_PRELOAD=%s:%s" :
			 "LD_PRELOAD=%2$s:%1$s", library, "libjemalloc.so.2");
		run(&outcome, "", NULL, argv);
		expect_equal(outcome.status, 0);
		expect_equal(outcome.lines, 1);
		expect_figures(outcome.text);
	}
}

static void says_that_there_is_none(void)
{
	char *const argv[] = { "/bin/true", NULL };
	struct tap_outcome outcome;

	find_files();
	run(&outcome, "", "backend:device,nonsense", argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "nothing to do"));
}

/* jemalloc is part of the program: it gets hooks if it can be reached. */
static void linked_in(void)
{
	char *const argv[] = { probe, "work", NULL };
	struct tap_outcome outcome;
	size_t length;

	find_files();
	length = strlen(probe);
	snprintf(probe + length, sizeof(probe) - length, "-linked");
	run(&outcome, "narenas:1", NULL, argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	expect(number_in(outcome.text, "KiB from libchunk ") >= 2048);
	expect_equal(number_in(outcome.text, "by hooks, in arenas "), 1);

	find_files();
	snprintf(probe + length, sizeof(probe) - length, "-hidden");
	run(&outcome, "narenas:1", NULL, argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	expect(strstr(outcome.text, "nothing to do"));
}

/* A library that was unmapped would take the program with it. */
static void loaded_and_unloaded(void)
{
	char *const argv[] = { probe, "dlopen", library, NULL };
	struct tap_outcome outcome;

	find_files();
	run_plainly(&outcome, "", argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
}

static void own_hooks(void)
{
	char *const argv[] = { worker, "own-hooks", NULL };
	struct tap_outcome outcome;

	find_files();
	run(&outcome, "", NULL, argv);
	expect_equal(outcome.status, 0);
	expect_figures(outcome.text);
}

static void heap_elsewhere(void)
{
	char *const argv[] = { probe, "work", NULL };
	struct tap_outcome outcome;

	find_files();
	run(&outcome, "dss:primary", NULL, argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	/* Its objects lie in other memory, jemalloc's own bookkeeping does not. */
	expect(number_in(outcome.text, "from elsewhere ") >
	       number_in(outcome.text, "KiB from libchunk "));
}

static void huge_pages(void)
{
	char *const argv[] = { worker, "huge-pages", NULL };
	struct tap_outcome outcome;

	if (access("/sys/kernel/mm/transparent_hugepage/enabled", R_OK))
		tap_skip("a kernel without huge pages");
	find_files();
	run(&outcome, "thp:always", NULL, argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
}

static const struct tap_case cases[] = {
	{ "a start costs no more than without, at any narenas", start_is_cheap },
	{ "a fork costs no more than without", fork_is_cheap },
	{ "a calloc costs nothing until its memory is used", calloc_is_cheap },
	{ "objects of all sizes cost no more than without", work_is_cheap },
	{ "either order of preloading", either_order },
	{ "no jemalloc: said in the report", says_that_there_is_none },
	{ "jemalloc linked into the program", linked_in },
	{ "dlopen and dlclose", loaded_and_unloaded },
	{ "a program's own hooks: true figures", own_hooks },
	{ "memory from elsewhere: true figures", heap_elsewhere },
	{ "thp:always: huge pages", huge_pages },
	{ "every arena lies in chunks", every_arena },
	{ "every arena lies in chunks, narenas:3", every_arena_narenas },
	{ "every arena lies in chunks, percpu_arena", every_arena_percpu },
	{ "every arena lies in chunks, oversize_threshold:0",
	  every_arena_no_large },
	{ "the arena for large requests purges at once", large_arena },
	{ "the arena for large requests, percpu_arena", large_arena_percpu },
	{ "the heap lies in chunks", heap },
	{ "the heap lies in chunks, retain:false", heap_unretained },
	{ "the heap lies in chunks, narenas:1", heap_one_arena },
	{ "the heap lies in the device's mappings", in_the_device },
	{ "arenas.create, reset, purge, destroy", arenas },
	{ "arenas and retain:false", arenas_unretained },
	{ "arenas and background threads", arenas_background },
	{ "forks in the middle", forks },
	{ "forks and background threads", forks_background },
	{ "forks and retain:false", forks_unretained },
	{ "stress", stress_plain },
	{ "stress, narenas:1", stress_one },
	{ "stress, retain:false", stress_unretained },
	{ "stress, retain:false, decay at once", stress_both },
	{ "stress, decay at once", stress_now },
	{ "stress, decay never", stress_never },
	{ "stress, decay by way of muzzy", stress_muzzy },
	{ "stress, background threads", stress_background },
	{ "stress, percpu_arena", stress_percpu },
	{ "stress, oversize_threshold:1M", stress_threshold },
	{ "stress, oversize_threshold:0", stress_no_large },
	{ "stress, tcache:false", stress_no_tcache },
	{ "stress, junk:true", stress_junk },
	{ "stress, dss:primary", stress_dss },
	{ "the heap lies in chunks, hpa:true", heap_hpa },
	{ "stress, thp:always", stress_thp },
	{ "a program without jemalloc is left alone", without_jemalloc },
	{ "a missing device that was asked for is reported", without_device },
};

const struct tap_suite tap_suite = {
	.about = "The preloaded library in ordinary programs",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
