/* SPDX-License-Identifier: MIT */
/* Common to the ordinary programs that a library is preloaded into. */
#ifndef ORDINARY_H
#define ORDINARY_H

#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <unistd.h>

#define MIB	((size_t)1 << 20)

#define check(condition)						\
do {									\
	if (!(condition))						\
		fail(__LINE__, #condition);				\
} while (0)

static void fail(int line, const char *what)
{
	fprintf(stderr, "line %d: expected %s\n", line, what);
	/* Exit without handlers: other threads are at work. */
	_exit(1);
}

static uint64_t next_random(uint64_t *state)
{
	*state = *state * 6364136223846793005u + 1442695040888963407u;
	return *state >> 33;
}

#endif /* ORDINARY_H */
