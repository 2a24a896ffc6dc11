/* SPDX-License-Identifier: MIT */
/* Large blocks: allocating, freeing, resizing */
#ifndef BLOCKS_H
#define BLOCKS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

/* Alignment of every block in bytes, that of cache lines */
#define BLOCK_ALIGNMENT	COLOUR_STEP

/**
 * struct blocks_counts - counters for the report
 * @allocs:   number of blocks allocated
 * @warm:     of these, number served by a kept block
 * @resized:  number of blocks resized in place
 * @moved:    number of blocks moved by realloc()
 * @refused:  number of blocks that libchunk had no memory for
 */
struct blocks_counts {
	atomic_uint_least64_t allocs;
	atomic_uint_least64_t warm;
	atomic_uint_least64_t resized;
	atomic_uint_least64_t moved;
	atomic_uint_least64_t refused;
};

extern struct blocks_counts blocks_counts;

bool blocks_find(const char *call, void *p, struct block *block);
void *blocks_alloc(size_t size, size_t alignment, bool clear);
void *blocks_alloc_to_grow(size_t size);
void blocks_free(const char *call, struct block *block);
bool blocks_resize(struct block *block, size_t size);
size_t blocks_usable(const struct block *block);

#endif /* BLOCKS_H */
