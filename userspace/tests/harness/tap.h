/* SPDX-License-Identifier: MIT */
/*
 * A test program is a table of cases; each runs in a process of its own.
 *
 * The harness is our own because the cases trap, abort, fork, exhaust address
 * space, close stdout and change resource limits: each must end one case and
 * not the program, and the process that starts the cases must never have used
 * libchunk. cmocka and libtap run all cases in one process.
 *
 * A case passes by returning. It fails at the first expectation that does not
 * hold, in any thread and in any process forked by the case (whose parent
 * checks the exit status), and by a signal or by not coming to an end.
 */
#ifndef TAP_H
#define TAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

#include <sys/types.h>

/* Descriptors of the harness. Cases that close all others leave these open. */
#define TAP_FD		900
#define TAP_FDS		2

/* Bytes that are kept of a child's standard error */
#define TAP_TEXT	2048

/**
 * struct tap_case - one test
 * @name: the property that holds if the case passes
 * @run:  function that ends the process if the property does not hold
 */
struct tap_case {
	const char *name;
	void (*run)(void);
};

/**
 * struct tap_suite - a test program
 * @about: purpose of the suite, for --help
 * @cases: the cases
 * @count: number of cases
 */
struct tap_suite {
	const char *about;
	const struct tap_case *cases;
	size_t count;
};

/**
 * struct tap_outcome - how a child ended
 * @status: 0 if the child exited with 0; else as of waitpid(), or the code of
 *          Windows
 * @text:   its standard error, NUL-terminated; for an executed program also its
 *          standard output
 * @lines:  number of lines in @text
 */
struct tap_outcome {
	int status;
	char text[TAP_TEXT];
	unsigned int lines;
};

#ifndef __printf
#define __printf(format, first)						\
	__attribute((__format__(__gnu_printf__, format, first)))
#endif

#define TAP_COUNT(array)	(sizeof(array) / sizeof((array)[0]))

/* Each test program defines its suite; main() is in tap_main.c. */
extern const struct tap_suite tap_suite;

int tap_run(int argc, char **argv, const struct tap_suite *suite);
bool tap_wanted(const char *name, char **parts);

void __printf(1, 2) tap_note(const char *format, ...);
noreturn void __printf(1, 2) tap_skip(const char *format, ...);
noreturn void tap_failed(const char *file, int line, const char *what);
noreturn void tap_unequal(const char *file, int line, const char *what,
			  unsigned long long left, unsigned long long right);

#define expect(condition)						\
do {									\
	if (!(condition))						\
		tap_failed(__FILE__, __LINE__, #condition);		\
} while (0)

/* Both sides are compared as unsigned 64-bit numbers, and shown. */
#define expect_equal(left, right)					\
do {									\
	unsigned long long tap_l = (unsigned long long)(left);		\
	unsigned long long tap_r = (unsigned long long)(right);		\
									\
	if (tap_l != tap_r)						\
		tap_unequal(__FILE__, __LINE__, #left " == " #right,	\
			    tap_l, tap_r);				\
} while (0)

pid_t tap_fork(void);
void tap_join_at(const char *file, int line, pid_t child);
#define tap_join(child)	tap_join_at(__FILE__, __LINE__, child)

void tap_child(struct tap_outcome *outcome, void (*run)(void *), void *arg);
bool tap_aborted(const struct tap_outcome *outcome);
void tap_sibling(const char *name, char *path, size_t size);
void tap_setenv(const char *name, const char *value);
noreturn void tap_become(char *const argv[], char *const environment[]);
void tap_exec(struct tap_outcome *outcome, char *const argv[],
	      char *const environment[]);

#endif /* TAP_H */
