// SPDX-License-Identifier: MIT
/*
 * Linux with the module: /dev/chunk.
 *
 * The program may close the descriptor, which it does not know, or open another
 * file in its place, and the descriptor of a forked child belongs to the address
 * space of its parent. Both show as errors; after an error the descriptor is
 * checked. A file that is not the device is left alone.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/chunk.h>
#include <linux/stat.h>

#include "os.h"
#include "os_device_args.h"
#include "os_linux.h"

#ifndef MADV_POPULATE_READ
#define MADV_POPULATE_READ	22
#endif

static atomic_int device_fd = -1;

/* Number of the device: two open files of one device cannot be told apart. */
static atomic_uint device_number;
static atomic_bool device_zaps;
static atomic_bool device_offers;

/* With huge backing the device does not guard pages; chunk_os_guard() does. */
static atomic_bool device_huge;
static atomic_bool used_guards;

/* Return the number of the device behind a descriptor, or 0. */
static unsigned int number_of(int fd)
{
	struct statx stat;

	if (sys(SYS_statx, fd, "", AT_EMPTY_PATH, STATX_TYPE, &stat) ||
	    (stat.stx_mode & S_IFMT) != S_IFCHR)
		return 0;
	return stat.stx_rdev_major << 20 | stat.stx_rdev_minor;
}

static bool is_ours(int fd)
{
	return number_of(fd) == atomic_load_explicit(&device_number,
						     memory_order_relaxed);
}

/**
 * chunk_linux_device() - find the descriptor of the open device
 *
 * Return: the descriptor; -ENODEV if there is none, or another file is behind it.
 */
int chunk_linux_device(void)
{
	int fd = atomic_load_explicit(&device_fd, memory_order_relaxed);

	return fd >= 0 && is_ours(fd) ? fd : -ENODEV;
}

static int device_call(unsigned int command, void *args)
{
	int fd = atomic_load_explicit(&device_fd, memory_order_relaxed);
	int err;

	if (fd < 0)
		return -ENODEV;
	do {
		err = sys(SYS_ioctl, fd, command, args);
	} while (err == -EINTR);
	if (err == -EPERM || err == -EBADF || err == -ENOTTY)
		return -ENODEV;
	return err && !is_ours(fd) ? -ENODEV : err;
}

/* Programs expect low descriptors to be theirs, and 0 to 2 to be standard. */
static int move_high(int fd)
{
	static const int places[] = { 512, 128, 32, 3 };
	unsigned int i;
	int high;

	for (i = 0; i < sizeof(places) / sizeof(*places); i++) {
		high = sys(SYS_fcntl, fd, F_DUPFD_CLOEXEC, places[i]);
		if (high >= 0) {
			sys(SYS_close, fd);
			return high;
		}
	}
	return fd;
}

static bool known(const struct chunk_ioc_info *info)
{
	return info->abi == CHUNK_ABI && info->caps & CHUNK_CAP_GUARDED &&
	       info->chunk_size == CHUNK_SIZE;
}

int chunk_device_open(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = sys(SYS_openat, AT_FDCWD, CHUNK_DEVICE_PATH,
		     O_RDWR | O_CLOEXEC);

	if (fd < 0)
		return fd;
	fd = move_high(fd);
	if (sys(SYS_ioctl, fd, CHUNK_IOC_INFO, &info) || !known(&info)) {
		sys(SYS_close, fd);
		return -EPROTO;
	}
	atomic_store(&device_number, number_of(fd));
	atomic_store(&device_zaps, info.caps & CHUNK_CAP_ZAP);
	atomic_store(&device_offers, info.caps & CHUNK_CAP_OFFER);
	atomic_store(&device_huge, false);
	atomic_store(&device_fd, fd);
	return 0;
}

bool chunk_device_is_loaded(void)
{
	struct statx stat;

	return !sys(SYS_statx, AT_FDCWD, "/sys/class/chunk", 0, STATX_TYPE,
		    &stat);
}

bool chunk_device_access(struct chunk_device_access *access)
{
	struct statx stat;

	if (sys(SYS_statx, AT_FDCWD, CHUNK_DEVICE_PATH, 0,
		STATX_MODE | STATX_UID | STATX_GID, &stat))
		return false;
	*access = (struct chunk_device_access) {
		.mode = stat.stx_mode & 07777,
		.user = stat.stx_uid,
		.group = stat.stx_gid,
		.my_user = geteuid(),
		.my_group = getegid(),
	};
	return true;
}

/* The descriptor may be another file's by now. */
void chunk_device_close(void)
{
	int fd = atomic_exchange(&device_fd, -1);

	if (fd >= 0 && is_ours(fd))
		sys(SYS_close, fd);
}

int chunk_device_configure(enum chunk_backing backing, size_t grow)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = backing == HUGE_BACKING ? CHUNK_BACKING_HUGE :
						     CHUNK_BACKING_GUARDED,
		.grow = grow,
	};
	int err = device_call(CHUNK_IOC_CONFIGURE, &args);

	if (!err)
		atomic_store(&device_huge, backing == HUGE_BACKING);
	return err;
}

static bool is_huge(void)
{
	return atomic_load_explicit(&device_huge, memory_order_relaxed);
}

bool chunk_device_has_words(void)
{
	return atomic_load_explicit(&device_offers, memory_order_relaxed);
}

bool chunk_device_takes_advice(void)
{
	return is_huge();
}

bool chunk_device_traps(void)
{
	return !is_huge() || chunk_os_caps.can_guard;
}

int chunk_device_alloc(size_t size, size_t alignment, enum chunk_birth birth,
		       void **out)
{
	static const unsigned int flags[] = {
		[BORN_COMMITTED] = 0,
		[BORN_PRESENT] = CHUNK_ALLOC_POPULATE,
		[BORN_DECOMMITTED] = CHUNK_ALLOC_DECOMMITTED,
	};
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = flags[birth],
		.length = size,
		.alignment = alignment,
	};
	int err = device_call(CHUNK_IOC_ALLOC, &args);

	/* Some files return 0 for an ioctl that they do not know. */
	if (!err && !args.addr)
		return -ENODEV;
	*out = (void *)(uintptr_t)args.addr;
	return err;
}

/*
 * Free memory where the device does not. A filter of system calls may refuse that; the
 * device itself tells of a part that is not mapped.
 */
static int free_pages(void *addr, size_t size)
{
	int err = chunk_linux_purge(addr, size);

	return err == -ENOMEM ? 0 : err;
}

int chunk_device_dealloc(void *addr, size_t size, enum chunk_type type)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.type = type,
		.addr = (uintptr_t)addr,
		.length = size,
	};
	int err = 0;

	/* The next owner of the memory expects zeroes, and no guards. */
	if (is_huge() && atomic_load_explicit(&used_guards,
					      memory_order_relaxed))
		chunk_linux_unguard(addr, size);
	if (!atomic_load(&device_zaps))
		err = free_pages(addr, size);
	return err ? err : device_call(CHUNK_IOC_DEALLOC, &args);
}

static int device_range(unsigned int command, unsigned int flags, void *addr,
			size_t size)
{
	struct chunk_ioc_range args = device_range_args(flags, addr, size);

	return device_call(command, &args);
}

int chunk_device_commit(void *addr, size_t size, bool populate)
{
	int err = 0;

	if (is_huge())
		err = chunk_linux_unguard(addr, size);
	if (err)
		return -ENOMEM;
	return device_range(CHUNK_IOC_COMMIT,
			    populate ? CHUNK_COMMIT_POPULATE : 0, addr, size);
}

/* Where free_pages() is refused, the memory is kept, reads as zero, and does not trap. */
static int free_decommitted(void *addr, size_t size)
{
	int err;

	if (!free_pages(addr, size))
		return 0;
	err = device_range(CHUNK_IOC_COMMIT, 0, addr, size);
	if (!err)
		memset(addr, 0, size);
	return err;
}

int chunk_device_decommit(void *addr, size_t size)
{
	int err = device_range(CHUNK_IOC_DECOMMIT, CHUNK_DECOMMIT_LOCKED, addr,
			       size);

	if (err)
		return err;
	if (!atomic_load(&device_zaps))
		return free_decommitted(addr, size);
	/* Locked memory cannot be guarded. */
	if (is_huge() && !chunk_os_guard(addr, size))
		atomic_store_explicit(&used_guards, true, memory_order_relaxed);
	return 0;
}

static void ops_to_device(enum chunk_batch what, const struct chunk_op *ops,
			  struct chunk_ioc_op *out, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++)
		out[i] = (struct chunk_ioc_op) {
			.addr = what == BATCH_ALLOC ? 0 :
						      (uintptr_t)ops[i].addr,
			.length = ops[i].size,
			.alignment = what == BATCH_ALLOC ? ops[i].alignment : 0,
			.type = what == BATCH_DEALLOC ? ops[i].type : 0,
		};
}

static void ops_from_device(struct chunk_op *ops,
			    const struct chunk_ioc_op *in, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		ops[i].addr = (void *)(uintptr_t)in[i].addr;
		ops[i].error = in[i].error;
	}
}

/* An extent that somebody has unmapped already is deallocated. */
static void forgive_stale(struct chunk_op *ops, size_t count)
{
	size_t i;

	for (i = 0; i < count; i++) {
		if (ops[i].error == ESTALE)
			ops[i].error = 0;
	}
}

int chunk_device_batch(enum chunk_batch what, struct chunk_op *ops,
		       size_t count)
{
	static const unsigned int whats[] = {
		[BATCH_ALLOC] = CHUNK_BATCH_ALLOC,
		[BATCH_DEALLOC] = CHUNK_BATCH_DEALLOC,
		[BATCH_COMMIT] = CHUNK_BATCH_COMMIT,
		[BATCH_DECOMMIT] = CHUNK_BATCH_DECOMMIT,
	};
	struct chunk_ioc_op array[CHUNK_BATCH_GROUP];
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = whats[what],
		.flags = what == BATCH_DECOMMIT ? CHUNK_DECOMMIT_LOCKED : 0,
		.count = count,
		.ops = (uintptr_t)array,
	};
	int err;

	/* Each element needs system calls besides the device's. */
	if (what != BATCH_ALLOC && (is_huge() || !atomic_load(&device_zaps)))
		return -EOPNOTSUPP;
	ops_to_device(what, ops, array, count);
	err = device_call(CHUNK_IOC_BATCH, &args);
	if (err)
		return err;
	ops_from_device(ops, array, count);
	if (what == BATCH_DEALLOC)
		forgive_stale(ops, count);
	return 0;
}

int chunk_device_limit(size_t bytes)
{
	struct chunk_ioc_limit args = {
		.size = sizeof(args),
		.limit = bytes,
	};

	return device_call(CHUNK_IOC_LIMIT, &args);
}

int chunk_device_stats(struct chunk_device_stats *stats)
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
		.offered_bytes = args.offered_bytes,
		.discarded_bytes = args.discarded_bytes,
		.discards = args.discards,
		.takes = args.takes,
		.retained_bytes = args.reserved_bytes,
		.traps = args.traps,
	};
	return 0;
}

int chunk_device_lookup(void *addr, struct chunk_device_run *run)
{
	struct chunk_ioc_lookup args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
	};
	int err = device_call(CHUNK_IOC_LOOKUP, &args);

	if (err)
		return err;
	*run = (struct chunk_device_run) {
		.held = args.state,
		.live = args.state & CHUNK_STATE_LIVE,
		.committed = args.state == CHUNK_STATE_LIVE,
		.end = args.end > UINTPTR_MAX ? UINTPTR_MAX : args.end,
	};
	return 0;
}

bool chunk_device_keeps(void *addr, size_t size)
{
	uintptr_t at = (uintptr_t)addr, last = at + size - 1;
	struct chunk_device_run run;

	do {
		if (chunk_device_lookup((void *)at, &run))
			return false;
		if (run.held && !run.live)
			return true;
		if (run.end <= at)
			return false;
		at = run.end;
	} while (at <= last);
	return false;
}

/*
 * Of a populating read: -EFAULT where the module made the page trap, -EINVAL where the
 * mapping may not be read: it has replaced one of the module's. Kernels that the module
 * is for know the call.
 */
static bool means_trap(int err)
{
	return err == -EFAULT || err == -EINVAL;
}

/*
 * A populating read that fails changes nothing. If memory is short, the page counts as
 * accessible.
 */
bool chunk_device_traps_at(void *page)
{
	return means_trap(chunk_sys_madvise(page, chunk_os_caps.page_size,
					    MADV_POPULATE_READ));
}

/* Return how many bytes from @at on trap, or a negative error number. */
static ssize_t trapping(char *at, char *end)
{
	size_t page = chunk_os_caps.page_size;
	char *to = at;
	int err;

	while (to < end) {
		err = chunk_sys_madvise(to, page, MADV_POPULATE_READ);
		if (!err)
			break;
		/* A page that only lacks memory must not be replaced. */
		if (!means_trap(err))
			return -ENOMEM;
		to += page;
	}
	return to - at;
}

/*
 * Mappings of an earlier generation keep trapping, and no call can make the device
 * let accesses through again. So pages that trap are replaced.
 */
int chunk_device_commit_lost(void *addr, size_t size)
{
	char *at = addr, *end = at + size;

	if (!chunk_sys_madvise(addr, size, MADV_POPULATE_READ))
		return 0;
	while (at < end) {
		ssize_t length = trapping(at, end);

		if (length < 0)
			return length;
		if (!length) {
			at += chunk_os_caps.page_size;
			continue;
		}
		if (chunk_sys_mmap(at, length, PROT_READ | PROT_WRITE,
				   MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED) !=
		    (long)at)
			return -ENOMEM;
		chunk_linux_name(at, length, "chunk");
		at += length;
	}
	return 0;
}

int chunk_device_purge(void *addr, size_t size)
{
	return chunk_linux_purge(addr, size);
}

int chunk_device_decommit_lost(void *addr, size_t size)
{
	return chunk_os_decommit(addr, size);
}
