/* SPDX-License-Identifier: MIT */
/* Extents of libchunk as jemalloc sees them, merged and split */
#ifndef EXTENTS_H
#define EXTENTS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/**
 * struct extents_counts - counters of requests by hooks and by mmap()
 * @extent_bytes: memory that jemalloc has from libchunk, in bytes
 * @allocs:       number of extents allocated
 * @deallocs:     number of extents taken back
 * @refused:      number of extents not taken back
 * @decommits:    number of ranges decommitted
 * @commits:      number of ranges committed
 * @foreign:      number of calls about memory from elsewhere
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
 * struct part - part of a range that lies in one extent, or in none
 * @at:    first byte
 * @size:  bytes
 * @ours:  it lies in a live extent of libchunk
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
void *extents_alloc(size_t size, size_t alignment, bool guard_rest,
		    bool *zero);
void extents_release(struct part *part);

#endif /* EXTENTS_H */
