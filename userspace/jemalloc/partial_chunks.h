/* SPDX-License-Identifier: MIT */
/* Partial chunks: parts of chunks that jemalloc does not use. */
#ifndef PARTIAL_CHUNKS_H
#define PARTIAL_CHUNKS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool partial_chunks_put(void *addr, size_t size);
bool partial_chunks_complete(void *addr, size_t size);
void partial_chunks_keep(void *addr, size_t size);
void *partial_chunks_take(void *addr, size_t size, size_t alignment);
uint64_t partial_chunks_bytes(void);
uint64_t partial_chunks_lost(void);

#endif /* PARTIAL_CHUNKS_H */
