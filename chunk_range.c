// SPDX-License-Identifier: GPL-2.0-only
/*
 * Changing the state of pages of live extents: commit makes them accessible,
 * decommit makes them trap.
 *
 * A range may be as large as the address space and lie in any number of
 * extents. So a call works in steps, counted by struct change's @work: between
 * two steps it gives context->lock away, and mmap_lock if somebody waits for
 * it, and ends if a fatal signal is pending. First it checks the whole range,
 * so that a call that is refused has changed nothing. If others change part of
 * the range meanwhile, the step that comes to that part finds it. docs/loops.md
 * has the figures.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"
#include "chunk_trace.h"

/* Chunks to go over in one step; an extent counts as so many more. */
#define STEP_WORK	((long)(CHUNK_STEP / CHUNK_SIZE))
#define EXTENT_WORK	16L

/* Bytes of the huge backing to search for decommitted pages in one step */
#define HUGE_STEP	(64ULL << 30)

/**
 * enum change_mode - purpose of going over a range
 * @CHANGE_NOTHING: only check the range, and provide page bitmaps
 * @CHANGE_WHOLE:   change the range unless one of its regions may have holes
 * @CHANGE_MAPPED:  change the range if its mappings, which were checked, allow it
 */
enum change_mode {
	CHANGE_NOTHING,
	CHANGE_WHOLE,
	CHANGE_MAPPED,
};

/**
 * struct change - a range whose state is to change
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @end:     byte after the last
 * @commit:  commit, else decommit
 * @locked:  mlocked pages are acceptable
 * @part:    not the last part of a call, so not counted as one
 * @mapped:  mmap_lock is held for reading
 * @moved:   mmap_lock was given away since; mappings found before are invalid
 * @unmapped: 0, or the error of chunk_check_mapped() for the range
 * @work:    chunks to go over before others are let in
 * @only:    the extent, if one contains the whole range, else NULL
 * @region:  after -EAGAIN: has no page bitmap at @at; a reference is held
 * @at:      an address in it
 * @may_have_holes: a region in the range may have holes
 * @applied: bytes that have changed, from the first on. Less than all only if
 *           others interfered, or after a fatal signal
 */
struct change {
	struct chunk_context *context;
	unsigned long addr;
	unsigned long end;
	bool commit;
	bool locked;
	bool part;
	bool mapped;
	bool moved;
	int unmapped;
	long work;
	struct chunk_extent *only;
	struct chunk_region *region;
	unsigned long at;
	bool may_have_holes;
	unsigned long applied;
};

/*
 * Check the mappings, starting from the mapping *@vma, which is set to the one
 * that covers the range.
 *
 * Context: mmap_lock held.
 */
static void change_check_mapped(struct change *change,
				struct vm_area_struct **vma)
{
	change->unmapped = chunk_check_mapped(change->context, change->addr,
					      change->end - change->addr,
					      change->locked, vma);
	/* mseal() forbids to discard contents, which a commit does not do. */
	if (change->commit && change->unmapped == -EACCES)
		change->unmapped = 0;
}

/*
 * Let others in between two steps, without context->lock. After -EINTR
 * mmap_lock may not be held any more: see @mapped.
 */
static int change_let_others_in(struct change *change)
{
	struct mm_struct *mm = change->context->mm;

	cond_resched();
	if (fatal_signal_pending(current))
		return -EINTR;
	if (!change->mapped || !mmap_lock_is_contended(mm))
		return 0;
	mmap_read_unlock(mm);
	change->moved = true;
	change->mapped = !mmap_read_lock_killable(mm);
	return change->mapped ? 0 : -EINTR;
}

/*
 * The same with context->lock held. Not by cond_resched_lock(), which lets no
 * waiting CPU have the lock on a kernel without preemption.
 */
static int change_end_step(struct change *change)
	__must_hold(&change->context->lock)
{
	bool moved = change->moved;
	struct vm_area_struct *vma = NULL;
	int err;

	change->moved = false;
	spin_unlock(&change->context->lock);
	err = change_let_others_in(change);
	if (!err && change->moved)
		change_check_mapped(change, &vma);
	spin_lock(&change->context->lock);
	change->moved |= moved;
	change->work = STEP_WORK;
	return err;
}

/* The live extent at @from; *@part is how much of the rest of the range it covers */
static struct chunk_extent *change_live_part(const struct change *change,
					     unsigned long from,
					     unsigned long *part)
{
	struct chunk_context *context = change->context;
	struct chunk_extent *extent = chunk_radix_lookup(&context->live, from);

	lockdep_assert_held(&context->lock);
	if (!extent || !extent->live)
		return NULL;
	/* Otherwise there would be no progress. */
	if (WARN_ON_ONCE(from - extent->addr >= extent->size))
		return NULL;
	*part = min(change->end, extent->addr + extent->size) - from;
	return extent;
}

/* -EAGAIN: a page bitmap is missing, see @region and @at. */
static int change_check_part(struct change *change,
			     struct chunk_extent *extent, unsigned long from,
			     unsigned long part)
{
	struct chunk_region *region = extent->owner;

	change->may_have_holes |= region->may_have_holes;
	if (!chunk_region_wants_page_bitmap(region, change->commit, from, part,
					    &change->at))
		return 0;
	change->region = region;
	chunk_region_get(region);
	return -EAGAIN;
}

/*
 * Is the range live, and are its page bitmaps there? Others get the lock
 * between some extents and the next: for one extent alone the answer still
 * holds when this returns.
 */
static int change_check(struct change *change)
{
	unsigned long from, part;
	int err = 0;

	change->may_have_holes = false;
	change->only = NULL;
	change->work = STEP_WORK;
	for (from = change->addr; !err && from < change->end; from += part) {
		struct chunk_extent *extent;

		if (change->work <= 0) {
			err = change_end_step(change);
			if (err)
				break;
		}
		extent = change_live_part(change, from, &part);
		if (!extent)
			return -ENOENT;
		if (part == change->end - change->addr)
			change->only = extent;
		change->work -= EXTENT_WORK;
		err = change_check_part(change, extent, from, part);
	}
	return err;
}

static int change_add_page_bitmap(struct change *change)
{
	int err = chunk_region_add_page_bitmap(change->region, change->at);

	chunk_region_put(change->region);
	return err;
}

static void change_part(struct change *change, struct chunk_extent *extent,
			unsigned long from, unsigned long part)
{
	bool commit = change->commit;
	unsigned long pages;

	pages = commit ? chunk_region_commit(extent->owner, from, part) :
			 chunk_region_decommit(extent->owner, from, part);
	chunk_account_pages(change->context, extent, pages, commit);
}

/*
 * Change the parts of several extents, or of a large one: any of them may have
 * changed since the check.
 */
static int change_parts(struct change *change)
{
	unsigned long from, part;
	int err;

	for (from = change->addr; from < change->end; from += part) {
		struct chunk_extent *extent;

		if (change->work <= 0) {
			err = change_end_step(change);
			if (err || change->unmapped)
				return err ?: change->unmapped;
		}
		extent = change_live_part(change, from, &part);
		if (!extent)
			return -ENOENT;
		part = min(part, CHUNK_STEP - from % CHUNK_STEP);
		err = change_check_part(change, extent, from, part);
		if (err)
			return err;
		change_part(change, extent, from, part);
		change->applied = max(change->applied,
				      from + part - change->addr);
		change->work -= EXTENT_WORK + part / CHUNK_SIZE;
	}
	return 0;
}

static int change_apply(struct change *change)
{
	unsigned long size = change->end - change->addr;
	int err = 0;

	if (change->only && size <= CHUNK_STEP) {
		change->applied = size;
		change_part(change, change->only, change->addr, size);
	} else {
		err = change_parts(change);
	}
	if (err || change->part)
		return err;
	chunk_account_call(change->context, change->commit);
	return 0;
}

/*
 * Check the range, providing page bitmaps, then change it as @mode says.
 * Inline, so that each mode has only its own tests.
 */
static __always_inline int change_run(struct change *change,
				      enum change_mode mode)
{
	struct chunk_context *context = change->context;
	int err;

	do {
		spin_lock(&context->lock);
		err = change_check(change);
		if (!err && mode != CHANGE_WHOLE)
			err = change->unmapped;
		if (!err && mode != CHANGE_NOTHING &&
		    (mode == CHANGE_MAPPED || !change->may_have_holes))
			err = change_apply(change);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = change_add_page_bitmap(change)));
	return err;
}

static int change_lock_mapped(struct change *change)
{
	struct vm_area_struct *vma = NULL;

	if (mmap_read_lock_killable(change->context->mm))
		return -EINTR;
	change->mapped = true;
	change_check_mapped(change, &vma);
	return 0;
}

static void change_unlock_mapped(struct change *change)
{
	if (change->mapped)
		mmap_read_unlock(change->context->mm);
	change->mapped = false;
}

/* After change_check_mapped() */
static int change_mapped(struct change *change)
{
	return change_run(change, CHANGE_MAPPED);
}

static int commit_mapped(struct change *change)
{
	int err = change_lock_mapped(change);

	if (!err)
		err = change_mapped(change);
	change_unlock_mapped(change);
	return err;
}

/*
 * Commit the first part of the range, and move its start behind that. One
 * caller at a time, lest it zaps a page that another has just committed.
 */
static int commit_huge_step(struct change *whole)
{
	struct change step = *whole;
	int err;

	if (mutex_lock_killable(&step.context->map_lock))
		return -EINTR;
	step.end = step.addr + min_t(u64, step.end - step.addr, HUGE_STEP);
	err = change_lock_mapped(&step);
	if (!err && !step.unmapped)
		err = chunk_huge_zap(step.context, step.addr, &step.end);
	if (!err) {
		step.part = step.end < whole->end;
		err = change_mapped(&step);
	}
	change_unlock_mapped(&step);
	mutex_unlock(&step.context->map_lock);
	whole->addr = step.end;
	return err;
}

/* A range that one step commits needs no check before: the step has its own. */
static int commit_huge_check(struct change *change)
{
	int err;

	if (change->end - change->addr <= CHUNK_SIZE)
		return 0;
	err = change_lock_mapped(change);
	if (!err)
		err = change_run(change, CHANGE_NOTHING);
	change_unlock_mapped(change);
	return err;
}

static int commit_huge(struct change *change)
{
	int err = commit_huge_check(change);

	while (!err && change->addr < change->end) {
		err = commit_huge_step(change);
		cond_resched();
		if (!err && change->addr < change->end &&
		    fatal_signal_pending(current))
			err = -EINTR;
	}
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
		.locked = true,
	};
	int err;

	if (chunk_is_huge(context))
		return commit_huge(&change);
	err = change_run(&change, CHANGE_WHOLE);
	if (err || !change.may_have_holes)
		return err;
	return commit_mapped(&change);
}

/*
 * The jobs before @end. Not inline, and not from the first job: without a tracer, a
 * commit would save registers for it.
 */
static noinline void range_trace_commit(const struct chunk_range_job *end,
					unsigned int nr)
{
	const struct chunk_range_job *job;

	for (job = end - nr; job < end; job++)
		trace_chunk_commit(job->addr, job->size, job->err);
}

/**
 * chunk_range_commit() - make pages of live extents accessible
 * @context: the context, of current->mm
 * @jobs:    ranges. @err is set to 0; -ENOENT if part of the range is not live;
 *           -ESTALE if part of it is not mapped any more; -ENOMEM; -EINTR after
 *           a fatal signal, with part of the range perhaps committed
 * @nr:      number of jobs, up to CHUNK_JOBS
 *
 * Checks mappings, which takes mmap_lock, only where regions may have holes.
 *
 * Context: may sleep; no lock held.
 */
void chunk_range_commit(struct chunk_context *context,
			struct chunk_range_job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		jobs[i].err = -EINTR;
		if (!i || !fatal_signal_pending(current))
			jobs[i].err = commit_one(context, jobs[i].addr,
						 jobs[i].size);
	}
	if (trace_chunk_commit_enabled())
		range_trace_commit(jobs + i, i);
}

/* Make one range trap, starting from the mapping *@vma, which is set to its own. */
static void decommit_one(struct change *change, struct chunk_range_job *job,
			 struct vm_area_struct **vma)
{
	change->addr = job->addr;
	change->end = job->addr + job->size;
	change->applied = 0;
	change_check_mapped(change, vma);
	job->vma = *vma;
	job->err = change_mapped(change);
	job->trapped = change->applied;
}

/* Make the ranges trap; returns whether all jobs were done, successfully or not. */
static bool decommit_all(struct change *change, struct chunk_range_job *jobs,
			 unsigned int nr)
{
	struct vm_area_struct *vma = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		decommit_one(change, &jobs[i], &vma);
		if (change_let_others_in(change))
			return false;
		if (change->moved)
			vma = NULL;
	}
	return true;
}

/* Free the memory of the pages that the jobs made trap. */
static void decommit_zap(struct change *change,
			 const struct chunk_range_job *jobs, unsigned int nr)
{
	unsigned long addr, end, size;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		end = jobs[i].addr + jobs[i].trapped;
		for (addr = jobs[i].addr; addr < end; addr += size) {
			size = min(end - addr,
				   CHUNK_ZAP_STEP - addr % CHUNK_ZAP_STEP);
			if (chunk_zap(change->context, addr, size,
				      change->moved ? NULL : jobs[i].vma) ||
			    change_let_others_in(change))
				return;
		}
	}
}

/* Not inline, as range_trace_commit() */
static noinline void range_trace_decommit(const struct chunk_range_job *jobs,
					  unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++)
		trace_chunk_decommit(jobs[i].addr, jobs[i].size, jobs[i].err);
}

/**
 * chunk_range_decommit() - make pages of live extents trap, and free their memory
 * @context: the context, of current->mm
 * @jobs:    ranges. @err is set to 0; -ENOENT if part of the range is not live;
 *           -ESTALE if part of it is not mapped any more; -EINVAL if part of it
 *           is mlocked and may not be; -EACCES if mseal() keeps its contents;
 *           -ENOMEM; -EINTR after a fatal signal, with part of the range perhaps
 *           decommitted, and part of that not freed
 * @nr:      number of jobs, up to CHUNK_JOBS
 * @locked:  decommit mlocked pages, too
 *
 * Context: may sleep; no lock held.
 */
void chunk_range_decommit(struct chunk_context *context,
			  struct chunk_range_job *jobs, unsigned int nr,
			  bool locked)
{
	struct change change = {
		.context = context,
		.locked = locked,
	};
	bool any = false;
	unsigned int i;

	for (i = 0; i < nr; i++)
		jobs[i].err = -EINTR;
	if (mmap_read_lock_killable(context->mm))
		return;
	change.mapped = true;
	/* Otherwise a fatal signal has come: the memory goes with the process. */
	if (decommit_all(&change, jobs, nr)) {
		for (i = 0; i < nr; i++)
			any |= jobs[i].trapped > 0;
		if (any && !chunk_is_huge(context))
			chunk_gate_synchronize(context->space->gate);
		decommit_zap(&change, jobs, nr);
	}
	/* Under the lock: otherwise the jobs would be kept at hand for it. */
	if (trace_chunk_decommit_enabled())
		range_trace_decommit(jobs, nr);
	change_unlock_mapped(&change);
}
