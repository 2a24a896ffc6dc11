// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking extents back.
 *
 * An extent that is given back is in no tree and not in the registry until its
 * memory is freed, so that nobody can be handed it before. mmap_lock is held
 * all that time: nobody unmaps or replaces the mapping of an extent that
 * chunk_drop_range() would not find. The extent's node travels with it: neither
 * giving back nor an exact fit allocates anything.
 *
 * The mappings are checked first. The user may have changed them: contents that
 * mseal(2) keeps are not discarded, and an extent that is mlocked, or not
 * readable and writable as ALLOC promises, is not kept for reuse.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"
#include "chunk_trace.h"

/*
 * Check the mappings of the jobs' extents. Adjoining extents mostly have the
 * same mapping: then it is not looked up again. After a fatal signal the rest
 * is left alone. Returns the number of jobs that were checked.
 */
static unsigned int dealloc_check(struct chunk_context *context,
				  struct chunk_dealloc_job *jobs,
				  unsigned int nr)
{
	struct chunk_vmas vmas = { NULL };
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!vmas.only && i && fatal_signal_pending(current))
			break;
		jobs[i].mapped = chunk_check_vmas(context, jobs[i].addr,
						  jobs[i].size, &vmas);
		jobs[i].vmas = vmas;
		if (unlikely(!vmas.only))
			cond_resched();
	}
	return i;
}

/* Find and unregister a live extent, and claim room to keep it for reuse. */
static void dealloc_begin_one(struct chunk_context *context,
			      struct chunk_dealloc_job *job)
{
	struct chunk_extent *extent;

	lockdep_assert_held(&context->lock);
	extent = chunk_radix_lookup(&context->live, job->addr);
	if (!extent || !extent->live) {
		job->err = -ENOENT;
		return;
	}
	if (extent->addr != job->addr || extent->size != job->size) {
		job->err = -EINVAL;
		return;
	}
	if (job->vmas.traits & CHUNK_VMA_SEALED) {
		job->err = -EACCES;
		return;
	}
	job->err = 0;
	job->extent = extent;
	job->region = extent->owner;
	chunk_region_get(job->region);
	chunk_unregister(context, extent);
	chunk_region_close(job->region, job->addr, job->size);
	job->room = chunk_tree_claim(&context->recycled, job->size);
	chunk_account_dealloc(context);
}

/* Unregister the jobs' extents; returns whether there was any. */
static bool dealloc_begin(struct chunk_context *context,
			  struct chunk_dealloc_job *jobs, unsigned int nr)
{
	bool any = false;
	unsigned int i;

	spin_lock(&context->lock);
	for (i = 0; i < nr; i++) {
		dealloc_begin_one(context, &jobs[i]);
		any |= !jobs[i].err;
		/* Time grows with the size: see docs/loops.md. */
		if (jobs[i].size > CHUNK_STEP) {
			spin_unlock(&context->lock);
			cond_resched();
			spin_lock(&context->lock);
		}
	}
	spin_unlock(&context->lock);
	return any;
}

/* Nothing of the jobs' extents is offered any more. */
static void dealloc_reset_words(struct chunk_context *context,
				const struct chunk_dealloc_job *jobs,
				unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (jobs[i].extent)
			chunk_words_reset(context, jobs[i].addr, jobs[i].size);
	}
}

/*
 * Wait for whoever still maps memory of the jobs' extents, or discards it. One test
 * is enough for most users.
 */
static inline void dealloc_synchronize(struct chunk_context *context,
				       const struct chunk_dealloc_job *jobs,
				       unsigned int nr)
{
	if (chunk_is_special(context)) {
		if (chunk_has_words(context))
			dealloc_reset_words(context, jobs, nr);
		if (chunk_is_huge(context))
			return;
	}
	chunk_gate_synchronize(context->space->gate);
}

/* Number of jobs, from the first on, whose extents adjoin in one mapping */
static unsigned int dealloc_adjoining(const struct chunk_dealloc_job *jobs,
				      unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr && jobs->vmas.only; i++) {
		if (jobs[i].err || jobs[i].vmas.only != jobs->vmas.only ||
		    jobs[i].addr != jobs[i - 1].addr + jobs[i - 1].size)
			break;
	}
	return i;
}

/* The extent is not handed out again unless all of its page bits are clear. */
static int dealloc_clear_page_bits(struct chunk_dealloc_job *job)
{
	if (!job->extent->decommitted)
		return 0;
	return chunk_region_clear_page_bits(job->region, job->addr, job->size);
}

static bool dealloc_mapping_ok(const struct chunk_dealloc_job *job)
{
	return !job->mapped && chunk_vmas_of(&job->vmas, job->region);
}

/* Free the memory of unregistered extents; adjoining ones by one zap. */
static void dealloc_zap(struct chunk_context *context,
			struct chunk_dealloc_job *jobs, unsigned int nr)
{
	unsigned int i, j, run;
	int err;

	for (i = 0; i < nr; i++) {
		if (jobs[i].err || dealloc_mapping_ok(&jobs[i]))
			continue;
		jobs[i].err = -ESTALE;
		chunk_zap(context, jobs[i].addr, jobs[i].size, NULL);
	}
	for (i = 0; i < nr; i += run) {
		unsigned long addr = jobs[i].addr, size;

		run = 1;
		if (jobs[i].err)
			continue;
		run = dealloc_adjoining(jobs + i, nr - i);
		size = jobs[i + run - 1].addr + jobs[i + run - 1].size - addr;
		err = chunk_zap(context, addr, size, jobs[i].vmas.only);
		for (j = i; j < i + run; j++)
			jobs[j].err = err ?: dealloc_clear_page_bits(&jobs[j]);
	}
}

/*
 * Put a free extent into the trees: @room bytes, which are claimed, into the
 * recycled tree, the rest into the retained one. A cut takes a node from
 * @free_nodes; without one all of the extent is retained. Returns the number of
 * bytes recycled.
 */
static size_t dealloc_divide(struct chunk_context *context,
			     struct chunk_extent *extent, size_t room,
			     struct chunk_extent **free_nodes)
{
	struct chunk_extent *rest = NULL;

	/* The limit may have been lowered since. */
	chunk_tree_unclaim(&context->recycled, room);
	room = chunk_tree_claim(&context->recycled, room);
	if (room == extent->size) {
		chunk_free_put(context, &context->recycled, extent, free_nodes);
		return room;
	}
	if (room)
		rest = chunk_free_node_pop(free_nodes);
	if (!rest) {
		chunk_tree_unclaim(&context->recycled, room);
		chunk_free_retain(context, extent, free_nodes);
		return 0;
	}
	*rest = *extent;
	rest->addr += room;
	rest->size -= room;
	extent->size = room;
	chunk_free_put(context, &context->recycled, extent, free_nodes);
	chunk_free_retain(context, rest, free_nodes);
	return room;
}

/*
 * Make an unregistered extent, whose memory is freed, available; or drop it if
 * it is not mapped any more.
 */
static void dealloc_end_one(struct chunk_context *context,
			    struct chunk_dealloc_job *job,
			    struct chunk_extent **free_nodes)
{
	lockdep_assert_held(&context->lock);
	if (!job->region->vmas)
		job->err = -ESTALE;
	if (job->err) {
		chunk_tree_unclaim(&context->recycled, job->room);
		chunk_unaccount_extent(context, job->extent);
		chunk_free_node_push(free_nodes, job->extent);
		job->room = job->size;
		return;
	}
	if (chunk_vmas_changed(&job->vmas, job->region) ||
	    (job->vmas.traits & CHUNK_VMA_LOCKED)) {
		job->region->may_have_holes = true;
		chunk_tree_unclaim(&context->recycled, job->room);
		job->room = 0;
	}
	job->room = dealloc_divide(context, job->extent, job->room, free_nodes);
}

/* Nodes for the extents that the limit will cut, or fewer: both will do. */
static struct chunk_extent *dealloc_nodes(struct chunk_context *context,
					  const struct chunk_dealloc_job *jobs,
					  unsigned int nr)
{
	struct chunk_extent *free_nodes = NULL;
	struct chunk_extent *node;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!jobs[i].extent || !jobs[i].room ||
		    jobs[i].room == jobs[i].size)
			continue;
		node = chunk_extent_new(context);
		if (node)
			chunk_free_node_push(&free_nodes, node);
	}
	return free_nodes;
}

static void dealloc_end(struct chunk_context *context,
			struct chunk_dealloc_job *jobs, unsigned int nr)
{
	struct chunk_extent *free_nodes = dealloc_nodes(context, jobs, nr);
	unsigned int i;

	spin_lock(&context->lock);
	for (i = 0; i < nr; i++) {
		if (jobs[i].extent)
			dealloc_end_one(context, &jobs[i], &free_nodes);
	}
	chunk_nodes_keep(context, &free_nodes);
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
}

static noinline void dealloc_trace(const struct chunk_dealloc_job *jobs,
				   unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		trace_chunk_dealloc(jobs[i].addr, jobs[i].size,
				    jobs[i].extent && !jobs[i].err ?
				    jobs[i].room : 0,
				    jobs[i].err);
}

/**
 * chunk_extent_dealloc() - take extents back
 * @context: the context, of current->mm
 * @jobs:    live extents. @err is set to 0; -ENOENT if nothing is live there;
 *           -EINVAL if the live extent is another; -ESTALE if the extent was not
 *           mapped any more, and is dropped; -EACCES if mseal() keeps its
 *           contents; -EINTR after a fatal signal, with the extent perhaps
 *           dropped, too
 * @nr:      number of jobs, up to CHUNK_JOBS
 *
 * Frees their memory, and keeps as much of them for reuse as the limit allows.
 *
 * Context: may sleep; no lock held.
 */
void chunk_extent_dealloc(struct chunk_context *context,
			  struct chunk_dealloc_job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		jobs[i].extent = NULL;
		jobs[i].err = -EINTR;
	}
	if (mmap_read_lock_killable(context->mm))
		return;
	nr = dealloc_check(context, jobs, nr);
	if (dealloc_begin(context, jobs, nr)) {
		dealloc_synchronize(context, jobs, nr);
		dealloc_zap(context, jobs, nr);
		dealloc_end(context, jobs, nr);
	}
	mmap_read_unlock(context->mm);
	if (trace_chunk_dealloc_enabled())
		dealloc_trace(jobs, nr);
	for (i = 0; i < nr; i++) {
		if (!jobs[i].extent)
			continue;
		chunk_region_put(jobs[i].region);
		if (jobs[i].room < jobs[i].size)
			chunk_free_unmap(context, jobs[i].addr + jobs[i].room);
	}
}

/**
 * chunk_extent_undo_alloc() - take an extent back that its caller never got
 * @context: the context, of current->mm
 * @job:     the job that chunk_extent_alloc() did
 *
 * Counters then are as if it had not been handed out.
 *
 * Context: may sleep; no lock held.
 */
void chunk_extent_undo_alloc(struct chunk_context *context,
			     const struct chunk_alloc_job *job)
{
	struct chunk_dealloc_job undo = { .addr = job->addr, .size = job->size };

	chunk_extent_dealloc(context, &undo, 1);
	/* Somebody who guessed the address may have been quicker. */
	if (!undo.extent)
		return;
	spin_lock(&context->lock);
	chunk_account_undo(context, job->recycled);
	spin_unlock(&context->lock);
}
