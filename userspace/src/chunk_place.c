// SPDX-License-Identifier: MIT
/* Hints where address space is free, for systems that do not align mappings. */
#include <stdatomic.h>

#include "chunk_place.h"
#include "chunk_tree.h"
#include "os.h"

/*
 * The last hole: address space that was given back, as its address plus its number
 * of chunks, for which the address has room; 0: none is known. A mapping there
 * takes no new place.
 */
#define HOLE_CHUNKS	(CHUNK_TREE_UNIT - 1)

static atomic_uintptr_t last_hole;

/*
 * The last mapping that was cut out of a larger one; 0 if address space was given
 * back since. Where the system hands addresses out from the top down, there is most
 * likely room below it, and one call does for three or more. While nothing is given
 * back, that moves no further down than mappings take; afterwards the system knows
 * better where there is room.
 */
static atomic_uintptr_t last_cut;

static void remember_hole(uintptr_t addr, size_t size)
{
	uintptr_t chunks = size >> CHUNK_TREE_SHIFT;

	if (addr % CHUNK_TREE_UNIT || size % CHUNK_TREE_UNIT ||
	    chunks > HOLE_CHUNKS)
		return;
	atomic_store_explicit(&last_hole, chunks ? addr | chunks : 0,
			      memory_order_relaxed);
}

/**
 * chunk_place_freed() - note that address space was given back
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Context: any thread; takes no lock.
 */
void chunk_place_freed(uintptr_t addr, size_t size)
{
	atomic_store_explicit(&last_cut, 0, memory_order_relaxed);
	remember_hole(addr, size);
}

/**
 * chunk_place_cut() - note that a mapping was cut out of a larger one
 * @addr: first byte of the mapping
 *
 * Context: any thread; takes no lock.
 */
void chunk_place_cut(void *addr)
{
	atomic_store_explicit(&last_cut, (uintptr_t)addr, memory_order_relaxed);
}

/**
 * chunk_place_below_cut() - map below the last mapping that was cut
 * @size:      bytes, page-aligned
 * @alignment: bytes, a power of two
 *
 * Context: any thread; takes no lock.
 * Return: memory that reads as zero, aligned; NULL if the place is taken.
 */
void *chunk_place_below_cut(size_t size, size_t alignment)
{
	uintptr_t last = atomic_load_explicit(&last_cut, memory_order_relaxed);
	uintptr_t at = (last - size) & ~(alignment - 1);
	void *addr;

	if (last <= size || !at || chunk_os_map((void *)at, size, &addr))
		return NULL;
	chunk_place_cut(addr);
	return addr;
}

/**
 * chunk_place_in_hole() - map in the last hole
 * @size:      bytes, page-aligned
 * @alignment: bytes, a power of two
 *
 * Uses the hole from the top down; the rest of it may serve other calls.
 *
 * Context: any thread; takes no lock.
 * Return: memory that reads as zero, aligned; NULL if the hole is too small, or
 * taken.
 */
void *chunk_place_in_hole(size_t size, size_t alignment)
{
	uintptr_t word = atomic_load_explicit(&last_hole, memory_order_relaxed);
	uintptr_t hole = word & ~HOLE_CHUNKS;
	size_t free = (word & HOLE_CHUNKS) << CHUNK_TREE_SHIFT;
	uintptr_t at = (hole + free - size) & ~(alignment - 1);
	void *addr;

	if (free < size || at < hole)
		return NULL;
	/* Another thread that comes here at the same time finds the place taken. */
	remember_hole(hole, at - hole);
	return chunk_os_map((void *)at, size, &addr) ? NULL : addr;
}
