// SPDX-License-Identifier: MIT
/* Statistics at exit and on a signal: what is printed, when, and where nobody reads. */
#include <fcntl.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "chunk_lock.h"
#include "common.h"

static struct tap_outcome outcome;

/* Find the value of a counter in text or JSON. */
static long long counter(const char *key, bool json)
{
	char wanted[64];
	const char *at;

	snprintf(wanted, sizeof(wanted), json ? "\"%s\":" : "libchunk: %s ", key);
	at = strstr(outcome.text, wanted);
	expect(at);
	return strtoll(at + strlen(wanted), NULL, 10);
}

static void use(const char *options)
{
	tap_setenv("CHUNK_OPTIONS", options);
	pages_decommit(alloc_mib(4), MIB);
	dealloc_mib(alloc_mib(2), 2);
}

/* The case's process ends by exit(), as a program does. */
static void use_and_exit(void *options)
{
	use(options);
	exit(0);
}

static void expect_counters(bool json)
{
	expect_equal(outcome.status, 0);
	expect_equal(counter("allocs", json), 2);
	expect_equal(counter("deallocs", json), 1);
	expect_equal(counter("decommits", json), 1);
	expect_equal(counter("decommitted_bytes", json), MIB);
	expect_equal(counter("recycled_bytes", json), 2 * MIB);
	expect(counter("mapped_bytes", json) >= (long long)(6 * MIB));
	expect(counter("mapping_room", json) != 0);
}

static void at_exit(void)
{
	tap_child(&outcome, use_and_exit, "stats:exit,backend:mmap");
	expect_counters(false);
	expect_equal(outcome.lines, 1 + sizeof(struct chunk_stats) / 8);
	expect(strstr(outcome.text, ", on mmap (option)\n"));
}

static void at_exit_json(void)
{
	const char *end;

	tap_child(&outcome, use_and_exit, "stats:exit,stats_format:json");
	expect_counters(true);
	expect_equal(outcome.lines, 1);
	expect(!strncmp(outcome.text, "{\"pid\":", 7));
	expect(strstr(outcome.text, "\"exact\":true,"));
	end = strstr(outcome.text, "}\n");
	expect(end && !end[2]);
	expect(!strstr(outcome.text, ",}") && !strstr(outcome.text, ",,"));
}

static void only_if_asked(void)
{
	static char *const options[] = {
		"", "stats:off", "stats:exit,stats:off", "stats_format:json",
		"stats:signal",
	};

	for (size_t i = 0; i < TAP_COUNT(options); i++) {
		tap_child(&outcome, use_and_exit, options[i]);
		expect_equal(outcome.status, 0);
		expect_equal(outcome.lines, 0);
	}
	tap_child(&outcome, use_and_exit, "stats:never,stats_format:xml");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 2);
}

static void raise_once(void *options)
{
	use(options);
	expect(!raise(SIGUSR2));
	dealloc_mib(alloc_mib(2), 2);
	_exit(0);
}

static void on_signal(void)
{
	tap_child(&outcome, raise_once, "stats:signal,stats_format:json");
	expect_counters(true);
	expect_equal(outcome.lines, 1);
	tap_child(&outcome, raise_once, "stats:signal");
	expect_counters(false);
}

/* A signal may come while this very thread holds the lock. */
static void raise_inside(void *options)
{
	use(options);
	chunk_lock();
	expect(!raise(SIGUSR2));
	chunk_unlock();
	alloc_mib(1);
	_exit(0);
}

static void inside(void)
{
	tap_child(&outcome, raise_inside, "stats:signal,stats_format:json");
	expect_counters(true);
	expect(strstr(outcome.text, "\"exact\":false,"));
	tap_child(&outcome, raise_inside, "stats:signal");
	expect(strstr(outcome.text, "), while they changed\n"));
}

static void *raise_often(void *arg)
{
	(void)arg;
	for (int i = 0; i < 30; i++) {
		kill(getpid(), SIGUSR2);
		usleep(1000);
	}
	return NULL;
}

static void work_meanwhile(void *options)
{
	pthread_t thread;

	tap_setenv("CHUNK_OPTIONS", options);
	chunks_init();
	expect(!pthread_create(&thread, NULL, raise_often, NULL));
	while (pthread_tryjoin_np(thread, NULL))
		dealloc_mib(alloc_mib(3), 3);
	expect_stats_consistent();
	_exit(0);
}

static void while_at_work(void)
{
	tap_child(&outcome, work_meanwhile, "stats:signal,stats_format:json");
	expect_equal(outcome.status, 0);
	expect(outcome.lines > 0);
}

static int handled;

static void own_handler(int signal)
{
	(void)signal;
	handled++;
}

static void has_handler(void *options)
{
	expect(signal(SIGUSR2, own_handler) != SIG_ERR);
	use(options);
	expect(!raise(SIGUSR2));
	expect_equal(handled, 1);
	_exit(0);
}

static void left_alone(void)
{
	tap_child(&outcome, has_handler, "stats:signal");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "the program has a handler"));
}

/* Run a process whose standard error is @fd, or closed. */
static int run_with_stderr(int fd)
{
	int status;
	pid_t child = tap_fork();

	if (child == 0) {
		signal(SIGPIPE, SIG_DFL);
		if (fd < 0)
			close(STDERR_FILENO);
		else
			dup2(fd, STDERR_FILENO);
		use("stats:exit,stats:signal");
		raise(SIGUSR2);
		exit(7);
	}
	expect(waitpid(child, &status, 0) == child);
	return status;
}

static void nobody_reads(void)
{
	int status, ends[2];

	status = run_with_stderr(-1);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = run_with_stderr(open("/dev/full", O_WRONLY));
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	status = run_with_stderr(open("/dev/null", O_RDONLY));
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
	expect(!pipe(ends));
	close(ends[0]);
	status = run_with_stderr(ends[1]);
	expect(WIFEXITED(status) && WEXITSTATUS(status) == 7);
}

/* The child that uses libchunk has counters of its own; the other has none. */
static void fork_and_exit(void *options)
{
	use(options);
	for (int i = 0; i < 2; i++) {
		pid_t child = tap_fork();

		if (child == 0) {
			if (i)
				alloc_mib(8);
			exit(0);
		}
		tap_join(child);
	}
	_exit(0);
}

static void children(void)
{
	tap_child(&outcome, fork_and_exit, "stats:exit,stats_format:json");
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect_equal(counter("allocs", true), 3);
}

static const struct tap_case cases[] = {
	{ "at exit, as text", at_exit },
	{ "at exit, as JSON", at_exit_json },
	{ "only if it is asked for", only_if_asked },
	{ "on a signal", on_signal },
	{ "on a signal while the lock is held", inside },
	{ "on signals while threads are at work", while_at_work },
	{ "a program's own handler is left alone", left_alone },
	{ "to a standard error that nobody reads", nobody_reads },
	{ "children that use libchunk, and others", children },
};

const struct tap_suite tap_suite = {
	.about = "Tests statistics that are printed",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
