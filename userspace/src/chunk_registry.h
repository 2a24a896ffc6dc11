/* SPDX-License-Identifier: MIT */
/* The registry of live extents. */
#ifndef CHUNK_REGISTRY_H
#define CHUNK_REGISTRY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct chunk_extent;

bool chunk_registry_add(void *addr, size_t size, uintptr_t owner);
void chunk_registry_set_sparse(void *addr);
bool chunk_registry_add_recycled(struct chunk_extent *extent);
struct chunk_extent *chunk_registry_remove(void *chunk, size_t size,
					   const char **why);
struct chunk_extent *chunk_registry_next(const struct chunk_extent *extent);

#endif /* CHUNK_REGISTRY_H */
