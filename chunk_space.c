// SPDX-License-Identifier: GPL-2.0-only
/*
 * Address spaces that have regions of a context: the opener's, and those of
 * forked children, which have snapshots. Each has a fault gate of its own.
 *
 * A space has users: the context, or the snapshots in a forked child. Without
 * users it has no VMA, hence no faults; then it may still be the heir of its
 * parent, which has a reference. See chunk_fork.c for what heirs are good for.
 */
#include <linux/atomic.h>
#include <linux/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* A space with one reference and no user */
static struct chunk_space *space_alloc(struct mm_struct *mm)
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
	/* A space that never had a user still has its gate. */
	if (space->gate)
		chunk_gate_free(space->gate);
	kfree(space);
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
	struct chunk_space *space = space_alloc(mm);

	if (!space)
		return NULL;
	chunk_space_enter(space);
	space_put(space);
	return space;
}

/**
 * chunk_space_enter() - add a user to an address space
 * @space: the address space
 *
 * Context: any.
 */
void chunk_space_enter(struct chunk_space *space)
{
	if (atomic_long_inc_return(&space->users) == 1)
		refcount_inc(&space->refs);
}

/**
 * chunk_space_leave() - remove a user: a context, or a snapshot in a child
 * @space: its address space
 *
 * With the last user no VMA is left, so no fault and no fork can come. The
 * parent may keep the rest for long: so the gate, which is large, goes now, and
 * the heir, lest each of a chain of forks keeps the next.
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

/**
 * chunk_space_heir() - find or make the space of the child being forked
 * @space: the parent's space
 * @mm:    the child's address space
 *
 * Context: may sleep; mmap_lock of the parent held for writing.
 * Return: the heir, or NULL without memory.
 */
struct chunk_space *chunk_space_heir(struct chunk_space *space,
				     struct mm_struct *mm)
{
	struct chunk_space *heir = space->heir;

	if (heir && heir->mm == mm && atomic_long_read(&heir->users))
		return heir;
	heir = space_alloc(mm);
	if (!heir)
		return NULL;
	if (space->heir)
		space_put(space->heir);
	space->heir = heir;
	space->forks++;
	return heir;
}
