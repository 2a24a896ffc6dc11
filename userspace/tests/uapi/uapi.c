// SPDX-License-Identifier: MIT
/* Calls of /dev/chunk: see uapi.h. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "uapi.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

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

/* Does the caller free memory, since the kernel exports no zap? */
static bool caller_frees(int fd)
{
	static int frees = -1;
	struct chunk_ioc_info info = { .size = sizeof(info) };

	/* It may fail: not every file is a device of this process. */
	if (frees < 0 && !ioctl(fd, CHUNK_IOC_INFO, &info))
		frees = !(info.caps & CHUNK_CAP_ZAP);
	return frees > 0;
}

/* Something else may be mapped where the device had its own. */
static bool strangers;

/**
 * spare_strangers() - let a caller who frees memory leave alone what others mapped
 *
 * To be called before something else is mapped in place of a part of an extent. It
 * costs a look at all mappings each time.
 */
void spare_strangers(void)
{
	strangers = true;
}

static void free_between(unsigned long long addr, unsigned long long end)
{
	if (addr < end)
		madvise((void *)(uintptr_t)addr, end - addr, MADV_DONTNEED_LOCKED);
}

static void free_own(unsigned long long addr, unsigned long long end)
{
	FILE *maps = fopen("/proc/self/maps", "r");
	unsigned long long from, to;
	char line[512];

	expect(maps);
	while (fgets(line, sizeof(line), maps))
		if (strstr(line, CHUNK_DEVICE_PATH) &&
		    sscanf(line, "%llx-%llx", &from, &to) == 2)
			free_between(from > addr ? from : addr, to < end ? to : end);
	fclose(maps);
}

static void free_range(__u64 addr, __u64 length)
{
	if (strangers)
		free_own(addr, addr + length);
	else
		free_between(addr, addr + length);
}

/* Free the memory of an extent, if it is one: DEALLOC may refuse the call. */
static void free_extent(int fd, __u64 addr, __u64 length)
{
	struct chunk_ioc_lookup args = { .size = sizeof(args), .addr = addr };

	if (!ioctl(fd, CHUNK_IOC_LOOKUP, &args) &&
	    args.state & CHUNK_STATE_LIVE && args.addr == addr &&
	    args.length == length)
		free_range(addr, length);
}

/**
 * free_before() - free what a call is about to take back, as chunk(4) says
 * @fd:      the device
 * @command: CHUNK_IOC_*
 * @arg:     the argument, readable, with its array
 *
 * Does nothing where the device frees it (CHUNK_CAP_ZAP).
 */
void free_before(int fd, unsigned long command, const void *arg)
{
	const struct chunk_ioc_dealloc *dealloc = arg;
	const struct chunk_ioc_batch *batch = arg;

	if (!caller_frees(fd))
		return;
	if (command == CHUNK_IOC_DEALLOC)
		free_extent(fd, dealloc->addr, dealloc->length);
	if (command != CHUNK_IOC_BATCH || batch->what != CHUNK_BATCH_DEALLOC)
		return;
	for (__u32 i = 0; i < batch->count; i++) {
		const struct chunk_ioc_op *ops = (void *)(uintptr_t)batch->ops;

		free_extent(fd, ops[i].addr, ops[i].length);
	}
}

/**
 * free_after() - free what a call has decommitted, as chunk(4) says
 * @fd:      the device
 * @command: CHUNK_IOC_*, which succeeded
 * @arg:     the argument, readable, with its array
 *
 * Does nothing where the device frees it (CHUNK_CAP_ZAP).
 */
void free_after(int fd, unsigned long command, const void *arg)
{
	const struct chunk_ioc_range *range = arg;
	const struct chunk_ioc_batch *batch = arg;

	if (!caller_frees(fd))
		return;
	if (command == CHUNK_IOC_DECOMMIT)
		free_range(range->addr, range->length);
	if (command != CHUNK_IOC_BATCH || batch->what != CHUNK_BATCH_DECOMMIT)
		return;
	for (__u32 i = 0; i < batch->count; i++) {
		const struct chunk_ioc_op *ops = (void *)(uintptr_t)batch->ops;

		if (!ops[i].error)
			free_range(ops[i].addr, ops[i].length);
	}
}

/**
 * device_call() - call ioctl(2) on the device, as a caller who gets zeroed memory
 * @fd:      the device
 * @command: CHUNK_IOC_*
 * @arg:     the argument, readable, with its array
 *
 * On a kernel without zap, that is to free memory before a DEALLOC and after a
 * DECOMMIT.
 *
 * Return: 0 or an errno.
 */
int device_call(int fd, unsigned long command, void *arg)
{
	int error;

	free_before(fd, command, arg);
	error = call(fd, command, arg);
	if (!error)
		free_after(fd, command, arg);
	return error;
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

	return device_call(fd, CHUNK_IOC_DEALLOC, &args);
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

	return device_call(fd, command, &args);
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
 * address_bits() - get the number of bits that addresses of a process have
 *
 * A hint leads to the upper addresses, where a process gets none unasked.
 *
 * Return: 47 or 56 on x86-64, 47 to 56 on other processors, and 32 for a program
 * of 32 bits.
 */
unsigned int address_bits(void)
{
	unsigned int bits;

	if (sizeof(void *) == 4)
		return 32;
	for (bits = 62; bits > 40; bits--) {
		/* In the upper half, between the usual places of a process */
		void *hint = (void *)(uintptr_t)(3ULL << (bits - 2));
		void *place = mmap(hint, page_size(), PROT_NONE,
				   MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

		expect(place != MAP_FAILED && munmap(place, page_size()) == 0);
		if (place == hint)
			break;
	}
	return bits;
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
