// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: open files, what they own, and how they forget what was unmapped.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* How many extents are looked at before others get the lock. */
#define CHUNK_DROP_BATCH	256

/**
 * chunk_context_new() - make the context of an open file
 * @mm: the opener's address space
 *
 * Context: may sleep. Charged to the caller's memcg.
 * Return: a context with no regions, or NULL without memory.
 */
struct chunk_context *chunk_context_new(struct mm_struct *mm)
{
	struct chunk_context *context = kzalloc(sizeof(*context),
						GFP_KERNEL_ACCOUNT);

	if (!context)
		return NULL;
	context->space = chunk_space_new(mm);
	if (!context->space) {
		kfree(context);
		return NULL;
	}
	address_space_init_once(&context->mapping);
	init_rwsem(&context->mapping.invalidate_lock);
	context->mapping.a_ops = &empty_aops;
	mutex_init(&context->map_lock);
	spin_lock_init(&context->lock);
	chunk_tree_init(&context->recycled, chunk_max_recycle_limit());
	context->recycled.limit = min_t(size_t, CHUNK_RECYCLE_LIMIT,
					context->recycled.limit);
	chunk_tree_init(&context->retained, SIZE_MAX);
	chunk_radix_init(&context->live);
	INIT_LIST_HEAD(&context->regions);
	context->grow = chunk_default_grow();
	mmgrab(mm);
	context->mm = mm;
	chunk_charge(mm, sizeof(*context));
	return context;
}

/**
 * chunk_context_free() - end of an open file
 * @context: nobody else's any more
 *
 * No VMA is left, since each pins the file, and with the last VMA of a region
 * its extents were forgotten.
 *
 * Context: may sleep; perhaps in another address space than the opener's.
 */
void chunk_context_free(struct chunk_context *context)
{
	if (context->huge)
		chunk_huge_free(context);
	WARN_ON_ONCE(!list_empty(&context->regions) || context->mapped ||
		     context->unmapping);
	chunk_radix_destroy(&context->live);
	chunk_nodes_free(context, context->free_nodes);
	chunk_space_leave(context->space);
	chunk_uncharge(context->mm, sizeof(*context));
	mmdrop(context->mm);
	kfree(context);
}

/**
 * chunk_unregister() - a live extent is live no longer
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
	extent->live = false;
	context->live_bytes -= extent->size;
	context->live_extents--;
	context->decommitted -= extent->decommitted;
}

/**
 * chunk_unaccount() - address space is not ours any more
 * @context: the context
 * @extent:  what it belonged to, in no tree and not live; left to the caller
 *
 * Context: context->lock held.
 */
void chunk_unaccount(struct chunk_context *context,
		     const struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;

	lockdep_assert_held(&context->lock);
	context->mapped -= extent->size;
	region->bytes -= extent->size;
}

/**
 * struct drop - what is to be forgotten
 * @context: the context
 * @owner:   only extents of this region, or NULL for all
 * @next:    first byte that was not looked at yet
 * @last:    last byte of the range
 * @free_nodes:  receives the nodes
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

/* Go on behind an extent. It ends there, or the registry is damaged. */
static void drop_go_on(struct drop *drop,
		       const struct chunk_extent *extent)
{
	unsigned long end = extent->addr + extent->size;

	if (WARN_ON_ONCE(end <= drop->next))
		end = drop->next + CHUNK_SIZE;
	drop->next = end;
}

static void drop_one(struct drop *drop, struct chunk_extent *extent)
{
	chunk_unaccount(drop->context, extent);
	chunk_free_node_push(&drop->free_nodes, extent);
}

/* Looks at so many live extents at most; whether there may be more */
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

/* The same for those of a tree */
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
 * The one that is being unmapped. It goes back to the reserve if it is not: so it
 * is looked for whenever the lock is held, between one look there and the next.
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
 * chunk_drop_range() - drop extents whose mapping is gone
 * @context: the context
 * @start:   first byte of the range
 * @last:    last byte of the range
 * @owner:   only extents of this region, or NULL for all
 *
 * Every extent that overlaps the range goes as a whole. Others get the lock in
 * between, so it is done in the order in which extents may still move: none
 * becomes live here, since that looks at the mapping first, and none is taken to
 * be unmapped, since it has no mapping.
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

/* How far a lookup goes on, in bytes: it looks at all bitmaps under the lock. */
#define CHUNK_LOOKUP_MAX	(128 * CHUNK_SIZE)

/*
 * Where the first extent begins behind an address that is none's, or ~0. One that
 * is about to become live may be registered there already: then where the chunk
 * ends.
 */
static unsigned long next_extent(struct chunk_context *context,
				 unsigned long addr)
{
	const struct chunk_extent *found[] = {
		chunk_radix_next(&context->live, addr, ULONG_MAX),
		chunk_tree_seek(&context->recycled, addr),
		chunk_tree_seek(&context->retained, addr),
	};
	unsigned long least = round_down(addr, CHUNK_SIZE) + CHUNK_SIZE;
	unsigned long next = ULONG_MAX;
	int i;

	for (i = 0; i < ARRAY_SIZE(found); i++) {
		if (found[i])
			next = min(next, max(found[i]->addr, least));
	}
	return next;
}

/* Where the state of the page at an address of an extent ends */
static unsigned long end_of_run(const struct chunk_extent *extent,
				unsigned long addr, bool decommitted)
{
	unsigned long page = addr & PAGE_MASK;
	unsigned long end = min(extent->addr + extent->size,
				page + CHUNK_LOOKUP_MAX);

	return chunk_region_find(extent->owner, page, end, !decommitted);
}

/**
 * chunk_context_lookup() - what is at an address?
 * @context: the context
 * @lookup:  addr in; addr, length, state, type and end out
 *
 * Context: takes context->lock.
 */
void chunk_context_lookup(struct chunk_context *context,
			  struct chunk_ioc_lookup *lookup)
{
	unsigned long addr = lookup->addr;
	struct chunk_extent *extent;
	bool decommitted;

	lookup->length = 0;
	lookup->state = 0;
	lookup->type = CHUNK_TYPE_UNKNOWN;
	lookup->end = U64_MAX;
	if (addr != lookup->addr)
		return;
	spin_lock(&context->lock);
	extent = chunk_radix_lookup(&context->live, addr);
	if (extent && extent->live) {
		lookup->state = CHUNK_STATE_LIVE;
	} else {
		extent = chunk_tree_find(&context->recycled, addr);
		if (extent)
			lookup->state = CHUNK_STATE_RECYCLED;
		else
			extent = chunk_tree_find(&context->retained, addr);
	}
	if (extent) {
		decommitted = chunk_region_decommitted(extent->owner, addr);
		if (decommitted)
			lookup->state |= CHUNK_STATE_DECOMMITTED;
		lookup->end = end_of_run(extent, addr, decommitted);
	} else {
		lookup->end = next_extent(context, addr);
	}
	if (lookup->state & (CHUNK_STATE_LIVE | CHUNK_STATE_RECYCLED)) {
		lookup->addr = extent->addr;
		lookup->length = extent->size;
		lookup->type = extent->type;
	}
	spin_unlock(&context->lock);
}

/**
 * chunk_context_stats() - counters of a context
 * @context: the context
 * @stats:   filled
 *
 * Context: takes context->lock.
 */
void chunk_context_stats(struct chunk_context *context,
			 struct chunk_ioc_stats *stats)
{
	spin_lock(&context->lock);
	*stats = (struct chunk_ioc_stats) {
		.size = sizeof(*stats),
		.mapped_bytes = context->mapped,
		.live_bytes = context->live_bytes,
		.live_extents = context->live_extents,
		.decommitted_bytes = (u64)context->decommitted * PAGE_SIZE,
		.recycled_bytes = context->recycled.bytes,
		.recycle_limit = context->recycled.limit,
		.reserved_bytes = context->retained.bytes,
		.regions = context->nr_regions,
		.allocs = context->counts.allocs,
		.allocs_recycled = context->counts.allocs_recycled,
		.deallocs = context->counts.deallocs,
		.commits = context->counts.commits,
		.decommits = context->counts.decommits,
		.traps = atomic_long_read(&context->traps),
	};
	spin_unlock(&context->lock);
}
