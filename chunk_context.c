// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: what an open file begins with, and its end.
 */
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/module.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* Recycle limit of a new context: mozjemalloc keeps as much. */
#define CHUNK_RECYCLE_LIMIT	(128 * CHUNK_SIZE)

static ulong max_recycle_mb = 64UL << 10;
module_param(max_recycle_mb, ulong, 0644);
MODULE_PARM_DESC(max_recycle_mb,
		 "Most MiB of address space that an open file may keep for reuse (default 65536)");

/* A huge page fits into it. PMD_SIZE is 512 MiB where pages have 64 KiB. */
#define CHUNK_GROW	(PMD_SIZE > 64 * CHUNK_SIZE ? PMD_SIZE : 64 * CHUNK_SIZE)

static ulong grow_mb = CHUNK_GROW >> CHUNK_SHIFT;
module_param(grow_mb, ulong, 0644);
MODULE_PARM_DESC(grow_mb,
		 "MiB of address space that an open file maps at a time, if not configured (default 64, or a huge page)");

/* All contexts, the oldest first, and the number of the youngest */
static DEFINE_SPINLOCK(context_list_lock);
static LIST_HEAD(context_list);
static u64 context_last;

static void context_enlist(struct chunk_context *context)
{
	spin_lock(&context_list_lock);
	context->id = ++context_last;
	list_add_tail(&context->all, &context_list);
	spin_unlock(&context_list_lock);
}

static void context_unlist(struct chunk_context *context)
{
	spin_lock(&context_list_lock);
	list_del(&context->all);
	spin_unlock(&context_list_lock);
}

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
	refcount_set(&context->refs, 1);
	mutex_init(&context->map_lock);
	mutex_init(&context->discard_lock);
	xa_init(&context->words);
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
	context->owner = get_pid(task_tgid(current));
	chunk_charge(mm, sizeof(*context));
	context_enlist(context);
	return context;
}

/**
 * chunk_context_put() - drop a reference to a context
 * @context: the context; freed with the last reference
 *
 * Context: any; for the last reference, may sleep.
 */
void chunk_context_put(struct chunk_context *context)
{
	if (!refcount_dec_and_test(&context->refs))
		return;
	context_unlist(context);
	chunk_words_free(context);
	chunk_radix_destroy(&context->live);
	put_pid(context->owner);
	chunk_uncharge(context->mm, sizeof(*context));
	mmdrop(context->mm);
	kfree(context);
}

/**
 * chunk_context_next() - iterate over all contexts
 * @context: the context before, whose reference is dropped; NULL to begin
 *
 * Contexts come and go meanwhile. One that is held is still on the list.
 *
 * Context: may sleep.
 * Return: a context with a reference, which may be closed already, or NULL.
 */
struct chunk_context *chunk_context_next(struct chunk_context *context)
{
	struct chunk_context *next = NULL, *at = context;

	spin_lock(&context_list_lock);
	at = list_prepare_entry(at, &context_list, all);
	list_for_each_entry_continue(at, &context_list, all) {
		if (refcount_inc_not_zero(&at->refs)) {
			next = at;
			break;
		}
	}
	spin_unlock(&context_list_lock);
	if (context)
		chunk_context_put(context);
	return next;
}

/**
 * chunk_context_close() - give up the context of a file that is closed
 * @context: the context; nobody else refers to it any more but the shrinker, and
 *           readers of debugfs
 *
 * No VMA is left, since each pins the file, and with the last VMA of a region
 * its extents were dropped.
 *
 * Context: may sleep; perhaps in another address space than the opener's.
 */
void chunk_context_close(struct chunk_context *context)
{
	chunk_words_unlist(context);
	if (chunk_is_huge(context))
		chunk_huge_free(context);
	WARN_ON_ONCE(!list_empty(&context->regions) ||
		     context->account.mapped || context->unmapping);
	chunk_nodes_free(context, context->free_nodes);
	chunk_space_leave(context->space);
	chunk_context_put(context);
}
