/* SPDX-License-Identifier: MIT */
/* Mapping chunks: fresh address space at aligned places. */
#ifndef CHUNK_MAP_H
#define CHUNK_MAP_H

#include <stddef.h>

/* chunk_map.c: by a system call */
void *chunk_map_aligned(size_t size, size_t alignment);

/* chunk_premap.c: by a system call for several */
void *chunk_map_fresh(size_t size, size_t alignment);

#endif /* CHUNK_MAP_H */
