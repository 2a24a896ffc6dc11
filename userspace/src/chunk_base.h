/* SPDX-License-Identifier: MIT */
/* Base chunks: memory for libchunk's own bookkeeping. */
#ifndef CHUNK_BASE_H
#define CHUNK_BASE_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct chunk_base_counts - base chunks, the caller's own included
 * @bytes:  in base chunks
 * @chunks: number of mappings
 */
struct chunk_base_counts {
	uint64_t bytes;
	uint64_t chunks;
};

void *chunk_base_node(size_t size);
void chunk_base_reset(void);
void chunk_base_count(size_t size);
struct chunk_base_counts chunk_base_get_counts(void);

#endif /* CHUNK_BASE_H */
