// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making pages of live extents accessible, or making them trap.
 *
 * A range may be as large as the address space and lie in any number of extents.
 * So a call works in steps, counted by struct change's @work: between two of them
 * it gives context->lock away, and mmap_lock if somebody waits for it, and ends if
 * a fatal signal is pending. First all of the range is checked, so that a call
 * that is refused has changed nothing; what others change meanwhile is found
 * again in the step that it concerns. docs/loops.md has the figures.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_account.h"
#include "chunk_module.h"

/* Chunks to go over in one step; an extent counts as so many more. */
#define STEP_WORK	((long)(CHUNK_STEP / CHUNK_SIZE))
#define EXTENT_WORK	16L

/* On the huge backing: so much is searched for decommitted pages in one step */
#define HUGE_STEP	(64ULL << 30)

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
 * @unmapped: what chunk_check_mapped() said of the range, or 0
 * @work:    chunks that may be gone over before others are let in
 * @only:    the extent, if one contains the whole range
 * @region:  after -EAGAIN: has no page bitmap at @at; a reference is held
 * @at:      an address in it
 * @may_have_holes:   a region in the range was tampered with
 * @applied: how many bytes have changed, from the first on. Less than all only
 *           where others interfered, or after a fatal signal
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

/* With mmap_lock held. Starts from the mapping *@vma, leaves there what it found */
static void check_mapped(struct change *change, struct vm_area_struct **vma)
{
	change->unmapped = chunk_check_mapped(change->context, change->addr,
					      change->end - change->addr,
					      change->locked, vma);
	/* Discarding is what is refused, and a commit does not discard. */
	if (change->commit && change->unmapped == -EACCES)
		change->unmapped = 0;
}

/*
 * Between two steps, without context->lock. After -EINTR mmap_lock may not be
 * held any more: see @mapped.
 */
static int let_others_in(struct change *change)
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
 * Between two steps, with context->lock held. Explicitly, since cond_resched_lock()
 * lets no waiting CPU have the lock on a kernel without preemption.
 */
static int end_step(struct change *change)
	__must_hold(&change->context->lock)
{
	bool moved = change->moved;
	struct vm_area_struct *vma = NULL;
	int err;

	change->moved = false;
	spin_unlock(&change->context->lock);
	err = let_others_in(change);
	if (!err && change->moved)
		check_mapped(change, &vma);
	spin_lock(&change->context->lock);
	change->moved |= moved;
	change->work = STEP_WORK;
	return err;
}

/* The live extent at @from, and how much of the rest of the range it covers */
static struct chunk_extent *live_part(const struct change *change,
				      unsigned long from, unsigned long *part)
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
static int check_part(struct change *change, struct chunk_extent *extent,
		      unsigned long from, unsigned long part)
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
 * Is the range live, and is all there that the change needs? Others get the lock
 * between some extents and the next: only of one alone it still holds when this
 * returns.
 */
static int check(struct change *change)
{
	unsigned long from, part;
	int err = 0;

	change->may_have_holes = false;
	change->only = NULL;
	change->work = STEP_WORK;
	for (from = change->addr; !err && from < change->end; from += part) {
		struct chunk_extent *extent;

		if (change->work <= 0) {
			err = end_step(change);
			if (err)
				break;
		}
		extent = live_part(change, from, &part);
		if (!extent)
			return -ENOENT;
		if (part == change->end - change->addr)
			change->only = extent;
		change->work -= EXTENT_WORK;
		err = check_part(change, extent, from, part);
	}
	return err;
}

static int add_page_bitmap(struct change *change)
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
 * The parts of several extents, or of a large one: any of them may have changed
 * since the check.
 */
static int apply_parts(struct change *change)
{
	unsigned long from, part;
	int err;

	for (from = change->addr; from < change->end; from += part) {
		struct chunk_extent *extent;

		if (change->work <= 0) {
			err = end_step(change);
			if (err || change->unmapped)
				return err ?: change->unmapped;
		}
		extent = live_part(change, from, &part);
		if (!extent)
			return -ENOENT;
		part = min(part, CHUNK_STEP - from % CHUNK_STEP);
		err = check_part(change, extent, from, part);
		if (err)
			return err;
		change_part(change, extent, from, part);
		change->applied = max(change->applied,
				      from + part - change->addr);
		change->work -= EXTENT_WORK + part / CHUNK_SIZE;
	}
	return 0;
}

static int apply(struct change *change)
{
	struct chunk_context *context = change->context;
	unsigned long size = change->end - change->addr;
	int err = 0;

	if (change->only && size <= CHUNK_STEP) {
		change->applied = size;
		change_part(change, change->only, change->addr, size);
	} else {
		err = apply_parts(change);
	}
	if (err || change->part)
		return err;
	chunk_account_call(context, change->commit);
	return 0;
}

/* Check, and provide page bitmaps, but change nothing. */
static int prepare(struct change *change)
{
	struct chunk_context *context = change->context;
	int err;

	do {
		spin_lock(&context->lock);
		err = check(change);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = add_page_bitmap(change)));
	return err ?: change->unmapped;
}

/* With mmap_lock held, after check_mapped() */
static int change_mapped(struct change *change)
{
	struct chunk_context *context = change->context;
	int err;

	do {
		spin_lock(&context->lock);
		err = check(change);
		if (!err)
			err = change->unmapped;
		if (!err)
			err = apply(change);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = add_page_bitmap(change)));
	return err;
}

static int lock_mapped(struct change *change)
{
	struct vm_area_struct *vma = NULL;

	if (mmap_read_lock_killable(change->context->mm))
		return -EINTR;
	change->mapped = true;
	check_mapped(change, &vma);
	return 0;
}

static void unlock_mapped(struct change *change)
{
	if (change->mapped)
		mmap_read_unlock(change->context->mm);
	change->mapped = false;
}

static int commit_mapped(struct change *change)
{
	int err = lock_mapped(change);

	if (!err)
		err = change_mapped(change);
	unlock_mapped(change);
	return err;
}

/*
 * One at a time: a page is not zapped that somebody else has just committed.
 * Commits the first of the range, and moves its start there.
 */
static int commit_huge_step(struct change *whole)
{
	struct change step = *whole;
	int err;

	if (mutex_lock_killable(&step.context->map_lock))
		return -EINTR;
	step.end = step.addr + min_t(u64, step.end - step.addr, HUGE_STEP);
	err = lock_mapped(&step);
	if (!err && !step.unmapped)
		err = chunk_huge_zap(step.context, step.addr, &step.end);
	if (!err) {
		step.part = step.end < whole->end;
		err = change_mapped(&step);
	}
	unlock_mapped(&step);
	mutex_unlock(&step.context->map_lock);
	whole->addr = step.end;
	return err;
}

/* As much as one step does needs no check beforehand: the step has one itself. */
static int prepare_huge(struct change *change)
{
	int err;

	if (change->end - change->addr <= CHUNK_SIZE)
		return 0;
	err = lock_mapped(change);
	if (!err)
		err = prepare(change);
	unlock_mapped(change);
	return err;
}

static int commit_huge(struct change *change)
{
	int err = prepare_huge(change);

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

	if (context->huge)
		return commit_huge(&change);
	do {
		spin_lock(&context->lock);
		err = check(&change);
		if (!err && !change.may_have_holes)
			err = apply(&change);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = add_page_bitmap(&change)));
	if (err || !change.may_have_holes)
		return err;
	return commit_mapped(&change);
}

/**
 * chunk_commit() - make pages of live extents accessible
 * @context: the context, of current->mm
 * @jobs:    ranges: first byte and size in bytes, page-aligned. @err is set to
 *           0; -ENOENT if part of the range is not live; -ESTALE if part of it
 *           is not mapped any more; -ENOMEM; -EINTR after a fatal signal, with
 *           part of the range perhaps committed
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

	for (i = 0; i < nr; i++) {
		jobs[i].err = -EINTR;
		if (!i || !fatal_signal_pending(current))
			jobs[i].err = commit_one(context, jobs[i].addr,
						 jobs[i].size);
	}
}

/* Starts from the mapping *@vma, and leaves there the one that it found. */
static void decommit_one(struct change *change, struct chunk_job *job,
			 struct vm_area_struct **vma)
{
	change->addr = job->addr;
	change->end = job->addr + job->size;
	change->applied = 0;
	check_mapped(change, vma);
	job->vma = *vma;
	job->err = change_mapped(change);
	job->size = change->applied;
}

/* Make the jobs' ranges trap. Whether all of them were looked at */
static bool decommit_all(struct change *change, struct chunk_job *jobs,
			 unsigned int nr)
{
	struct vm_area_struct *vma = NULL;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		decommit_one(change, &jobs[i], &vma);
		if (let_others_in(change))
			return false;
		if (change->moved)
			vma = NULL;
	}
	return true;
}

/* Free the memory of what the jobs made trap. */
static void zap_all(struct change *change, struct chunk_job *jobs,
		    unsigned int nr)
{
	unsigned long addr, end, size;
	unsigned int i;

	for (i = 0; i < nr; i++) {
		end = jobs[i].addr + jobs[i].size;
		for (addr = jobs[i].addr; addr < end; addr += size) {
			size = min(end - addr,
				   CHUNK_ZAP_STEP - addr % CHUNK_ZAP_STEP);
			if (chunk_zap(change->context, addr, size,
				      change->moved ? NULL : jobs[i].vma) ||
			    let_others_in(change))
				return;
		}
	}
}

/**
 * chunk_decommit() - make pages of live extents trap, and free their memory
 * @context: the context, of current->mm
 * @jobs:    ranges: first byte and size in bytes, page-aligned. @err is set to
 *           0; -ENOENT if part of the range is not live; -ESTALE if part of it
 *           is not mapped any more; -EINVAL if part of it is mlocked and may
 *           not be; -ENOMEM; -EINTR after a fatal signal, with part of the range
 *           perhaps decommitted, and part of that not freed. @size is set to what
 *           traps now
 * @nr:      how many, up to CHUNK_JOBS
 * @locked:  also where they are mlocked
 *
 * Context: may sleep; no lock held.
 */
void chunk_decommit(struct chunk_context *context, struct chunk_job *jobs,
		    unsigned int nr, bool locked)
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
			any |= jobs[i].size > 0;
		if (any && !context->huge)
			chunk_gate_synchronize(context->space->gate);
		zap_all(&change, jobs, nr);
	}
	unlock_mapped(&change);
}
