// SPDX-License-Identifier: GPL-2.0-only
/*
 * /dev/chunk: aligned chunks of address space for memory allocators.
 *
 * This file is the module's outside: device, open and release. See
 * include/uapi/linux/chunk.h for the interface, and chunk_module.h for the
 * structures inside and the order of their locks.
 */
#define pr_fmt(fmt) KBUILD_MODNAME ": " fmt

#include <linux/cdev.h>
#include <linux/device.h>
#include <linux/fs.h>
#include <linux/module.h>
#include <linux/sched.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

static ushort mode = 0666;
module_param(mode, ushort, 0444);
MODULE_PARM_DESC(mode, "Permissions of /dev/chunk (default 0666)");

/* The ABI and the engine name the same numbers. */
static_assert(CHUNK_TYPE_UNKNOWN == (int)UNKNOWN_CHUNK);
static_assert(CHUNK_TYPE_ZEROED == (int)ZEROED_CHUNK);
static_assert(CHUNK_TYPE_ARENA == (int)ARENA_CHUNK);
static_assert(CHUNK_TYPE_HUGE == (int)HUGE_CHUNK);
static_assert(CHUNK_TYPE_RECYCLED == (int)RECYCLED_CHUNK);
static_assert(CHUNK_SIZE == CHUNK_TREE_UNIT);

static int chunk_open(struct inode *inode, struct file *file)
{
	struct chunk_context *context;

	/* A kernel thread has no address space to allocate from. */
	if (!current->mm)
		return -EPERM;
	context = chunk_context_new(current->mm);
	if (!context)
		return -ENOMEM;
	file->private_data = context;
	context->mapping.host = inode;
	file->f_mapping = &context->mapping;
	return nonseekable_open(inode, file);
}

/* Not .flush: mappings outlive close(2), and each of them pins the file. */
static int chunk_release(struct inode *inode, struct file *file)
{
	file->f_mapping = inode->i_mapping;
	chunk_context_close(file->private_data);
	return 0;
}

static long chunk_unlocked_ioctl(struct file *file, unsigned int cmd,
				 unsigned long arg)
{
	long ret = chunk_ioctl(file, cmd, arg);

	if (ret != -EPERM)
		chunk_verify(file->private_data);
	return ret;
}

static void chunk_show_fdinfo(struct seq_file *m, struct file *file)
{
	chunk_report_show(m, file->private_data);
}

static const struct file_operations chunk_fops = {
	.owner = THIS_MODULE,
	.open = chunk_open,
	.release = chunk_release,
	.unlocked_ioctl = chunk_unlocked_ioctl,
	.compat_ioctl = compat_ptr_ioctl,
	.mmap = chunk_mmap,
	.get_unmapped_area = chunk_get_unmapped_area,
	.show_fdinfo = chunk_show_fdinfo,
};

/* The path in /dev, and its permissions */
static char *chunk_devnode(CHUNK_DEVNODE_DEVICE *device, umode_t *permissions)
{
	if (permissions)
		*permissions = mode;
	return NULL;
}

static struct class chunk_class = {
	.name = "chunk",
	.devnode = chunk_devnode,
};

/*
 * Not a misc device: all those are opened under one mutex, so that a task that
 * is slow in opening one, for lack of memory or of time, holds up every other
 * user.
 */
static struct cdev chunk_cdev;
static dev_t chunk_number;

static int chunk_add_device(void)
{
	struct device *device;
	int err;

	cdev_init(&chunk_cdev, &chunk_fops);
	chunk_cdev.owner = THIS_MODULE;
	err = cdev_add(&chunk_cdev, chunk_number, 1);
	if (err)
		return err;
	device = device_create(&chunk_class, NULL, chunk_number, NULL, "chunk");
	if (!IS_ERR(device))
		return 0;
	cdev_del(&chunk_cdev);
	return PTR_ERR(device);
}

static int chunk_register_device(void)
{
	int err = alloc_chrdev_region(&chunk_number, 0, 1, "chunk");

	if (err)
		return err;
	err = class_register(&chunk_class);
	if (err)
		goto free_number;
	err = chunk_add_device();
	if (err)
		goto free_class;
	return 0;

free_class:
	class_unregister(&chunk_class);
free_number:
	unregister_chrdev_region(chunk_number, 1);
	return err;
}

static void chunk_unregister_device(void)
{
	device_destroy(&chunk_class, chunk_number);
	cdev_del(&chunk_cdev);
	class_unregister(&chunk_class);
	unregister_chrdev_region(chunk_number, 1);
}

static int __init chunk_init(void)
{
	int err;

	if (mode & ~0666) {
		pr_err("mode=%#o: only read and write permissions make sense\n",
		       mode);
		return -EINVAL;
	}
	err = chunk_extent_cache_init();
	if (err)
		return err;
	err = chunk_discard_init();
	if (err)
		goto free_cache;
	err = chunk_register_device();
	if (err)
		goto stop_discarding;
	chunk_debugfs_init();
	if (!CHUNK_HAVE_ZAP)
		pr_info("this kernel exports no zap: users must free memory by madvise\n");
	return 0;

stop_discarding:
	chunk_discard_exit();
free_cache:
	chunk_extent_cache_exit();
	return err;
}

static void __exit chunk_exit(void)
{
	chunk_debugfs_exit();
	chunk_unregister_device();
	chunk_discard_exit();
	chunk_extent_cache_exit();
}

module_init(chunk_init);
module_exit(chunk_exit);

MODULE_DESCRIPTION("Aligned chunks of address space for memory allocators");
MODULE_AUTHOR("The chunkmod authors");
MODULE_LICENSE("GPL");
MODULE_VERSION(CHUNK_VERSION);
