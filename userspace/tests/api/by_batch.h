/* SPDX-License-Identifier: MIT */
/*
 * Compiled in front of a suite, this makes every single call a batch of one,
 * which must do the same.
 */
#ifndef BY_BATCH_H
#define BY_BATCH_H

#include <chunk.h>

static inline void *alloc_by_batch(size_t size, size_t alignment, bool base)
{
	struct chunk_op op = { .size = size, .alignment = alignment };

	if (base)
		return chunk_alloc(size, alignment, base);
	return chunk_alloc_batch(&op, 1) ? op.addr : NULL;
}

static inline void dealloc_by_batch(void *chunk, size_t size,
				    enum chunk_type type)
{
	struct chunk_op op = { .addr = chunk, .size = size, .type = type };

	chunk_dealloc_batch(&op, 1);
}

static inline bool commit_by_batch(void *addr, size_t size)
{
	struct chunk_op op = { .addr = addr, .size = size };

	return pages_commit_batch(&op, 1);
}

static inline void decommit_by_batch(void *addr, size_t size)
{
	struct chunk_op op = { .addr = addr, .size = size };

	pages_decommit_batch(&op, 1);
}

#define chunk_alloc	alloc_by_batch
#define chunk_dealloc	dealloc_by_batch
#define pages_commit	commit_by_batch
#define pages_decommit	decommit_by_batch

#endif /* BY_BATCH_H */
