// SPDX-License-Identifier: GPL-2.0-only
/*
 * The device from inside the kernel: through its file operations, in a borrowed
 * address space.
 *
 * Test bodies run in kernel threads without an address space. The one of the
 * process that loads this module is borrowed while the suite is set up, and used
 * for the length of each case.
 */
#include <kunit/test.h>
#include <linux/file.h>
#include <linux/fs.h>
#include <linux/kthread.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/sched/mm.h>
#include <linux/uaccess.h>

#include <linux/chunk.h>

#define ANY	(~0ULL)

static struct mm_struct *borrowed;

/**
 * struct device - an open device, and user memory for arguments
 * @file: the device
 * @args: a page of user memory
 */
struct device {
	struct file *file;
	unsigned long args;
};

static int device_suite_init(struct kunit_suite *suite)
{
	if (!current->mm)
		return -EINVAL;
	borrowed = current->mm;
	mmget(borrowed);
	return 0;
}

static void device_suite_exit(struct kunit_suite *suite)
{
	if (borrowed)
		mmput(borrowed);
	borrowed = NULL;
}

static struct file *open_device(void)
{
	return filp_open(CHUNK_DEVICE_PATH, O_RDWR, 0);
}

/* __fput() is delayed in a process, and at once in a kernel thread's work. */
static void close_device(struct file *file)
{
	__fput_sync(file);
}

static int device_test_init(struct kunit *test)
{
	struct device *d = kunit_kzalloc(test, sizeof(*d), GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, d);
	KUNIT_ASSERT_NOT_NULL(test, borrowed);
	kthread_use_mm(borrowed);
	d->file = open_device();
	d->args = vm_mmap(NULL, 0, PAGE_SIZE, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_ANONYMOUS, 0);
	test->priv = d;
	KUNIT_ASSERT_FALSE(test, IS_ERR(d->file));
	KUNIT_ASSERT_FALSE(test, IS_ERR_VALUE(d->args));
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

static void device_test_exit(struct kunit *test)
{
	struct device *d = test->priv;

	if (!d)
		return;
	if (!IS_ERR_VALUE(d->args))
		vm_munmap(d->args, PAGE_SIZE);
	if (!IS_ERR_OR_NULL(d->file)) {
		unmap_device(d->file);
		close_device(d->file);
	}
	kthread_unuse_mm(borrowed);
}

/* Every argument structure begins with its size. */
static long call(struct device *d, unsigned int cmd, void *args)
{
	void __user *uargs = (void __user *)d->args;
	size_t size = *(u32 *)args;
	long err;

	if (copy_to_user(uargs, args, size))
		return -EIO;
	err = d->file->f_op->unlocked_ioctl(d->file, cmd, d->args);
	if (copy_from_user(args, uargs, size))
		return -EIO;
	return err;
}

static long alloc(struct device *d, u64 length, u64 alignment, u64 *addr)
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

static long dealloc(struct device *d, u64 addr, u64 length)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = addr,
		.length = length,
	};

	return call(d, CHUNK_IOC_DEALLOC, &args);
}

static long range(struct device *d, unsigned int cmd, u64 addr, u64 length)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.addr = addr,
		.length = length,
	};

	return call(d, cmd, &args);
}

static long commit(struct device *d, u64 addr, u64 length)
{
	return range(d, CHUNK_IOC_COMMIT, addr, length);
}

static long decommit(struct device *d, u64 addr, u64 length)
{
	return range(d, CHUNK_IOC_DECOMMIT, addr, length);
}

static u32 state_of(struct device *d, u64 addr)
{
	struct chunk_ioc_lookup args = { .size = sizeof(args), .addr = addr };

	return call(d, CHUNK_IOC_LOOKUP, &args) ? ~0U : args.state;
}

static struct chunk_ioc_stats stats_of(struct device *d)
{
	struct chunk_ioc_stats stats = { .size = sizeof(stats) };

	if (call(d, CHUNK_IOC_STATS, &stats))
		stats.live_bytes = ANY;
	return stats;
}

/* As user space would access it: -EFAULT where that traps. */
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
	struct device *d = test->priv;

	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_INFO, &args));
	KUNIT_EXPECT_EQ(test, args.abi, (u32)CHUNK_ABI);
	KUNIT_EXPECT_EQ(test, args.chunk_size, (u32)CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, args.page_size, (u32)PAGE_SIZE);
	KUNIT_EXPECT_TRUE(test, args.caps & CHUNK_CAP_GUARDED);
}

static void alloc_and_dealloc(struct kunit *test)
{
	struct device *d = test->priv;
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
	struct device *d = test->priv;
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
	struct device *d = test->priv;
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

/* A chunk gone as a whole, of which some pages come back */
static void commit_part_of_chunk(struct kunit *test)
{
	struct device *d = test->priv;
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
	struct device *d = test->priv;
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
	struct device *d = test->priv;
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
	struct device *d = test->priv;
	u64 addr;

	KUNIT_EXPECT_EQ(test, 0L, call(d, CHUNK_IOC_CONFIGURE, &args));
	KUNIT_ASSERT_EQ(test, 0L, alloc(d, CHUNK_SIZE, CHUNK_SIZE, &addr));
	KUNIT_EXPECT_EQ(test, stats_of(d).mapped_bytes, (u64)8 * CHUNK_SIZE);
	KUNIT_EXPECT_EQ(test, (long)-EBUSY,
			call(d, CHUNK_IOC_CONFIGURE, &args));
}

static void misuse(struct kunit *test)
{
	struct device *d = test->priv;
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
	KUNIT_EXPECT_EQ(test, (long)-ENOTTY,
			d->file->f_op->unlocked_ioctl(d->file, 0, d->args));
	KUNIT_EXPECT_EQ(test, (long)-EFAULT,
			d->file->f_op->unlocked_ioctl(d->file,
						      CHUNK_IOC_ALLOC, 0));
	KUNIT_EXPECT_EQ(test, stats_of(d).live_bytes, before.live_bytes);
	KUNIT_EXPECT_EQ(test, stats_of(d).mapped_bytes, before.mapped_bytes);
	KUNIT_EXPECT_EQ(test, 0L, dealloc(d, addr, 2 * CHUNK_SIZE));
	KUNIT_EXPECT_EQ(test, (long)-ENOENT, dealloc(d, addr, 2 * CHUNK_SIZE));
}

static unsigned long map(struct device *d, unsigned long size,
			 unsigned int log2, unsigned long flags)
{
	return vm_mmap(d->file, 0, size, PROT_READ | PROT_WRITE, flags,
		       CHUNK_MMAP_ALIGN(log2, PAGE_SIZE));
}

static void mapped_directly(struct kunit *test)
{
	struct device *d = test->priv;
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
	struct device *d = test->priv;
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

/* Recycled address space that was unmapped is never handed out again. */
static void recycled_and_unmapped(struct kunit *test)
{
	struct device *d = test->priv;
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
	struct device *d = test->priv;
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

static void contexts_are_apart(struct kunit *test)
{
	struct device *d = test->priv;
	struct device other = { .args = d->args };
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
	struct device *d = test->priv;
	struct device other = { .args = d->args };
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
	KUNIT_CASE(mapped_directly),
	KUNIT_CASE(unmapped_behind_our_back),
	KUNIT_CASE(recycled_and_unmapped),
	KUNIT_CASE(without_the_address_space),
	KUNIT_CASE(contexts_are_apart),
	KUNIT_CASE(released_while_mapped),
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
