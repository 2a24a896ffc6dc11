/* SPDX-License-Identifier: MIT */
/*
 * libchunk under mimalloc 2: a region of chunks becomes an arena.
 *
 *	mi_arena_id_t arena;
 *	mi_heap_t *heap;
 *
 *	if (chunk_mimalloc_reserve(1 << 30, true, &arena))
 *		heap = mi_heap_new_in_arena(arena);
 *
 * mimalloc commits and purges within the region by its own system calls, which
 * work on memory of the device, too. It gives the memory of an arena back only if
 * the arena did not begin as committed, so it is told that a region is not. It
 * never gives an arena itself back, so a region stays for as long as the process.
 */
#ifndef CHUNK_MIMALLOC_H
#define CHUNK_MIMALLOC_H

#include <errno.h>

#include <mimalloc.h>

#include "chunk.h"

/* The size of mimalloc's segments, of which arenas consist */
#define CHUNK_MIMALLOC_UNIT	((size_t)32 << 20)

/**
 * chunk_mimalloc_reserve() - make an arena of chunks
 * @size:      bytes, not 0; rounded up to CHUNK_MIMALLOC_UNIT
 * @exclusive: only heaps that mi_heap_new_in_arena() made may use it; otherwise all
 *             heaps may
 * @arena:     set to the arena; may be NULL: the caller does not need it
 *
 * Return: the region; or NULL, with nothing changed, and errno EINVAL if @size is 0
 * or ENOMEM if there is no memory or mimalloc has no room for another arena.
 */
static inline void *chunk_mimalloc_reserve(size_t size, bool exclusive,
					   mi_arena_id_t *arena)
{
	size_t unit = CHUNK_MIMALLOC_UNIT;
	size_t whole = (size + unit - 1) / unit * unit;
	mi_arena_id_t id;
	void *region;

	if (!size) {
		errno = EINVAL;
		return NULL;
	}
	region = size > PTRDIFF_MAX - unit ? NULL :
					     chunk_alloc(whole, unit, false);
	if (!region) {
		errno = ENOMEM;
		return NULL;
	}
	if (!mi_manage_os_memory_ex(region, whole, false, false, true, -1,
				    exclusive, &id)) {
		chunk_dealloc(region, whole, ARENA_CHUNK);
		errno = ENOMEM;
		return NULL;
	}
	if (arena)
		*arena = id;
	return region;
}

#endif /* CHUNK_MIMALLOC_H */
