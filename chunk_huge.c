// SPDX-License-Identifier: GPL-2.0-only
/*
 * The huge backing: anonymous memory, with huge pages and everything else that
 * mm does for such memory, but without a fault handler of ours. Decommitted
 * pages do not trap: pages that a stray write left there are zapped before
 * reuse. See chunk_module.h for how the regions of this backing differ.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_module.h"

/*
 * Runs of pages that one call frees, or extents that it looks at. Each run
 * costs some 2,000 instructions, even if no page is present.
 */
#define ZAP_RUNS	256U

/* Number of regions at which the first search for unmapped ones begins */
#define SWEEP_FIRST	64UL

/*
 * Does a region have an extent, perhaps one that an operation has taken? If
 * other mappings have taken its place, all its extents were dropped.
 */
static bool huge_has_extents(struct chunk_context *context,
			     const struct chunk_region *region)
{
	bool has;

	spin_lock(&context->lock);
	has = region->bytes;
	spin_unlock(&context->lock);
	return has;
}

static bool huge_is_mapped(struct chunk_context *context,
			   const struct chunk_region *region)
{
	unsigned long addr = region->start;
	unsigned long end = addr + region->chunks * CHUNK_SIZE;
	struct vm_area_struct *vma;

	while (addr < end) {
		vma = find_vma(context->mm, addr);
		if (!vma || vma->vm_start >= end)
			return false;
		if (chunk_vma_is_ours(vma, context))
			return true;
		addr = vma->vm_end;
	}
	return false;
}

/* Drop a region of which nothing is mapped, or that has no extent. */
static void huge_drop(struct chunk_context *context,
		      struct chunk_region *region)
{
	spin_lock(&context->lock);
	chunk_unlink_region(context, region);
	spin_unlock(&context->lock);
	chunk_drop_region(context, region);
}

/**
 * chunk_huge_sweep() - drop regions that the user has unmapped
 * @context: the context
 *
 * Does something only once there are twice as many regions as after the last
 * sweep, so that the cost for each region is small. Ends early on a fatal
 * signal.
 *
 * Context: may sleep; mmap_lock held for writing, which keeps the list
 * unchanged.
 */
void chunk_huge_sweep(struct chunk_context *context)
{
	struct chunk_region *region, *next;

	lockdep_assert_held_write(&context->mm->mmap_lock);
	if (context->account.regions < max(context->sweep, SWEEP_FIRST))
		return;
	list_for_each_entry_safe(region, next, &context->regions, list) {
		if (fatal_signal_pending(current))
			return;
		if (!huge_is_mapped(context, region) ||
		    !huge_has_extents(context, region))
			huge_drop(context, region);
		cond_resched();
	}
	context->sweep = 2 * context->account.regions;
}

/**
 * chunk_huge_free() - drop all regions
 * @context: the context; nobody else refers to it, and no VMA is left
 *
 * Context: may sleep.
 */
void chunk_huge_free(struct chunk_context *context)
{
	struct chunk_region *region, *next;

	list_for_each_entry_safe(region, next, &context->regions, list)
		huge_drop(context, region);
}

/*
 * The region of the live extent at an address, with a reference, or NULL. *@end
 * is cut to the end of the extent.
 */
static struct chunk_region *huge_region_at(struct chunk_context *context,
					   unsigned long addr, unsigned long *end)
{
	struct chunk_region *region = NULL;
	struct chunk_extent *extent;

	spin_lock(&context->lock);
	extent = chunk_radix_lookup(&context->live, addr);
	if (extent && extent->live &&
	    !WARN_ON_ONCE(addr - extent->addr >= extent->size)) {
		region = extent->owner;
		*end = min(*end, extent->addr + extent->size);
		chunk_region_get(region);
	}
	spin_unlock(&context->lock);
	return region;
}

/*
 * Zap the decommitted pages up to *@end. After ZAP_RUNS runs, which *@runs
 * counts, it continues to the end of the chunk only, and *@end is set to that.
 */
static int huge_zap_decommitted(struct chunk_context *context,
				struct chunk_region *region, unsigned long addr,
				unsigned long *end, unsigned int *runs)
{
	unsigned long from;
	int err;

	for (;;) {
		from = chunk_region_find(region, addr, *end, true);
		if (from == *end)
			return 0;
		addr = chunk_region_find(region, from, *end, false);
		err = chunk_zap(context, from, addr - from, NULL);
		if (err)
			return err;
		if (++*runs >= ZAP_RUNS)
			*end = min(*end, ALIGN(addr, CHUNK_SIZE));
	}
}

/**
 * chunk_huge_zap() - zap the decommitted pages of a range
 * @context: the context
 * @addr:    first byte, page-aligned
 * @end:     byte after the last, page-aligned; if there is too much work for one
 *           call, set to how far it has come: the end of a chunk
 *
 * Committed pages keep their contents. Ends where no extent is live.
 *
 * Context: may sleep; map_lock and mmap_lock held.
 * Return: 0, or -EINTR after a fatal signal.
 */
int chunk_huge_zap(struct chunk_context *context, unsigned long addr,
		   unsigned long *end)
{
	unsigned long last = *end;
	struct chunk_region *region;
	unsigned int runs = 0;
	int err = 0;

	lockdep_assert_held(&context->map_lock);
	for (; !err && addr < last && runs < ZAP_RUNS; addr = *end, runs++) {
		*end = last;
		region = huge_region_at(context, addr, end);
		if (!region)
			return 0;
		err = huge_zap_decommitted(context, region, addr, end, &runs);
		chunk_region_put(region);
	}
	return err;
}
