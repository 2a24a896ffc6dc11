// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is free: kept for reuse, held in reserve, or returned to the system.
 *
 * The recycle limit bounds what is kept for reuse. What is given back beyond it
 * is unmapped where that splits no mapping, that is at the edge of one; in the
 * middle it goes in reserve, which holds address space but no memory, until its
 * neighbours have gone too. So freeing never costs a mapping.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "chunk_module.h"

/**
 * chunk_free_forget() - drop an extent whose address space is not ours any more
 * @context: the context
 * @extent:  in no tree and not registered; freed
 *
 * Context: takes context->lock.
 */
void chunk_free_forget(struct chunk_context *context,
		       struct chunk_extent *extent)
{
	spin_lock(&context->lock);
	chunk_context_lose(context, extent);
	spin_unlock(&context->lock);
	chunk_extent_free(context, extent);
}

/**
 * chunk_free_put() - put a free extent where room was reserved for it
 * @context: the context
 * @tree:    one of its trees
 * @extent:  in no tree and not registered
 * @spares:  chain that receives the nodes that coalescing makes superfluous
 *
 * Context: context->lock held.
 */
void chunk_free_put(struct chunk_context *context, struct chunk_tree *tree,
		    struct chunk_extent *extent, struct chunk_extent **spares)
{
	lockdep_assert_held(&context->lock);
	/* Address space belongs to one extent at a time. */
	if (WARN_ON_ONCE(chunk_tree_insert(tree, extent, spares))) {
		chunk_tree_unreserve(tree, extent->size);
		chunk_context_lose(context, extent);
		chunk_spare_push(spares, extent);
	}
}

/**
 * chunk_free_reserve() - put a free extent in reserve
 * @context: the context
 * @extent:  in no tree and not registered
 * @spares:  chain that receives the nodes that coalescing makes superfluous
 *
 * Context: context->lock held.
 */
void chunk_free_reserve(struct chunk_context *context,
			struct chunk_extent *extent,
			struct chunk_extent **spares)
{
	chunk_tree_reserve(&context->reserve, extent->size);
	chunk_free_put(context, &context->reserve, extent, spares);
}

/*
 * The end of context->unmapping: it is nobody's any more, or in reserve again,
 * unless it was forgotten meanwhile since something was mapped in its place.
 */
static void end_unmapping(struct chunk_context *context, bool gone)
{
	struct chunk_extent *spares = NULL;
	struct chunk_extent *extent;

	spin_lock(&context->lock);
	extent = context->unmapping;
	context->unmapping = NULL;
	if (extent && gone) {
		chunk_context_lose(context, extent);
		chunk_spare_push(&spares, extent);
	} else if (extent) {
		chunk_free_reserve(context, extent, &spares);
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(context, spares);
}

/*
 * Make the reserved extent at an address context->unmapping, and tell its range,
 * if it can be unmapped. Where something else has come to lie in the region the
 * extent is forgotten instead, and whatever lies there left alone.
 */
static bool begin_unmapping(struct chunk_context *context, unsigned long addr,
			    unsigned long *start, unsigned long *size)
{
	struct chunk_region *region = NULL;
	struct chunk_vmas vmas = { NULL };
	struct chunk_extent *extent;
	bool lost;

	lockdep_assert_held(&context->map_lock);
	lockdep_assert_held(&context->mm->mmap_lock);
	spin_lock(&context->lock);
	extent = chunk_tree_find(&context->reserve, addr);
	if (extent && chunk_at_edge(extent->addr, extent->size)) {
		chunk_tree_remove(&context->reserve, extent);
		context->unmapping = extent;
		*start = extent->addr;
		*size = extent->size;
		region = extent->owner;
		chunk_region_get(region);
	}
	spin_unlock(&context->lock);
	if (!region)
		return false;
	lost = READ_ONCE(region->holed) &&
	       (chunk_check_vmas(context, *start, *size, &vmas) ||
		!chunk_vmas_of(&vmas, region));
	if (lost)
		end_unmapping(context, true);
	chunk_region_put(region);
	return !lost;
}

/**
 * chunk_free_unmap() - unmap a reserved extent if that adds no mapping
 * @context: the context, of current->mm
 * @addr:    an address in the extent; nothing is done if it is in none
 *
 * Context: may sleep; no lock held.
 */
void chunk_free_unmap(struct chunk_context *context, unsigned long addr)
{
	unsigned long start, size;
	bool edge;

	/* On a fatal signal the whole address space is about to go. */
	if (mutex_lock_killable(&context->map_lock))
		return;
	mmap_read_lock(context->mm);
	edge = begin_unmapping(context, addr, &start, &size);
	mmap_read_unlock(context->mm);
	if (edge)
		end_unmapping(context, chunk_unmap(context, start, size));
	mutex_unlock(&context->map_lock);
}

/**
 * chunk_recycle_limit() - how much may be kept for reuse
 * @context: the context
 *
 * Return: bytes.
 */
unsigned long chunk_recycle_limit(struct chunk_context *context)
{
	return READ_ONCE(context->recycled.limit);
}

/**
 * chunk_set_limit() - change how much may be kept for reuse
 * @context: the context, of current->mm
 * @limit:   bytes
 *
 * What is kept beyond it is released.
 *
 * Context: may sleep; no lock held.
 * Return: 0, -ENOMEM with nothing changed, or -EINTR after a fatal signal.
 */
int chunk_set_limit(struct chunk_context *context, unsigned long limit)
{
	/* Only the last extent released may have to be cut. */
	struct chunk_extent *spares = chunk_extent_new(context);
	struct chunk_extent *extent;
	unsigned long addr;
	int err = 0;

	if (!spares)
		return -ENOMEM;
	spares->next = NULL;
	spin_lock(&context->lock);
	WRITE_ONCE(context->recycled.limit, limit);
	while (!err && !chunk_tree_evict(&context->recycled, &spares, &extent)) {
		addr = extent->addr;
		chunk_free_reserve(context, extent, &spares);
		spin_unlock(&context->lock);
		chunk_free_unmap(context, addr);
		if (fatal_signal_pending(current))
			err = -EINTR;
		spin_lock(&context->lock);
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(context, spares);
	return err;
}
