// SPDX-License-Identifier: MIT
/*
 * Memory for libchunk's own bookkeeping: nodes, cut from whole chunks that are
 * mapped for this alone. It is never given back, which is what lets readers of
 * the registry do without a lock. Whoever has a use for old nodes keeps them.
 */
#include <stdint.h>

#include "chunk_base.h"
#include "chunk_state.h"

#define BLOCK		CHUNK_TREE_UNIT
#define CACHE_LINE	64

static char *block;
static size_t left;

/**
 * chunk_base_node() - get zeroed memory for good
 * @size: bytes, small
 *
 * Context: chunk_lock() held.
 * Return: memory aligned to a cache line, or NULL.
 */
void *chunk_base_node(size_t size)
{
	void *fresh;

	size = (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	if (left < size) {
		if (chunk_os_map_base(BLOCK, &fresh))
			return NULL;
		chunk_count_base(BLOCK);
		block = fresh;
		left = BLOCK;
	}
	left -= size;
	return block + left;
}

/**
 * chunk_base_reset() - drop what is left of the current chunk
 *
 * In a child forked in the middle of chunk_base_node().
 *
 * Context: chunk_lock() held.
 */
void chunk_base_reset(void)
{
	left = 0;
}
