// SPDX-License-Identifier: MIT
/*
 * Unix only: signal handlers that ask about addresses, and system calls on
 * memory that traps.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/time.h>

#include "common.h"

static char *handled;
static atomic_int answers[3];

static void on_segv(int signal_number, siginfo_t *info, void *context)
{
	(void)signal_number;
	(void)context;
	answers[0] = chunk_is_live(info->si_addr);
	answers[1] = chunk_is_live(handled + MIB);
	answers[2] = info->si_addr == (void *)handled;
	expect(pages_commit(handled, page_size()));
}

/* A crash handler asks which chunk the faulting address is in. */
static void from_a_crash_handler(void)
{
	struct sigaction action = {
		.sa_sigaction = on_segv, .sa_flags = SA_SIGINFO,
	};

	handled = alloc_mib(1);
	pages_decommit(handled, page_size());
	expect(sigaction(SIGSEGV, &action, NULL) == 0);
	__atomic_store_n(handled, 3, __ATOMIC_SEQ_CST);
	expect_equal(*handled, 3);
	expect(answers[0] && !answers[1] && answers[2]);
}

static atomic_bool stop;
static char *always_live;
static atomic_uint asked;

static void on_signal(int signal_number)
{
	struct chunk_info info = { .size = sizeof(info) };

	if (!chunk_is_live(always_live) || chunk_is_live(&stop))
		_exit(3);
	if (!chunk_lookup(always_live, &info) || !info.committed)
		_exit(4);
	/* Ask about NULL, and about a chunk that may be in the making. */
	(void)signal_number;
	if (chunk_lookup(&stop, &info) || info.where != NO_CHUNK)
		_exit(5);
	chunk_lookup(always_live - MIB, &info);
	chunk_lookup(always_live + 3 * MIB, &info);
	atomic_fetch_add(&asked, 1);
}

/* The handler interrupts the library at any point, with its locks held. */
static void from_an_interrupting_handler(void)
{
	struct sigaction action = { .sa_handler = on_signal };
	pid_t self = getpid(), child;

	always_live = alloc_mib(1);
	expect(sigaction(SIGUSR1, &action, NULL) == 0);
	child = tap_fork();
	if (child == 0) {
		while (kill(self, SIGUSR1) == 0)
			sched_yield();
		_exit(0);
	}
	while (atomic_load(&asked) < 50) {
		void *chunk = alloc_mib(2);

		pages_decommit(chunk, MIB);
		dealloc_mib(chunk, 2);
		chunk_set_recycle_limit(MIB);
	}
	kill(child, SIGKILL);
}

/* The kernel is refused access, too, and fails with EFAULT instead of trapping. */
static void system_calls_fail(void)
{
	char *chunk = alloc_mib(1);
	size_t page = page_size();
	int ends[2];

	expect(pipe(ends) == 0);
	fill(chunk, MIB, 1);
	pages_decommit(chunk + page, page);
	expect(write(ends[1], chunk + page, 8) == -1 && errno == EFAULT);
	expect(write(ends[1], chunk, 8) == 8);
	expect(read(ends[0], chunk + page, 8) == -1 && errno == EFAULT);
	expect(pages_commit(chunk + page, page));
	expect(write(ends[1], chunk + page, 8) == 8);
	expect(read(ends[0], chunk + page, 8) == 8);
}

static void ignore(int number)
{
	(void)number;
}

static void misuse(void *arg)
{
	sigset_t all;

	(void)arg;
	signal(SIGABRT, ignore);
	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	chunk_dealloc(NULL, MIB, UNKNOWN_CHUNK);
}

/* A program that blocks or handles SIGABRT does not survive misuse. */
static void abort_not_wanted(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, misuse, NULL);
	expect(tap_aborted(&outcome));
	expect_equal(outcome.lines, 1);
}

static int full[2];
static atomic_int ticks;

/* Only the fifth reads the pipe; later ones leave the message in it. */
static void on_alarm(int signal_number)
{
	char text[4096];

	(void)signal_number;
	if (++ticks != 5)
		return;
	while (read(full[0], text, sizeof(text)) > 0)
		;
}

/* Make standard error a pipe that is full. */
static void fill_standard_error(void)
{
	static const char text[4096];

	expect(pipe2(full, O_NONBLOCK) == 0);
	while (write(full[1], text, sizeof(text)) > 0)
		;
	expect_equal(errno, EAGAIN);
	expect(fcntl(full[1], F_SETFL, 0) == 0);
	expect(dup2(full[1], STDERR_FILENO) == STDERR_FILENO);
}

/* A message of libchunk's waits until it can be written, and is written once. */
static void interrupted_message(void)
{
	struct sigaction action = { .sa_handler = on_alarm };
	struct itimerval often = { { 0, 20000 }, { 0, 20000 } }, never = { 0 };
	const char *now = getenv("CHUNK_OPTIONS");
	char text[4096];
	ssize_t length;

	snprintf(text, sizeof(text), "%s%scolour:red", now ?: "",
		 now ? "," : "");
	expect(setenv("CHUNK_OPTIONS", text, 1) == 0);
	fill_standard_error();
	expect(sigaction(SIGALRM, &action, NULL) == 0);
	expect(setitimer(ITIMER_REAL, &often, NULL) == 0);
	chunks_init();
	expect(setitimer(ITIMER_REAL, &never, NULL) == 0);
	expect(ticks >= 5);
	length = read(full[0], text, sizeof(text) - 1);
	expect(length > 0);
	text[length] = '\0';
	expect(strstr(text, "\"colour:red\"\n"));
	expect_equal(strchr(text, '\n') - text, length - 1);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a crash handler asks, and repairs the access",
	  from_a_crash_handler },
	{ "a handler that interrupts the library asks",
	  from_an_interrupting_handler },
	{ "system calls on decommitted memory fail with EFAULT",
	  system_calls_fail },
	{ "misuse with SIGABRT blocked and handled", abort_not_wanted },
	{ "a message that signals interrupt", interrupted_message },
};

const struct tap_suite tap_suite = {
	.about = "Tests signal handlers and system calls",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
