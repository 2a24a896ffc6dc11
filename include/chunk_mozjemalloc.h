/* SPDX-License-Identifier: MIT */
/*
 * libchunk as a table of functions, in the shape in which the newest mozjemalloc
 * lets an arena have a chunk allocator of its own.
 *
 * map() returns committed memory that reads as zero, or NULL when out of memory;
 * sizes and alignments are multiples of 1 MiB. unmap() takes such an extent back as
 * a whole. commit() returns false when out of memory; decommitted pages that it
 * commits read as zero. Decommitted pages trap. With CHUNK_OPTIONS="reuse:offered", or
 * after chunk_set_reuse(), unmap() keeps an extent as offered memory, and map() takes
 * one that was kept and zeroes what may hold something.
 */
#ifndef CHUNK_MOZJEMALLOC_H
#define CHUNK_MOZJEMALLOC_H

#include "chunk.h"

/**
 * struct chunk_mozjemalloc - the source of an arena's chunks; sizes in bytes
 * @map:      allocates an extent, aligned, committed and zero
 * @unmap:    gives an extent back
 * @commit:   makes pages readable and writable
 * @decommit: frees the memory of pages
 */
struct chunk_mozjemalloc {
	void *(*map)(size_t size, size_t alignment);
	void (*unmap)(void *addr, size_t size);
	bool (*commit)(void *addr, size_t size);
	void (*decommit)(void *addr, size_t size);
};

static inline void *chunk_mozjemalloc_map(size_t size, size_t alignment)
{
	return chunk_alloc(size, alignment, false);
}

static inline void chunk_mozjemalloc_unmap(void *addr, size_t size)
{
	chunk_dealloc(addr, size, ARENA_CHUNK);
}

static const struct chunk_mozjemalloc chunk_mozjemalloc = {
	chunk_mozjemalloc_map,
	chunk_mozjemalloc_unmap,
	pages_commit,
	pages_decommit,
};

#endif /* CHUNK_MOZJEMALLOC_H */
