// SPDX-License-Identifier: MIT
/*
 * Linux with the module: /dev/chunk.
 *
 * The descriptor may be closed behind our back, and a forked child's belongs to
 * its parent's address space. Both show as errors, at which the descriptor is
 * looked at; a file that is not the one we opened is left alone.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/stat.h>

#include <linux/chunk.h>

#include "os.h"
#include "os_linux.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

/* Above what programs use, if they do not ask for a number. */
#define HIGH_FD	512

static atomic_int device_fd = -1;
static struct stat device_stat;
static bool device_zaps;

static int device_call(unsigned int command, void *args)
{
	struct stat now;
	int fd = atomic_load_explicit(&device_fd, memory_order_relaxed);
	int err;

	if (fd < 0)
		return -ENODEV;
	do {
		err = sys(SYS_ioctl, fd, command, args);
	} while (err == -EINTR);
	if (!err)
		return 0;
	if (err == -EPERM || err == -EBADF || err == -ENOTTY)
		return -ENODEV;
	if (fstat(fd, &now) || now.st_ino != device_stat.st_ino ||
	    now.st_rdev != device_stat.st_rdev)
		return -ENODEV;
	return err;
}

static int move_high(int fd)
{
	int high = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, HIGH_FD);

	if (high < 0)
		return fd;
	sys(SYS_close, fd);
	return high;
}

static int device_open(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = sys(SYS_openat, AT_FDCWD, CHUNK_DEVICE_PATH,
		     O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fd;
	fd = move_high(fd);
	if (sys(SYS_ioctl, fd, CHUNK_IOC_INFO, &info) ||
	    info.abi != CHUNK_ABI || !(info.caps & CHUNK_CAP_GUARDED) ||
	    info.chunk_size != CHUNK_SIZE || fstat(fd, &device_stat)) {
		sys(SYS_close, fd);
		return -EPROTO;
	}
	device_zaps = info.caps & CHUNK_CAP_ZAP;
	atomic_store_explicit(&device_fd, fd, memory_order_relaxed);
	return 0;
}

/* Closes the descriptor only if it is still the one that was opened. */
static void device_close(void)
{
	int fd = atomic_exchange(&device_fd, -1);
	struct stat now;

	if (fd >= 0 && !fstat(fd, &now) && now.st_ino == device_stat.st_ino &&
	    now.st_rdev == device_stat.st_rdev)
		sys(SYS_close, fd);
}

static int device_alloc(size_t size, size_t alignment, void **out)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.length = size,
		.alignment = alignment,
	};
	int err = device_call(CHUNK_IOC_ALLOC, &args);

	if (!err)
		*out = (void *)(uintptr_t)args.addr;
	return err;
}

static int device_dealloc(void *addr, size_t size, enum chunk_type type)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.type = type,
		.addr = (uintptr_t)addr,
		.length = size,
	};

	/* While it is ours: the next owner expects zeroes. */
	if (!device_zaps)
		chunk_linux_purge(addr, size);
	return device_call(CHUNK_IOC_DEALLOC, &args);
}

static int device_range(unsigned int command, unsigned int flags, void *addr,
			size_t size)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.length = size,
	};

	return device_call(command, &args);
}

static int device_commit(void *addr, size_t size)
{
	return device_range(CHUNK_IOC_COMMIT, 0, addr, size);
}

static int device_decommit(void *addr, size_t size)
{
	int err = device_range(CHUNK_IOC_DECOMMIT, CHUNK_DECOMMIT_LOCKED, addr,
			       size);

	if (!err && !device_zaps)
		chunk_linux_purge(addr, size);
	return err;
}

static int device_limit(size_t bytes)
{
	struct chunk_ioc_limit args = {
		.size = sizeof(args),
		.limit = bytes,
	};

	return device_call(CHUNK_IOC_LIMIT, &args);
}

static int device_stats(struct chunk_device_stats *stats)
{
	struct chunk_ioc_stats args = { .size = sizeof(args) };
	int err = device_call(CHUNK_IOC_STATS, &args);

	if (err)
		return err;
	*stats = (struct chunk_device_stats) {
		.mapped_bytes = args.mapped_bytes,
		.decommitted_bytes = args.decommitted_bytes,
		.recycled_bytes = args.recycled_bytes,
		.allocs_recycled = args.allocs_recycled,
	};
	return 0;
}

/*
 * A lost context's mappings trap where they did, and nobody can ask it to let
 * accesses through again. So such pages are replaced. Whether a page traps, a
 * populating read tells, which changes nothing where it does not.
 */
static int commit_lost(void *addr, size_t size)
{
	size_t page = chunk_os.caps.page_size;
	char *at = addr, *end = at + size;

	if (!chunk_sys_madvise(addr, size, MADV_POPULATE_READ))
		return 0;
	while (at < end) {
		char *from = at;

		while (at < end &&
		       chunk_sys_madvise(at, page, MADV_POPULATE_READ))
			at += page;
		if (at == from) {
			at += page;
			continue;
		}
		if (chunk_sys_mmap(from, at - from, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) !=
		    (long)from)
			return -ENOMEM;
		chunk_linux_name(from, at - from, "chunk");
	}
	return 0;
}

const struct chunk_device chunk_device = {
	.open = device_open,
	.close = device_close,
	.alloc = device_alloc,
	.dealloc = device_dealloc,
	.commit = device_commit,
	.decommit = device_decommit,
	.limit = device_limit,
	.stats = device_stats,
	.commit_lost = commit_lost,
	.decommit_lost = chunk_linux_none,
};
