// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing extents out: what is kept for reuse first, then what is mapped ahead,
 * then what is mapped for the purpose.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "chunk_module.h"

/* Put an extent back that was taken and could not be used. */
static void untake(struct chunk_context *context, struct chunk_extent *extent,
		   bool recycled, struct chunk_extent **spares)
{
	size_t size = extent->size;
	size_t room;

	if (recycled) {
		room = chunk_tree_reserve(&context->recycled, size);
		if (room == size) {
			chunk_free_put(context, &context->recycled, extent, spares);
			return;
		}
		/* Others have filled the room meanwhile. */
		chunk_tree_unreserve(&context->recycled, room);
	}
	chunk_free_reserve(context, extent, spares);
}

/*
 * What is kept for reuse first, then what is mapped ahead. -ENOBUFS: there are
 * too few spare nodes.
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
				      &context->spares, out);
	*recycled = err != -ENOENT;
	if (err == -ENOENT)
		err = chunk_tree_take(&context->reserve, size, alignment,
				      &context->spares, out);
	return err == -ENOMEM ? -ENOBUFS : err;
}

/* A registered extent goes to the caller. */
static void publish(struct chunk_context *context, struct chunk_extent *extent,
		    bool recycled)
{
	lockdep_assert_held(&context->lock);
	chunk_region_open(extent->owner, extent->addr, extent->size);
	extent->type = ZEROED_CHUNK;
	extent->live = true;
	context->live_bytes += extent->size;
	context->live_extents++;
	context->counts.allocs++;
	if (recycled)
		context->counts.allocs_recycled++;
}

/*
 * Under the spinlock. -EAGAIN: it takes more than can be done there; -ENOBUFS:
 * nodes; -ENOENT: address space.
 */
static int alloc_locked(struct chunk_context *context,
			struct chunk_job *job, struct chunk_extent **spares)
{
	struct chunk_extent *extent;
	struct chunk_region *region;
	bool recycled;
	int err;

	err = take(context, job->size, job->alignment, &extent, &recycled);
	if (err)
		return err;
	region = extent->owner;
	if (region->holed ||
	    chunk_radix_store(&context->live, extent,
			      GFP_NOWAIT | __GFP_NOWARN)) {
		untake(context, extent, recycled, spares);
		return -EAGAIN;
	}
	publish(context, extent, recycled);
	job->addr = extent->addr;
	return 0;
}

/* As many of the jobs as can be done under the spinlock; returns how many */
static unsigned int alloc_fast(struct chunk_context *context,
			       struct chunk_job *jobs, unsigned int nr)
{
	struct chunk_extent *spares = NULL;
	unsigned int done;

	/* What may be unmapped, and must be zapped. */
	if (context->huge) {
		jobs->err = -EAGAIN;
		return 0;
	}
	spin_lock(&context->lock);
	for (done = 0; done < nr; done++) {
		jobs[done].err = alloc_locked(context, &jobs[done], &spares);
		if (jobs[done].err)
			break;
	}
	chunk_nodes_keep(context, &spares);
	spin_unlock(&context->lock);
	chunk_nodes_free(spares);
	return done;
}

/*
 * The same where the user unmapped something, or memory is short. mmap_lock
 * keeps the address space as it is between looking and registering.
 */
static int alloc_slow(struct chunk_context *context, struct chunk_job *job)
{
	struct chunk_extent *spares = NULL;
	struct chunk_extent *extent;
	struct chunk_region *region;
	struct vm_area_struct *vma;
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

	if (chunk_check_mapped(context, extent->addr, extent->size, true,
			       &vma)) {
		chunk_free_forget(context, extent);
		chunk_region_put(region);
		return -EAGAIN;
	}
	/* Nobody owns it, but anybody could have written to it. */
	if (context->huge)
		chunk_zap(context, extent->addr, extent->size, vma);
	err = chunk_radix_store(&context->live, extent, GFP_KERNEL);
	spin_lock(&context->lock);
	if (err) {
		untake(context, extent, recycled, &spares);
	} else {
		publish(context, extent, recycled);
		job->addr = extent->addr;
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(spares);
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
	} while (err == -EAGAIN);
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
		err = chunk_map_grow(context, file, size, alignment);
	mutex_unlock(&context->map_lock);
	return err;
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
 *           first byte of a live, committed, zero extent, or @err to -ENOMEM or
 *           -EINTR
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
