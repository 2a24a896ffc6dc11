// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: what an open file begins with, and its end.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* Recycle limit of a new context: mozjemalloc keeps as much. */
#define CHUNK_RECYCLE_LIMIT	(128 * CHUNK_SIZE)

static ulong max_recycle_mb = 64UL << 10;
module_param(max_recycle_mb, ulong, 0644);
MODULE_PARM_DESC(max_recycle_mb,
		 "Most MiB of address space that an open file may keep for reuse (default 65536)");

static ulong grow_mb = 64;
module_param(grow_mb, ulong, 0644);
MODULE_PARM_DESC(grow_mb,
		 "MiB of address space that an open file maps at a time, if not configured (default 64)");

/* MiB to bytes, as far as an address space reaches */
static unsigned long context_bytes(unsigned long mb)
{
	return min(mb, TASK_SIZE_MAX >> CHUNK_SHIFT) << CHUNK_SHIFT;
}

/**
 * chunk_max_recycle_limit() - tell the most that a recycle limit may be set to
 *
 * Context: any.
 * Return: bytes.
 */
unsigned long chunk_max_recycle_limit(void)
{
	return context_bytes(READ_ONCE(max_recycle_mb));
}

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
	context->grow = context_bytes(READ_ONCE(grow_mb));
	mmgrab(mm);
	context->mm = mm;
	chunk_charge(mm, sizeof(*context));
	return context;
}

/**
 * chunk_context_free() - free the context of an open file
 * @context: the context; nobody else refers to it any more
 *
 * No VMA is left, since each pins the file, and with the last VMA of a region
 * its extents were dropped.
 *
 * Context: may sleep; perhaps in another address space than the opener's.
 */
void chunk_context_free(struct chunk_context *context)
{
	if (context->huge)
		chunk_huge_free(context);
	WARN_ON_ONCE(!list_empty(&context->regions) ||
		     context->account.mapped || context->unmapping);
	chunk_radix_destroy(&context->live);
	chunk_nodes_free(context, context->free_nodes);
	chunk_space_leave(context->space);
	chunk_uncharge(context->mm, sizeof(*context));
	mmdrop(context->mm);
	kfree(context);
}
