// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing extents out: recycled ones first, then retained ones, then parts of
 * what is mapped for the purpose.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"
#include "chunk_trace.h"

/**
 * enum alloc_outcome - result of an attempt to allocate
 * @ALLOC_DONE:        the extent is the caller's
 * @ALLOC_FAILED:      the attempt is the last: job->err says why
 * @ALLOC_RETRY:       the extent was dropped: try again with another
 * @ALLOC_NEEDS_CHECK: the fast path cannot do it: its mapping must be checked, or
 *                     it takes more time or memory than context->lock allows
 * @ALLOC_NEEDS_NODES: the context has too few free nodes
 * @ALLOC_NEEDS_SPACE: the context has no free extent that fits
 */
enum alloc_outcome {
	ALLOC_DONE,
	ALLOC_FAILED,
	ALLOC_RETRY,
	ALLOC_NEEDS_CHECK,
	ALLOC_NEEDS_NODES,
	ALLOC_NEEDS_SPACE,
};

/* Put an extent back that was taken and could not be used. */
static void alloc_put_back(struct chunk_context *context,
			   struct chunk_extent *extent, bool recycled,
			   struct chunk_extent **free_nodes)
{
	size_t size = extent->size;
	size_t room;

	if (recycled) {
		room = chunk_tree_claim(&context->recycled, size);
		if (room == size) {
			chunk_free_put(context, &context->recycled, extent,
				       free_nodes);
			return;
		}
		/* Others have filled the room meanwhile. */
		chunk_tree_unclaim(&context->recycled, room);
	}
	chunk_free_retain(context, extent, free_nodes);
}

/* Take a free extent: a recycled one, else a retained one. */
static inline enum alloc_outcome alloc_take(struct chunk_context *context,
					    const struct chunk_alloc_job *job,
					    struct chunk_extent **extent,
					    bool *recycled)
{
	int err = -ENOENT;

	lockdep_assert_held(&context->lock);
	if (context->recycled.bytes >= job->size)
		err = chunk_tree_take(&context->recycled, job->size,
				      job->alignment, &context->free_nodes,
				      extent);
	*recycled = err != -ENOENT;
	if (err == -ENOENT)
		err = chunk_tree_take(&context->retained, job->size,
				      job->alignment, &context->free_nodes,
				      extent);
	if (likely(!err))
		return ALLOC_DONE;
	return err == -ENOMEM ? ALLOC_NEEDS_NODES : ALLOC_NEEDS_SPACE;
}

/* Hand a registered extent to the caller. */
static void alloc_publish(struct chunk_context *context,
			  struct chunk_alloc_job *job,
			  struct chunk_extent *extent, bool recycled)
{
	unsigned long pages = 0;

	/* A free extent is decommitted already. */
	if (unlikely(job->decommitted))
		pages = extent->size / PAGE_SIZE;
	else
		chunk_region_open(extent->owner, extent->addr, extent->size);
	chunk_publish_extent(context, extent, pages, recycled);
	job->addr = extent->addr;
	job->recycled = recycled;
	job->err = 0;
}

/* Under the spinlock, where nothing sleeps */
#define GFP_LOCKED	(GFP_NOWAIT | __GFP_NOWARN)

/* Take a free extent that the spinlock is enough for. */
static inline enum alloc_outcome
alloc_take_fast(struct chunk_context *context,
		const struct chunk_alloc_job *job,
		struct chunk_extent **extent, bool *recycled,
		struct chunk_extent **free_nodes)
{
	struct chunk_region *region;
	enum alloc_outcome outcome;

	/* Its registration takes long: see docs/loops.md. */
	if (job->size > CHUNK_STEP)
		return ALLOC_NEEDS_CHECK;
	outcome = alloc_take(context, job, extent, recycled);
	if (outcome != ALLOC_DONE)
		return outcome;
	region = (*extent)->owner;
	if (!region->may_have_holes)
		return ALLOC_DONE;
	alloc_put_back(context, *extent, *recycled, free_nodes);
	return ALLOC_NEEDS_CHECK;
}

/* Do one job under the spinlock, in a context without words. */
static enum alloc_outcome alloc_one(struct chunk_context *context,
				    struct chunk_alloc_job *job,
				    struct chunk_extent **free_nodes)
{
	struct chunk_extent *extent;
	enum alloc_outcome outcome;
	bool recycled;

	outcome = alloc_take_fast(context, job, &extent, &recycled, free_nodes);
	if (outcome != ALLOC_DONE)
		return outcome;
	if (chunk_radix_store(&context->live, extent, GFP_LOCKED)) {
		alloc_put_back(context, extent, recycled, free_nodes);
		return ALLOC_NEEDS_CHECK;
	}
	alloc_publish(context, job, extent, recycled);
	return ALLOC_DONE;
}

/* Number of jobs, from the first on, that are of one chunk each */
static unsigned int alloc_count_ones(const struct chunk_alloc_job *jobs,
				     unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr && jobs[i].size == CHUNK_SIZE; i++)
		;
	return i;
}

static unsigned int alloc_register_ones(struct chunk_context *context,
					const struct chunk_alloc_job *jobs,
					unsigned int nr)
{
	struct chunk_extent *extents[CHUNK_JOBS];
	unsigned int i;

	for (i = 0; i < nr; i++)
		extents[i] = jobs[i].extent;
	return chunk_radix_store_ones(&context->live, extents, nr, GFP_LOCKED);
}

/* Register the jobs' extents in order; returns the number of the registered. */
static unsigned int alloc_register(struct chunk_context *context,
				   const struct chunk_alloc_job *jobs,
				   unsigned int nr)
{
	unsigned int done = 0, run, stored;

	while (done < nr) {
		run = alloc_count_ones(jobs + done, nr - done);
		if (run > 1) {
			stored = alloc_register_ones(context, jobs + done, run);
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

/* Number of jobs, from the first on, whose extents nobody offers */
static unsigned int alloc_count_clear(struct chunk_context *context,
				      const struct chunk_alloc_job *jobs,
				      unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!chunk_words_clear(context, jobs[i].extent->addr,
				       jobs[i].extent->size))
			break;
	}
	return i;
}

/*
 * Do as many of the jobs as possible under the spinlock. Returns their number;
 * *@outcome is that of the next one. @words: the context has some. Not inline: a
 * job alone shall not pay for the array on the stack.
 */
static noinline unsigned int alloc_many(struct chunk_context *context,
					struct chunk_alloc_job *jobs,
					unsigned int nr, bool words,
					enum alloc_outcome *outcome,
					struct chunk_extent **free_nodes)
{
	unsigned int taken, clear, done, i;

	for (taken = 0; taken < nr; taken++) {
		struct chunk_alloc_job *job = &jobs[taken];

		*outcome = alloc_take_fast(context, job, &job->extent,
					   &job->recycled, free_nodes);
		if (*outcome != ALLOC_DONE)
			break;
	}
	clear = words ? alloc_count_clear(context, jobs, taken) : taken;
	done = alloc_register(context, jobs, clear);
	for (i = 0; i < done; i++)
		alloc_publish(context, &jobs[i], jobs[i].extent,
			      jobs[i].recycled);
	if (done < taken)
		*outcome = ALLOC_NEEDS_CHECK;
	for (i = done; i < taken; i++)
		alloc_put_back(context, jobs[i].extent, jobs[i].recycled,
			       free_nodes);
	return done;
}

/* The same in a context with words; not inline, since most have none */
static noinline unsigned int alloc_among_words(struct chunk_context *context,
					       struct chunk_alloc_job *jobs,
					       unsigned int nr,
					       enum alloc_outcome *outcome)
{
	struct chunk_extent *free_nodes = NULL;
	unsigned int done;

	spin_lock(&context->lock);
	done = alloc_many(context, jobs, nr, true, outcome, &free_nodes);
	chunk_nodes_keep(context, &free_nodes);
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
	return done;
}

/*
 * Do as many of the jobs as possible without sleeping. Returns their number;
 * *@outcome is that of the next one.
 */
static unsigned int alloc_fast(struct chunk_context *context,
			       struct chunk_alloc_job *jobs, unsigned int nr,
			       enum alloc_outcome *outcome)
{
	struct chunk_extent *free_nodes = NULL;
	unsigned int done;

	if (chunk_is_special(context)) {
		if (!chunk_is_huge(context))
			return alloc_among_words(context, jobs, nr, outcome);
		/* The huge backing may be unmapped, and needs zap before reuse. */
		*outcome = ALLOC_NEEDS_CHECK;
		return 0;
	}
	spin_lock(&context->lock);
	if (nr > 1) {
		done = alloc_many(context, jobs, nr, false, outcome, &free_nodes);
	} else {
		*outcome = alloc_one(context, jobs, &free_nodes);
		done = *outcome == ALLOC_DONE;
	}
	/* There are none unless something was put back. */
	if (unlikely(free_nodes))
		chunk_nodes_keep(context, &free_nodes);
	spin_unlock(&context->lock);
	if (unlikely(free_nodes))
		chunk_nodes_free(context, free_nodes);
	return done;
}

/* Is an extent mapped as ALLOC promises it? */
static bool alloc_mapping_ok(struct chunk_context *context,
			     const struct chunk_extent *extent,
			     struct chunk_vmas *vmas)
{
	return !chunk_check_vmas(context, extent->addr, extent->size, vmas) &&
	       chunk_vmas_of(vmas, extent->owner) &&
	       !chunk_vmas_changed(vmas, extent->owner);
}

/*
 * Make an extent as nobody has used it yet, and register it. Its memory could
 * still be being discarded, if somebody offered it while it was free.
 */
static int alloc_prepare(struct chunk_context *context,
			 struct chunk_extent *extent,
			 struct vm_area_struct *vma)
{
	int err = 0;

	if (chunk_has_words(context))
		chunk_words_reset(context, extent->addr, extent->size);
	/* Nobody owns the extent, but anybody may have written to it. */
	if (chunk_is_huge(context))
		err = chunk_zap(context, extent->addr, extent->size, vma);
	return err ?: chunk_radix_store(&context->live, extent, GFP_KERNEL);
}

/*
 * Do a job with mmap_lock held. Nobody unmaps the extent, which is in no tree
 * and not registered, between the check of its mapping and its registration: so
 * it need not be found by chunk_drop_range(). An extent that is not readable
 * and writable is given up: its address space is the user's own again.
 */
static enum alloc_outcome alloc_slow(struct chunk_context *context,
				     struct chunk_alloc_job *job)
{
	struct chunk_extent *free_nodes = NULL;
	struct chunk_vmas vmas = { NULL };
	struct chunk_extent *extent;
	enum alloc_outcome outcome;
	struct chunk_region *region;
	bool recycled;

	spin_lock(&context->lock);
	outcome = alloc_take(context, job, &extent, &recycled);
	if (outcome == ALLOC_DONE) {
		region = extent->owner;
		chunk_region_get(region);
	}
	spin_unlock(&context->lock);
	if (outcome != ALLOC_DONE)
		return outcome;

	job->err = -ESTALE;
	if (alloc_mapping_ok(context, extent, &vmas))
		job->err = alloc_prepare(context, extent, vmas.only);
	/* Address space belongs to one extent at a time. */
	if (job->err == -ESTALE || WARN_ON_ONCE(job->err == -EEXIST)) {
		chunk_drop_extent(context, extent);
		chunk_region_put(region);
		return ALLOC_RETRY;
	}
	spin_lock(&context->lock);
	if (job->err)
		alloc_put_back(context, extent, recycled, &free_nodes);
	else
		alloc_publish(context, job, extent, recycled);
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
	chunk_region_put(region);
	return job->err ? ALLOC_FAILED : ALLOC_DONE;
}

static enum alloc_outcome alloc_checked(struct chunk_context *context,
					struct chunk_alloc_job *job)
{
	enum alloc_outcome outcome;

	do {
		job->err = -EINTR;
		if (mmap_read_lock_killable(context->mm))
			return ALLOC_FAILED;
		outcome = alloc_slow(context, job);
		mmap_read_unlock(context->mm);
		if (outcome == ALLOC_RETRY && fatal_signal_pending(current)) {
			job->err = -EINTR;
			return ALLOC_FAILED;
		}
	} while (outcome == ALLOC_RETRY);
	return outcome;
}

/*
 * Map more. Nobody is to go without because of address space that is merely
 * kept: if the system refuses more, the context first returns extents whose
 * unmapping splits no mapping, then the others.
 */
static int alloc_grow_or_trim(struct chunk_context *context, struct file *file,
			      const struct chunk_alloc_job *job)
{
	int err = chunk_grow(context, file, job->size, job->alignment);

	/* No address space has room for that, however much is returned. */
	if (job->size > TASK_SIZE / 2 || job->alignment > TASK_SIZE / 2)
		return err;
	if (err == -ENOSPC && chunk_free_trim(context, false))
		err = chunk_grow(context, file, job->size, job->alignment);
	if (err == -ENOSPC && chunk_free_trim(context, true))
		err = chunk_grow(context, file, job->size, job->alignment);
	return err;
}

/* Map more, unless somebody did since @grown was read. */
static int alloc_grow(struct chunk_context *context, struct file *file,
		      const struct chunk_alloc_job *job, unsigned long grown)
{
	int err = 0;

	if (mutex_lock_killable(&context->map_lock))
		return -EINTR;
	if (context->grown == grown)
		err = alloc_grow_or_trim(context, file, job);
	mutex_unlock(&context->map_lock);
	return err == -ENOSPC ? -ENOMEM : err;
}

/* Provide what the job lacked, or do it. Returns whether the job is over. */
static bool alloc_provide(struct chunk_context *context, struct file *file,
			  struct chunk_alloc_job *job,
			  enum alloc_outcome outcome, unsigned long grown)
{
	if (outcome == ALLOC_NEEDS_CHECK)
		outcome = alloc_checked(context, job);
	if (outcome == ALLOC_NEEDS_NODES)
		job->err = chunk_nodes_refill(context);
	else if (outcome == ALLOC_NEEDS_SPACE)
		job->err = alloc_grow(context, file, job, grown);
	else
		return true;
	if (!job->err && fatal_signal_pending(current))
		job->err = -EINTR;
	return job->err;
}

static noinline void alloc_trace(const struct chunk_alloc_job *jobs,
				 unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		bool done = !jobs[i].err;

		trace_chunk_alloc(done ? jobs[i].addr : 0, jobs[i].size,
				  jobs[i].alignment, jobs[i].decommitted,
				  done && jobs[i].recycled, jobs[i].err);
	}
}

/**
 * chunk_extent_alloc() - hand out extents
 * @context: the context, of current->mm
 * @file:    its file
 * @jobs:    the extents wanted. @err is set to 0; or to -ENOMEM or -EINTR, and
 *           then @addr is left alone
 * @nr:      number of jobs, up to CHUNK_JOBS
 *
 * Hands out each extent decommitted, or committed and zero, as its job says.
 *
 * Context: may sleep; no lock held.
 */
void chunk_extent_alloc(struct chunk_context *context, struct file *file,
			struct chunk_alloc_job *jobs, unsigned int nr)
{
	enum alloc_outcome outcome;
	unsigned int done = 0;

	while (done < nr) {
		unsigned long grown = READ_ONCE(context->grown);

		done += alloc_fast(context, jobs + done, nr - done, &outcome);
		if (done == nr)
			break;
		if (alloc_provide(context, file, &jobs[done], outcome, grown))
			done++;
	}
	if (trace_chunk_alloc_enabled())
		alloc_trace(jobs, nr);
}
