// SPDX-License-Identifier: MIT
/*
 * The preloaded library in ordinary programs: in one on jemalloc, under many
 * settings of jemalloc's, and in one that has no jemalloc.
 */
#include <libgen.h>
#include <limits.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "tap.h"

static char preload[PATH_MAX];
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
	snprintf(preload, sizeof(preload),
		 "LD_PRELOAD=%s/../libchunk-jemalloc.so", dir);
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

/* Runs one job, which has to succeed and to tell of the backend asked for. */
static void job(const char *name, const char *malloc_conf)
{
	char *const argv[] = { worker, (char *)name, NULL };
	struct tap_outcome outcome;

	find_files();
	run(&outcome, malloc_conf, NULL, argv);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	/* That line and no other: nothing was complained about. */
	expect_equal(outcome.lines, 1);
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
JOB(stress_hpa, "stress", "hpa:true")
JOB(stress_thp, "stress", "thp:always,metadata_thp:always")

static void in_the_device(void)
{
	if (!on_device())
		tap_skip("not on the device");
	job("mappings", "");
}

/* It does not even look at its options, which would end it. */
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
		tap_skip("here is a device");
	find_files();
	run(&outcome, "", "backend:device", argv);
	expect(WIFSIGNALED(outcome.status));
	expect(strstr(outcome.text, "backend:device"));
}

static const struct tap_case cases[] = {
	{ "every arena has the hooks", every_arena },
	{ "and with narenas:3", every_arena_narenas },
	{ "and with percpu_arena", every_arena_percpu },
	{ "and without one for large requests", every_arena_no_large },
	{ "the arena for large requests purges at once", large_arena },
	{ "and with percpu_arena, too", large_arena_percpu },
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
	{ "stress, hpa:true", stress_hpa },
	{ "stress, thp:always", stress_thp },
	{ "a program without jemalloc is left alone", without_jemalloc },
	{ "no device, but asked for: says so", without_device },
};

TAP_MAIN("The preloaded library in ordinary programs", cases)
