// SPDX-License-Identifier: MIT
/* Cases of a test program, each in a process of its own, by fork: see tap.h. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/time.h>
#include <sys/wait.h>

#include "tap_system.h"

/* Interval, in seconds, at which a case that still runs is named */
#define TELL_EVERY	60

/* Descriptor for results and notes, whatever the case does to its own stdout */
static int report_fd = STDOUT_FILENO;
/* Descriptor for the reason of a skipped case */
static int reason_fd = -1;

/**
 * tap_system_write() - write a line to where results go
 * @line:   a line
 * @length: characters
 */
void tap_system_write(const char *line, size_t length)
{
	ssize_t written;

	/* The ticks of a running case interrupt the call. */
	do {
		written = write(report_fd, line, length);
	} while (written < 0 && errno == EINTR);
	if (written < 0)
		abort();
}

/**
 * tap_system_reason() - tell the parent why this case is skipped
 * @reason: the reason
 * @length: characters
 */
void tap_system_reason(const char *reason, size_t length)
{
	if (write(reason_fd, reason, length) != (ssize_t)length)
		_exit(TAP_FAILED);
}

/**
 * tap_system_exit() - end the process at once
 * @status: its exit status
 */
void tap_system_exit(int status)
{
	_exit(status);
}

/**
 * tap_fork() - fork, in a case
 *
 * Return: as of fork(), which must not fail.
 */
pid_t tap_fork(void)
{
	pid_t child = fork();

	expect(child >= 0);
	return child;
}

/**
 * tap_join_at() - wait for a child, which must exit with 0
 * @file:  source file of the caller
 * @line:  line in it
 * @child: the child
 */
void tap_join_at(const char *file, int line, pid_t child)
{
	int status;

	while (waitpid(child, &status, 0) != child)
		expect(errno == EINTR);
	if (WIFSIGNALED(status)) {
		tap_note("%s:%d: child killed by signal %d, %s%s", file, line,
			 WTERMSIG(status), strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGALRM ?
			 ": the child's own limit of time" : "");
		_exit(TAP_FAILED);
	}
	if (WEXITSTATUS(status) != 0) {
		tap_note("%s:%d: child exited with %d", file, line,
			 WEXITSTATUS(status));
		_exit(TAP_FAILED);
	}
}

static void read_text(struct tap_outcome *outcome, int fd)
{
	size_t used = 0;
	char spare[256];

	for (;;) {
		size_t room = sizeof(outcome->text) - 1 - used;
		ssize_t got = room ? read(fd, outcome->text + used, room) :
				     read(fd, spare, sizeof(spare));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			break;
		if (room)
			used += got;
	}
	outcome->text[used] = '\0';
	outcome->lines = 0;
	for (const char *c = outcome->text; *c; c++)
		outcome->lines += *c == '\n';
}

/* Cut the emulator's own message about a signal: the program did not write it. */
static void cut_emulator(struct tap_outcome *outcome)
{
	char *line = strstr(outcome->text, "qemu: uncaught target signal");
	char *end = line ? strchr(line, '\n') : NULL;

	if (!end || !getenv("TAP_UNDER"))
		return;
	memmove(line, end + 1, strlen(end + 1) + 1);
	outcome->lines--;
}

static pid_t fork_into_pipe(int *from, bool all)
{
	int ends[2];
	pid_t child;

	expect(pipe(ends) == 0);
	child = tap_fork();
	if (child == 0) {
		expect(dup2(ends[1], STDERR_FILENO) == STDERR_FILENO);
		if (all)
			expect(dup2(ends[1], STDOUT_FILENO) == STDOUT_FILENO);
		close(ends[0]);
		close(ends[1]);
		return 0;
	}
	close(ends[1]);
	*from = ends[0];
	return child;
}

static void collect(struct tap_outcome *outcome, pid_t child, int from)
{
	read_text(outcome, from);
	cut_emulator(outcome);
	close(from);
	while (waitpid(child, &outcome->status, 0) != child)
		expect(errno == EINTR);
}

/**
 * tap_child() - run a function in a child that may die
 * @outcome: receives how it ended and what it wrote to standard error
 * @run:     what to run; the child exits with 0 when it returns
 * @arg:     argument of @run
 */
void tap_child(struct tap_outcome *outcome, void (*run)(void *), void *arg)
{
	int from;
	pid_t child = fork_into_pipe(&from, false);

	if (child == 0) {
		run(arg);
		_exit(0);
	}
	collect(outcome, child, from);
}

/* Words of the emulator's command and the program's together, at most */
#define MOST_WORDS	32

/**
 * tap_become() - execute a program, under the emulator that this one runs under
 * @argv:        the program's path and arguments
 * @environment: its environment
 *
 * TAP_UNDER has the emulator's command.
 */
void tap_become(char *const argv[], char *const environment[])
{
	char *words[MOST_WORDS + 1], *word, *rest = getenv("TAP_UNDER");
	size_t count = 0;

	rest = rest ? strdup(rest) : NULL;
	while ((word = strsep(&rest, " ")) && count < MOST_WORDS) {
		if (*word)
			words[count++] = word;
	}
	while (*argv && count < MOST_WORDS)
		words[count++] = *argv++;
	words[count] = NULL;
	execvpe(words[0], words, environment);
	tap_failed(__FILE__, __LINE__, words[0]);
}

/**
 * tap_aborted() - tell whether a child has called abort()
 * @outcome: how it ended
 */
bool tap_aborted(const struct tap_outcome *outcome)
{
	return WIFSIGNALED(outcome->status) &&
	       WTERMSIG(outcome->status) == SIGABRT;
}

/**
 * tap_sibling() - find a program that was built together with this one
 * @name: its name
 * @path: receives its path
 * @size: bytes there
 */
void tap_sibling(const char *name, char *path, size_t size)
{
	ssize_t length = readlink("/proc/self/exe", path, size - 1);
	char *end;

	expect(length > 0);
	path[length] = '\0';
	end = strrchr(path, '/') + 1;
	expect(end + strlen(name) < path + size);
	strcpy(end, name);
}

/**
 * tap_setenv() - set a variable of the environment
 * @name:  its name
 * @value: its value
 */
void tap_setenv(const char *name, const char *value)
{
	expect(setenv(name, value, 1) == 0);
}

/**
 * tap_exec() - run a program in a child
 * @outcome:     receives how it ended and what it wrote, to standard output too
 * @argv:        the program's path and arguments
 * @environment: its environment
 */
void tap_exec(struct tap_outcome *outcome, char *const argv[],
	      char *const environment[])
{
	int from;
	pid_t child = fork_into_pipe(&from, true);

	if (child == 0)
		tap_become(argv, environment);
	collect(outcome, child, from);
}

static int at_own_number(int fd, int number)
{
	if (dup2(fd, number) != number)
		abort();
	return number;
}

static noreturn void run_case(const struct tap_case *test)
{
	static const struct rlimit no_core;

	/* With a group of its own, all processes that the case leaves can be killed. */
	setpgid(0, 0);
	/* Cases trap and abort on purpose, so none may dump core. */
	setrlimit(RLIMIT_CORE, &no_core);
	signal(SIGALRM, SIG_DFL);
	test->run();
	_exit(0);
}

static void on_tick(int signal_number)
{
	(void)signal_number;
}

/* Turn on or off a signal that interrupts waiting about every second. */
static void tick(bool on)
{
	struct itimerval every = { { on, 0 }, { on, 0 } };

	setitimer(ITIMER_REAL, &every, NULL);
}

/* Tell whether a case has reached its limit. Note from time to time how long it runs. */
static bool at_limit(struct tap_clock *clock, const char *name)
{
	unsigned int limit = tap_timeout();
	double before = clock->passed;

	tap_clock_tick(clock);
	if (clock->own >= limit) {
		tap_note("out of time: has run %.0f s of %u (TAP_TIMEOUT), by the clock %.0f s",
			 clock->own, limit, clock->passed);
		return true;
	}
	if ((int)(clock->passed / TELL_EVERY) > (int)(before / TELL_EVERY))
		tap_note("running for %.0f s of %u, by the clock %.0f s: %s",
			 clock->own, limit, clock->passed, name);
	return false;
}

/* Wait for the case, or kill it at its limit. Return its status as of waitpid(). */
static int await_case(pid_t child, const char *name, bool *late)
{
	struct tap_clock clock;
	int status;

	tap_clock_start(&clock);
	tick(true);
	while (waitpid(child, &status, 0) != child) {
		if (errno != EINTR)
			abort();
		if (!*late && at_limit(&clock, name)) {
			*late = true;
			kill(child, SIGKILL);
		}
	}
	tick(false);
	return status;
}

/**
 * tap_system_run() - run a case in a process of its own
 * @suite:  the test program
 * @index:  which of its cases
 * @reason: receives the reason if the case is skipped, TAP_REASON bytes at most
 *
 * Return: its exit status, or TAP_DIED.
 */
int tap_system_run(const struct tap_suite *suite, size_t index, char *reason)
{
	int ends[2], status;
	bool late = false;
	pid_t child;
	ssize_t got;

	if (pipe(ends))
		abort();
	child = fork();
	if (child == 0) {
		close(ends[0]);
		reason_fd = at_own_number(ends[1], TAP_FD + 1);
		close(ends[1]);
		run_case(&suite->cases[index]);
	}
	if (child < 0)
		abort();
	status = await_case(child, suite->cases[index].name, &late);
	kill(-child, SIGKILL);
	close(ends[1]);
	got = read(ends[0], reason, TAP_REASON - 1);
	reason[got > 0 ? got : 0] = '\0';
	close(ends[0]);
	if (WIFEXITED(status))
		return WEXITSTATUS(status);
	if (!late)
		tap_note("ended by signal %d, %s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)));
	return TAP_DIED;
}

/**
 * tap_system_start() - prepare the process, before anything else
 * @suite: the test program
 */
void tap_system_start(const struct tap_suite *suite)
{
	static const struct sigaction ticking = { .sa_handler = on_tick };

	(void)suite;
	sigaction(SIGALRM, &ticking, NULL);
	/*
	 * The number is one that a case which closes or redirects its stdout
	 * leaves alone.
	 */
	report_fd = at_own_number(STDOUT_FILENO, TAP_FD);
}
