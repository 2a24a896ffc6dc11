// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing extents out: what is kept for reuse first, then what is mapped ahead,
 * then what is mapped for the purpose.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"

/* Put an extent back that was taken and could not be used. */
static void put_back(struct chunk_context *context, struct chunk_extent *extent,
		     bool recycled, struct chunk_extent **free_nodes)
{
	size_t size = extent->size;
	size_t room;

	if (recycled) {
		room = chunk_tree_claim(&context->recycled, size);
		if (room == size) {
			chunk_free_put(context, &context->recycled, extent, free_nodes);
			return;
		}
		/* Others have filled the room meanwhile. */
		chunk_tree_unclaim(&context->recycled, room);
	}
	chunk_free_retain(context, extent, free_nodes);
}

/*
 * What is kept for reuse first, then what is mapped ahead. -ENOBUFS: there are
 * too few free nodes.
 */
static inline int take(struct chunk_context *context, unsigned long size,
		       unsigned long alignment, struct chunk_extent **out,
		       bool *recycled)
{
	int err;

	lockdep_assert_held(&context->lock);
	err = -ENOENT;
	if (context->recycled.bytes >= size)
		err = chunk_tree_take(&context->recycled, size, alignment,
				      &context->free_nodes, out);
	*recycled = err != -ENOENT;
	if (err == -ENOENT)
		err = chunk_tree_take(&context->retained, size, alignment,
				      &context->free_nodes, out);
	return err == -ENOMEM ? -ENOBUFS : err;
}

/* Hand a registered extent to the caller. */
static void alloc_publish(struct chunk_context *context,
			  struct chunk_extent *extent, bool recycled,
			  bool decommitted)
{
	unsigned long pages = 0;

	/* A free extent is decommitted already. */
	if (unlikely(decommitted))
		pages = extent->size / PAGE_SIZE;
	else
		chunk_region_open(extent->owner, extent->addr, extent->size);
	chunk_publish_extent(context, extent, pages, recycled);
}

/* Under the spinlock, where nothing sleeps */
#define GFP_LOCKED	(GFP_NOWAIT | __GFP_NOWARN)

/*
 * Under the spinlock. -EAGAIN: it takes more than can be done there; -ENOBUFS:
 * nodes; -ENOENT: address space.
 */
static inline int take_whole(struct chunk_context *context,
			     const struct chunk_job *job,
			     struct chunk_extent **extent, bool *recycled,
			     struct chunk_extent **free_nodes)
{
	struct chunk_region *region;
	int err;

	/* Its registration takes long: see docs/loops.md. */
	if (job->size > CHUNK_STEP)
		return -EAGAIN;
	err = take(context, job->size, job->alignment, extent, recycled);
	if (err)
		return err;
	region = (*extent)->owner;
	if (!region->may_have_holes)
		return 0;
	put_back(context, *extent, *recycled, free_nodes);
	return -EAGAIN;
}

/* One job under the spinlock; errors are take_whole()'s */
static int alloc_one(struct chunk_context *context, struct chunk_job *job,
		     struct chunk_extent **free_nodes)
{
	struct chunk_extent *extent;
	bool recycled;
	int err;

	err = take_whole(context, job, &extent, &recycled, free_nodes);
	if (err)
		return err;
	if (chunk_radix_store(&context->live, extent, GFP_LOCKED)) {
		put_back(context, extent, recycled, free_nodes);
		return -EAGAIN;
	}
	alloc_publish(context, extent, recycled, job->decommitted);
	job->addr = extent->addr;
	job->recycled = recycled;
	return 0;
}

/* How many of the jobs, from the first on, are of one chunk each */
static unsigned int ones(const struct chunk_job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && jobs[i].size == CHUNK_SIZE; i++)
		;
	return i;
}

static unsigned int register_ones(struct chunk_context *context,
				  const struct chunk_job *jobs,
				  unsigned int nr)
{
	struct chunk_extent *extents[CHUNK_JOBS];
	unsigned int i;

	for (i = 0; i < nr; i++)
		extents[i] = jobs[i].extent;
	return chunk_radix_store_ones(&context->live, extents, nr, GFP_LOCKED);
}

/* Returns how many of the jobs were registered, those before the rest. */
static unsigned int register_jobs(struct chunk_context *context,
				  const struct chunk_job *jobs,
				  unsigned int nr)
{
	unsigned int done = 0, run, stored;

	while (done < nr) {
		run = ones(jobs + done, nr - done);
		if (run > 1) {
			stored = register_ones(context, jobs + done, run);
		} else {
			run = 1;
			stored = !chunk_radix_store(&context->live,
						    jobs[done].extent,
						    GFP_LOCKED);
		}
		done += stored;
		if (stored < run)
			break;
	}
	return done;
}

/*
 * As many of the jobs as can be done under the spinlock. Returns how many; the
 * next one's @err says why not, as take_whole() does. Not inline: one alone shall
 * not pay for what this keeps on the stack.
 */
static noinline unsigned int alloc_many(struct chunk_context *context,
					struct chunk_job *jobs,
					unsigned int nr,
					struct chunk_extent **free_nodes)
{
	unsigned int taken, done, i;

	for (taken = 0; taken < nr; taken++) {
		struct chunk_job *job = &jobs[taken];

		job->err = take_whole(context, job, &job->extent,
				      &job->recycled, free_nodes);
		if (job->err)
			break;
	}
	done = register_jobs(context, jobs, taken);
	for (i = 0; i < done; i++) {
		alloc_publish(context, jobs[i].extent, jobs[i].recycled,
			      jobs[i].decommitted);
		jobs[i].addr = jobs[i].extent->addr;
	}
	if (done < taken)
		jobs[done].err = -EAGAIN;
	for (i = done; i < taken; i++)
		put_back(context, jobs[i].extent, jobs[i].recycled, free_nodes);
	return done;
}

/* As many of the jobs as can be done under the spinlock; returns how many */
static unsigned int alloc_fast(struct chunk_context *context,
			       struct chunk_job *jobs, unsigned int nr)
{
	struct chunk_extent *free_nodes = NULL;
	unsigned int done;

	/* Those may be unmapped, and must be zapped. */
	if (context->huge) {
		jobs->err = -EAGAIN;
		return 0;
	}
	spin_lock(&context->lock);
	if (nr > 1) {
		done = alloc_many(context, jobs, nr, &free_nodes);
	} else {
		jobs->err = alloc_one(context, jobs, &free_nodes);
		done = !jobs->err;
	}
	/* There are none unless something was put back. */
	if (unlikely(free_nodes))
		chunk_nodes_keep(context, &free_nodes);
	spin_unlock(&context->lock);
	if (unlikely(free_nodes))
		chunk_nodes_free(context, free_nodes);
	return done;
}

/*
 * The same where the user changed a mapping, or memory is short. mmap_lock keeps
 * the address space as it is between looking and registering: the extent, which
 * is in nobody's hands else, has nobody to forget it. One that is not readable and
 * writable is given up: its address space is the user's own again.
 */
static int alloc_slow(struct chunk_context *context, struct chunk_job *job)
{
	struct chunk_extent *free_nodes = NULL;
	struct chunk_extent *extent;
	struct chunk_region *region;
	struct chunk_vmas vmas = { NULL };
	bool recycled;
	int err;

	spin_lock(&context->lock);
	err = take(context, job->size, job->alignment, &extent, &recycled);
	if (!err) {
		region = extent->owner;
		chunk_region_get(region);
	}
	spin_unlock(&context->lock);
	if (err)
		return err;

	if (chunk_check_vmas(context, extent->addr, extent->size, &vmas) ||
	    !chunk_vmas_of(&vmas, region) ||
	    chunk_vmas_changed(&vmas, region)) {
		chunk_drop_extent(context, extent);
		chunk_region_put(region);
		return -EAGAIN;
	}
	/* Nobody owns it, but anybody could have written to it. */
	if (context->huge)
		err = chunk_zap(context, extent->addr, extent->size, vmas.only);
	if (!err)
		err = chunk_radix_store(&context->live, extent, GFP_KERNEL);
	/* Address space belongs to one extent at a time. */
	if (WARN_ON_ONCE(err == -EEXIST)) {
		chunk_drop_extent(context, extent);
		chunk_region_put(region);
		return -EAGAIN;
	}
	spin_lock(&context->lock);
	if (err) {
		put_back(context, extent, recycled, &free_nodes);
	} else {
		alloc_publish(context, extent, recycled, job->decommitted);
		job->addr = extent->addr;
		job->recycled = recycled;
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
	chunk_region_put(region);
	return err;
}

static int alloc_checked(struct chunk_context *context, struct chunk_job *job)
{
	int err;

	do {
		if (mmap_read_lock_killable(context->mm))
			return -EINTR;
		err = alloc_slow(context, job);
		mmap_read_unlock(context->mm);
		if (err == -EAGAIN && fatal_signal_pending(current))
			err = -EINTR;
	} while (err == -EAGAIN);
	return err;
}

/*
 * Map more. What is kept must not be why there is none: if the system refuses, what
 * it can have back without splitting a mapping goes first, then the rest.
 */
static int grow_or_trim(struct chunk_context *context, struct file *file,
			unsigned long size, unsigned long alignment)
{
	int err = chunk_grow(context, file, size, alignment);

	/* Nobody has room for that, whatever is kept. */
	if (size > TASK_SIZE / 2 || alignment > TASK_SIZE / 2)
		return err;
	if (err == -ENOSPC && chunk_free_trim(context, false))
		err = chunk_grow(context, file, size, alignment);
	if (err == -ENOSPC && chunk_free_trim(context, true))
		err = chunk_grow(context, file, size, alignment);
	return err;
}

/* Map more, unless somebody did since @grown was read. */
static int grow(struct chunk_context *context, struct file *file,
		unsigned long size, unsigned long alignment,
		unsigned long grown)
{
	int err = 0;

	if (mutex_lock_killable(&context->map_lock))
		return -EINTR;
	if (context->grown == grown)
		err = grow_or_trim(context, file, size, alignment);
	mutex_unlock(&context->map_lock);
	return err == -ENOSPC ? -ENOMEM : err;
}

/* Get what an allocation lacked; 0: try again, unless @err is 0: it is done */
static int provide(struct chunk_context *context, struct file *file,
		   struct chunk_job *job, unsigned long grown)
{
	int err;

	if (job->err == -EAGAIN)
		job->err = alloc_checked(context, job);
	if (job->err == -ENOBUFS)
		err = chunk_nodes_refill(context);
	else if (job->err == -ENOENT)
		err = grow(context, file, job->size, job->alignment, grown);
	else
		return job->err;
	if (!err && fatal_signal_pending(current))
		err = -EINTR;
	if (err)
		job->err = err;
	return err;
}

/**
 * chunk_alloc() - hand out extents
 * @context: the context, of current->mm
 * @file:    its file
 * @jobs:    size and alignment in bytes: a non-zero multiple of CHUNK_SIZE, and
 *           a power of two that is at least CHUNK_SIZE. @addr is set to the
 *           first byte of a live extent, which is decommitted, or committed and
 *           zero, as @decommitted says; or @err to -ENOMEM or -EINTR
 * @nr:      how many, up to CHUNK_JOBS
 *
 * Context: may sleep; no lock held.
 */
void chunk_alloc(struct chunk_context *context, struct file *file,
		 struct chunk_job *jobs, unsigned int nr)
{
	unsigned int done = 0;

	while (done < nr) {
		unsigned long grown = READ_ONCE(context->grown);

		done += alloc_fast(context, jobs + done, nr - done);
		if (done == nr)
			break;
		/* That one is done by now, or failed, or is tried again. */
		if (provide(context, file, &jobs[done], grown) ||
		    !jobs[done].err)
			done++;
	}
}
