// SPDX-License-Identifier: GPL-2.0-only
/*
 * The invariants of chunk_module.h, checked after every call on kernels built
 * with CONFIG_DEBUG_VM, if the parameter verify is set.
 *
 * With mmap_lock held for writing no operation is between two of its locks,
 * except one that unmaps: so all address space belongs to an extent that can be
 * found, if only as context->unmapping, whose mapping may have been removed
 * already.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>

#include "chunk_module.h"

/* A context with more extents is not verified: that takes the spinlock long. */
#define VERIFY_MAX	512

static bool verify;
module_param(verify, bool, 0644);
MODULE_PARM_DESC(verify,
		 "Verify a context's bookkeeping after each call (default off)");

/**
 * struct verify - sums over the extents of a context
 * @context: the context
 * @bytes:   bytes in all of its extents
 * @live:    bytes in live ones
 * @nr_live: number of live extents
 * @decommitted: decommitted pages of live extents
 * @nr:      number of all extents
 * @damage:  the first contradiction, may be NULL: none
 */
struct verify {
	struct chunk_context *context;
	unsigned long bytes;
	unsigned long live;
	unsigned long nr_live;
	unsigned long decommitted;
	unsigned long nr;
	const char *damage;
};

static void verify_expect(struct verify *sums, bool holds, const char *damage)
{
	if (!holds && !sums->damage)
		sums->damage = damage;
}

static bool verify_is_free(struct chunk_tree *tree, const struct chunk_extent *extent)
{
	struct chunk_extent *next = chunk_tree_seek(tree, extent->addr);

	return next && next->addr < extent->addr + extent->size;
}

static bool verify_is_inside(const struct chunk_region *region,
			     const struct chunk_extent *extent)
{
	unsigned long size = region->chunks * CHUNK_SIZE;

	return extent->addr >= region->start &&
	       extent->addr - region->start + extent->size <= size;
}

static void verify_mapping(struct verify *sums, struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;
	struct chunk_vmas vmas = { NULL };
	int err;

	if (region->may_have_holes || extent == sums->context->unmapping)
		return;
	err = chunk_check_vmas(sums->context, extent->addr, extent->size,
			       &vmas);
	verify_expect(sums, !err && chunk_vmas_of(&vmas, region),
		      "an extent is not mapped as its region says");
}

static void verify_extent(struct verify *sums, struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;

	sums->nr++;
	sums->bytes += extent->size;
	verify_expect(sums, region->context == sums->context && region->vmas,
		      "an extent of a region that was dropped");
	verify_expect(sums, verify_is_inside(region, extent),
		      "an extent reaches out of its region");
	region->verified += extent->size;
	verify_mapping(sums, extent);
}

static void verify_live(struct verify *sums)
{
	struct chunk_context *context = sums->context;
	unsigned long next = 0;
	struct chunk_extent *extent;

	while (!sums->damage && sums->nr < VERIFY_MAX) {
		extent = chunk_radix_next(&context->live, next, TASK_SIZE - 1);
		if (!extent)
			return;
		verify_expect(sums, extent->live && extent->addr >= next,
			      "the registry leads astray");
		verify_expect(sums, !verify_is_free(&context->recycled, extent),
			      "a live extent is kept for reuse");
		verify_expect(sums, !verify_is_free(&context->retained, extent),
			      "a live extent is retained, too");
		verify_extent(sums, extent);
		sums->live += extent->size;
		sums->nr_live++;
		sums->decommitted += extent->decommitted;
		next = extent->addr + extent->size;
	}
}

static void verify_tree(struct verify *sums, struct chunk_tree *tree,
			struct chunk_tree *other)
{
	struct chunk_extent *extent = chunk_tree_first(tree);
	unsigned long bytes = 0;

	for (; extent && sums->nr < VERIFY_MAX;
	     extent = chunk_tree_next(extent)) {
		verify_expect(sums, !verify_is_free(other, extent),
			      "a free extent is in both trees");
		verify_extent(sums, extent);
		bytes += extent->size;
	}
	if (!extent)
		verify_expect(sums, bytes == tree->bytes && !tree->claimed,
			      "a tree counts other bytes than it holds");
}

static void verify_regions(struct verify *sums)
{
	struct chunk_context *context = sums->context;
	struct chunk_region *region;
	unsigned long nr = 0;

	list_for_each_entry(region, &context->regions, list) {
		verify_expect(sums, region->verified == region->bytes,
			      "address space of a region is in no extent");
		region->verified = 0;
		nr++;
	}
	verify_expect(sums, nr == context->account.regions, "regions are miscounted");
	verify_expect(sums, sums->bytes == context->account.mapped,
		      "bytes mapped are miscounted");
	verify_expect(sums, sums->live == context->account.live_bytes,
		      "live bytes are miscounted");
	verify_expect(sums, sums->nr_live == context->account.live_extents,
		      "live extents are miscounted");
	verify_expect(sums, sums->decommitted == context->account.decommitted,
		      "decommitted pages are miscounted");
}

static void verify_locked(struct verify *sums)
{
	struct chunk_context *context = sums->context;
	struct chunk_region *region;

	list_for_each_entry(region, &context->regions, list)
		region->verified = 0;
	verify_live(sums);
	verify_tree(sums, &context->recycled, &context->retained);
	verify_tree(sums, &context->retained, &context->recycled);
	if (context->unmapping)
		verify_extent(sums, context->unmapping);
	if (sums->nr < VERIFY_MAX)
		verify_regions(sums);
}

/**
 * chunk_verify() - warn if a context's bookkeeping contradicts itself
 * @context: the context, of current->mm
 *
 * Context: may sleep; takes mmap_lock for writing. No lock held.
 */
void chunk_verify(struct chunk_context *context)
{
	struct verify sums = { .context = context };

	if (!READ_ONCE(verify))
		return;
	mmap_write_lock(context->mm);
	spin_lock(&context->lock);
	verify_locked(&sums);
	spin_unlock(&context->lock);
	mmap_write_unlock(context->mm);
	WARN_ONCE(sums.damage, "%s\n", sums.damage);
}
