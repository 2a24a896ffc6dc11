/* SPDX-License-Identifier: MIT */
/* Between the parts of libchunk, and for its adapters. Not exported. */
#ifndef CHUNK_INTERNAL_H
#define CHUNK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_report.h"
#include "chunk_tree.h"
#include "os.h"

/* chunk_registry.c: the registry */
bool chunk_registry_add(void *addr, size_t size, uintptr_t owner);
void chunk_registry_set_sparse(void *addr);
bool chunk_registry_add_recycled(struct chunk_extent *extent);
struct chunk_extent *chunk_registry_remove(const struct chunk_call *call,
					   void *chunk, size_t size);
bool chunk_extent_of(const void *addr, void **start, size_t *size);

/* chunk_recycle.c: reuse without the device */
void *chunk_recycle_alloc(size_t size, size_t alignment, bool *none);
size_t chunk_recycle_claim(size_t size);
bool chunk_recycle_release(void);
void chunk_recycle_dealloc(struct chunk_extent *extent, size_t room);
void chunk_recycle_refused(const char *call, void *addr, size_t size, int err);
void chunk_recycle_unmap(const char *call, void *addr, size_t size);

/**
 * struct chunk_leaving - an extent between two halves of a deallocation
 * @extent:  not live any more, if it is not the device's
 * @generation: of the device, or 0
 * @room:    from chunk_recycle_claim()
 */
struct chunk_leaving {
	struct chunk_extent *extent;
	uintptr_t generation;
	size_t room;
};

/* chunk.c: one chunk */
void chunk_check_alloc(const struct chunk_call *call, size_t size,
		       size_t alignment);
void *chunk_alloc_live(size_t size, size_t alignment, enum chunk_birth birth);
void chunk_check_dealloc(const struct chunk_call *call, void *chunk,
			 size_t size, enum chunk_type type);
void chunk_dealloc_begin(const struct chunk_call *call, void *chunk,
			 size_t size, struct chunk_leaving *leaving);
void chunk_dealloc_end(const char *call, void *chunk, size_t size,
		       enum chunk_type type, struct chunk_leaving *leaving);

/**
 * struct chunk_part - part of a range of pages that comes from one source
 * @at:      its first byte
 * @size:    bytes
 * @generation: of the device, or 0 for mmap
 * @lost:    a context of the device that is not in use any more
 */
struct chunk_part {
	char *at;
	size_t size;
	uintptr_t generation;
	bool lost;
};

/* chunk_pages.c: pages */
bool chunk_part_next(struct chunk_part *part, uintptr_t end);
int chunk_commit_checked(const struct chunk_call *call, void *addr, size_t size,
			 bool populate);
bool chunk_commit_range(void *addr, size_t size, bool populate);
void chunk_decommit_range(void *addr, size_t size);
bool chunk_populate_range(void *addr, size_t size);
void chunk_backing_apply(void *addr, size_t size);

void *chunk_map_aligned(size_t size, size_t alignment);
void *chunk_map_fresh(size_t size, size_t alignment);
int chunk_unmap_used(void *addr, size_t size);
void chunk_report_unmap(const char *call, const void *addr, size_t size,
			int err, const char *fate);
bool chunk_unmap_or_report(const char *call, void *addr, size_t size);

#endif /* CHUNK_INTERNAL_H */
