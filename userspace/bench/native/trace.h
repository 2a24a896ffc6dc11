/* SPDX-License-Identifier: MIT */
/* A recorded sequence of allocations, see record.c. */
#ifndef TRACE_H
#define TRACE_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct event - one line of a trace
 * @number:    number of the extent
 * @size:      bytes, rounded up to whole chunks
 * @alignment: bytes, at least a chunk
 * @alloc:     true: allocated; false: given back
 */
struct event {
	size_t number;
	size_t size;
	size_t alignment;
	bool alloc;
};

extern struct event *trace;
extern size_t trace_length;
extern size_t trace_extents;

bool trace_read(const char *path);

#endif /* TRACE_H */
