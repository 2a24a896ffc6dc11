/* SPDX-License-Identifier: MIT */
/* Extents of libchunk's as jemalloc sees them: joined and cut as it likes. */
#ifndef EXTENTS_H
#define EXTENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct extents_counts - of what jemalloc asked for, by hooks and by mmap()
 * @extent_bytes: in jemalloc's hands
 * @allocs:       extents handed out
 * @deallocs:     extents taken back
 * @refused:      extents not taken back
 * @decommits:    ranges decommitted
 * @commits:      ranges committed
 * @foreign:      calls about memory that is not libchunk's
 */
struct extents_counts {
	atomic_uint_least64_t extent_bytes;
	atomic_uint_least64_t allocs;
	atomic_uint_least64_t deallocs;
	atomic_uint_least64_t refused;
	atomic_uint_least64_t decommits;
	atomic_uint_least64_t commits;
	atomic_uint_least64_t foreign;
};

extern struct extents_counts extents_counts;

/**
 * struct part - of a range: what lies in one extent, or in none
 * @at:    first byte
 * @size:  bytes
 * @ours:  it lies in a live extent of libchunk's
 * @whole: it is all of that extent
 */
struct part {
	char *at;
	size_t size;
	bool ours;
	bool whole;
};

bool extents_next(struct part *part, const char *end);
bool extents_commit(void *addr, size_t size);
void extents_decommit(void *addr, size_t size);
bool extents_purge(void *addr, size_t size);
void *extents_alloc(size_t size, size_t alignment, bool guard_rest);
void extents_release(struct part *part);

#endif /* EXTENTS_H */
