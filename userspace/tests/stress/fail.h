/* SPDX-License-Identifier: MIT */
/*
 * Calls that are tried while allocations fail, and the state they are made in
 */
#ifndef FAIL_H
#define FAIL_H

#include "words.h"

#define FAIL_BATCH	6

/**
 * struct world - a context with extents of each kind
 * @fd:      the device
 * @a:       4 MiB by ALLOC: a page and a chunk of it decommitted
 * @b:       2 MiB by mmap, with no page bitmap yet
 * @c:       1 MiB, adjoining @a where the device so chooses
 * @fresh:   a context that was never used, or -1
 * @words:   a page of words, those of @a among them, or NULL
 * @ops:     elements for a batch
 * @made:    the extent that the call has made, to be checked
 * @length:  bytes of @made
 */
struct world {
	int fd;
	char *a;
	char *b;
	char *c;
	int fresh;
	atomic_uint *words;
	struct chunk_ioc_op ops[FAIL_BATCH];
	char *made;
	size_t length;
};

/* Properties of a call apart from its being all or nothing */
#define FAIL_HUGE	(1U << 0)	/* in a context of the huge backing */
#define FAIL_PARTS	(1U << 1)	/* parts of it may fail by themselves */
#define FAIL_CORE	(1U << 2)	/* not ours: any error of the kernel's */

/**
 * struct fail_call - a call to be tried
 * @name:  name of the call
 * @flags: FAIL_*
 * @ready: preparation before the call, or NULL
 * @run:   the call; returns 0 or an errno
 */
struct fail_call {
	const char *name;
	unsigned int flags;
	void (*ready)(struct world *world);
	int (*run)(struct world *world);
};

extern const struct fail_call fail_calls[];
extern const size_t fail_calls_count;

#endif /* FAIL_H */
