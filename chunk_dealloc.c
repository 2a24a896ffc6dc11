// SPDX-License-Identifier: GPL-2.0-only
/*
 * Taking extents back.
 *
 * An extent that is given back is in no tree and not in the registry until its
 * memory is freed, so that nobody can be handed it before. mmap_lock is held all
 * that time: nobody unmaps or replaces what nobody would find to forget. Its node
 * travels with it: neither giving back nor an exact fit allocates anything.
 *
 * Mappings are looked at first. The user may have changed them: contents that
 * mseal(2) keeps are not discarded, and what is not readable and writable as ALLOC
 * promises, or mlocked, is not kept for reuse.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"

/*
 * Look at the mappings of what is to be given back. Where one extent adjoins the
 * other, the mapping is most often the same: no need to look for it again. After
 * a fatal signal the rest is left alone. Returns how many were looked at.
 */
static unsigned int look(struct chunk_context *context, struct chunk_job *jobs,
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

/* Find and retire a live extent, and reserve room for what is to be kept. */
static void begin_one(struct chunk_context *context, struct chunk_job *job)
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

/* Whether anything was retired */
static bool begin(struct chunk_context *context, struct chunk_job *jobs,
		  unsigned int nr)
{
	bool any = false;
	unsigned int i;

	spin_lock(&context->lock);
	for (i = 0; i < nr; i++) {
		begin_one(context, &jobs[i]);
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

/* How many of the jobs, from the first on, are about adjoining extents */
static unsigned int adjoining(const struct chunk_job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 1; i < nr && jobs->vmas.only; i++) {
		if (jobs[i].err || jobs[i].vmas.only != jobs->vmas.only ||
		    jobs[i].addr != jobs[i - 1].addr + jobs[i - 1].size)
			break;
	}
	return i;
}

/* The extent is not handed out again unless all of it is clean. */
static int clean(struct chunk_job *job)
{
	if (!job->extent->decommitted)
		return 0;
	return chunk_region_clear_page_bits(job->region, job->addr, job->size);
}

/* Free the memory of retired extents, of those that adjoin at once. */
static void zap(struct chunk_context *context, struct chunk_job *jobs,
		unsigned int nr)
{
	unsigned int i, j, run;
	int err;

	for (i = 0; i < nr; i++) {
		if (jobs[i].err || (!jobs[i].mapped &&
				    chunk_vmas_of(&jobs[i].vmas, jobs[i].region)))
			continue;
		jobs[i].err = -ESTALE;
		chunk_zap(context, jobs[i].addr, jobs[i].size, NULL);
	}
	for (i = 0; i < nr; i += run) {
		unsigned long addr = jobs[i].addr, size;

		run = 1;
		if (jobs[i].err)
			continue;
		run = adjoining(jobs + i, nr - i);
		size = jobs[i + run - 1].addr + jobs[i + run - 1].size - addr;
		err = chunk_zap(context, addr, size, jobs[i].vmas.only);
		for (j = i; j < i + run; j++)
			jobs[j].err = err ?: clean(&jobs[j]);
	}
}

/*
 * Put a free extent into the trees: @room bytes, which are reserved, to be
 * recycled, and the rest in reserve. A cut takes a node from @free_nodes; without
 * one all of it goes in reserve. Returns what is recycled.
 */
static size_t divide(struct chunk_context *context, struct chunk_extent *extent,
		     size_t room, struct chunk_extent **free_nodes)
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
 * A retired extent, whose memory is free, becomes available, or is forgotten
 * if its mapping is gone.
 */
static void end_one(struct chunk_context *context, struct chunk_job *job,
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
	job->room = divide(context, job->extent, job->room, free_nodes);
}

static void end(struct chunk_context *context, struct chunk_job *jobs,
		unsigned int nr)
{
	struct chunk_extent *free_nodes = NULL;
	struct chunk_extent *node;
	unsigned int i;

	/* To cut an extent at the limit takes a node, but goes without. */
	for (i = 0; i < nr; i++) {
		if (!jobs[i].extent || !jobs[i].room ||
		    jobs[i].room == jobs[i].size)
			continue;
		node = chunk_extent_new(context);
		if (node)
			chunk_free_node_push(&free_nodes, node);
	}
	spin_lock(&context->lock);
	for (i = 0; i < nr; i++) {
		if (jobs[i].extent)
			end_one(context, &jobs[i], &free_nodes);
	}
	chunk_nodes_keep(context, &free_nodes);
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
}

/**
 * chunk_dealloc() - take extents back
 * @context: the context, of current->mm
 * @jobs:    first byte and size in bytes of live extents. @err is set to 0;
 *           -ENOENT if nothing is live there; -EINVAL if it is not that extent;
 *           -ESTALE if the extent was not mapped any more, and is forgotten;
 *           -EACCES if mseal() keeps its contents; -EINTR after a fatal signal,
 *           with the extent perhaps forgotten, too
 * @nr:      how many, up to CHUNK_JOBS
 *
 * Frees their memory. Keeps as much of them for reuse as the limit allows.
 *
 * Context: may sleep; no lock held.
 */
void chunk_dealloc(struct chunk_context *context, struct chunk_job *jobs,
		   unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		jobs[i].extent = NULL;
		jobs[i].err = -EINTR;
	}
	if (mmap_read_lock_killable(context->mm))
		return;
	nr = look(context, jobs, nr);
	if (begin(context, jobs, nr)) {
		if (!context->huge)
			chunk_gate_synchronize(context->space->gate);
		zap(context, jobs, nr);
		end(context, jobs, nr);
	}
	mmap_read_unlock(context->mm);
	for (i = 0; i < nr; i++) {
		if (!jobs[i].extent)
			continue;
		chunk_region_put(jobs[i].region);
		if (jobs[i].room < jobs[i].size)
			chunk_free_unmap(context, jobs[i].addr + jobs[i].room);
	}
}

/**
 * chunk_alloc_undo() - take an extent back that its caller never got
 * @context: the context, of current->mm
 * @job:     as chunk_alloc() left it; @err may be changed
 *
 * Counters then are as if it had not been handed out.
 *
 * Context: may sleep; no lock held.
 */
void chunk_alloc_undo(struct chunk_context *context, struct chunk_job *job)
{
	bool recycled = job->recycled;

	chunk_dealloc(context, job, 1);
	/* Somebody who guessed the address may have been quicker. */
	if (!job->extent)
		return;
	spin_lock(&context->lock);
	chunk_account_undo(context, recycled);
	spin_unlock(&context->lock);
}
