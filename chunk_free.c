// SPDX-License-Identifier: GPL-2.0-only
/*
 * Free extents: recycled, retained, or returned to the system.
 *
 * The recycle limit bounds the extents kept for reuse. An extent beyond the
 * limit is unmapped where that splits no mapping, that is at the edge of one.
 * In the middle it is retained, as address space without memory, until its
 * neighbours are unmapped, too. So freeing never costs a mapping. But where the
 * system refuses address space, all free extents are unmapped: nobody is to go
 * without because of address space that is merely kept.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"
#include "chunk_trace.h"

static noinline void free_trace_coalesce(struct chunk_tree *tree,
					 unsigned long addr, size_t size)
{
	struct chunk_extent *extent = chunk_tree_find(tree, addr);

	if (extent && extent->size > size)
		trace_chunk_coalesce(addr, size, extent->addr, extent->size);
}

/**
 * chunk_free_put() - put a free extent into a tree that has room for it
 * @context: the context
 * @tree:    one of its trees; the size of the extent is claimed there
 * @extent:  the extent, in no tree and not registered
 * @free_nodes: chain that receives the nodes that coalescing makes superfluous
 *
 * Context: context->lock held.
 */
void chunk_free_put(struct chunk_context *context, struct chunk_tree *tree,
		    struct chunk_extent *extent,
		    struct chunk_extent **free_nodes)
{
	unsigned long addr = extent->addr;
	size_t size = extent->size;

	lockdep_assert_held(&context->lock);
	/* Address space belongs to one extent at a time. */
	if (WARN_ON_ONCE(chunk_tree_insert(tree, extent, free_nodes))) {
		chunk_tree_unclaim(tree, extent->size);
		chunk_unaccount_extent(context, extent);
		chunk_free_node_push(free_nodes, extent);
		return;
	}
	if (trace_chunk_coalesce_enabled())
		free_trace_coalesce(tree, addr, size);
}

/**
 * chunk_free_retain() - put a free extent into the retained tree
 * @context: the context
 * @extent:  the extent, in no tree and not registered
 * @free_nodes: chain that receives the nodes that coalescing makes superfluous
 *
 * Context: context->lock held.
 */
void chunk_free_retain(struct chunk_context *context,
		       struct chunk_extent *extent,
		       struct chunk_extent **free_nodes)
{
	chunk_tree_claim(&context->retained, extent->size);
	chunk_free_put(context, &context->retained, extent, free_nodes);
}

/*
 * End the unmapping of context->unmapping: unaccount the extent if it was
 * unmapped, else retain it again; unless it was dropped meanwhile, since
 * something was mapped in its place. Returns @unmapped.
 */
static bool free_end_unmapping(struct chunk_context *context, bool unmapped)
{
	struct chunk_extent *free_nodes = NULL;
	struct chunk_extent *extent;

	spin_lock(&context->lock);
	extent = context->unmapping;
	context->unmapping = NULL;
	if (extent && unmapped) {
		chunk_unaccount_extent(context, extent);
		chunk_free_node_push(&free_nodes, extent);
	} else if (extent) {
		chunk_free_retain(context, extent, &free_nodes);
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
	return unmapped;
}

/*
 * Make the retained extent at an address context->unmapping, and tell its
 * range. If its unmapping splits a mapping, only with @split. If other mappings
 * have taken its place, the extent is dropped instead and they are left alone.
 * Returns whether there is an extent to unmap.
 */
static bool free_begin_unmapping(struct chunk_context *context,
				 unsigned long addr, bool split,
				 unsigned long *start, unsigned long *size)
{
	struct chunk_region *region = NULL;
	struct chunk_vmas vmas = { NULL };
	struct chunk_extent *extent;
	bool replaced;

	lockdep_assert_held(&context->map_lock);
	lockdep_assert_held(&context->mm->mmap_lock);
	spin_lock(&context->lock);
	extent = chunk_tree_find(&context->retained, addr);
	if (extent && (split || chunk_vmas_at_edge(extent->addr, extent->size))) {
		chunk_tree_remove(&context->retained, extent);
		context->unmapping = extent;
		*start = extent->addr;
		*size = extent->size;
		region = extent->owner;
		chunk_region_get(region);
	}
	spin_unlock(&context->lock);
	if (!region)
		return false;
	replaced = READ_ONCE(region->may_have_holes) &&
		   (chunk_check_vmas(context, *start, *size, &vmas) ||
		    !chunk_vmas_of(&vmas, region));
	if (replaced)
		free_end_unmapping(context, true);
	chunk_region_put(region);
	return !replaced;
}

/* Our own munmap; returns whether it worked. If not, nothing has changed. */
static bool free_munmap(struct chunk_context *context, unsigned long addr,
			unsigned long size)
{
	int err;

	lockdep_assert_held(&context->map_lock);
	WRITE_ONCE(context->mapper, current);
	err = vm_munmap(addr, size);
	WRITE_ONCE(context->mapper, NULL);
	trace_chunk_trim(addr, size, err);
	return !err;
}

/* Unmap the retained extent at an address, if any; returns whether it did. */
static bool free_unmap_retained(struct chunk_context *context,
				unsigned long addr, bool split)
{
	unsigned long start, size;
	bool begun;

	lockdep_assert_held(&context->map_lock);
	mmap_read_lock(context->mm);
	begun = free_begin_unmapping(context, addr, split, &start, &size);
	mmap_read_unlock(context->mm);
	return begun &&
	       free_end_unmapping(context, free_munmap(context, start, size));
}

/**
 * chunk_free_unmap() - unmap a retained extent if that splits no mapping
 * @context: the context, of current->mm
 * @addr:    an address in the extent; if it is in none nothing happens
 *
 * Context: may sleep; no lock held.
 */
void chunk_free_unmap(struct chunk_context *context, unsigned long addr)
{
	/* On a fatal signal the whole address space is about to go. */
	if (mutex_lock_killable(&context->map_lock))
		return;
	free_unmap_retained(context, addr, false);
	mutex_unlock(&context->map_lock);
}

/* Extents to move between the trees before others get the lock */
#define CHUNK_TRIM_BATCH	256

/* Move the recycled extents to the retained tree. */
static void free_retain_recycled(struct chunk_context *context)
{
	struct chunk_extent *free_nodes = NULL;
	struct chunk_extent *extent;
	int i;

	do {
		spin_lock(&context->lock);
		for (i = 0; i < CHUNK_TRIM_BATCH; i++) {
			extent = chunk_tree_first(&context->recycled);
			if (!extent)
				break;
			chunk_tree_remove(&context->recycled, extent);
			chunk_free_retain(context, extent, &free_nodes);
		}
		spin_unlock(&context->lock);
		chunk_nodes_free(context, free_nodes);
		free_nodes = NULL;
		cond_resched();
	} while (extent && !fatal_signal_pending(current));
}

/* Find the first retained extent at or after *@addr: its start and end. */
static bool free_next_retained(struct chunk_context *context,
			       unsigned long *addr, unsigned long *end)
{
	struct chunk_extent *extent;

	spin_lock(&context->lock);
	extent = chunk_tree_seek(&context->retained, *addr);
	if (extent) {
		*addr = extent->addr;
		*end = extent->addr + extent->size;
	}
	spin_unlock(&context->lock);
	return extent;
}

/**
 * chunk_free_trim() - return free extents to the system, which refuses more
 * @context: the context, of current->mm
 * @split:   even if that splits mappings, as long as the process has few: half of
 *           %DEFAULT_MAX_MAP_COUNT, which is the limit unless the administrator
 *           sets another
 *
 * Context: may sleep; map_lock held.
 * Return: whether any address space was unmapped.
 */
bool chunk_free_trim(struct chunk_context *context, bool split)
{
	unsigned long addr = 0, end;
	bool any = false;

	free_retain_recycled(context);
	while (!fatal_signal_pending(current) &&
	       free_next_retained(context, &addr, &end)) {
		if (split &&
		    READ_ONCE(context->mm->map_count) > DEFAULT_MAX_MAP_COUNT / 2)
			break;
		any |= free_unmap_retained(context, addr, split);
		addr = end;
		cond_resched();
	}
	return any;
}

/**
 * chunk_recycle_limit() - tell how much may be kept for reuse
 * @context: the context
 *
 * Context: any.
 * Return: bytes.
 */
unsigned long chunk_recycle_limit(struct chunk_context *context)
{
	return READ_ONCE(context->recycled.limit);
}

/**
 * chunk_set_limit() - set how much may be kept for reuse
 * @context: the context, of current->mm
 * @limit:   bytes
 *
 * Returns extents kept beyond the limit to the system, or retains them.
 *
 * Context: may sleep; no lock held.
 * Return: 0, -ENOMEM with nothing changed, or -EINTR after a fatal signal.
 */
int chunk_set_limit(struct chunk_context *context, unsigned long limit)
{
	/* Only the last extent evicted may have to be cut. */
	struct chunk_extent *free_nodes = chunk_extent_new(context);
	struct chunk_extent *extent;
	unsigned long addr;
	int err = 0;

	if (!free_nodes)
		return -ENOMEM;
	free_nodes->next = NULL;
	spin_lock(&context->lock);
	WRITE_ONCE(context->recycled.limit, limit);
	while (!err && !chunk_tree_evict(&context->recycled, &free_nodes, &extent)) {
		addr = extent->addr;
		chunk_free_retain(context, extent, &free_nodes);
		spin_unlock(&context->lock);
		chunk_free_unmap(context, addr);
		if (fatal_signal_pending(current))
			err = -EINTR;
		spin_lock(&context->lock);
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
	return err;
}
