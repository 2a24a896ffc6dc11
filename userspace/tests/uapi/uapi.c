// SPDX-License-Identifier: MIT
/* Calls of /dev/chunk: see uapi.h. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "uapi.h"

/**
 * device_open() - open a new context, or skip the case without a device
 */
int device_open(void)
{
	int fd = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	if (fd < 0 && errno == ENOENT)
		tap_skip("no %s: run it in the virtual machine",
			 CHUNK_DEVICE_PATH);
	expect(fd >= 0);
	return fd;
}

/**
 * call() - call ioctl(2) on the device
 * @fd:      the device
 * @command: CHUNK_IOC_*
 * @arg:     the argument
 *
 * Return: 0 or an errno.
 */
int call(int fd, unsigned long command, void *arg)
{
	int result = ioctl(fd, command, arg);

	expect(result == 0 || result == -1);
	return result ? errno : 0;
}

/**
 * device_open_huge() - open a new context of the huge backing, or skip the case
 *                      if the kernel has none
 */
int device_open_huge(void)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = CHUNK_BACKING_HUGE,
	};
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = device_open();

	expect_equal(call(fd, CHUNK_IOC_INFO, &info), 0);
	if (!(info.caps & CHUNK_CAP_HUGE))
		tap_skip("this kernel exports no zap");
	expect_equal(call(fd, CHUNK_IOC_CONFIGURE, &args), 0);
	return fd;
}

/**
 * try_alloc() - call CHUNK_IOC_ALLOC
 * @fd:        the device
 * @length:    bytes
 * @alignment: bytes
 * @addr:      receives the address
 *
 * Return: 0 or an errno.
 */
int try_alloc(int fd, __u64 length, __u64 alignment, char **addr)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.length = length,
		.alignment = alignment,
	};
	int error = call(fd, CHUNK_IOC_ALLOC, &args);

	if (!error)
		*addr = (char *)(uintptr_t)args.addr;
	return error;
}

/**
 * device_alloc() - call CHUNK_IOC_ALLOC, which must succeed
 * @fd:        the device
 * @length:    bytes
 * @alignment: bytes
 */
char *device_alloc(int fd, size_t length, size_t alignment)
{
	char *addr;

	expect_equal(try_alloc(fd, length, alignment, &addr), 0);
	expect_equal((uintptr_t)addr % alignment, 0);
	return addr;
}

/**
 * device_dealloc() - call CHUNK_IOC_DEALLOC
 * @fd:     the device
 * @addr:   first byte
 * @length: bytes
 *
 * Return: 0 or an errno.
 */
int device_dealloc(int fd, const void *addr, __u64 length)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = length,
	};

	return call(fd, CHUNK_IOC_DEALLOC, &args);
}

/**
 * device_range() - call CHUNK_IOC_COMMIT or CHUNK_IOC_DECOMMIT
 * @fd:      the device
 * @command: which of them
 * @flags:   CHUNK_COMMIT_* or CHUNK_DECOMMIT_*
 * @addr:    first byte
 * @length:  bytes
 *
 * Return: 0 or an errno.
 */
int device_range(int fd, unsigned long command, unsigned int flags,
		 const void *addr, __u64 length)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.length = length,
	};

	return call(fd, command, &args);
}

/**
 * device_commit() - call CHUNK_IOC_COMMIT
 * @fd:     the device
 * @addr:   first byte
 * @length: bytes
 *
 * Return: 0 or an errno.
 */
int device_commit(int fd, const void *addr, __u64 length)
{
	return device_range(fd, CHUNK_IOC_COMMIT, 0, addr, length);
}

/**
 * device_decommit() - call CHUNK_IOC_DECOMMIT
 * @fd:     the device
 * @addr:   first byte
 * @length: bytes
 *
 * Return: 0 or an errno.
 */
int device_decommit(int fd, const void *addr, __u64 length)
{
	return device_range(fd, CHUNK_IOC_DECOMMIT, 0, addr, length);
}

/**
 * device_limit() - call CHUNK_IOC_LIMIT
 * @fd:    the device
 * @limit: bytes
 *
 * Return: the limit before.
 */
__u64 device_limit(int fd, __u64 limit)
{
	struct chunk_ioc_limit args = { .size = sizeof(args), .limit = limit };

	expect_equal(call(fd, CHUNK_IOC_LIMIT, &args), 0);
	return args.limit;
}

/**
 * device_stats() - call CHUNK_IOC_STATS
 * @fd: the device
 */
struct chunk_ioc_stats device_stats(int fd)
{
	struct chunk_ioc_stats args;

	memset(&args, 0xee, sizeof(args));
	args.size = sizeof(args);
	args.flags = 0;
	expect_equal(call(fd, CHUNK_IOC_STATS, &args), 0);
	expect_equal(args.size, sizeof(args));
	return args;
}

/**
 * device_lookup() - call CHUNK_IOC_LOOKUP
 * @fd:   the device
 * @addr: the address
 */
struct chunk_ioc_lookup device_lookup(int fd, const void *addr)
{
	struct chunk_ioc_lookup args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = 0xeeeeeeee,
		.state = 0xee,
		.type = 0xee,
	};

	expect_equal(call(fd, CHUNK_IOC_LOOKUP, &args), 0);
	return args;
}

/**
 * device_state() - get the state of an address by CHUNK_IOC_LOOKUP
 * @fd:   the device
 * @addr: the address
 */
__u32 device_state(int fd, const void *addr)
{
	return device_lookup(fd, addr).state;
}

/**
 * has_zap() - tell whether the device itself frees the memory of a range
 * @fd: the device
 */
bool has_zap(int fd)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };

	expect_equal(call(fd, CHUNK_IOC_INFO, &info), 0);
	return info.caps & CHUNK_CAP_ZAP;
}

/**
 * device_mmap() - call mmap(2) on the device, which must succeed
 * @fd:     the device
 * @length: bytes
 * @log2:   logarithm of the alignment; 0: the default alignment
 *
 * Return: the address.
 */
char *device_mmap(int fd, size_t length, unsigned int log2)
{
	void *addr = mmap(NULL, length, PROT_READ | PROT_WRITE,
			  MAP_PRIVATE | MAP_NORESERVE, fd,
			  CHUNK_MMAP_ALIGN(log2, page_size()));

	expect(addr != MAP_FAILED);
	expect_equal((uintptr_t)addr % (log2 ? (uintptr_t)1 << log2 : MIB), 0);
	return addr;
}

/**
 * same_stats() - tell whether two sets of counters are equal, but for traps
 * @a: counters
 * @b: counters
 */
bool same_stats(const struct chunk_ioc_stats *a,
		const struct chunk_ioc_stats *b)
{
	struct chunk_ioc_stats c = *a;

	c.traps = b->traps;
	return !memcmp(&c, b, sizeof(c));
}

/**
 * expect_consistent() - check that the counters agree
 * @fd: the device
 *
 * Context: no call is under way.
 */
void expect_consistent(int fd)
{
	struct chunk_ioc_stats s = device_stats(fd);

	expect(s.live_bytes + s.recycled_bytes + s.reserved_bytes <=
	       s.mapped_bytes);
	expect(s.recycled_bytes <= s.recycle_limit);
	expect(s.decommitted_bytes <= s.live_bytes);
	expect(s.live_extents * MIB <= s.live_bytes);
	expect(s.allocs_recycled <= s.allocs);
}

/**
 * anonymous() - make a private anonymous mapping
 * @size:       bytes
 * @protection: PROT_*
 */
void *anonymous(size_t size, int protection)
{
	void *addr = mmap(NULL, size, protection, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);

	expect(addr != MAP_FAILED);
	return addr;
}

/**
 * page_before_hole() - map a page behind which nothing is mapped
 *
 * Return: the end of the page, where the hole begins.
 */
char *page_before_hole(void)
{
	char *pages = anonymous(2 * page_size(), PROT_READ | PROT_WRITE);

	expect(munmap(pages + page_size(), page_size()) == 0);
	return pages + page_size();
}
