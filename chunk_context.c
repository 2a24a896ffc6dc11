// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: open files, what they own, and how they forget what was unmapped.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* How many extents are looked at before others get the lock. */
#define CHUNK_FORGET_BATCH	256

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
	chunk_tree_init(&context->reserve, SIZE_MAX);
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
	chunk_nodes_free(context, context->spares);
	chunk_space_leave(context->space);
	chunk_uncharge(context->mm, sizeof(*context));
	mmdrop(context->mm);
	kfree(context);
}

/**
 * chunk_context_retire() - a live extent is live no longer
 * @context: the context
 * @extent:  the extent; it is in no tree yet
 *
 * Context: context->lock held.
 */
void chunk_context_retire(struct chunk_context *context,
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
 * chunk_context_lose() - address space is not ours any more
 * @context: the context
 * @extent:  what it belonged to, in no tree and not live; left to the caller
 *
 * Context: context->lock held.
 */
void chunk_context_lose(struct chunk_context *context,
			const struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;

	lockdep_assert_held(&context->lock);
	context->mapped -= extent->size;
	region->bytes -= extent->size;
}

/**
 * struct forget - what is to be forgotten
 * @context: the context
 * @owner:   only extents of this region, or NULL for all
 * @next:    first byte that was not looked at yet
 * @last:    last byte of the range
 * @spares:  receives the nodes
 */
struct forget {
	struct chunk_context *context;
	struct chunk_region *owner;
	unsigned long next;
	unsigned long last;
	struct chunk_extent *spares;
};

static bool is_forgotten(const struct forget *forget,
			 const struct chunk_extent *extent)
{
	return !forget->owner || extent->owner == forget->owner;
}

/* Go on behind an extent. It ends there, or the registry is damaged. */
static void forget_behind(struct forget *forget,
			  const struct chunk_extent *extent)
{
	unsigned long end = extent->addr + extent->size;

	if (WARN_ON_ONCE(end <= forget->next))
		end = forget->next + CHUNK_SIZE;
	forget->next = end;
}

static void forget_one(struct forget *forget, struct chunk_extent *extent)
{
	chunk_context_lose(forget->context, extent);
	chunk_free_node_push(&forget->spares, extent);
}

/* Looks at so many live extents at most; whether there may be more */
static bool forget_live(struct forget *forget)
{
	struct chunk_context *context = forget->context;
	struct chunk_extent *extent;
	int i;

	for (i = 0; i < CHUNK_FORGET_BATCH && forget->next <= forget->last; i++) {
		extent = chunk_radix_next(&context->live, forget->next,
					  forget->last);
		if (!extent)
			return false;
		forget_behind(forget, extent);
		if (!is_forgotten(forget, extent))
			continue;
		chunk_context_retire(context, extent);
		forget_one(forget, extent);
	}
	return forget->next <= forget->last;
}

/* The same for those of a tree */
static bool forget_free(struct forget *forget, struct chunk_tree *tree)
{
	struct chunk_extent *extent = chunk_tree_seek(tree, forget->next);
	struct chunk_extent *next;
	int i;

	for (i = 0; extent && extent->addr <= forget->last; extent = next) {
		if (i++ == CHUNK_FORGET_BATCH)
			return true;
		next = chunk_tree_next(extent);
		forget_behind(forget, extent);
		if (!is_forgotten(forget, extent))
			continue;
		chunk_tree_remove(tree, extent);
		forget_one(forget, extent);
	}
	return false;
}

/*
 * The one that is being unmapped. It goes back to the reserve if it is not: so it
 * is looked for whenever the lock is held, between one look there and the next.
 */
static void forget_unmapping(struct forget *forget, unsigned long start)
{
	struct chunk_context *context = forget->context;
	struct chunk_extent *extent = context->unmapping;

	if (!extent || extent->addr > forget->last ||
	    extent->addr + extent->size <= start ||
	    !is_forgotten(forget, extent))
		return;
	context->unmapping = NULL;
	forget_one(forget, extent);
}

/**
 * chunk_context_forget() - drop extents whose mapping is gone
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
void chunk_context_forget(struct chunk_context *context, unsigned long start,
			  unsigned long last, struct chunk_region *owner)
{
	struct chunk_tree *const trees[] = {
		NULL, &context->recycled, &context->reserve,
	};
	bool more;
	int i;

	for (i = 0; i < ARRAY_SIZE(trees); i++) {
		struct forget forget = {
			.context = context,
			.owner = owner,
			.next = start,
			.last = last,
		};

		do {
			spin_lock(&context->lock);
			forget_unmapping(&forget, start);
			more = trees[i] ? forget_free(&forget, trees[i]) :
					  forget_live(&forget);
			spin_unlock(&context->lock);
			chunk_nodes_free(context, forget.spares);
			forget.spares = NULL;
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
		chunk_tree_seek(&context->reserve, addr),
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
			extent = chunk_tree_find(&context->reserve, addr);
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
		.reserved_bytes = context->reserve.bytes,
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
