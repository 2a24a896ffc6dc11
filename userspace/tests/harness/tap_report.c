// SPDX-License-Identifier: MIT
/* Output of a test program, and the order in which it runs its cases: see tap.h. */
#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap_system.h"

/* Default limit of a case; TAP_TIMEOUT overrides it. */
#define SECONDS		300

/* Write a line in one piece, so that lines of several processes do not mix. */
static void say(const char *prefix, const char *format, va_list args)
{
	char line[512];
	size_t used = strlen(prefix);
	int length;

	memcpy(line, prefix, used);
	length = vsnprintf(line + used, sizeof(line) - used - 1, format, args);
	if (length > 0)
		used += length;
	/* The last byte but one ends a text that was cut short. */
	if (used > sizeof(line) - 2)
		used = sizeof(line) - 2;
	for (size_t i = 0; i < used; i++)
		if (line[i] == '\n')
			line[i] = ' ';
	line[used++] = '\n';
	tap_system_write(line, used);
}

static void __printf(1, 2) result(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	say("", format, args);
	va_end(args);
}

/**
 * tap_note() - print a note about the case that is running
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
 * @format: the reason, as for printf()
 */
void tap_skip(const char *format, ...)
{
	char reason[TAP_REASON];
	va_list args;
	int length;

	va_start(args, format);
	length = vsnprintf(reason, sizeof(reason), format, args);
	va_end(args);
	if (length >= (int)sizeof(reason))
		length = sizeof(reason) - 1;
	tap_system_reason(reason, length);
	tap_system_exit(TAP_SKIPPED);
}

/**
 * tap_failed() - end the case, or the process that it forked: it failed
 * @file: source file of the expectation
 * @line: line in it
 * @what: the expectation that does not hold
 */
void tap_failed(const char *file, int line, const char *what)
{
	int error = errno;

	tap_note("%s:%d: expected %s (errno %d, %s)", file, line, what, error,
		 strerror(error));
	tap_system_exit(TAP_FAILED);
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
	tap_system_exit(TAP_FAILED);
}

/**
 * tap_timeout() - get the time limit of a case
 *
 * Return: seconds, as tap_clock.c counts them.
 */
unsigned int tap_timeout(void)
{
	const char *text = getenv("TAP_TIMEOUT");

	return text && atoi(text) > 0 ? atoi(text) : SECONDS;
}

static const char *program;

/* Run one case and print its result. Return false if it failed. */
static bool judge(const struct tap_suite *suite, size_t index, size_t number)
{
	const char *name = suite->cases[index].name;
	char reason[TAP_REASON] = "";

	if (tap_excused(program, name, reason)) {
		result("ok %zu - %s # SKIP %s", number, name, reason);
		return true;
	}
	switch (tap_system_run(suite, index, reason)) {
	case 0:
		result("ok %zu - %s", number, name);
		return true;
	case TAP_SKIPPED:
		result("ok %zu - %s # SKIP %s", number, name, reason);
		return true;
	default:
		result("not ok %zu - %s", number, name);
		return false;
	}
}

static void help(const char *about)
{
	printf("Usage: %s [-l] [CASE...]\n%s.\n\n", program, about);
	puts("Prints TAP; exits with 1 if a case fails, 2 for bad arguments.");
	puts("CASE is a part of the names of the cases to run.\n");
	puts("  -l, --list   print the names only\n");
	printf("TAP_TIMEOUT: seconds that a case may run (%d), not counting those in\n"
	       "which it waits for processors that others have\n", SECONDS);
	puts("TAP_SKIPS: a file of lines \"PROGRAM | CASE | REASON\" to skip");
}

/**
 * tap_wanted() - tell whether a name was asked for
 * @name:  its name
 * @parts: parts of wanted names, up to a NULL; if there is none, every name is
 *         wanted
 */
bool tap_wanted(const char *name, char **parts)
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
		if (!tap_wanted(suite->cases[i].name, parts))
			continue;
		if (!judge(suite, i, ++number))
			failed++;
	}
	return !failed && number;
}

static const char *last_part(const char *path)
{
	const char *slash = strrchr(path, '/');

	return slash ? slash + 1 : path;
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

	program = argc ? last_part(argv[0]) : "";
	tap_system_start(suite);
	if (argc > 1 && *argv[1] == '-' && !list) {
		help(suite->about);
		return strcmp(argv[1], "-h") && strcmp(argv[1], "--help") ?
		       2 : 0;
	}
	for (size_t i = 0; i < suite->count; i++) {
		if (!tap_wanted(suite->cases[i].name, parts))
			continue;
		total++;
		if (list)
			puts(suite->cases[i].name);
	}
	if (list)
		return 0;
	result("1..%zu", total);
	return run_wanted(suite, parts) ? 0 : 1;
}
