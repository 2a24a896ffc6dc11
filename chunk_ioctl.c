// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's ioctls: arguments in, arguments out. Every number is hostile.
 *
 * include/uapi/linux/chunk.h specifies each call and its errors. No lock is
 * held while user memory is read or written.
 */
#include <linux/compat.h>
#include <linux/errno.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/nospec.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>
#include <linux/uaccess.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

/*
 * Read a structure of exactly the size that this module knows, the usual case:
 * by words, each a single instruction, while copy_from_user() would take a
 * hundred.
 */
static __always_inline int ioctl_get_words(u64 *args, size_t size,
					   const u64 __user *from)
{
	size_t i;

	if (!user_read_access_begin(from, size))
		return -EFAULT;
	for (i = 0; i < size / sizeof(u64); i++)
		unsafe_get_user(args[i], from + i, fault);
	user_read_access_end();
	return 0;
fault:
	user_read_access_end();
	return -EFAULT;
}

/* Read a structure, which is at least as long as in CHUNK_ABI 1. */
static __always_inline int ioctl_get_args(void *args, size_t size,
					  const void __user *from)
{
	u32 user_size;

	BUILD_BUG_ON(size % sizeof(u64));
	if (get_user(user_size, (const u32 __user *)from))
		return -EFAULT;
	if (likely(user_size == size && IS_ALIGNED((uintptr_t)from, 8)))
		return ioctl_get_words(args, size, from);
	if (user_size < size)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(args, size, from, user_size);
}

/*
 * Read a structure that was @least bytes long in CHUNK_ABI 1 and has grown
 * since. *@user_size is set to the number of bytes that the caller knows.
 */
static int ioctl_get_grown_args(void *args, size_t size, size_t least,
				const void __user *from, u32 *user_size)
{
	if (get_user(*user_size, (const u32 __user *)from))
		return -EFAULT;
	if (*user_size < least)
		return -EINVAL;
	if (*user_size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(args, size, from, *user_size);
}

static int ioctl_put_args(void __user *to, const void *args, size_t size)
{
	return copy_to_user(to, args, size) ? -EFAULT : 0;
}

/* Is [addr, addr + length) a non-empty range in units of @unit? */
static bool ioctl_range_ok(u64 addr, u64 length, u64 unit)
{
	return length && IS_ALIGNED(addr | length, unit) &&
	       addr < TASK_SIZE && length <= TASK_SIZE - addr;
}

/* CHUNK_CAP_*: what works on this kernel */
static u64 ioctl_caps(void)
{
	/* The huge backing needs zap: we must zap pages before reuse. */
	return CHUNK_CAP_GUARDED | CHUNK_CAP_OFFER |
	       (CHUNK_HAVE_ZAP ? CHUNK_CAP_ZAP | CHUNK_CAP_HUGE : 0);
}

static int ioctl_info(struct file *file, void __user *arg)
{
	struct chunk_ioc_info info;
	int err = ioctl_get_args(&info, sizeof(info), arg);

	if (err)
		return err;
	info = (struct chunk_ioc_info) {
		.size = sizeof(info),
		.abi = CHUNK_ABI,
		.caps = ioctl_caps(),
		.chunk_size = CHUNK_SIZE,
		.page_size = PAGE_SIZE,
		.max_recycle_limit = chunk_max_recycle_limit(),
	};
	return ioctl_put_args(arg, &info, sizeof(info));
}

static int ioctl_configure(struct file *file, void __user *arg)
{
	struct chunk_context *context = file->private_data;
	struct chunk_ioc_configure args;
	int err = ioctl_get_args(&args, sizeof(args), arg);
	u8 special;

	if (err)
		return err;
	if (args.flags || args.pad || args.grow > TASK_SIZE ||
	    !IS_ALIGNED(args.grow, CHUNK_SIZE) ||
	    args.backing > CHUNK_BACKING_HUGE)
		return -EINVAL;
	if (args.backing == CHUNK_BACKING_HUGE &&
	    !(ioctl_caps() & CHUNK_CAP_HUGE))
		return -EOPNOTSUPP;

	spin_lock(&context->lock);
	if (context->configured) {
		err = -EBUSY;
	} else {
		special = context->special & ~CHUNK_SPECIAL_HUGE;
		if (args.backing == CHUNK_BACKING_HUGE)
			special |= CHUNK_SPECIAL_HUGE;
		WRITE_ONCE(context->special, special);
		if (args.grow)
			WRITE_ONCE(context->grow, args.grow);
	}
	spin_unlock(&context->lock);
	return err;
}

/* Check the arguments of an allocation and make a job of them. */
static __always_inline int ioctl_alloc_job(struct chunk_alloc_job *job,
					   u64 length, u64 alignment,
					   u32 flags)
{
	if (!length || !IS_ALIGNED(length, CHUNK_SIZE) ||
	    !is_power_of_2(alignment) || alignment < CHUNK_SIZE ||
	    length + alignment < length)
		return -EINVAL;
	if (length > CHUNK_LENGTH_MAX || length > TASK_SIZE ||
	    alignment > TASK_SIZE)
		return -ENOMEM;
	job->size = length;
	job->alignment = alignment;
	job->decommitted = flags & CHUNK_ALLOC_DECOMMITTED;
	return 0;
}

static int ioctl_dealloc_job(struct chunk_dealloc_job *job, u64 addr,
			     u64 length, u32 type)
{
	/* The type has no effect, since extents are zeroed, but must be valid. */
	if (type > CHUNK_TYPE_RECYCLED || !ioctl_range_ok(addr, length, CHUNK_SIZE))
		return -EINVAL;
	job->addr = addr;
	job->size = length;
	return 0;
}

static int ioctl_range_job(struct chunk_range_job *job, u64 addr, u64 length)
{
	if (!ioctl_range_ok(addr, length, PAGE_SIZE))
		return -EINVAL;
	job->addr = addr;
	job->size = length;
	return 0;
}

#define ALLOC_FLAGS	(CHUNK_ALLOC_POPULATE | CHUNK_ALLOC_DECOMMITTED)

/* A decommitted extent has no pages to populate. */
static bool ioctl_alloc_flags_ok(u32 flags)
{
	return !(flags & ~ALLOC_FLAGS) && flags != ALLOC_FLAGS;
}

/* Populate the extents, and take back those that cannot be. */
static void ioctl_alloc_populate(struct chunk_context *context,
				 struct chunk_alloc_job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!jobs[i].err)
			jobs[i].err = chunk_range_populate(jobs[i].addr,
							   jobs[i].size);
	}
	for (i = 0; i < nr; i++) {
		if (jobs[i].err && jobs[i].addr)
			chunk_extent_undo_alloc(context, &jobs[i]);
	}
}

static void ioctl_alloc_jobs(struct file *file, struct chunk_alloc_job *jobs,
			     unsigned int nr, u32 flags)
{
	unsigned int i;

	if (likely(!(flags & CHUNK_ALLOC_POPULATE))) {
		chunk_extent_alloc(file->private_data, file, jobs, nr);
		return;
	}
	for (i = 0; i < nr; i++)
		jobs[i].addr = 0;
	chunk_extent_alloc(file->private_data, file, jobs, nr);
	ioctl_alloc_populate(file->private_data, jobs, nr);
}

static void ioctl_commit_jobs(struct chunk_context *context,
			      struct chunk_range_job *jobs, unsigned int nr,
			      u32 flags)
{
	unsigned int i;

	chunk_range_commit(context, jobs, nr);
	if (!(flags & CHUNK_COMMIT_POPULATE))
		return;
	for (i = 0; i < nr; i++) {
		if (!jobs[i].err)
			jobs[i].err = chunk_range_populate(jobs[i].addr,
							   jobs[i].size);
	}
}

static int ioctl_alloc(struct file *file, void __user *arg)
{
	struct chunk_ioc_alloc __user *uargs = arg;
	struct chunk_ioc_alloc args;
	struct chunk_alloc_job job;
	int err = ioctl_get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (!ioctl_alloc_flags_ok(args.flags))
		return -EINVAL;
	err = ioctl_alloc_job(&job, args.length, args.alignment, args.flags);
	if (err)
		return err;
	/* Faults here, so that a caller who cannot be told the address gets none. */
	if (put_user(0ULL, &uargs->addr))
		return -EFAULT;
	ioctl_alloc_jobs(file, &job, 1, args.flags);
	if (job.err)
		return job.err;
	if (put_user((u64)job.addr, &uargs->addr)) {
		chunk_extent_undo_alloc(file->private_data, &job);
		return -EFAULT;
	}
	return 0;
}

static int ioctl_dealloc(struct file *file, void __user *arg)
{
	struct chunk_ioc_dealloc args;
	struct chunk_dealloc_job job;
	int err = ioctl_get_args(&args, sizeof(args), arg);

	if (!err)
		err = ioctl_dealloc_job(&job, args.addr, args.length,
					args.type);
	if (err)
		return err;
	chunk_extent_dealloc(file->private_data, &job, 1);
	return job.err;
}

/* Read the argument of COMMIT or DECOMMIT, and make a job of it. */
static __always_inline int ioctl_get_range(struct chunk_ioc_range *args,
					   struct chunk_range_job *job,
					   u32 flags, const void __user *arg)
{
	int err = ioctl_get_args(args, sizeof(*args), arg);

	if (!err && args->flags & ~flags)
		err = -EINVAL;
	return err ?: ioctl_range_job(job, args->addr, args->length);
}

static int ioctl_commit(struct file *file, void __user *arg)
{
	struct chunk_ioc_range args;
	struct chunk_range_job job;
	int err = ioctl_get_range(&args, &job, CHUNK_COMMIT_POPULATE, arg);

	if (err)
		return err;
	ioctl_commit_jobs(file->private_data, &job, 1, args.flags);
	return job.err;
}

static int ioctl_decommit(struct file *file, void __user *arg)
{
	struct chunk_ioc_range args;
	struct chunk_range_job job;
	int err = ioctl_get_range(&args, &job, CHUNK_DECOMMIT_LOCKED, arg);

	if (err)
		return err;
	chunk_range_decommit(file->private_data, &job, 1,
			     args.flags & CHUNK_DECOMMIT_LOCKED);
	return job.err;
}

/**
 * struct batch - part of a batch at work
 * @ops:     the user's operations
 * @alloc:   jobs of the well-formed operations of an ALLOC
 * @dealloc: the same of a DEALLOC
 * @range:   the same of a COMMIT or DECOMMIT
 * @of:      index in @ops of each job's operation
 */
struct batch {
	struct chunk_ioc_op ops[CHUNK_JOBS];
	union {
		struct chunk_alloc_job alloc[CHUNK_JOBS];
		struct chunk_dealloc_job dealloc[CHUNK_JOBS];
		struct chunk_range_job range[CHUNK_JOBS];
	};
	u8 of[CHUNK_JOBS];
};

static const u32 batch_flags[] = {
	[CHUNK_BATCH_ALLOC] = ALLOC_FLAGS,
	[CHUNK_BATCH_DEALLOC] = 0,
	[CHUNK_BATCH_COMMIT] = CHUNK_COMMIT_POPULATE,
	[CHUNK_BATCH_DECOMMIT] = CHUNK_DECOMMIT_LOCKED,
};

static bool ioctl_batch_flags_ok(u32 what, u32 flags)
{
	if (what == CHUNK_BATCH_ALLOC)
		return ioctl_alloc_flags_ok(flags);
	return !(flags & ~batch_flags[what]);
}

/* Make job number @i of an operation. */
static int ioctl_batch_job(struct batch *batch, unsigned int i,
			   const struct chunk_ioc_op *op, u32 what, u32 flags)
{
	if (what != CHUNK_BATCH_ALLOC && op->alignment)
		return -EINVAL;
	if (what != CHUNK_BATCH_DEALLOC && op->type)
		return -EINVAL;
	switch (what) {
	case CHUNK_BATCH_ALLOC:
		return ioctl_alloc_job(&batch->alloc[i], op->length,
				       op->alignment, flags);
	case CHUNK_BATCH_DEALLOC:
		return ioctl_dealloc_job(&batch->dealloc[i], op->addr,
					 op->length, op->type);
	default:
		return ioctl_range_job(&batch->range[i], op->addr, op->length);
	}
}

static void ioctl_batch_do(struct file *file, struct batch *batch, unsigned int nr,
			   const struct chunk_ioc_batch *args)
{
	struct chunk_context *context = file->private_data;

	switch (args->what) {
	case CHUNK_BATCH_ALLOC:
		ioctl_alloc_jobs(file, batch->alloc, nr, args->flags);
		break;
	case CHUNK_BATCH_DEALLOC:
		chunk_extent_dealloc(context, batch->dealloc, nr);
		break;
	case CHUNK_BATCH_COMMIT:
		ioctl_commit_jobs(context, batch->range, nr, args->flags);
		break;
	case CHUNK_BATCH_DECOMMIT:
		chunk_range_decommit(context, batch->range, nr, args->flags);
		break;
	}
}

static int ioctl_batch_err(const struct batch *batch, unsigned int i, u32 what)
{
	switch (what) {
	case CHUNK_BATCH_ALLOC:
		return batch->alloc[i].err;
	case CHUNK_BATCH_DEALLOC:
		return batch->dealloc[i].err;
	default:
		return batch->range[i].err;
	}
}

/* Write the jobs' results into their operations; returns the number done. */
static unsigned int ioctl_batch_results(struct batch *batch, unsigned int nr,
					u32 what)
{
	unsigned int i, done = 0;

	for (i = 0; i < nr; i++) {
		struct chunk_ioc_op *op = &batch->ops[batch->of[i]];

		op->error = -ioctl_batch_err(batch, i, what);
		done += !op->error;
		if (what == CHUNK_BATCH_ALLOC && !op->error)
			op->addr = batch->alloc[i].addr;
	}
	return done;
}

/* A caller who cannot be told what it was given is given nothing. */
static void ioctl_batch_undo(struct file *file, struct batch *batch, unsigned int nr,
			     u32 what)
{
	unsigned int i;

	if (what != CHUNK_BATCH_ALLOC)
		return;
	for (i = 0; i < nr; i++) {
		if (!batch->alloc[i].err)
			chunk_extent_undo_alloc(file->private_data,
						&batch->alloc[i]);
	}
}

/* Do the @nr operations at @uops; adds to *@done. -EFAULT: none of them is done */
static int ioctl_batch_part(struct file *file, struct batch *batch,
			    struct chunk_ioc_op __user *uops, unsigned int nr,
			    const struct chunk_ioc_batch *args, u32 *done)
{
	size_t bytes = nr * sizeof(*uops);
	unsigned int i, jobs = 0, good;

	/* Written back at once: a fault here must come before anything is done. */
	if (copy_from_user(batch->ops, uops, bytes) ||
	    copy_to_user(uops, batch->ops, bytes))
		return -EFAULT;
	for (i = 0; i < nr; i++) {
		struct chunk_ioc_op *op = &batch->ops[i];

		if (args->what == CHUNK_BATCH_ALLOC)
			op->addr = 0;
		op->error = -ioctl_batch_job(batch, jobs, op, args->what,
					     args->flags);
		if (!op->error)
			batch->of[jobs++] = i;
	}
	ioctl_batch_do(file, batch, jobs, args);
	good = ioctl_batch_results(batch, jobs, args->what);
	if (copy_to_user(uops, batch->ops, bytes)) {
		ioctl_batch_undo(file, batch, jobs, args->what);
		return -EFAULT;
	}
	*done += good;
	return 0;
}

static int ioctl_batch(struct file *file, void __user *arg)
{
	struct chunk_ioc_batch __user *uargs = arg;
	struct chunk_ioc_op __user *uops;
	struct chunk_ioc_batch args;
	struct batch *batch;
	u32 done = 0, at;
	int err = ioctl_get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.what >= ARRAY_SIZE(batch_flags) || args.pad || !args.count ||
	    args.count > CHUNK_BATCH_MAX)
		return -EINVAL;
	args.what = array_index_nospec(args.what, ARRAY_SIZE(batch_flags));
	if (!ioctl_batch_flags_ok(args.what, args.flags))
		return -EINVAL;
	if (put_user(0U, &uargs->done))
		return -EFAULT;
	batch = kmalloc(sizeof(*batch), GFP_KERNEL_ACCOUNT);
	if (!batch)
		return -ENOMEM;
	uops = u64_to_user_ptr(args.ops);
	for (at = 0; at < args.count && !err; at += CHUNK_JOBS) {
		err = ioctl_batch_part(file, batch, uops + at,
				       min_t(u32, args.count - at, CHUNK_JOBS), &args,
				       &done);
		if (!err && fatal_signal_pending(current))
			err = -EINTR;
		cond_resched();
	}
	kfree(batch);
	/* Part of it may be done although there was an error later. */
	if (put_user(done, &uargs->done))
		return -EFAULT;
	return err;
}

static int ioctl_lookup(struct file *file, void __user *arg)
{
	struct chunk_ioc_lookup args;
	u32 size;
	int err = ioctl_get_grown_args(&args, sizeof(args), CHUNK_LOOKUP_SIZE_1, arg,
				       &size);

	if (err)
		return err;
	BUILD_BUG_ON(offsetof(struct chunk_ioc_lookup, end) !=
		     CHUNK_LOOKUP_SIZE_1);
	if (args.flags)
		return -EINVAL;
	chunk_report_lookup(file->private_data, &args);
	return ioctl_put_args(arg, &args, min_t(size_t, size, sizeof(args)));
}

static int ioctl_limit(struct file *file, void __user *arg)
{
	struct chunk_ioc_limit __user *uargs = arg;
	struct chunk_context *context = file->private_data;
	struct chunk_ioc_limit args;
	int err = ioctl_get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	/* Before the change: extents released by it could not be taken back. */
	if (put_user((u64)chunk_recycle_limit(context), &uargs->limit))
		return -EFAULT;
	return chunk_set_limit(context, min_t(u64, args.limit,
					      chunk_max_recycle_limit()));
}

static int ioctl_stats(struct file *file, void __user *arg)
{
	struct chunk_ioc_stats stats;
	u32 size;
	int err = ioctl_get_grown_args(&stats, sizeof(stats), CHUNK_STATS_SIZE_1, arg,
				       &size);

	if (err)
		return err;
	BUILD_BUG_ON(offsetof(struct chunk_ioc_stats, offered_bytes) !=
		     CHUNK_STATS_SIZE_1);
	if (stats.flags)
		return -EINVAL;
	chunk_report_stats(file->private_data, &stats);
	return ioctl_put_args(arg, &stats, min_t(size_t, size, sizeof(stats)));
}

/**
 * chunk_ioctl() - file_operations.unlocked_ioctl: do a call
 * @file: the device
 * @cmd:  CHUNK_IOC_*
 * @arg:  user address of the argument structure
 *
 * Context: may sleep; no lock held.
 * Return: 0 or one of the errors in include/uapi/linux/chunk.h.
 */
long chunk_ioctl(struct file *file, unsigned int cmd, unsigned long arg)
{
	struct chunk_context *context = file->private_data;
	void __user *uarg = (void __user *)arg;

	/* After fork, exec or fd passing the memory would be another process's. */
	if (current->mm != context->mm)
		return -EPERM;
	switch (cmd) {
	case CHUNK_IOC_INFO:
		return ioctl_info(file, uarg);
	case CHUNK_IOC_CONFIGURE:
		return ioctl_configure(file, uarg);
	case CHUNK_IOC_ALLOC:
		return ioctl_alloc(file, uarg);
	case CHUNK_IOC_DEALLOC:
		return ioctl_dealloc(file, uarg);
	case CHUNK_IOC_COMMIT:
		return ioctl_commit(file, uarg);
	case CHUNK_IOC_DECOMMIT:
		return ioctl_decommit(file, uarg);
	case CHUNK_IOC_LOOKUP:
		return ioctl_lookup(file, uarg);
	case CHUNK_IOC_LIMIT:
		return ioctl_limit(file, uarg);
	case CHUNK_IOC_STATS:
		return ioctl_stats(file, uarg);
	case CHUNK_IOC_BATCH:
		return ioctl_batch(file, uarg);
	default:
		return -ENOTTY;
	}
}
