// SPDX-License-Identifier: MIT
/*
 * Base chunks: memory for libchunk's own bookkeeping.
 *
 * Nodes are cut from whole chunks that are mapped for this alone. Their memory is
 * never given back, which lets readers of the registry do without a lock. Users
 * keep the nodes that they do not need any more, for reuse.
 */
#include "chunk_base.h"
#include "chunk_tree.h"
#include "os.h"

#define BLOCK		CHUNK_TREE_UNIT
#define CACHE_LINE	64

static char *block;
static size_t left;
static struct chunk_base_counts counts;

/**
 * chunk_base_node() - get zeroed memory that is never given back
 * @size: bytes, at most a chunk
 *
 * Context: chunk_lock() held.
 * Return: memory aligned to a cache line, or NULL when out of memory.
 */
void *chunk_base_node(size_t size)
{
	void *fresh;

	size = (size + CACHE_LINE - 1) & ~(size_t)(CACHE_LINE - 1);
	if (left < size) {
		if (chunk_os_map_base(BLOCK, &fresh))
			return NULL;
		chunk_base_count(BLOCK);
		block = fresh;
		left = BLOCK;
	}
	left -= size;
	return block + left;
}

/**
 * chunk_base_reset() - drop the rest of the current base chunk
 *
 * For a child that was forked in the middle of chunk_base_node().
 *
 * Context: chunk_lock() held.
 */
void chunk_base_reset(void)
{
	left = 0;
}

/**
 * chunk_base_count() - count memory that is mapped for bookkeeping
 * @size: bytes newly mapped
 *
 * Context: chunk_lock() held.
 */
void chunk_base_count(size_t size)
{
	counts.bytes += size;
	counts.chunks++;
}

/**
 * chunk_base_get_counts() - read what chunk_base_count() has counted
 *
 * Context: chunk_lock() held.
 * Return: the counts.
 */
struct chunk_base_counts chunk_base_get_counts(void)
{
	return counts;
}
