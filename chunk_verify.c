// SPDX-License-Identifier: GPL-2.0-only
/*
 * The invariants of chunk_module.h, checked after every call on kernels built
 * with CONFIG_DEBUG_VM, if the parameter verify is set.
 *
 * With mmap_lock held for writing no operation is between two of its locks, but
 * for one that unmaps: so all address space is in somebody's books, if only as
 * context->unmapping, whose mapping may be gone already.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>

#include "chunk_module.h"

/* A context with more extents is not verified: the spinlock is held for it. */
#define VERIFY_MAX	512

static bool verify;
module_param(verify, bool, 0644);
MODULE_PARM_DESC(verify,
		 "Verify a context's bookkeeping after each call (default off)");

/**
 * struct books - sums over the extents of a context
 * @context: the context
 * @bytes:   in all of its extents
 * @live:    in live ones
 * @nr_live: number of live extents
 * @decommitted: decommitted pages of live extents
 * @nr:      number of all extents
 * @damage:  the first thing found wrong, or NULL
 */
struct books {
	struct chunk_context *context;
	unsigned long bytes;
	unsigned long live;
	unsigned long nr_live;
	unsigned long decommitted;
	unsigned long nr;
	const char *damage;
};

static void expect(struct books *books, bool holds, const char *damage)
{
	if (!holds && !books->damage)
		books->damage = damage;
}

static bool is_free(struct chunk_tree *tree, const struct chunk_extent *extent)
{
	struct chunk_extent *next = chunk_tree_seek(tree, extent->addr);

	return next && next->addr < extent->addr + extent->size;
}

static bool is_inside(const struct chunk_region *region,
		      const struct chunk_extent *extent)
{
	unsigned long size = region->chunks * CHUNK_SIZE;

	return extent->addr >= region->start &&
	       extent->addr - region->start + extent->size <= size;
}

static void verify_mapping(struct books *books, struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;
	struct chunk_vmas vmas = { NULL };
	int err;

	if (region->may_have_holes || extent == books->context->unmapping)
		return;
	err = chunk_check_vmas(books->context, extent->addr, extent->size,
			       &vmas);
	expect(books, !err && chunk_vmas_of(&vmas, region),
	       "an extent is not mapped as its region says");
}

static void verify_extent(struct books *books, struct chunk_extent *extent)
{
	struct chunk_region *region = extent->owner;

	books->nr++;
	books->bytes += extent->size;
	expect(books, region->context == books->context && region->vmas,
	       "an extent of a region that is gone");
	expect(books, is_inside(region, extent),
	       "an extent reaches out of its region");
	region->verified += extent->size;
	verify_mapping(books, extent);
}

static void verify_live(struct books *books)
{
	struct chunk_context *context = books->context;
	unsigned long next = 0;
	struct chunk_extent *extent;

	while (!books->damage && books->nr < VERIFY_MAX) {
		extent = chunk_radix_next(&context->live, next, TASK_SIZE - 1);
		if (!extent)
			return;
		expect(books, extent->live && extent->addr >= next,
		       "the registry leads astray");
		expect(books, !is_free(&context->recycled, extent),
		       "a live extent is kept for reuse");
		expect(books, !is_free(&context->retained, extent),
		       "a live extent is in reserve");
		verify_extent(books, extent);
		books->live += extent->size;
		books->nr_live++;
		books->decommitted += extent->decommitted;
		next = extent->addr + extent->size;
	}
}

static void verify_tree(struct books *books, struct chunk_tree *tree,
			struct chunk_tree *other)
{
	struct chunk_extent *extent = chunk_tree_first(tree);
	unsigned long bytes = 0;

	for (; extent && books->nr < VERIFY_MAX;
	     extent = chunk_tree_next(extent)) {
		expect(books, !is_free(other, extent),
		       "a free extent is in both trees");
		verify_extent(books, extent);
		bytes += extent->size;
	}
	if (!extent)
		expect(books, bytes == tree->bytes && !tree->claimed,
		       "a tree counts other bytes than it holds");
}

static void verify_regions(struct books *books)
{
	struct chunk_context *context = books->context;
	struct chunk_region *region;
	unsigned long nr = 0;

	list_for_each_entry(region, &context->regions, list) {
		expect(books, region->verified == region->bytes,
		       "address space of a region is in no extent");
		region->verified = 0;
		nr++;
	}
	expect(books, nr == context->account.regions, "regions are miscounted");
	expect(books, books->bytes == context->account.mapped,
	       "bytes mapped are miscounted");
	expect(books, books->live == context->account.live_bytes,
	       "live bytes are miscounted");
	expect(books, books->nr_live == context->account.live_extents,
	       "live extents are miscounted");
	expect(books, books->decommitted == context->account.decommitted,
	       "decommitted pages are miscounted");
}

static void verify_locked(struct books *books)
{
	struct chunk_context *context = books->context;
	struct chunk_region *region;

	list_for_each_entry(region, &context->regions, list)
		region->verified = 0;
	verify_live(books);
	verify_tree(books, &context->recycled, &context->retained);
	verify_tree(books, &context->retained, &context->recycled);
	if (context->unmapping)
		verify_extent(books, context->unmapping);
	if (books->nr < VERIFY_MAX)
		verify_regions(books);
}

/**
 * chunk_verify() - warn if a context's bookkeeping contradicts itself
 * @context: the context, of current->mm
 *
 * Context: may sleep; takes mmap_lock for writing. No lock held.
 */
void chunk_verify(struct chunk_context *context)
{
	struct books books = { .context = context };

	if (!READ_ONCE(verify))
		return;
	mmap_write_lock(context->mm);
	spin_lock(&context->lock);
	verify_locked(&books);
	spin_unlock(&context->lock);
	mmap_write_unlock(context->mm);
	WARN_ONCE(books.damage, "%s\n", books.damage);
}
