// SPDX-License-Identifier: GPL-2.0-only
/*
 * Dropping extents and regions whose address space is ours no longer.
 */
#include <linux/mm.h>
#include <linux/sched.h>

#include "chunk_account.h"
#include "chunk_module.h"

/* Extents to look at before others get the lock */
#define CHUNK_DROP_BATCH	256

/**
 * chunk_unregister() - make a live extent live no longer
 * @context: the context
 * @extent:  the extent; it is in no tree yet
 *
 * Context: context->lock held.
 */
void chunk_unregister(struct chunk_context *context,
		      struct chunk_extent *extent)
{
	lockdep_assert_held(&context->lock);
	chunk_radix_erase(&context->live, extent->addr, extent->size);
	chunk_unpublish_extent(context, extent);
}

/**
 * chunk_drop_extent() - drop an extent whose address space is ours no longer
 * @context: the context
 * @extent:  in no tree and not registered; freed
 *
 * Context: takes context->lock.
 */
void chunk_drop_extent(struct chunk_context *context,
		       struct chunk_extent *extent)
{
	spin_lock(&context->lock);
	chunk_unaccount_extent(context, extent);
	spin_unlock(&context->lock);
	chunk_extent_free(context, extent);
}

/**
 * struct drop - a range whose extents are to be dropped
 * @context:    the context
 * @owner:      drop extents of this region only; may be NULL: of all
 * @next:       first byte that was not looked at yet
 * @last:       last byte of the range
 * @free_nodes: chain that receives the nodes
 */
struct drop {
	struct chunk_context *context;
	struct chunk_region *owner;
	unsigned long next;
	unsigned long last;
	struct chunk_extent *free_nodes;
};

static bool drop_matches(const struct drop *drop,
			 const struct chunk_extent *extent)
{
	return !drop->owner || extent->owner == drop->owner;
}

/* Continue behind an extent. It ends there, or the registry is damaged. */
static void drop_go_on(struct drop *drop, const struct chunk_extent *extent)
{
	unsigned long end = extent->addr + extent->size;

	if (WARN_ON_ONCE(end <= drop->next))
		end = drop->next + CHUNK_SIZE;
	drop->next = end;
}

static void drop_one(struct drop *drop, struct chunk_extent *extent)
{
	chunk_unaccount_extent(drop->context, extent);
	chunk_free_node_push(&drop->free_nodes, extent);
}

/* Drop live extents, a batch at most; returns whether there may be more. */
static bool drop_live(struct drop *drop)
{
	struct chunk_context *context = drop->context;
	struct chunk_extent *extent;
	int i;

	for (i = 0; i < CHUNK_DROP_BATCH && drop->next <= drop->last; i++) {
		extent = chunk_radix_next(&context->live, drop->next,
					  drop->last);
		if (!extent)
			return false;
		drop_go_on(drop, extent);
		if (!drop_matches(drop, extent))
			continue;
		chunk_unregister(context, extent);
		drop_one(drop, extent);
	}
	return drop->next <= drop->last;
}

/* The same for the extents of a tree */
static bool drop_free(struct drop *drop, struct chunk_tree *tree)
{
	struct chunk_extent *extent = chunk_tree_seek(tree, drop->next);
	struct chunk_extent *next;
	int i;

	for (i = 0; extent && extent->addr <= drop->last; extent = next) {
		if (i++ == CHUNK_DROP_BATCH)
			return true;
		next = chunk_tree_next(extent);
		drop_go_on(drop, extent);
		if (!drop_matches(drop, extent))
			continue;
		chunk_tree_remove(tree, extent);
		drop_one(drop, extent);
	}
	return false;
}

/*
 * Drop the extent that is being unmapped. A failed unmapping moves it back to
 * the retained tree: so it is looked for whenever the lock is held, between one
 * look at that tree and the next.
 */
static void drop_unmapping(struct drop *drop, unsigned long start)
{
	struct chunk_context *context = drop->context;
	struct chunk_extent *extent = context->unmapping;

	if (!extent || extent->addr > drop->last ||
	    extent->addr + extent->size <= start ||
	    !drop_matches(drop, extent))
		return;
	context->unmapping = NULL;
	drop_one(drop, extent);
}

/**
 * chunk_drop_range() - drop the extents of a range that was unmapped
 * @context: the context
 * @start:   first byte of the range
 * @last:    last byte of the range
 * @owner:   drop extents of this region only; may be NULL: of all
 *
 * Drops every extent that overlaps the range as a whole. Others get the lock in
 * between, so the order is that in which extents may still move: none becomes
 * live here, since ALLOC looks at the mapping first, and none is taken to be
 * unmapped, since it has no mapping.
 *
 * Context: may sleep; mmap_lock held by whoever removed the mapping.
 */
void chunk_drop_range(struct chunk_context *context, unsigned long start,
		      unsigned long last, struct chunk_region *owner)
{
	struct chunk_tree *const trees[] = {
		NULL, &context->recycled, &context->retained,
	};
	bool more;
	int i;

	for (i = 0; i < ARRAY_SIZE(trees); i++) {
		struct drop drop = {
			.context = context,
			.owner = owner,
			.next = start,
			.last = last,
		};

		do {
			spin_lock(&context->lock);
			drop_unmapping(&drop, start);
			more = trees[i] ? drop_free(&drop, trees[i]) :
					  drop_live(&drop);
			spin_unlock(&context->lock);
			chunk_nodes_free(context, drop.free_nodes);
			drop.free_nodes = NULL;
			cond_resched();
		} while (more);
	}
}

/**
 * chunk_unlink_region() - take a region off its context's list
 * @context: the context
 * @region:  the region; none of it is mapped any more
 *
 * The caller calls chunk_drop_region() once it has dropped the lock.
 *
 * Context: context->lock held.
 */
void chunk_unlink_region(struct chunk_context *context,
			 struct chunk_region *region)
{
	list_del_init(&region->list);
	chunk_unaccount_region(context);
	region->vmas = 0;
}

/**
 * chunk_drop_region() - drop an unlinked region with all its extents
 * @context: the context
 * @region:  the region; the list's reference is dropped
 *
 * Context: may sleep; mmap_lock held, or the last VMA of the context gone.
 */
void chunk_drop_region(struct chunk_context *context,
		       struct chunk_region *region)
{
	chunk_drop_range(context, region->start, region->start +
			 region->chunks * CHUNK_SIZE - 1, region);
	chunk_region_put(region);
}
