// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making pages of live extents accessible, or making them trap.
 */
#include <linux/mm.h>

#include "chunk_module.h"

/**
 * struct change - a range whose state is to change
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @end:     byte after the last
 * @commit:  commit, else decommit
 * @only:    the extent, if one contains the whole range
 * @region:  after -EAGAIN: has no page bitmap at @at; a reference is held
 * @at:      an address in it
 * @holed:   a region in the range was tampered with
 * @applied: how many bytes have changed, from the first on. Less than all only
 *           where one of several extents was given back meanwhile
 */
struct change {
	struct chunk_context *context;
	unsigned long addr;
	unsigned long end;
	bool commit;
	struct chunk_extent *only;
	struct chunk_region *region;
	unsigned long at;
	bool holed;
	unsigned long applied;
};

/* The live extent at @from, and how much of the rest of the range it covers */
static struct chunk_extent *live_part(const struct change *change,
				      unsigned long from, unsigned long *part)
{
	struct chunk_context *context = change->context;
	struct chunk_extent *extent = chunk_radix_lookup(&context->live, from);

	lockdep_assert_held(&context->lock);
	if (!extent || !extent->live)
		return NULL;
	*part = min(change->end, extent->addr + extent->size) - from;
	return extent;
}

/* -EAGAIN: a page bitmap is missing, see @region and @at. */
static int check_part(struct change *change, struct chunk_extent *extent,
		      unsigned long from, unsigned long part)
{
	struct chunk_region *region = extent->owner;

	change->holed |= region->holed;
	if (!chunk_region_wants_leaf(region, change->commit, from, part,
				     &change->at))
		return 0;
	change->region = region;
	chunk_region_get(region);
	return -EAGAIN;
}

/*
 * Is the range live, and is all there that the change needs? Others get the lock
 * between one extent and the next: only of one alone it still holds when this
 * returns.
 */
static int check(struct change *change)
{
	struct chunk_context *context = change->context;
	unsigned long from, part;
	int err = 0;

	change->holed = false;
	change->only = NULL;
	for (from = change->addr; !err && from < change->end; from += part) {
		struct chunk_extent *extent;

		if (from != change->addr)
			cond_resched_lock(&context->lock);
		extent = live_part(change, from, &part);
		if (!extent)
			return -ENOENT;
		if (part == change->end - change->addr)
			change->only = extent;
		err = check_part(change, extent, from, part);
	}
	return err;
}

static int add_leaf(struct change *change)
{
	int err = chunk_region_add_leaf(change->region, change->at);

	chunk_region_put(change->region);
	return err;
}

static void apply_part(struct change *change, struct chunk_extent *extent,
		       unsigned long from, unsigned long part)
{
	struct chunk_context *context = change->context;

	if (change->commit)
		context->decommitted -=
			chunk_region_commit(extent->owner, from, part);
	else
		context->decommitted +=
			chunk_region_decommit(extent->owner, from, part);
}

/* The parts of several extents: any of them may have changed since the check. */
static int apply_parts(struct change *change)
{
	struct chunk_context *context = change->context;
	unsigned long from, part;
	int err;

	for (from = change->addr; from < change->end; from += part) {
		struct chunk_extent *extent;

		cond_resched_lock(&context->lock);
		extent = live_part(change, from, &part);
		if (!extent)
			return -ENOENT;
		err = check_part(change, extent, from, part);
		if (err)
			return err;
		apply_part(change, extent, from, part);
		change->applied = max(change->applied,
				      from + part - change->addr);
	}
	return 0;
}

static int apply(struct change *change)
{
	struct chunk_context *context = change->context;
	int err = 0;

	if (change->only) {
		change->applied = change->end - change->addr;
		apply_part(change, change->only, change->addr, change->applied);
	} else {
		err = apply_parts(change);
	}
	if (err)
		return err;
	if (change->commit)
		context->counts.commits++;
	else
		context->counts.decommits++;
	return 0;
}

/* With mmap_lock held. @mapped: what chunk_check_mapped() said */
static int change_mapped(struct change *change, int mapped)
{
	struct chunk_context *context = change->context;
	int err;

	do {
		spin_lock(&context->lock);
		err = check(change);
		if (!err)
			err = mapped;
		if (!err)
			err = apply(change);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = add_leaf(change)));
	return err;
}

static int commit_mapped(struct change *change)
{
	struct chunk_context *context = change->context;
	unsigned long size = change->end - change->addr;
	struct vm_area_struct *vma = NULL;
	int err;

	if (mmap_read_lock_killable(context->mm))
		return -EINTR;
	err = chunk_check_mapped(context, change->addr, size, true, &vma);
	if (!err && context->huge)
		chunk_huge_zap(context, change->addr, size);
	err = change_mapped(change, err);
	mmap_read_unlock(context->mm);
	return err;
}

/* One at a time: a page is not zapped that somebody else has just committed. */
static int commit_huge(struct change *change)
{
	int err;

	if (mutex_lock_killable(&change->context->map_lock))
		return -EINTR;
	err = commit_mapped(change);
	mutex_unlock(&change->context->map_lock);
	return err;
}

static int commit_one(struct chunk_context *context, unsigned long addr,
		      unsigned long size)
{
	struct change change = {
		.context = context,
		.addr = addr,
		.end = addr + size,
		.commit = true,
	};
	int err;

	if (context->huge)
		return commit_huge(&change);
	do {
		spin_lock(&context->lock);
		err = check(&change);
		if (!err && !change.holed)
			err = apply(&change);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = add_leaf(&change)));
	if (err || !change.holed)
		return err;
	return commit_mapped(&change);
}

/**
 * chunk_commit() - make pages of live extents accessible
 * @context: the context, of current->mm
 * @jobs:    ranges: first byte and size in bytes, page-aligned. @err is set to
 *           0; -ENOENT if part of the range is not live; -ESTALE if part of it
 *           is not mapped any more; -ENOMEM; -EINTR after a fatal signal
 * @nr:      how many, up to CHUNK_JOBS
 *
 * Looks at mappings, which takes mmap_lock, only where they were tampered with.
 *
 * Context: may sleep; no lock held.
 */
void chunk_commit(struct chunk_context *context, struct chunk_job *jobs,
		  unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		jobs[i].err = commit_one(context, jobs[i].addr, jobs[i].size);
}

/* Starts from the mapping *@vma, and leaves there the one that it found. */
static void decommit_one(struct chunk_context *context, struct chunk_job *job,
			 bool locked, struct vm_area_struct **vma)
{
	struct change change = {
		.context = context,
		.addr = job->addr,
		.end = job->addr + job->size,
		.commit = false,
	};

	job->err = chunk_check_mapped(context, job->addr, job->size, locked,
				      vma);
	job->vma = *vma;
	job->err = change_mapped(&change, job->err);
	job->size = change.applied;
}

/**
 * chunk_decommit() - make pages of live extents trap, and free their memory
 * @context: the context, of current->mm
 * @jobs:    ranges: first byte and size in bytes, page-aligned. @err is set to
 *           0; -ENOENT if part of the range is not live; -ESTALE if part of it
 *           is not mapped any more; -EINVAL if part of it is mlocked and may
 *           not be; -ENOMEM; -EINTR after a fatal signal. @size is set to what
 *           traps now
 * @nr:      how many, up to CHUNK_JOBS
 * @locked:  also where they are mlocked
 *
 * Context: may sleep; no lock held.
 */
void chunk_decommit(struct chunk_context *context, struct chunk_job *jobs,
		    unsigned int nr, bool locked)
{
	struct vm_area_struct *vma = NULL;
	bool any = false;
	unsigned int i;

	for (i = 0; i < nr; i++)
		jobs[i].err = -EINTR;
	if (mmap_read_lock_killable(context->mm))
		return;
	for (i = 0; i < nr; i++) {
		decommit_one(context, &jobs[i], locked, &vma);
		any |= jobs[i].size > 0;
	}
	if (any && !context->huge)
		chunk_source_wait(context->space->gate);
	for (i = 0; i < nr; i++) {
		if (jobs[i].size)
			chunk_zap(context, jobs[i].addr, jobs[i].size,
				  jobs[i].vma);
	}
	mmap_read_unlock(context->mm);
}
