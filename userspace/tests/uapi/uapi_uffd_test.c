// SPDX-License-Identifier: MIT
/*
 * userfaultfd on the device's mappings must do no harm. From 6.7 on, the kernel
 * takes them only for tracking writes (UFFD_FEATURE_WP_ASYNC), which puts
 * markers into page table entries.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/userfaultfd.h>

#include "pagemap_scan.h"
#include "uapi.h"

#ifndef UFFD_USER_MODE_ONLY
#define UFFD_USER_MODE_ONLY	1
#endif
#ifndef UFFDIO_REGISTER_MODE_WP
#define UFFDIO_REGISTER_MODE_WP	((__u64)1 << 1)
#endif

/* The name is of 6.7, and in no header of older C libraries. */
#define FEATURE_WP_UNPOPULATED	(1 << 13)
#define FEATURE_WP_ASYNC	(1 << 15)

#define SIZE	(4 * MIB)

static int uffd_open(__u64 features)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };
	int uffd = syscall(SYS_userfaultfd, O_CLOEXEC | UFFD_USER_MODE_ONLY);

	if (uffd < 0)
		tap_skip("userfaultfd: %s", strerror(errno));
	if (ioctl(uffd, UFFDIO_API, &api))
		tap_skip("this kernel has no such userfaultfd");
	return uffd;
}

static int uffd_register(int uffd, char *addr, size_t size, __u64 mode)
{
	struct uffdio_register args = {
		.range = { (uintptr_t)addr, size },
		.mode = mode,
	};

	return ioctl(uffd, UFFDIO_REGISTER, &args) ? errno : 0;
}

/* From now on the kernel records writes, also to empty entries. */
static void protect(int uffd, char *addr, size_t size)
{
	struct uffdio_writeprotect args = {
		.range = { (uintptr_t)addr, size },
		.mode = UFFDIO_WRITEPROTECT_MODE_WP,
	};

	expect(ioctl(uffd, UFFDIO_WRITEPROTECT, &args) == 0);
}

static char *tracked(int fd, int *uffd)
{
	char *extent = device_alloc(fd, SIZE, MIB);

	*uffd = uffd_open(FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED);
	expect_equal(uffd_register(*uffd, extent, SIZE,
				   UFFDIO_REGISTER_MODE_WP), 0);
	return extent;
}

/* Count the bytes of a range that were written, as the kernel has recorded. */
static size_t written(char *addr, size_t size)
{
	long bytes = pagemap_scan(addr, size, SCAN_WRITTEN);

	expect(bytes >= 0);
	return bytes;
}

/* Modes other than WP_ASYNC are refused, and before 6.7 that one, too. */
static void refused(void)
{
	int fd = device_open(), uffd = uffd_open(0);
	char *extent = device_alloc(fd, SIZE, MIB);

	expect_equal(uffd_register(uffd, extent, SIZE,
				   UFFDIO_REGISTER_MODE_MISSING), EINVAL);
	expect_equal(uffd_register(uffd, extent, SIZE,
				   UFFDIO_REGISTER_MODE_WP), EINVAL);
	fill(extent, SIZE, 1);
	expect(is_filled(extent, SIZE, 1));
}

/* Each access ends, after a fault or two of its own. */
static void accesses_end(void)
{
	size_t page = page_size();
	int fd = device_open(), uffd;
	char *extent = tracked(fd, &uffd);
	unsigned long before;

	fill(extent, MIB, 1);
	protect(uffd, extent, SIZE);
	before = page_faults();
	expect(is_filled(extent, MIB, 1));
	expect(is_zero(extent + MIB, MIB));
	expect(page_faults() - before <= 2 * MIB / page + 100);
	/* Reading is not recorded. */
	expect_equal(written(extent, SIZE), 0);
	before = page_faults();
	touch(extent + MIB, MIB);
	touch(extent + 2 * MIB, MIB);
	fill(extent, page, 2);
	expect(page_faults() - before <= 6 * MIB / page + 100);
	expect_equal(written(extent, SIZE), 2 * MIB + page);
	expect(is_filled(extent, page, 2));
	expect(is_filled(extent + page, MIB - page, 1 + page));
	expect(is_zero(extent + 3 * MIB, MIB));
}

/* A decommitted page traps, and counts as written once it is committed again. */
static void decommitted(void)
{
	size_t page = page_size();
	int fd = device_open(), uffd;
	char *extent = tracked(fd, &uffd);

	if (!has_zap(fd))
		tap_skip("markers stay where the caller frees the memory");
	fill(extent, MIB, 1);
	protect(uffd, extent, SIZE);
	expect_equal(device_decommit(fd, extent + page, page), 0);
	expect_equal(device_decommit(fd, extent + 2 * MIB, MIB), 0);
	expect(read_traps(extent + page) && write_traps(extent + page));
	expect(read_traps(extent + 2 * MIB));
	/* Track the pages again while they are decommitted. */
	protect(uffd, extent + 2 * MIB, 8 * page);
	expect(read_traps(extent + 2 * MIB));
	expect(write_traps(extent + 2 * MIB));
	expect_equal(device_commit(fd, extent + page, page), 0);
	expect_equal(written(extent, MIB), page);
	expect_equal(device_commit(fd, extent + 2 * MIB, MIB), 0);
	expect(is_zero(extent + page, page));
	expect(is_zero(extent + 2 * MIB, MIB));
	expect_equal(written(extent, MIB), page);
	fill(extent + 2 * MIB, MIB, 3);
	expect(is_filled(extent + 2 * MIB, MIB, 3));
	expect(is_filled(extent + 2 * page, MIB - 2 * page, 1 + 2 * page));
}

/* Markers do not stay for the next owner of the memory. */
static void reused(void)
{
	int fd = device_open(), uffd;
	char *extent = tracked(fd, &uffd), *again;

	if (!has_zap(fd))
		tap_skip("markers stay where the caller frees the memory");
	fill(extent, SIZE, 1);
	protect(uffd, extent, SIZE);
	expect_equal(device_dealloc(fd, extent, SIZE), 0);
	again = device_alloc(fd, SIZE, MIB);
	expect(again == extent);
	expect_equal(written(extent, SIZE), SIZE);
	expect(is_zero(again, SIZE));
	fill(again, SIZE, 2);
	expect(is_filled(again, SIZE, 2));
	/* Markers do not stay when tracking has ended. */
	protect(uffd, extent, SIZE);
	expect_equal(device_decommit(fd, again, MIB), 0);
	close(uffd);
	expect_equal(device_commit(fd, again, MIB), 0);
	expect(is_zero(again, MIB));
	expect(is_filled(again + MIB, SIZE - MIB, 2 + MIB));
	expect_consistent(fd);
}

/* A child has no tracking, and no markers. */
static void inherited(void)
{
	int fd = device_open(), uffd;
	char *extent = tracked(fd, &uffd);
	pid_t child;

	fill(extent, MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	protect(uffd, extent, SIZE);
	child = tap_fork();
	if (child == 0) {
		expect(is_filled(extent, MIB, 1));
		expect_trap_only(extent + MIB, MIB);
		expect(is_zero(extent + 2 * MIB, MIB));
		fill(extent + 2 * MIB, MIB, 2);
		_exit(0);
	}
	tap_join(child);
	expect_equal(written(extent, MIB), 0);
	expect(is_zero(extent + 2 * MIB, MIB));
}

static const struct tap_case cases[] = {
	{ "no faults for user space: EINVAL", refused },
	{ "tracked memory: every access ends", accesses_end },
	{ "tracked memory, decommitted and committed again", decommitted },
	{ "tracked memory, given back and handed out again", reused },
	{ "tracked memory in a forked child", inherited },
};

const struct tap_suite tap_suite = {
	.about = "Tests userfaultfd on the device's mappings",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
