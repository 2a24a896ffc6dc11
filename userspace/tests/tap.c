// SPDX-License-Identifier: MIT
/* The cases of a test program, each in a process of its own: see tap.h. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/resource.h>
#include <sys/wait.h>

#include "tap.h"

/* A case that takes this long hangs. TAP_TIMEOUT overrides it. */
#define SECONDS		300

#define EXIT_FAILED	1
#define EXIT_SKIPPED	77

/* Where results and notes go, whatever the case does to its own stdout. */
static int report_fd = STDOUT_FILENO;
/* Where a case says why it was skipped. */
static int reason_fd = -1;

/* One line in one write(2), so that those of several processes do not mix. */
static void say(const char *prefix, const char *format, va_list args)
{
	char line[512];
	size_t used = strlen(prefix);
	int length;

	memcpy(line, prefix, used);
	length = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	if (length > 0)
		used += length;
	if (used > sizeof(line) - 1)
		used = sizeof(line) - 1;
	for (size_t i = 0; i < used; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[used++] = '\n';
	if (write(report_fd, line, used) < 0)
		abort();
}

static void __printf(1, 2) result(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
}

/**
 * tap_note() - say something about the case that is running
 * @format: as for printf, one line without its end
 */
void tap_note(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("# ", format, args);
	va_end(args);
}

/**
 * tap_skip() - end the case: it does not apply here
 * @format: why, as for printf
 */
void tap_skip(const char *format, ...)
{
	char reason[256];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (length >= (int)sizeof(reason))
		length = sizeof(reason) - 1;
	if (write(reason_fd, reason, length) != length)
		_exit(EXIT_FAILED);
	_exit(EXIT_SKIPPED);
}

/**
 * tap_failed() - end the case, or the process it forked: it failed
 * @file: source file of the expectation
 * @line: line in it
 * @what: what did not hold
 */
void tap_failed(const char *file, int line, const char *what)
{
	int error = errno;

	tap_note("%s:%d: expected %s (errno %d, %s)", file, line, what, error,
		 strerror(error));
	_exit(EXIT_FAILED);
}

/**
 * tap_unequal() - end the case: two numbers differ
 * @file:  source file of the expectation
 * @line:  line in it
 * @what:  the expectation
 * @left:  its left side
 * @right: its right side
 */
void tap_unequal(const char *file, int line, const char *what,
		 unsigned long long left, unsigned long long right)
{
	tap_note("%s:%d: expected %s, have %llu (%#llx) and %llu (%#llx)",
		 file, line, what, left, left, right, right);
	_exit(EXIT_FAILED);
}

/**
 * tap_fork() - fork, in a case
 *
 * Return: as fork(); it does not fail.
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
		tap_note("%s:%d: child killed by signal %d, %s", file, line,
			 WTERMSIG(status), strsignal(WTERMSIG(status)));
		_exit(EXIT_FAILED);
	}
	if (WEXITSTATUS(status) != 0) {
		tap_note("%s:%d: child exited with %d", file, line,
			 WEXITSTATUS(status));
		_exit(EXIT_FAILED);
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

/* An emulator's own word about a signal is none of the program's. */
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
 * tap_child() - run something in a child that may die
 * @outcome: receives how it ended and what it wrote to standard error
 * @run:     what to run; the child exits with 0 when it returns
 * @arg:     passed to @run
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

/* Of the emulator's words, and of the program's after them. */
#define MOST_WORDS	32

/**
 * tap_become() - execute a program, under the emulator that this one runs under
 * @argv:        the program's path and arguments
 * @environment: its environment
 *
 * TAP_UNDER has the words of the emulator's command.
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

static unsigned int timeout(void)
{
	const char *text = getenv("TAP_TIMEOUT");

	return text && atoi(text) > 0 ? atoi(text) : SECONDS;
}

static noreturn void run_case(const struct tap_case *test)
{
	static const struct rlimit no_core;

	/* A group of its own, so that whatever it leaves can be ended. */
	setpgid(0, 0);
	/* Cases trap and abort on purpose. */
	setrlimit(RLIMIT_CORE, &no_core);
	alarm(timeout());
	test->run();
	_exit(0);
}

/* Runs one case and prints its result; returns whether it did not fail. */
static bool judge(const struct tap_case *test, size_t number)
{
	char reason[256] = "";
	int ends[2], status;
	pid_t child;
	ssize_t got;

	if (tap_excused(test->name, reason, sizeof(reason))) {
		result("ok %zu - %s # SKIP %s", number, test->name, reason);
		return true;
	}
	if (pipe(ends))
		abort();
	child = fork();
	if (child == 0) {
		close(ends[0]);
		reason_fd = at_own_number(ends[1], TAP_FD + 1);
		close(ends[1]);
		run_case(test);
	}
	if (child < 0 || waitpid(child, &status, 0) != child)
		abort();
	kill(-child, SIGKILL);
	close(ends[1]);
	got = read(ends[0], reason, sizeof(reason) - 1);
	close(ends[0]);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 0) {
		result("ok %zu - %s", number, test->name);
		return true;
	}
	if (WIFEXITED(status) && WEXITSTATUS(status) == EXIT_SKIPPED) {
		result("ok %zu - %s # SKIP %s", number, test->name,
		       got > 0 ? reason : "");
		return true;
	}
	if (WIFSIGNALED(status))
		tap_note("ended by signal %d, %s%s", WTERMSIG(status),
			 strsignal(WTERMSIG(status)),
			 WTERMSIG(status) == SIGALRM ? ": it hung" : "");
	result("not ok %zu - %s", number, test->name);
	return false;
}

static void help(const char *program, const char *about)
{
	printf("Usage: %s [-l] [CASE...]\n%s.\n\n", program, about);
	puts("Prints TAP; exits with 1 if a case fails, 2 for bad arguments.");
	puts("CASE is a part of the names of the cases to run.\n");
	puts("  -l, --list   print the names only\n");
	printf("TAP_TIMEOUT: seconds until a case counts as hanging (%d)\n",
	       SECONDS);
	puts("TAP_SKIPS: a file of lines \"PROGRAM | CASE | REASON\" to skip");
}

static bool wanted(const char *name, char **parts)
{
	if (!*parts)
		return true;
	for (; *parts; parts++)
		if (strstr(name, *parts))
			return true;
	return false;
}

static bool run_wanted(const struct tap_suite *suite, char **parts)
{
	size_t number = 0, failed = 0;

	for (size_t i = 0; i < suite->count; i++) {
		if (!wanted(suite->cases[i].name, parts))
			continue;
		if (!judge(&suite->cases[i], ++number))
			failed++;
	}
	return !failed && number;
}

/**
 * tap_run() - run a test program's cases
 * @argc:  from main
 * @argv:  from main
 * @suite: the cases
 *
 * Return: the exit status: 0, 1 if a case failed, 2 for bad arguments.
 */
int tap_run(int argc, char **argv, const struct tap_suite *suite)
{
	bool list = argc > 1 && (!strcmp(argv[1], "-l") ||
				 !strcmp(argv[1], "--list"));
	char **parts = argv + (argc > 0) + list;
	size_t total = 0;

	if (argc > 1 && *argv[1] == '-' && !list) {
		help(argv[0], suite->about);
		return strcmp(argv[1], "-h") && strcmp(argv[1], "--help") ?
		       2 : 0;
	}
	for (size_t i = 0; i < suite->count; i++) {
		if (!wanted(suite->cases[i].name, parts))
			continue;
		total++;
		if (list)
			puts(suite->cases[i].name);
	}
	if (list)
		return 0;
	/* Survives a case that closes or redirects its stdout. */
	report_fd = at_own_number(STDOUT_FILENO, TAP_FD);
	result("1..%zu", total);
	return run_wanted(suite, parts) ? 0 : 1;
}
