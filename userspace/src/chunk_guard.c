// SPDX-License-Identifier: MIT
/*
 * Guards: making memory trap by the cheapest means, without using up the mappings
 * that the program needs.
 *
 * PROT_NONE takes two mappings for each range, and the number of mappings of a
 * process is limited. Libchunk takes a share of them at most; beyond it memory is
 * freed and does not trap. Each range counts as two mappings without a look at its
 * neighbours. When the count reaches the share, all ranges are counted anew; if the
 * share is nearly used up in truth, not again for a while.
 */
#include <errno.h>

#include "chunk_guard.h"
#include "chunk_state.h"

/* Recounts happen in steps of this part of the share. */
#define STEPS	16

/* Upper bound of mappings taken */
static atomic_size_t taken;

/* Ranges that got no mapping since the last recount */
static atomic_size_t refused;

/* Was any kept extent guarded? chunk_os_recommit_extent() does not undo that. */
static atomic_bool marked;

static size_t share(void)
{
	return chunk_os_caps.max_mappings;
}

/* Ranges that may have mappings; with marks, those of whole chunks */
static size_t count_ranges(void)
{
	struct chunk_extent *extent;
	size_t count;

	count = chunk_decommit_map_count(&chunk_state.decommit_map,
					 chunk_os_caps.can_guard);
	for (extent = chunk_tree_first(&chunk_state.recycled); extent;
	     extent = chunk_tree_next(extent))
		count++;
	return count;
}

/* Count all ranges. Returns false if the share is nearly used up. */
static bool count_anew(void)
{
	size_t now;

	chunk_lock();
	now = 2 * count_ranges();
	chunk_unlock();
	if (now + share() / STEPS > share())
		return false;
	atomic_store_explicit(&taken, now, memory_order_relaxed);
	atomic_store_explicit(&refused, 0, memory_order_relaxed);
	return true;
}

/* May one more range take mappings? */
static bool can_take(void)
{
	size_t had = atomic_load_explicit(&taken, memory_order_relaxed);
	size_t so_far;

	if (!share() || share() - 2 >= had)
		return true;
	so_far = atomic_fetch_add_explicit(&refused, 1, memory_order_relaxed);
	return so_far % (share() / STEPS + 1) == 0 && count_anew();
}

/**
 * chunk_guard_split() - note that a range may take two mappings from now on
 *
 * Context: any.
 */
void chunk_guard_split(void)
{
	atomic_fetch_add_explicit(&taken, 2, memory_order_relaxed);
}

/* Count memory that is freed but accessible. Returns -ENOMEM for it. */
static int give_up(void)
{
	chunk_lock();
	chunk_state.counts.untrapped++;
	chunk_unlock();
	return -ENOMEM;
}

/* Guard by mappings, else by marks, else not at all. */
static int guard_by(int (*by_mapping)(void *addr, size_t size), void *addr,
		    size_t size, atomic_bool *by_marks)
{
	if (can_take() && !by_mapping(addr, size)) {
		chunk_guard_split();
		return 0;
	}
	if (chunk_os_caps.can_guard && !chunk_os_guard(addr, size)) {
		atomic_store_explicit(by_marks, true, memory_order_relaxed);
		return 0;
	}
	/* Where memory can only be freed by replacing it, that takes a mapping. */
	if (!chunk_os_purge(addr, size) || chunk_os_decommit(addr, size))
		return give_up();
	chunk_guard_split();
	return 0;
}

/**
 * chunk_guard_pages() - free the memory of pages and make accesses trap
 * @addr: first byte, page-aligned, not from the device
 * @size: bytes, page-aligned
 *
 * Context: lock not held.
 * Return: 0, or -ENOMEM with the memory freed but accessible.
 */
int chunk_guard_pages(void *addr, size_t size)
{
	atomic_bool ignored;

	if (chunk_os_caps.can_guard && size <= chunk_os_caps.max_guard_bytes &&
	    !chunk_os_guard(addr, size))
		return 0;
	return guard_by(chunk_os_decommit, addr, size, &ignored);
}

/**
 * chunk_guard_extent() - free the memory of an extent to be kept, and make it trap
 * @addr: first byte, chunk-aligned
 * @size: bytes, chunk-aligned
 *
 * Context: lock not held.
 * Return: 0, or -ENOMEM with the memory freed but accessible.
 */
int chunk_guard_extent(void *addr, size_t size)
{
	return guard_by(chunk_os_decommit_extent, addr, size, &marked);
}

/**
 * chunk_guard_widen() - commit pages without taking a mapping
 * @addr: first byte, page-aligned, decommitted, not from the device
 * @size: bytes, page-aligned
 *
 * Makes all decommitted pages around them in the same extent accessible, so that
 * no mapping is split. They stay decommitted: they have no memory, but do not trap.
 *
 * Context: lock not held.
 * Return: 0 or -ENOMEM.
 */
int chunk_guard_widen(void *addr, size_t size)
{
	uintptr_t from = (uintptr_t)addr, to = from + size;
	struct chunk_extent *extent;

	if (!share())
		return -ENOMEM;
	chunk_lock();
	extent = chunk_radix_lookup(&chunk_state.registry, from);
	if (extent && to - extent->addr <= extent->size)
		chunk_decommit_map_around(&chunk_state.decommit_map, extent,
					  &from, &to);
	chunk_unlock();
	if (to - from == size || chunk_os_commit((void *)from, to - from))
		return -ENOMEM;
	give_up();
	return 0;
}

/**
 * chunk_guard_undo() - make a kept extent accessible again
 * @addr: first byte
 * @size: bytes
 *
 * Context: lock not held.
 * Return: 0 or -ENOMEM.
 */
int chunk_guard_undo(void *addr, size_t size)
{
	int err = 0;

	/* Extents guarded in different ways may have been merged into this one. */
	if (atomic_load_explicit(&marked, memory_order_relaxed))
		err = chunk_os_commit(addr, size);
	if (!err)
		err = chunk_os_recommit_extent(addr, size);
	return err;
}
