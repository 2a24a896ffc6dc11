// SPDX-License-Identifier: GPL-2.0-only
/*
 * Reports to the user: LOOKUP and STATS, fdinfo, and what debugfs shows.
 */
#include <linux/mm.h>
#include <linux/seq_file.h>

#include "chunk_module.h"

/* Bytes that a lookup goes over: it looks at all bitmaps under the lock. */
#define CHUNK_LOOKUP_MAX	(128 * CHUNK_SIZE)

/*
 * Start of the first extent behind an address that is in none, or ~0. An extent
 * that is about to become live may be registered at the address already: then
 * the end of the chunk.
 */
static unsigned long report_next_extent(struct chunk_context *context,
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

/* End of the run of pages in the same state as that at an address */
static unsigned long report_end_of_run(const struct chunk_extent *extent,
				       unsigned long addr, bool decommitted)
{
	unsigned long page = addr & PAGE_MASK;
	unsigned long end = min(extent->addr + extent->size,
				page + CHUNK_LOOKUP_MAX);

	return chunk_region_find(extent->owner, page, end, !decommitted);
}

/**
 * chunk_report_lookup() - report the extent and the state at an address
 * @context: the context
 * @lookup:  in: addr; out: addr, length, state, type and end
 *
 * Context: takes context->lock.
 */
void chunk_report_lookup(struct chunk_context *context,
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
		lookup->end = report_end_of_run(extent, addr, decommitted);
	} else {
		lookup->end = report_next_extent(context, addr);
	}
	if (lookup->state & (CHUNK_STATE_LIVE | CHUNK_STATE_RECYCLED)) {
		lookup->addr = extent->addr;
		lookup->length = extent->size;
		lookup->type = extent->type;
	}
	spin_unlock(&context->lock);
}

/**
 * chunk_report_stats() - report the counters of a context
 * @context: the context
 * @stats:   out: all
 *
 * Context: may sleep; takes context->lock.
 */
void chunk_report_stats(struct chunk_context *context,
			struct chunk_ioc_stats *stats)
{
	spin_lock(&context->lock);
	*stats = (struct chunk_ioc_stats) {
		.size = sizeof(*stats),
		.mapped_bytes = context->account.mapped,
		.live_bytes = context->account.live_bytes,
		.live_extents = context->account.live_extents,
		.decommitted_bytes = (u64)context->account.decommitted * PAGE_SIZE,
		.recycled_bytes = context->recycled.bytes,
		.recycle_limit = context->recycled.limit,
		.reserved_bytes = context->retained.bytes,
		.regions = context->account.regions,
		.allocs = context->account.allocs,
		.allocs_recycled = context->account.allocs_recycled,
		.deallocs = context->account.deallocs,
		.commits = context->account.commits,
		.decommits = context->account.decommits,
		.traps = atomic_long_read(&context->account.traps),
	};
	spin_unlock(&context->lock);
	chunk_words_report(context, stats);
}

/**
 * chunk_report_show() - print the counters of a context
 * @m:       the file to print to
 * @context: the context
 *
 * User space relies on each line: see chunk(4). Lines may be added.
 *
 * Context: may sleep; takes context->lock.
 */
void chunk_report_show(struct seq_file *m, struct chunk_context *context)
{
	struct chunk_ioc_stats stats;

	chunk_report_stats(context, &stats);
#define show(name) seq_printf(m, "chunk-" #name ":\t%llu\n", stats.name)
	show(mapped_bytes);
	show(live_bytes);
	show(live_extents);
	show(decommitted_bytes);
	show(recycled_bytes);
	show(recycle_limit);
	show(reserved_bytes);
	show(regions);
	show(allocs);
	show(allocs_recycled);
	show(deallocs);
	show(commits);
	show(decommits);
	show(traps);
	show(offered_bytes);
	show(discarded_bytes);
	show(discards);
	show(takes);
#undef show
}

/**
 * chunk_report_next_run() - find the next run of pages of one state
 * @context: the context
 * @run:     in: the run before, all zero to begin; out: the run
 *
 * Context: may sleep; takes context->lock.
 * Return: false if there is none.
 */
bool chunk_report_next_run(struct chunk_context *context,
			   struct chunk_run *run)
{
	struct chunk_ioc_lookup lookup;
	unsigned long at = run->end;

	do {
		lookup = (struct chunk_ioc_lookup){ .addr = at };
		chunk_report_lookup(context, &lookup);
		if (lookup.state)
			break;
		at = lookup.end;
	} while (at < TASK_SIZE_MAX);
	if (!lookup.state)
		return false;
	*run = (struct chunk_run) {
		.start = at,
		.end = lookup.end,
		.state = lookup.state,
		.extent = lookup.length ? lookup.addr : at,
		.length = lookup.length ?: lookup.end - at,
	};
	if (lookup.state == CHUNK_STATE_LIVE)
		run->offered = chunk_words_run(context, at, &run->end);
	return true;
}
