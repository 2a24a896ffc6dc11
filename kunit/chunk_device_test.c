// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device from inside the kernel: through its file operations, in a borrowed
 * address space.
 *
 * Test bodies run in kernel threads without an address space. While the suite
 * is set up it borrows the address space of the process that loads this module,
 * and uses it for the length of each case.
 */
#include <kunit/test.h>
#include <linux/cred.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/namei.h>
#include <linux/path.h>
#include <linux/pid.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include <linux/chunk.h>

#include "chunk_fail.h"

#define ANY	(~0ULL)

static struct mm_struct *borrowed;
/* Looked up while the suite is set up: kernel threads of 7.3 see no files. */
static struct path device_path;

/**
 * struct opened - an open device, and user memory for arguments
 * @file: the device
 * @args: a page of user memory, with an inaccessible one behind it
 * @nth:  number of the first allocation of a call that fails, or 0: none does
 */
struct opened {
	struct file *file;
	unsigned long args;
	unsigned int nth;
};

static int device_suite_init(struct kunit_suite *suite)
{
	int err;

	if (!current->mm)
		return -EINVAL;
	err = kern_path(CHUNK_DEVICE_PATH, LOOKUP_FOLLOW, &device_path);
	if (err)
		return err;
	borrowed = current->mm;
	mmget(borrowed);
	return 0;
}

static void device_suite_exit(struct kunit_suite *suite)
{
	if (!borrowed)
		return;
	path_put(&device_path);
	mmput(borrowed);
	borrowed = NULL;
}

static struct file *open_device(void)
{
	return dentry_open(&device_path, O_RDWR, current_cred());
}

/* A kernel thread closes the file at once, a process on its way out. */
static void close_device(struct file *file)
{
	if (current->flags & PF_KTHREAD)
		__fput_sync(file);
	else
		fput(file);
}

static unsigned long map_memory(unsigned long addr, unsigned long size,
				unsigned long prot)
{
	return vm_mmap(NULL, addr, size, prot, MAP_PRIVATE | MAP_ANONYMOUS |
		       (addr ? MAP_FIXED : 0), 0);
}

static int device_test_init(struct kunit *test)
{
	struct opened *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, borrowed);
	/* A thread that ends in a failed assertion takes this one with it. */
	mmget(borrowed);
	kthread_use_mm(borrowed);
	d->file = open_device();
	d->args = map_memory(0, 2 * PAGE_SIZE, PROT_READ | PROT_WRITE);
	test->priv = d;
	KUNIT_ASSERT_FALSE(test, IS_ERR(d->file));
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(d->args));
	KUNIT_ASSERT_EQ(test, map_memory(d->args + PAGE_SIZE, PAGE_SIZE,
					 PROT_NONE), d->args + PAGE_SIZE);
	return 0;
}

/* Every mapping of the device has to go before it can be closed for good. */
static void unmap_device(struct file *file)
{
	struct vm_area_struct *vma;
	unsigned long start, end;

	for (;;) {
		VMA_ITERATOR(vmi, borrowed, 0);

		start = 0;
		mmap_read_lock(borrowed);
		for_each_vma(vmi, vma) {
			if (vma->vm_file == file) {
				start = vma->vm_start;
				end = vma->vm_end;
				break;
			}
		}
		mmap_read_unlock(borrowed);
		if (!start)
			return;
		vm_munmap(start, end - start);
	}
}

/*
 * After a failed assertion this runs in the process that loads the module,
 * whose address space was borrowed. On later kernels (6.12, not 6.1) it always
 * runs in a thread of its own, without an address space: the test's thread took
 * it along.
 */
static void device_test_exit(struct kunit *test)
{
	struct opened *d = test->priv;

	if (!d)
		return;
	if (!current->mm) {
		mmget(borrowed);
		kthread_use_mm(borrowed);
	}
	if (!IS_ERR_VALUE(d->args))
		vm_munmap(d->args, 2 * PAGE_SIZE);
	if (!IS_ERR_OR_NULL(d->file)) {
		unmap_device(d->file);
		close_device(d->file);
	}
	if (current->flags & PF_KTHREAD) {
		kthread_unuse_mm(borrowed);
		mmput(borrowed);
	}
}

/* A call as user space makes it; errors such as -EFAULT are the call's own. */
static long raw_call(struct opened *d, unsigned int cmd, unsigned long arg)
{
	long err;

	if (d->nth)
		chunk_fail_from(d->nth);
	err = d->file->f_op->unlocked_ioctl(d->file, cmd, arg);
	if (d->nth)
		chunk_fail_end();
	return err;
}

/* Every argument structure begins with its size. */
static long call(struct opened *d, unsigned int cmd, void *args)
{
	void __user *uargs = (void __user *)d->args;
	size_t size = *(u32 *)args;
	long err;

	if (copy_to_user(uargs, args, size))
		return -EIO;
	err = raw_call(d, cmd, d->args);
	if (copy_from_user(args, uargs, size))
		return -EIO;
	return err;
}

static long alloc(struct opened *d, u64 length, u64 alignment, u64 *addr)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.length = length,
		.alignment = alignment,
	};
	long err = call(d, CHUNK_IOC_ALLOC, &args);

	*addr = args.addr;
	return err;
}

static long dealloc(struct opened *d, u64 addr, u64 length)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = addr,
		.length = length,
	};

	return call(d, CHUNK_IOC_DEALLOC, &args);
}

static long range(struct opened *d, unsigned int cmd, u64 addr, u64 length)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.addr = addr,
		.length = length,
	};

	return call(d, cmd, &args);
}

static long commit(struct opened *d, u64 addr, u64 length)
{
	return range(d, CHUNK_IOC_COMMIT, addr, length);
}

static long decommit(struct opened *d, u64 addr, u64 length)
{
	return range(d, CHUNK_IOC_DECOMMIT, addr, length);
}

static struct chunk_ioc_lookup lookup_of(struct opened *d, u64 addr)
{
	struct chunk_ioc_lookup args = { .size = sizeof(args), .addr = addr };

	if (call(d, CHUNK_IOC_LOOKUP, &args))
		args.state = ~0U;
	return args;
}

static u32 state_of(struct opened *d, u64 addr)
{
	return lookup_of(d, addr).state;
}

static struct chunk_ioc_stats stats_of(struct opened *d)
{
	struct chunk_ioc_stats stats = { .size = sizeof(stats) };

	if (call(d, CHUNK_IOC_STATS, &stats))
		stats.live_bytes = ANY;
	return stats;
}

/* Access memory as user space would: -EFAULT if it traps. */
static long poke(u64 addr, u8 value)
{
	return put_user(value, (u8 __user *)(unsigned long)addr);
}

static long peek(u64 addr)
{
	u8 value;
	long err = get_user(value, (u8 __user *)(unsigned long)addr);

	return err ? err : value;
}

static void info(struct kunit *test)
{
	struct chunk_ioc_info args = { .size = sizeof(args) };
	struct opened *d = test->priv;

	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_INFO, &args));
	KUNIT_EXPECT_EQ(test, args.abi, (u32)CHUNK_ABI);
	KUNIT_EXPECT_EQ(test, args.chunk_size, (u32)CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, args.page_size, (u32)PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, args.caps & CHUNK_CAP_GUARDED);
}

static void alloc_and_dealloc(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, again;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, peek(addr));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr + CHUNK_SIZE, 5));
	KUNIT_EXPECT_EQ(test, 5L, peek(addr + CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, state_of(d, addr + 5), (u32)CHUNK_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, (u64)2 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, state_of(d, addr),
			(u32)(CHUNK_STATE_RECYCLED | CHUNK_STATE_DECOMMITTED));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, poke(addr + CHUNK_SIZE, 1));
	KUNIT_EXPECT_EQ(test, stats_of(d).recycled_bytes, (u64)2 * CHUNK_SIZE);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &again));
	KUNIT_EXPECT_EQ(test, addr, again);
	KUNIT_EXPECT_EQ(test, 0L, peek(addr + CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).allocs_recycled, 1ULL);
}

static void alignments(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 alignment, addr;

	for (alignment = CHUNK_SIZE; alignment <= 1ULL << 34; alignment *= 2) {
		KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, alignment,
						&addr));
		KUNIT_EXPECT_EQ(test, addr % alignment, 0ULL);
		KUNIT_EXPECT_EQ(test, 0L, poke(addr, 1));
	}
}

static void decommit_and_commit(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, page;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	page = addr + 7 * PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, 0L, poke(page - 1, 1));
	KUNIT_EXPECT_EQ(test, 0L, poke(page, 2));
	KUNIT_EXPECT_EQ(test, 0L, poke(page + PAGE_SIZE, 3));
	KUNIT_EXPECT_EQ(test, 0L, decommit(d, page, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, decommit(d, page, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).decommitted_bytes, (u64)PAGE_SIZE);
	KUNIT_EXPECT_EQ(test, state_of(d, page),
			(u32)(CHUNK_STATE_LIVE | CHUNK_STATE_DECOMMITTED));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(page));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, poke(page + PAGE_SIZE - 1, 1));
	KUNIT_EXPECT_EQ(test, 1L, peek(page - 1));
	KUNIT_EXPECT_EQ(test, 3L, peek(page + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, commit(d, page, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, peek(page));
	KUNIT_EXPECT_EQ(test, stats_of(d).decommitted_bytes, 0ULL);
	KUNIT_EXPECT_EQ(test, 0L, commit(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 3L, peek(page + PAGE_SIZE));
}

/* A wholly decommitted chunk, of which some pages are committed */
static void commit_part_of_chunk(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, i;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, decommit(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, commit(d, addr + 3 * PAGE_SIZE,
					 2 * PAGE_SIZE));
	for (i = 0; i < CHUNK_SIZE / PAGE_SIZE; i++)
		KUNIT_EXPECT_EQ(test, peek(addr + i * PAGE_SIZE),
				i == 3 || i == 4 ? 0L : -EFAULT);
	KUNIT_EXPECT_EQ(test, stats_of(d).decommitted_bytes,
			(u64)(CHUNK_SIZE - 2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).decommitted_bytes, 0ULL);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	for (i = 0; i < CHUNK_SIZE / PAGE_SIZE; i++)
		KUNIT_EXPECT_EQ(test, peek(addr + i * PAGE_SIZE), 0L);
}

static void ranges_across_extents(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 low, high;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &low));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &high));
	KUNIT_ASSERT_EQ(test, low + CHUNK_SIZE, high);
	KUNIT_EXPECT_EQ(test, 0L, decommit(d, high - PAGE_SIZE,
					   2 * PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(high - 1));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(high));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT,
			commit(d, high, CHUNK_SIZE + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, commit(d, low, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, peek(high));
}

static void limit(struct kunit *test)
{
	struct chunk_ioc_limit args = {
		.size = sizeof(args),
		.limit = 3 * CHUNK_SIZE,
	};
	struct opened *d = test->priv;
	u64 addr;

	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_LIMIT, &args));
	KUNIT_EXPECT_EQ(test, args.limit, (u64)128 * CHUNK_SIZE);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 5 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 5 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).recycled_bytes, (u64)3 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr + 4 * CHUNK_SIZE));
	args.limit = 1;
	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_LIMIT, &args));
	KUNIT_EXPECT_EQ(test, args.limit, (u64)3 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, stats_of(d).recycled_bytes, 0ULL);
}

static void configure(struct kunit *test)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.grow = 8 * CHUNK_SIZE,
	};
	struct opened *d = test->priv;
	u64 addr;

	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_CONFIGURE, &args));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, stats_of(d).mapped_bytes, (u64)8 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, (long)-EBUSY,
			call(d, CHUNK_IOC_CONFIGURE, &args));
}

static void misuse(struct kunit *test)
{
	struct opened *d = test->priv;
	struct chunk_ioc_stats before;
	u64 addr, other;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	before = stats_of(d);
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, alloc(d, 0, CHUNK_SIZE, &other));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, alloc(d, CHUNK_SIZE, 0, &other));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL,
			alloc(d, CHUNK_SIZE, 3 * CHUNK_SIZE, &other));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL,
			alloc(d, -CHUNK_SIZE, CHUNK_SIZE, &other));
	KUNIT_EXPECT_EQ(test, (long)-ENOMEM,
			alloc(d, 1ULL << 62, CHUNK_SIZE, &other));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, dealloc(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL,
			dealloc(d, addr + CHUNK_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL,
			dealloc(d, addr + PAGE_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT,
			dealloc(d, addr + 2 * CHUNK_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, decommit(d, addr + 1, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, commit(d, addr, 0));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, commit(d, addr, -PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL,
			commit(d, (unsigned long)d, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT, commit(d, d->args, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, before.live_bytes);
	KUNIT_EXPECT_EQ(test, stats_of(d).mapped_bytes, before.mapped_bytes);
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT, dealloc(d, addr, 2 * CHUNK_SIZE));
}

/* Every call, the size of its argument, and its size in CHUNK_ABI 1, if less */
static const struct {
	unsigned int cmd;
	u32 size;
	u32 least;
} calls[] = {
	{ CHUNK_IOC_INFO, sizeof(struct chunk_ioc_info) },
	{ CHUNK_IOC_CONFIGURE, sizeof(struct chunk_ioc_configure) },
	{ CHUNK_IOC_ALLOC, sizeof(struct chunk_ioc_alloc) },
	{ CHUNK_IOC_DEALLOC, sizeof(struct chunk_ioc_dealloc) },
	{ CHUNK_IOC_COMMIT, sizeof(struct chunk_ioc_range) },
	{ CHUNK_IOC_DECOMMIT, sizeof(struct chunk_ioc_range) },
	{ CHUNK_IOC_LOOKUP, sizeof(struct chunk_ioc_lookup),
	  CHUNK_LOOKUP_SIZE_1 },
	{ CHUNK_IOC_LIMIT, sizeof(struct chunk_ioc_limit) },
	{ CHUNK_IOC_STATS, sizeof(struct chunk_ioc_stats),
	  CHUNK_STATS_SIZE_1 },
	{ CHUNK_IOC_BATCH, sizeof(struct chunk_ioc_batch) },
};

/* A structure that claims a size, is zero before @end, and not zero at @end */
static long call_sized(struct opened *d, unsigned int cmd, u32 size, u32 end)
{
	void __user *args = (void __user *)d->args;

	if (clear_user(args, PAGE_SIZE) ||
	    put_user((u8)1, (u8 __user *)args + end) ||
	    put_user(size, (u32 __user *)args))
		return -EIO;
	return raw_call(d, cmd, d->args);
}

static void argument_sizes(struct kunit *test)
{
	struct opened *d = test->priv;
	unsigned long last = d->args + PAGE_SIZE;
	unsigned int cmd;
	u32 size, i;

	for (i = 0; i < ARRAY_SIZE(calls); i++) {
		cmd = calls[i].cmd;
		size = calls[i].size;
		KUNIT_EXPECT_EQ(test, -EINVAL, call_sized(d, cmd, 0, 4000));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				call_sized(d, cmd, (calls[i].least ?: size) - 1,
					   4000));
		KUNIT_EXPECT_EQ(test, -E2BIG,
				call_sized(d, cmd, size + 8, size + 7));
		KUNIT_EXPECT_EQ(test, -E2BIG,
				call_sized(d, cmd, PAGE_SIZE + 1, 4000));
		KUNIT_EXPECT_EQ(test, -E2BIG,
				call_sized(d, cmd, ~0U, 4000));
		KUNIT_EXPECT_NE(test, -E2BIG,
				call_sized(d, cmd, size + 8, size + 8));
		KUNIT_EXPECT_EQ(test, -EFAULT, raw_call(d, cmd, 0));
		KUNIT_EXPECT_EQ(test, -EFAULT, raw_call(d, cmd, last));
		KUNIT_EXPECT_EQ(test, -EFAULT,
				raw_call(d, cmd, (unsigned long)d));
		/* The size can be read, the rest cannot. */
		KUNIT_ASSERT_EQ(test, 0, put_user(size,
						  (u32 __user *)(last - 4)));
		KUNIT_EXPECT_EQ(test, -EFAULT, raw_call(d, cmd, last - 4));
	}
	KUNIT_EXPECT_EQ(test, 0, call_sized(d, CHUNK_IOC_STATS, 500, 500));
	KUNIT_EXPECT_EQ(test, -ENOTTY, raw_call(d, 0, d->args));
	KUNIT_EXPECT_EQ(test, -ENOTTY,
			raw_call(d, CHUNK_IOC_BATCH + 1, d->args));
}

/* The call checks the word at an offset, which is for flags, pads or a type. */
static long call_word(struct opened *d, unsigned int cmd, u64 addr, u32 length,
		      u32 value, size_t offset)
{
	u32 args[64] = { };
	u64 *wide = (u64 *)args;
	u32 i;

	for (i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].cmd == cmd)
			args[0] = calls[i].size;
	wide[1] = addr;
	wide[2] = length;
	args[offset / 4] = value;
	return call(d, cmd, args);
}

static void unknown_flags(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr;
	u32 bit;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	for (bit = 1; bit; bit <<= 1) {
		KUNIT_EXPECT_EQ(test, -EINVAL,
				call_word(d, CHUNK_IOC_ALLOC, CHUNK_SIZE,
					  CHUNK_SIZE,
					  bit | 2 * CHUNK_ALLOC_DECOMMITTED, 4));
		KUNIT_EXPECT_EQ(test, bit == CHUNK_COMMIT_POPULATE ? 0 :
				-EINVAL,
				call_word(d, CHUNK_IOC_COMMIT, addr, PAGE_SIZE,
					  bit, 4));
		KUNIT_EXPECT_EQ(test, bit == CHUNK_DECOMMIT_LOCKED ? 0 :
				-EINVAL,
				call_word(d, CHUNK_IOC_DECOMMIT, addr,
					  PAGE_SIZE, bit, 4));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				call_word(d, CHUNK_IOC_LOOKUP, addr, 0, bit,
					  4));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				call_word(d, CHUNK_IOC_LIMIT, 0, 0, bit, 4));
		KUNIT_EXPECT_EQ(test, -EINVAL,
				call_word(d, CHUNK_IOC_STATS, 0, 0, bit, 4));
		KUNIT_EXPECT_EQ(test, bit <= CHUNK_TYPE_RECYCLED ? -ENOENT :
				-EINVAL,
				call_word(d, CHUNK_IOC_DEALLOC,
					  addr + CHUNK_SIZE, CHUNK_SIZE, bit,
					  4));
	}
	KUNIT_EXPECT_EQ(test, -EINVAL,
			call_word(d, CHUNK_IOC_DEALLOC, addr, CHUNK_SIZE,
				  CHUNK_TYPE_RECYCLED + 1, 4));
	KUNIT_EXPECT_EQ(test, stats_of(d).live_extents, 1ULL);
	KUNIT_EXPECT_EQ(test, stats_of(d).recycle_limit,
			(u64)128 * CHUNK_SIZE);
}

static void configure_misused(struct kunit *test)
{
	struct chunk_ioc_configure good = { .size = sizeof(good) };
	struct chunk_ioc_configure bad;
	struct opened *d = test->priv;

	bad = good;
	bad.flags = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, call(d, CHUNK_IOC_CONFIGURE, &bad));
	bad = good;
	bad.pad = 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, call(d, CHUNK_IOC_CONFIGURE, &bad));
	bad = good;
	bad.backing = CHUNK_BACKING_HUGE + 1;
	KUNIT_EXPECT_EQ(test, -EINVAL, call(d, CHUNK_IOC_CONFIGURE, &bad));
	bad = good;
	bad.grow = CHUNK_SIZE + PAGE_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, call(d, CHUNK_IOC_CONFIGURE, &bad));
	bad.grow = -CHUNK_SIZE;
	KUNIT_EXPECT_EQ(test, -EINVAL, call(d, CHUNK_IOC_CONFIGURE, &bad));
	KUNIT_EXPECT_EQ(test, 0, call(d, CHUNK_IOC_CONFIGURE, &good));
}

/* The huge backing is refused unless INFO promises it. */
static void huge_backing(struct kunit *test)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = CHUNK_BACKING_HUGE,
	};
	struct chunk_ioc_info info = { .size = sizeof(info) };
	struct opened *d = test->priv;

	KUNIT_ASSERT_EQ(test, 0, call(d, CHUNK_IOC_INFO, &info));
	KUNIT_EXPECT_EQ(test, info.caps & CHUNK_CAP_HUGE ? 0 : -EOPNOTSUPP,
			call(d, CHUNK_IOC_CONFIGURE, &args));
}

static void lookup(struct kunit *test)
{
	struct chunk_ioc_lookup found;
	struct opened *d = test->priv;
	u64 addr;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 3 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	found = lookup_of(d, addr + 3 * CHUNK_SIZE - 1);
	KUNIT_EXPECT_EQ(test, found.addr, addr);
	KUNIT_EXPECT_EQ(test, found.length, (u64)3 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, found.state, (u32)CHUNK_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, found.end, addr + 3 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, 0L, decommit(d, addr + CHUNK_SIZE, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, lookup_of(d, addr + 5).end, addr + CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, lookup_of(d, addr + CHUNK_SIZE).end,
			addr + CHUNK_SIZE + PAGE_SIZE);
	/* A premapped chunk is neither live nor recycled, but traps. */
	found = lookup_of(d, addr + 3 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, found.addr, addr + 3 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, found.length, 0ULL);
	KUNIT_EXPECT_EQ(test, found.state, (u32)CHUNK_STATE_DECOMMITTED);
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 3 * CHUNK_SIZE));
	found = lookup_of(d, addr + CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, found.addr, addr);
	KUNIT_EXPECT_EQ(test, found.length, (u64)3 * CHUNK_SIZE);
	found = lookup_of(d, d->args + 5);
	KUNIT_EXPECT_EQ(test, found.addr, d->args + 5);
	KUNIT_EXPECT_EQ(test, found.state, 0U);
	KUNIT_EXPECT_EQ(test, lookup_of(d, 0).state, 0U);
	KUNIT_EXPECT_EQ(test, lookup_of(d, ANY).state, 0U);
}

/* A chunk is zero when it is handed out again. */
static void recycled_is_zero(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, again, i;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	for (i = 0; i < 2 * CHUNK_SIZE; i += PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, 0L, poke(addr + i + i % 4096, 0xa5));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &again));
	KUNIT_EXPECT_EQ(test, addr, again);
	for (i = 0; i < CHUNK_SIZE; i += PAGE_SIZE)
		KUNIT_EXPECT_EQ(test, 0L, peek(addr + i));
	/* The other half is still free. */
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr + CHUNK_SIZE));
	KUNIT_EXPECT_GE(test, stats_of(d).traps, 1ULL);
}

static unsigned long map(struct opened *d, unsigned long size,
			 unsigned int log2, unsigned long flags)
{
	return vm_mmap(d->file, 0, size, PROT_READ | PROT_WRITE, flags,
		       CHUNK_MMAP_ALIGN(log2, PAGE_SIZE));
}

static void mapped_directly(struct kunit *test)
{
	struct opened *d = test->priv;
	unsigned long addr = map(d, 3 * CHUNK_SIZE, 24, MAP_PRIVATE);

	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	KUNIT_EXPECT_EQ(test, addr % (1UL << 24), 0UL);
	KUNIT_EXPECT_EQ(test, state_of(d, addr), (u32)CHUNK_STATE_LIVE);
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 1));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 3 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	KUNIT_EXPECT_EQ(test, map(d, CHUNK_SIZE, 0, MAP_SHARED),
			(unsigned long)-EINVAL);
	KUNIT_EXPECT_EQ(test, map(d, CHUNK_SIZE + PAGE_SIZE, 0, MAP_PRIVATE),
			(unsigned long)-EINVAL);
	KUNIT_EXPECT_EQ(test, map(d, CHUNK_SIZE, 19, MAP_PRIVATE),
			(unsigned long)-EINVAL);
	KUNIT_EXPECT_EQ(test, map(d, CHUNK_SIZE, 63, MAP_PRIVATE),
			(unsigned long)-EINVAL);
}

static void unmapped_behind_our_back(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, other;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr + CHUNK_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 1));
	KUNIT_EXPECT_EQ(test, (long)-ESTALE,
			decommit(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ESTALE, commit(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 1L, peek(addr));
	KUNIT_EXPECT_EQ(test, (long)-ESTALE, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, 0ULL);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &other));
	KUNIT_EXPECT_EQ(test, 0L, poke(other, 1));
}

/* Calls leave a foreign mapping in the place of ours alone. */
static void replaced_behind_our_back(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_ASSERT_EQ(test, (u64)map_memory(addr, CHUNK_SIZE, PROT_READ |
					      PROT_WRITE), addr);
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 7));
	KUNIT_EXPECT_EQ(test, (long)-ESTALE, commit(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ESTALE, decommit(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, decommit(d, addr + CHUNK_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, commit(d, addr + CHUNK_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ESTALE, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 7L, peek(addr));
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, 0ULL);
	vm_munmap(addr, CHUNK_SIZE);
}

/* A mapping of ours in the place of another of ours is a new extent. */
static void mapped_over(struct kunit *test)
{
	struct opened *d = test->priv;
	unsigned long over;
	u64 addr;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 2 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 7));
	over = vm_mmap(d->file, addr, CHUNK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_FIXED, 0);
	KUNIT_ASSERT_EQ(test, (u64)over, addr);
	KUNIT_EXPECT_EQ(test, 0L, peek(addr));
	KUNIT_EXPECT_EQ(test, lookup_of(d, addr).length, (u64)CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, (u64)CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, (long)-ENOENT,
			dealloc(d, addr + CHUNK_SIZE, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, CHUNK_SIZE));
}

static void mlocked(struct kunit *test)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.flags = CHUNK_DECOMMIT_LOCKED,
		.length = PAGE_SIZE,
	};
	struct opened *d = test->priv;
	unsigned long addr;

	addr = vm_mmap(d->file, 0, CHUNK_SIZE, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_LOCKED, 0);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(addr));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 7));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, decommit(d, addr, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 7L, peek(addr));
	args.addr = addr;
	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_DECOMMIT, &args));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr + PAGE_SIZE));
}

/* Recycled address space that was unmapped is never handed out again. */
static void recycled_and_unmapped(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, other;
	int i;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, CHUNK_SIZE));
	KUNIT_ASSERT_EQ(test, 0, vm_munmap(addr, CHUNK_SIZE));
	for (i = 0; i < 100; i++) {
		KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE,
						&other));
		KUNIT_EXPECT_NE(test, addr, other);
		KUNIT_EXPECT_EQ(test, 0L, poke(other, 1));
	}
}

static void without_the_address_space(struct kunit *test)
{
	struct opened *d = test->priv;
	struct file *file = d->file;
	struct file *none;
	long err;
	u64 addr;

	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	kthread_unuse_mm(borrowed);
	err = file->f_op->unlocked_ioctl(file, CHUNK_IOC_INFO, d->args);
	none = open_device();
	kthread_use_mm(borrowed);
	KUNIT_EXPECT_EQ(test, err, (long)-EPERM);
	KUNIT_EXPECT_EQ(test, PTR_ERR(none), (long)-EPERM);
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 1));
}

static struct mm_struct *mm_of_init(void)
{
	struct pid *pid = find_get_pid(1);
	struct task_struct *task = get_pid_task(pid, PIDTYPE_PID);
	struct mm_struct *mm = task ? get_task_mm(task) : NULL;

	if (task)
		put_task_struct(task);
	put_pid(pid);
	return mm;
}

static void another_address_space(struct kunit *test)
{
	long errors[ARRAY_SIZE(calls)], mapped;
	struct mm_struct *other = mm_of_init();
	struct opened *d = test->priv;
	u64 addr;
	int i;

	KUNIT_ASSERT_NOT_NULL(test, other);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 7));
	kthread_unuse_mm(borrowed);
	kthread_use_mm(other);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		errors[i] = raw_call(d, calls[i].cmd, d->args);
	mapped = map(d, CHUNK_SIZE, 0, MAP_PRIVATE);
	kthread_unuse_mm(other);
	kthread_use_mm(borrowed);
	mmput(other);
	for (i = 0; i < ARRAY_SIZE(calls); i++)
		KUNIT_EXPECT_EQ(test, errors[i], (long)-EPERM);
	KUNIT_EXPECT_EQ(test, mapped, (long)-EPERM);
	KUNIT_EXPECT_EQ(test, 7L, peek(addr));
	KUNIT_EXPECT_EQ(test, stats_of(d).live_extents, 1ULL);
}

static void contexts_are_apart(struct kunit *test)
{
	struct opened *d = test->priv;
	struct opened other = { .args = d->args };
	u64 addr;

	other.file = open_device();
	KUNIT_ASSERT_FALSE(test, IS_ERR(other.file));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 1));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT, dealloc(&other, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT, decommit(&other, addr, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, state_of(&other, addr), 0U);
	KUNIT_EXPECT_EQ(test, 1L, peek(addr));
	close_device(other.file);
}

static void released_while_mapped(struct kunit *test)
{
	struct opened *d = test->priv;
	struct opened other = { .args = d->args };
	u64 addr;

	other.file = open_device();
	KUNIT_ASSERT_FALSE(test, IS_ERR(other.file));
	KUNIT_ASSERT_EQ(test, 0L, alloc(&other, CHUNK_SIZE, CHUNK_SIZE,
					&addr));
	KUNIT_EXPECT_EQ(test, 0L, decommit(&other, addr, PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr + PAGE_SIZE, 1));
	get_file(other.file);
	close_device(other.file);
	KUNIT_EXPECT_EQ(test, 1L, peek(addr + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	unmap_device(other.file);
	close_device(other.file);
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr + PAGE_SIZE));
}

static long alloc_more(struct opened *d, u64 addr)
{
	return alloc(d, 2 * CHUNK_SIZE, 8 * CHUNK_SIZE, &addr);
}

static long decommit_page(struct opened *d, u64 addr)
{
	return decommit(d, addr + PAGE_SIZE, PAGE_SIZE);
}

static long decommit_all(struct opened *d, u64 addr)
{
	return decommit(d, addr, CHUNK_SIZE);
}

static long commit_page(struct opened *d, u64 addr)
{
	return commit(d, addr + PAGE_SIZE, PAGE_SIZE);
}

static long dealloc_three(struct opened *d, u64 addr)
{
	return dealloc(d, addr, 3 * CHUNK_SIZE);
}

static long lower_limit(struct opened *d, u64 addr)
{
	struct chunk_ioc_limit args = {
		.size = sizeof(args),
		.limit = CHUNK_SIZE,
	};

	return call(d, CHUNK_IOC_LIMIT, &args);
}

static long map_more(struct opened *d, u64 addr)
{
	unsigned long mapped;

	if (d->nth)
		chunk_fail_from(d->nth);
	mapped = map(d, CHUNK_SIZE, 0, MAP_PRIVATE);
	if (d->nth)
		chunk_fail_end();
	return IS_ERR_VALUE(mapped) ? (long)mapped : 0;
}

/* Counters that a call that failed must not have changed */
static void expect_unchanged(struct kunit *test, struct chunk_ioc_stats now,
			     struct chunk_ioc_stats before)
{
	/* Address space may be premapped for a call that then fails. */
	KUNIT_EXPECT_GE(test, now.mapped_bytes, before.mapped_bytes);
	KUNIT_EXPECT_EQ(test, now.mapped_bytes - before.mapped_bytes,
			now.reserved_bytes - before.reserved_bytes);
	now.mapped_bytes = before.mapped_bytes;
	now.reserved_bytes = before.reserved_bytes;
	now.regions = before.regions;
	KUNIT_EXPECT_EQ(test, 0, memcmp(&now, &before, sizeof(now)));
}

/*
 * Repeat a call while memory runs out later each time, until it does not.
 * Returns the number of times that it did.
 */
static unsigned int run_out(struct kunit *test, u64 addr,
			    long (*operation)(struct opened *d, u64 addr))
{
	struct opened *d = test->priv;
	unsigned int failed = 0;
	long err;

	for (d->nth = 1; d->nth < 1000; d->nth++) {
		unsigned int nth = d->nth;
		struct chunk_ioc_stats before;

		d->nth = 0;
		before = stats_of(d);
		d->nth = nth;
		err = operation(d, addr);
		d->nth = 0;
		if (!err)
			return failed;
		failed++;
		/* Fault injection makes user memory fail like other memory. */
		if (err != -EFAULT)
			KUNIT_EXPECT_EQ(test, err, (long)-ENOMEM);
		expect_unchanged(test, stats_of(d), before);
		d->nth = nth;
	}
	d->nth = 0;
	KUNIT_FAIL(test, "it never came to an end");
	return failed;
}

static void no_memory(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, kept;

	if (!chunk_fail_ready())
		kunit_skip(test, "failslab is not prepared: see kunit/run");
	KUNIT_EXPECT_GT(test, run_out(test, 0, alloc_more), 0U);
	KUNIT_EXPECT_GT(test, run_out(test, 0, map_more), 0U);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 9 * CHUNK_SIZE, CHUNK_SIZE, &kept));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr + PAGE_SIZE, 7));
	KUNIT_EXPECT_GT(test, run_out(test, addr, decommit_page), 0U);
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, 0L, peek(addr));
	run_out(test, addr, decommit_all);
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	run_out(test, addr, commit_page);
	KUNIT_EXPECT_EQ(test, 0L, peek(addr + PAGE_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, kept, 9 * CHUNK_SIZE));
	KUNIT_EXPECT_GT(test, run_out(test, addr, lower_limit), 0U);
	KUNIT_EXPECT_EQ(test, stats_of(d).recycled_bytes, (u64)CHUNK_SIZE);
}

/* DEALLOC works without memory: an extent that cannot be cut is retained. */
static void dealloc_without_memory(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr;

	if (!chunk_fail_ready())
		kunit_skip(test, "failslab is not prepared: see kunit/run");
	KUNIT_EXPECT_EQ(test, 0L, lower_limit(d, 0));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 3 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, poke(addr, 7));
	run_out(test, addr, dealloc_three);
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, 0ULL);
	KUNIT_EXPECT_LE(test, stats_of(d).recycled_bytes, (u64)CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, peek(addr));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 3 * CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0L, peek(addr));
}

/* Map the page that has the words of the chunks at @addr. */
static unsigned long map_words(struct opened *d, u64 addr, unsigned long prot,
			       unsigned long flags)
{
	u64 page = CHUNK_WORDS_PGOFF + addr / CHUNK_WORDS_SPAN(PAGE_SIZE);

	return vm_mmap(d->file, 0, PAGE_SIZE, prot, flags, page * PAGE_SIZE);
}

/* Find the word of a chunk in the mapping of its page. */
static u32 __user *word_of(unsigned long words, u64 addr)
{
	unsigned long at = addr % CHUNK_WORDS_SPAN(PAGE_SIZE) / CHUNK_SIZE;

	return (u32 __user *)words + at;
}

static u32 read_word(unsigned long words, u64 addr)
{
	u32 word;

	return get_user(word, word_of(words, addr)) ? ~0U : word;
}

static bool can_offer(struct opened *d)
{
	struct chunk_ioc_info args = { .size = sizeof(args) };

	return !call(d, CHUNK_IOC_INFO, &args) && args.caps & CHUNK_CAP_OFFER;
}

/* An extent at a multiple of its size, and the words of its chunks */
static unsigned long alloc_with_words(struct kunit *test, u64 size, u64 *addr)
{
	struct opened *d = test->priv;
	unsigned long words;

	if (!can_offer(d))
		kunit_skip(test, "chunks cannot be offered");
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, size, size, addr));
	words = map_words(d, *addr, PROT_READ | PROT_WRITE, MAP_SHARED);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(words));
	return words;
}

static void words_mapped(struct kunit *test)
{
	struct opened *d = test->priv;
	unsigned long rw = PROT_READ | PROT_WRITE, words;
	u64 addr;

	if (!can_offer(d)) {
		KUNIT_EXPECT_EQ(test, map_words(d, 0, rw, MAP_SHARED),
				(unsigned long)-EOPNOTSUPP);
		return;
	}
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, map_words(d, addr, rw, MAP_PRIVATE),
			(unsigned long)-EINVAL);
	KUNIT_EXPECT_EQ(test, map_words(d, addr, rw | PROT_EXEC, MAP_SHARED),
			(unsigned long)-EINVAL);
	/* No extent is there, so there are no words. */
	words = map_words(d, 0, rw, MAP_SHARED);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(words));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT, (long)put_user(1, word_of(words, 0)));
	words = map_words(d, addr, rw, MAP_SHARED);
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(words));
	KUNIT_EXPECT_EQ(test, 0, put_user(5, word_of(words, addr)));
	KUNIT_EXPECT_EQ(test, read_word(words, addr), 5U);
	/* Another mapping shows the same words. */
	words = map_words(d, addr, rw, MAP_SHARED);
	KUNIT_EXPECT_EQ(test, read_word(words, addr), 5U);
}

/* Words are 0 again once a chunk was given back, and when it is handed out. */
static void words_reset(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, again, i;
	unsigned long words = alloc_with_words(test, 4 * CHUNK_SIZE, &addr);

	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, 0, put_user(~3U | i, word_of(words, addr +
							i * CHUNK_SIZE)));
	KUNIT_EXPECT_EQ(test, (long)-EINVAL, dealloc(d, addr, CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, read_word(words, addr + CHUNK_SIZE), ~3U | 1);
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 4 * CHUNK_SIZE));
	for (i = 0; i < 4; i++)
		KUNIT_EXPECT_EQ(test, read_word(words, addr + i * CHUNK_SIZE),
				0U);
	KUNIT_EXPECT_EQ(test, 0, put_user(~0U, word_of(words, addr)));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, 4 * CHUNK_SIZE, CHUNK_SIZE, &again));
	KUNIT_EXPECT_EQ(test, addr, again);
	KUNIT_EXPECT_EQ(test, read_word(words, addr), 0U);
}

static void words_counted(struct kunit *test)
{
	struct opened *d = test->priv;
	u64 addr, i;
	unsigned long words = alloc_with_words(test, 8 * CHUNK_SIZE, &addr);

	/* Two chunks in each state, each with a count of its own */
	for (i = 0; i < 8; i++)
		put_user(i * CHUNK_WORD_TAKE + i % 4,
			 word_of(words, addr + i * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).offered_bytes, (u64)2 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, stats_of(d).discarded_bytes, (u64)2 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, stats_of(d).takes, 28ULL);
	KUNIT_EXPECT_EQ(test, stats_of(d).discards, 0ULL);
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 8 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, stats_of(d).offered_bytes, 0ULL);
	KUNIT_EXPECT_EQ(test, stats_of(d).discarded_bytes, 0ULL);
	KUNIT_EXPECT_EQ(test, stats_of(d).takes, 28ULL);
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, 0, put_user(3 * CHUNK_WORD_TAKE,
					  word_of(words, addr)));
	KUNIT_EXPECT_EQ(test, stats_of(d).takes, 31ULL);
}

/* A fault that finds no memory leaves nothing behind, and the next one succeeds. */
static void words_without_memory(struct kunit *test)
{
	struct opened *d = test->priv;
	unsigned int nth = 0;
	unsigned long words;
	u64 addr;
	int err;

	if (!chunk_fail_ready())
		kunit_skip(test, "failslab is not prepared");
	words = alloc_with_words(test, CHUNK_SIZE, &addr);
	do {
		chunk_fail_from(++nth);
		err = put_user(1, word_of(words, addr));
		chunk_fail_end();
		if (err)
			KUNIT_EXPECT_EQ(test, err, -EFAULT);
		KUNIT_EXPECT_EQ(test, stats_of(d).offered_bytes,
				err ? 0 : (u64)CHUNK_SIZE);
	} while (err && nth < 100);
	KUNIT_EXPECT_EQ(test, err, 0);
	KUNIT_EXPECT_GT(test, nth, 1U);
}

static struct kunit_case device_cases[] = {
	KUNIT_CASE(info),
	KUNIT_CASE(alloc_and_dealloc),
	KUNIT_CASE(alignments),
	KUNIT_CASE(decommit_and_commit),
	KUNIT_CASE(commit_part_of_chunk),
	KUNIT_CASE(ranges_across_extents),
	KUNIT_CASE(limit),
	KUNIT_CASE(configure),
	KUNIT_CASE(misuse),
	KUNIT_CASE(argument_sizes),
	KUNIT_CASE(unknown_flags),
	KUNIT_CASE(configure_misused),
	KUNIT_CASE(huge_backing),
	KUNIT_CASE(lookup),
	KUNIT_CASE(recycled_is_zero),
	KUNIT_CASE(mapped_directly),
	KUNIT_CASE(unmapped_behind_our_back),
	KUNIT_CASE(replaced_behind_our_back),
	KUNIT_CASE(mapped_over),
	KUNIT_CASE(mlocked),
	KUNIT_CASE(recycled_and_unmapped),
	KUNIT_CASE(without_the_address_space),
	KUNIT_CASE(another_address_space),
	KUNIT_CASE(contexts_are_apart),
	KUNIT_CASE(released_while_mapped),
	KUNIT_CASE(no_memory),
	KUNIT_CASE(dealloc_without_memory),
	KUNIT_CASE(words_mapped),
	KUNIT_CASE(words_reset),
	KUNIT_CASE(words_counted),
	KUNIT_CASE(words_without_memory),
	{}
};

static struct kunit_suite device_suite = {
	.name = "chunk_device",
	.suite_init = device_suite_init,
	.suite_exit = device_suite_exit,
	.init = device_test_init,
	.exit = device_test_exit,
	.test_cases = device_cases,
};

kunit_test_suite(device_suite);
