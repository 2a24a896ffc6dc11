/* SPDX-License-Identifier: MIT */
/*
 * Between the parts of libchunk, and for its adapters. Not exported.
 *
 * A function may call functions of its own file and of files in lower layers; files
 * of one layer do not call each other. Lowest first:
 *
 *   layer 0: chunk_full.c chunk_stall.c chunk_state.c compat/rbtree.c
 *   layer 1: os
 *   layer 2: chunk_base.c chunk_mutex.c chunk_page_bitmap.c chunk_place.c chunk_report.c
 *   layer 3: chunk_counters.c chunk_known.c chunk_options.c chunk_poison.c chunk_reason.c
 *            chunk_tree.c chunk_words.c compat/xarray.c
 *   layer 4: chunk_backing.c chunk_free_nodes.c chunk_offered.c
 *            chunk_process.c chunk_radix.c chunk_unmap.c
 *   layer 5: chunk_decommit_map.c chunk_print.c
 *   layer 6: chunk_registry.c
 *   layer 7: chunk_reuse_tree.c
 *   layer 8: chunk_generation.c
 *   layer 9: chunk_start.c
 *   layer 10: chunk_lock.c
 *   layer 11: chunk_guard.c chunk_lookup.c chunk_offer.c chunk_part.c chunk_reopen.c
 *   layer 12: chunk_check.c chunk_configure.c chunk_explain.c
 *             chunk_recycle_keep.c chunk_stats.c
 *   layer 13: chunk_discardable.c chunk_map.c chunk_recycle_evict.c
 *             chunk_reuse_evict.c
 *   layer 14: chunk_pages.c chunk_pages_map.c chunk_premap.c chunk_recycle.c
 *             chunk_recycle_limit.c chunk_reuse_give.c chunk_reuse_set.c
 *             chunk_reuse_take.c
 *   layer 15: chunk_return.c
 *   layer 16: chunk_obtain.c
 *   layer 17: chunk.c chunk_batch.c
 *
 * Layers up to that of chunk_start.c are called with the lock held, or need none.
 * chunk_lock.c sets them up; the layers above it take the lock by themselves.
 */
#ifndef CHUNK_INTERNAL_H
#define CHUNK_INTERNAL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_backing.h"
#include "chunk_generation.h"
#include "chunk_map.h"
#include "chunk_recycle.h"
#include "chunk_registry.h"
#include "chunk_report.h"
#include "chunk_reuse.h"
#include "chunk_tree.h"
#include "chunk_unmap.h"
#include "os.h"

/*
 * In place of a generation: the extent is kept with its contents, or may be. One
 * comparison then serves those who keep nothing.
 */
#define LEAVING_KEPT	UINTPTR_MAX

/**
 * struct chunk_leaving - an extent between the two halves of its deallocation
 * @extent:     the extent, in no tree; not to be used if it was the device's
 * @generation: the device generation that it came from, 0, or LEAVING_KEPT
 * @room:       bytes at its beginning to keep, from chunk_recycle_claim()
 * @fate:       with LEAVING_KEPT: REUSE_LATER, and @extent means something, or
 *              REUSE_DONE. The members above mean something otherwise
 */
struct chunk_leaving {
	struct chunk_extent *extent;
	uintptr_t generation;
	size_t room;
	enum chunk_reuse_fate fate;
};

/* chunk_return.c: giving extents back */
void chunk_check_dealloc(const struct chunk_call *call, void *chunk,
			 size_t size, enum chunk_type type);
void chunk_return_begin(const struct chunk_call *call, void *chunk, size_t size,
			enum chunk_type type, struct chunk_leaving *leaving);
void chunk_return_end(const char *call, void *chunk, size_t size,
		      enum chunk_type type, struct chunk_leaving *leaving);

/* chunk_obtain.c: getting extents */
bool chunk_is_possible(size_t size, size_t alignment);
bool chunk_make_room(size_t size, size_t alignment);
void chunk_check_alloc(const struct chunk_call *call, size_t size,
		       size_t alignment);
void *chunk_obtain(size_t size, size_t alignment, enum chunk_birth birth);
void *chunk_obtain_any(size_t size, size_t alignment, enum chunk_birth birth,
		       bool *zero);

/**
 * struct chunk_part - part of a range of pages that comes from one source
 * @at:         its first byte
 * @size:       bytes
 * @generation: the device generation that it comes from, or 0 for mmap
 * @lost:       that generation is not in use any more
 */
struct chunk_part {
	char *at;
	size_t size;
	uintptr_t generation;
	bool lost;
};

/* chunk_part.c: a range, part by part */
bool chunk_part_next(struct chunk_part *part, uintptr_t end);

/* chunk_pages.c: pages */
int chunk_commit_checked(const struct chunk_call *call, void *addr, size_t size,
			 bool populate);
void chunk_note_decommit(const char *call, const void *addr, size_t size,
			 const void *caller);
void chunk_decommit_range(void *addr, size_t size);
bool chunk_populate_range(void *addr, size_t size);

#endif /* CHUNK_INTERNAL_H */
