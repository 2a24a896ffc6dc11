// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device's ioctls: arguments in, arguments out. Every number is hostile.
 *
 * include/uapi/linux/chunk.h says what each call does and which errors it
 * returns. No lock is held where user memory is read or written.
 */
#include <linux/compat.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/mm.h>
#include <linux/sched.h>
#include <linux/uaccess.h>

#include "chunk_module.h"

/*
 * A structure as long as it is known here, the usual case: by words, each a
 * single instruction, where copy_from_user() would take a hundred.
 */
static __always_inline int get_words(u64 *args, size_t size,
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

/* The size of the structures of CHUNK_ABI 1 is the least that is accepted. */
static __always_inline int get_args(void *args, size_t size,
				    const void __user *from)
{
	u32 user_size;

	BUILD_BUG_ON(size % sizeof(u64));
	if (get_user(user_size, (const u32 __user *)from))
		return -EFAULT;
	if (likely(user_size == size && IS_ALIGNED((uintptr_t)from, 8)))
		return get_words(args, size, from);
	if (user_size < size)
		return -EINVAL;
	if (user_size > PAGE_SIZE)
		return -E2BIG;
	return copy_struct_from_user(args, size, from, user_size);
}

static int put_args(void __user *to, const void *args, size_t size)
{
	return copy_to_user(to, args, size) ? -EFAULT : 0;
}

/* Is [addr, addr + length) a non-empty range in units of @unit? */
static bool range_ok(u64 addr, u64 length, u64 unit)
{
	return length && IS_ALIGNED(addr | length, unit) &&
	       addr < TASK_SIZE && length <= TASK_SIZE - addr;
}

static int ioctl_info(struct file *file, void __user *arg)
{
	struct chunk_ioc_info info;
	int err = get_args(&info, sizeof(info), arg);

	if (err)
		return err;
	info = (struct chunk_ioc_info) {
		.size = sizeof(info),
		.abi = CHUNK_ABI,
		.caps = chunk_caps(),
		.chunk_size = CHUNK_SIZE,
		.page_size = PAGE_SIZE,
		.max_recycle_limit = chunk_max_recycle_limit(),
	};
	return put_args(arg, &info, sizeof(info));
}

static int ioctl_configure(struct file *file, void __user *arg)
{
	struct chunk_context *context = file->private_data;
	struct chunk_ioc_configure args;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.flags || args.pad || args.grow > TASK_SIZE ||
	    !IS_ALIGNED(args.grow, CHUNK_SIZE) ||
	    args.backing > CHUNK_BACKING_HUGE)
		return -EINVAL;
	if (args.backing != CHUNK_BACKING_GUARDED)
		return -EOPNOTSUPP;

	spin_lock(&context->lock);
	if (context->configured)
		err = -EBUSY;
	else if (args.grow)
		WRITE_ONCE(context->grow, args.grow);
	spin_unlock(&context->lock);
	return err;
}

static int ioctl_alloc(struct file *file, void __user *arg)
{
	struct chunk_ioc_alloc __user *uargs = arg;
	struct chunk_context *context = file->private_data;
	struct chunk_ioc_alloc args;
	unsigned long addr;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.flags || !args.length ||
	    !IS_ALIGNED(args.length, CHUNK_SIZE) ||
	    !is_power_of_2(args.alignment) || args.alignment < CHUNK_SIZE ||
	    args.length + args.alignment < args.length)
		return -EINVAL;
	if (args.length > TASK_SIZE || args.alignment > TASK_SIZE)
		return -ENOMEM;
	/* So that a caller who cannot be told the address changes nothing. */
	if (put_user(0ULL, &uargs->addr))
		return -EFAULT;
	err = chunk_alloc(context, file, args.length, args.alignment, &addr);
	if (err)
		return err;
	if (put_user((u64)addr, &uargs->addr)) {
		chunk_dealloc(context, addr, args.length);
		return -EFAULT;
	}
	return 0;
}

static int ioctl_dealloc(struct file *file, void __user *arg)
{
	struct chunk_ioc_dealloc args;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	/* The type is checked for its own sake: what is zapped is zero. */
	if (args.type > CHUNK_TYPE_RECYCLED ||
	    !range_ok(args.addr, args.length, CHUNK_SIZE))
		return -EINVAL;
	return chunk_dealloc(file->private_data, args.addr, args.length);
}

static int ioctl_commit(struct file *file, void __user *arg)
{
	struct chunk_ioc_range args;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.flags || !range_ok(args.addr, args.length, PAGE_SIZE))
		return -EINVAL;
	return chunk_commit(file->private_data, args.addr, args.length);
}

static int ioctl_decommit(struct file *file, void __user *arg)
{
	struct chunk_ioc_range args;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if ((args.flags & ~CHUNK_DECOMMIT_LOCKED) ||
	    !range_ok(args.addr, args.length, PAGE_SIZE))
		return -EINVAL;
	return chunk_decommit(file->private_data, args.addr, args.length,
			      args.flags & CHUNK_DECOMMIT_LOCKED);
}

static int ioctl_lookup(struct file *file, void __user *arg)
{
	struct chunk_ioc_lookup args;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	chunk_context_lookup(file->private_data, &args);
	return put_args(arg, &args, sizeof(args));
}

static int ioctl_limit(struct file *file, void __user *arg)
{
	struct chunk_ioc_limit __user *uargs = arg;
	struct chunk_context *context = file->private_data;
	struct chunk_ioc_limit args;
	int err = get_args(&args, sizeof(args), arg);

	if (err)
		return err;
	if (args.flags)
		return -EINVAL;
	/* Before the change: what was released could not be taken back. */
	if (put_user((u64)chunk_recycle_limit(context), &uargs->limit))
		return -EFAULT;
	return chunk_set_limit(context, min_t(u64, args.limit,
					      chunk_max_recycle_limit()));
}

static int ioctl_stats(struct file *file, void __user *arg)
{
	struct chunk_ioc_stats stats;
	int err = get_args(&stats, sizeof(stats), arg);

	if (err)
		return err;
	if (stats.flags)
		return -EINVAL;
	chunk_context_stats(file->private_data, &stats);
	return put_args(arg, &stats, sizeof(stats));
}

/**
 * chunk_ioctl() - file_operations.unlocked_ioctl
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

	/* After fork, exec or fd passing this would be another's memory. */
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
	default:
		return -ENOTTY;
	}
}
