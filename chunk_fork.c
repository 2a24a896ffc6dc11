// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forked children: how their VMAs come by the guards of the parent's.
 *
 * A child's VMAs point to snapshots of the parent's regions. mm calls ->open
 * for each VMA that it copies, but it moves borders between neighbours of one
 * file without a word to the driver (mprotect, mlock, madvise, mbind). So
 * nothing may depend on the part of a region that a VMA covers: there is one
 * snapshot of a whole region, and all VMAs of that region in that child share
 * it.
 *
 * To find the snapshot again for the second VMA, the fork needs a name. The
 * child's mm_struct is no name, since the next child may have the same address.
 * So the parent keeps the latest child's chunk_space, its heir, and numbers it.
 * Within one fork, mmap_lock of the parent is held for writing and the child
 * does not run yet, so an heir that has a user stays. An heir without users
 * belongs to a fork that is over, even if it has the address of the child at
 * hand. An heir with users keeps its address from being used again, because its
 * users are the VMAs of that very address space.
 *
 * If there is no memory for a snapshot, the VMA has none in this child, nor in
 * the child's children. The state of its pages is unknown there, so no page
 * becomes present any more: a fault that would need the state ends in SIGBUS.
 * Pages written before the fork are in the page tables, maybe on swap, and stay
 * readable and writable, since neither copying nor swapping in asks us.
 */
#include <linux/mm.h>

#include "chunk_module.h"

/**
 * chunk_region_inherit() - find or make the region of a VMA in a forked child
 * @region: the parent's region
 * @mm:     the child's address space
 *
 * Context: may sleep. In ->open, mmap_lock of the parent held for writing.
 * Return: the snapshot, with a reference for the VMA, or NULL if there was no
 * memory for it.
 */
struct chunk_region *chunk_region_inherit(struct chunk_region *region,
					  struct mm_struct *mm)
{
	struct chunk_space *heir = chunk_space_heir(region->space, mm);

	if (!heir)
		return NULL;
	if (region->copied == region->space->forks) {
		if (region->copy)
			chunk_region_get(region->copy);
		return region->copy;
	}
	region->copied = region->space->forks;
	region->copy = chunk_region_snapshot(region);
	if (!region->copy)
		return NULL;
	region->copy->space = heir;
	chunk_region_charge(region->copy, mm);
	chunk_space_enter(heir);
	return region->copy;
}
