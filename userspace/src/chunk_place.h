/* SPDX-License-Identifier: MIT */
/* Hints where address space is free. */
#ifndef CHUNK_PLACE_H
#define CHUNK_PLACE_H

#include <stddef.h>
#include <stdint.h>

void chunk_place_freed(uintptr_t addr, size_t size);
void chunk_place_cut(void *addr);
void *chunk_place_in_hole(size_t size, size_t alignment);
void *chunk_place_below_cut(size_t size, size_t alignment);

#endif /* CHUNK_PLACE_H */
