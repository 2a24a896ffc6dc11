/* SPDX-License-Identifier: MIT */
/* Extents kept for reuse where there is no device. */
#ifndef CHUNK_RECYCLE_H
#define CHUNK_RECYCLE_H

#include <stdbool.h>
#include <stddef.h>

#include "chunk_tree.h"

/* chunk_recycle_keep.c: into the tree */
bool chunk_recycle_is_keepable(size_t size);
void chunk_recycle_insert(struct chunk_extent *extent);
void chunk_recycle_insert_anyway(struct chunk_extent *extent);
enum chunk_type chunk_recycle_decommit(void *addr, size_t size);
void chunk_recycle_refused(const char *call, void *addr, size_t size, int err);
void chunk_recycle_unmap(const char *call, void *addr, size_t size);

/* chunk_recycle_evict.c: out of the tree, to the system */
void chunk_recycle_evict(const char *call);
bool chunk_recycle_release(void);

/* chunk_recycle.c: reuse */
void *chunk_recycle_alloc(size_t size, size_t alignment, bool *none);
size_t chunk_recycle_claim(size_t size);
void chunk_recycle_dealloc(struct chunk_extent *extent, size_t room);

#endif /* CHUNK_RECYCLE_H */
