/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The only writers of a context's counters: each change of extents or regions
 * that STATS shows, with the counters that go with it. All but the counting of
 * traps need context->lock.
 */
#ifndef CHUNK_ACCOUNT_H
#define CHUNK_ACCOUNT_H

#include <linux/atomic.h>
#include <linux/lockdep.h>

#include "chunk_module.h"

/**
 * chunk_account_region() - count a new region and its only extent
 * @context: the context
 * @region:  the region
 * @bytes:   size of the extent
 *
 * Context: context->lock held.
 */
static inline void chunk_account_region(struct chunk_context *context,
					struct chunk_region *region,
					unsigned long bytes)
{
	lockdep_assert_held(&context->lock);
	region->bytes = bytes;
	context->account.mapped += bytes;
	context->account.regions++;
}

/**
 * chunk_unaccount_region() - stop counting a region
 * @context: the context
 *
 * Its extents are still counted, until chunk_unaccount_extent().
 *
 * Context: context->lock held.
 */
static inline void chunk_unaccount_region(struct chunk_context *context)
{
	lockdep_assert_held(&context->lock);
	context->account.regions--;
}

/**
 * chunk_unaccount_extent() - stop counting address space that is ours no longer
 * @context: the context
 * @extent:  its extent, in no tree and not live; left to the caller
 *
 * Context: context->lock held.
 */
static inline void chunk_unaccount_extent(struct chunk_context *context,
					  const struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;

	lockdep_assert_held(&context->lock);
	context->account.mapped -= extent->size;
	region->bytes -= extent->size;
}

/**
 * chunk_publish_extent() - make a registered extent live, and count it
 * @context:     the context
 * @extent:      the extent
 * @decommitted: decommitted pages of it
 * @recycled:    it had been kept for reuse
 *
 * Context: context->lock held.
 */
static inline void chunk_publish_extent(struct chunk_context *context,
					struct chunk_extent *extent,
					unsigned long decommitted,
					bool recycled)
{
	lockdep_assert_held(&context->lock);
	extent->type = ZEROED_CHUNK;
	extent->live = true;
	extent->decommitted = decommitted;
	context->account.decommitted += decommitted;
	context->account.live_bytes += extent->size;
	context->account.live_extents++;
	context->account.allocs++;
	if (recycled)
		context->account.allocs_recycled++;
}

/**
 * chunk_unpublish_extent() - make an extent live no longer, and stop counting it
 * @context: the context
 * @extent:  a live extent, erased from the registry
 *
 * Leaves extent->decommitted as it was.
 *
 * Context: context->lock held.
 */
static inline void chunk_unpublish_extent(struct chunk_context *context,
					  struct chunk_extent *extent)
{
	lockdep_assert_held(&context->lock);
	extent->live = false;
	context->account.live_bytes -= extent->size;
	context->account.live_extents--;
	context->account.decommitted -= extent->decommitted;
}

/**
 * chunk_account_dealloc() - count an extent that was taken back
 * @context: the context
 *
 * Context: context->lock held.
 */
static inline void chunk_account_dealloc(struct chunk_context *context)
{
	context->account.deallocs++;
}

/**
 * chunk_account_undo() - undo the counting of an allocation and its dealloc
 * @context:  the context
 * @recycled: the extent had been kept for reuse
 *
 * Context: context->lock held.
 */
static inline void chunk_account_undo(struct chunk_context *context,
				      bool recycled)
{
	lockdep_assert_held(&context->lock);
	context->account.allocs--;
	context->account.allocs_recycled -= recycled;
	context->account.deallocs--;
}

/**
 * chunk_account_pages() - count pages whose state has changed
 * @context: the context
 * @extent:  their live extent
 * @pages:   number of pages
 * @commit:  they were committed, else decommitted
 *
 * Context: context->lock held.
 */
static inline void chunk_account_pages(struct chunk_context *context,
				       struct chunk_extent *extent,
				       unsigned long pages, bool commit)
{
	unsigned long change = commit ? -pages : pages;

	lockdep_assert_held(&context->lock);
	extent->decommitted += change;
	context->account.decommitted += change;
}

/**
 * chunk_account_call() - count a commit or decommit call
 * @context: the context
 * @commit:  commit, else decommit
 *
 * Context: context->lock held.
 */
static inline void chunk_account_call(struct chunk_context *context,
				      bool commit)
{
	lockdep_assert_held(&context->lock);
	if (commit)
		context->account.commits++;
	else
		context->account.decommits++;
}

/**
 * chunk_account_trap() - count a fault on a decommitted page
 * @context: the context
 *
 * Context: any.
 */
static inline void chunk_account_trap(struct chunk_context *context)
{
	atomic_long_inc(&context->account.traps);
}

#endif /* CHUNK_ACCOUNT_H */
