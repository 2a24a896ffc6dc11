// SPDX-License-Identifier: GPL-2.0-only
/*
 * Forked children: how their VMAs come by the guards of the parent's.
 *
 * A child's VMAs point to snapshots of the parent's regions. The core calls
 * ->open for each VMA that it copies, but it moves borders between neighbours of
 * one file without a word to the driver (mprotect, mlock, madvise, mbind), so
 * nothing may depend on which part of a region a VMA covers: there is one
 * snapshot of a whole region, and all VMAs of that region in that child share it.
 *
 * To find it again for the second VMA takes a name for the fork. The child's
 * mm_struct is none, since the next child may have the same address. So the
 * parent keeps the latest child's chunk_space, its heir, and numbers it. Within
 * one fork, mmap_lock of the parent is held for writing and the child does not
 * run yet, so a heir that has a user stays. A heir without users is that of a
 * fork that is over, even if it has the address of the child at hand. A heir with
 * users keeps its address from being used again, because they are the VMAs of
 * that very address space.
 *
 * If there is no memory for a snapshot, the VMA has none in this child, nor in
 * the child's children. It cannot be told there whether a page is committed, so
 * nothing becomes present any more: a fault that would need to know ends in
 * SIGBUS. What was written before the fork is in the page tables, on swap maybe,
 * and stays readable and writable, since neither copying nor swapping in asks us.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

static struct chunk_space *space_new(struct mm_struct *mm)
{
	struct chunk_space *space = kzalloc(sizeof(*space), GFP_KERNEL_ACCOUNT);

	if (!space)
		return NULL;
	space->gate = chunk_gate_new(mm);
	if (!space->gate) {
		kfree(space);
		return NULL;
	}
	refcount_set(&space->refs, 1);
	space->mm = mm;
	return space;
}

static void space_put(struct chunk_space *space)
{
	if (!refcount_dec_and_test(&space->refs))
		return;
	/* One that never had a user */
	if (space->gate)
		chunk_gate_free(space->gate);
	kfree(space);
}

static void space_enter(struct chunk_space *space)
{
	if (atomic_long_inc_return(&space->users) == 1)
		refcount_inc(&space->refs);
}

/**
 * chunk_space_new() - describe a context's address space
 * @mm: the address space
 *
 * Context: may sleep. Charged to the caller's memcg.
 * Return: a space with one user, or NULL without memory.
 */
struct chunk_space *chunk_space_new(struct mm_struct *mm)
{
	struct chunk_space *space = space_new(mm);

	if (!space)
		return NULL;
	space_enter(space);
	space_put(space);
	return space;
}

/**
 * chunk_space_leave() - a context, or a snapshot in a forked child, is freed
 * @space: its address space
 *
 * With the last of them no VMA is left: nothing faults here, nor is it forked. The
 * parent may keep the rest for long, so all that is large goes now; and the heir,
 * lest each of a chain of forks keeps the next.
 *
 * Context: may sleep.
 */
void chunk_space_leave(struct chunk_space *space)
{
	struct chunk_space *heir;

	if (!atomic_long_dec_and_test(&space->users))
		return;
	chunk_gate_free(space->gate);
	space->gate = NULL;
	heir = space->heir;
	space->heir = NULL;
	space_put(space);
	if (heir)
		space_put(heir);
}

/* The space of the child that is being forked, new if it has none yet */
static struct chunk_space *heir_of(struct chunk_space *space,
				   struct mm_struct *mm)
{
	struct chunk_space *heir = space->heir;

	if (heir && heir->mm == mm && atomic_long_read(&heir->users))
		return heir;
	heir = space_new(mm);
	if (!heir)
		return NULL;
	if (space->heir)
		space_put(space->heir);
	space->heir = heir;
	space->forks++;
	return heir;
}

/**
 * chunk_region_inherit() - the region of a VMA that a forked child inherits
 * @region: the parent's region
 * @mm:     the child's address space
 *
 * Context: may sleep. In ->open, mmap_lock of the parent held for writing.
 * Return: the snapshot, with a reference for the VMA, or NULL: there was no memory
 * for it.
 */
struct chunk_region *chunk_region_inherit(struct chunk_region *region,
					  struct mm_struct *mm)
{
	struct chunk_space *heir = heir_of(region->space, mm);

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
	space_enter(heir);
	return region->copy;
}
