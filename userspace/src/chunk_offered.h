/* SPDX-License-Identifier: MIT */
/* Marks of live chunks that are offered without a word. */
#ifndef CHUNK_OFFERED_H
#define CHUNK_OFFERED_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/compiler.h>
#include <linux/xarray.h>

/**
 * enum chunk_mark - how a chunk is offered
 * @MARK_NONE:    not at all, or by its word
 * @MARK_KEPT:    in name only: the system keeps its contents
 * @MARK_ADVISED: by advice to the system
 */
enum chunk_mark { MARK_NONE, MARK_KEPT, MARK_ADVISED };

bool chunk_offered_mark(const void *chunk, enum chunk_mark mark);
enum chunk_mark chunk_offered_get(const void *chunk);
void chunk_offered_drop_slowly(uintptr_t addr, size_t size);
void chunk_offered_recover(void);

/* Hidden, as in chunk_process.h */
#ifndef _WIN32
#pragma GCC visibility push(hidden)
#endif
extern struct xarray chunk_offered_marks;
#ifndef _WIN32
#pragma GCC visibility pop
#endif

/**
 * chunk_offered_drop() - remove the marks of chunks
 * @addr: first byte, chunk-aligned
 * @size: bytes, chunk-aligned
 *
 * Context: chunk_lock() held.
 */
static inline void chunk_offered_drop(uintptr_t addr, size_t size)
{
	if (unlikely(READ_ONCE(chunk_offered_marks.head)))
		chunk_offered_drop_slowly(addr, size);
}

#endif /* CHUNK_OFFERED_H */
