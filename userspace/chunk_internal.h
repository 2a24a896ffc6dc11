/* SPDX-License-Identifier: MIT */
/* Between the parts of libchunk, and for its adapters. Not exported. */
#ifndef CHUNK_INTERNAL_H
#define CHUNK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool chunk_extent_of(const void *addr, void **start, size_t *size);
void *chunk_map_aligned(size_t size, size_t alignment);
void *chunk_map_fresh(size_t size, size_t alignment);
bool chunk_unmap_or_report(const char *call, void *addr, size_t size);

#endif /* CHUNK_INTERNAL_H */
