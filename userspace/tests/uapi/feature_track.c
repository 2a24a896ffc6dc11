// SPDX-License-Identifier: MIT
/* userfaultfd, and what /proc tells of the device's memory: see feature.h. */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/userfaultfd.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>

#include "feature.h"
#include "kernel_file.h"
#include "pagemap_scan.h"
#include "smaps.h"
#include "uapi.h"

/* This name belongs to newer kernels than some headers. */
#define FEATURE_WP_UNPOPULATED	(1ULL << 13)
#define FEATURE_WP_ASYNC	(1ULL << 15)
#define FEATURE_RWP		(1ULL << 17)
#define FEATURE_RWP_ASYNC	(1ULL << 18)
#define REGISTER_RWP		(1ULL << 3)
#define IOCTL_RWPROTECT		_IOWR(UFFDIO, 9, struct uffdio_writeprotect)

static int uffd_open(__u64 features, int *fd)
{
	struct uffdio_api api = { .api = UFFD_API, .features = features };

	*fd = syscall(SYS_userfaultfd, O_CLOEXEC);
	if (*fd < 0)
		untested("no userfaultfd: %s", strerror(errno));
	return ioctl(*fd, UFFDIO_API, &api) ? errno : WORKS;
}

/* To protect pages from writes is for each processor to implement. */
static void need_uffd_wp(void)
{
	int fd, error = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP, &fd);

	if (error)
		untested("userfaultfd protects nothing here: %s", strerror(error));
	close(fd);
}

static int uffd_register(int fd, const struct site *site, __u64 mode)
{
	struct uffdio_register range = {
		.range = { (uintptr_t)site->addr, site->length }, .mode = mode,
	};

	return ioctl(fd, UFFDIO_REGISTER, &range) ? errno : WORKS;
}

static void uffd_unregister(int fd, const struct site *site)
{
	struct uffdio_range range = { (uintptr_t)site->addr, site->length };

	expect(ioctl(fd, UFFDIO_UNREGISTER, &range) == 0);
	close(fd);
}

static int uffd_protect(int fd, unsigned long command, const char *addr,
			size_t length, bool on)
{
	struct uffdio_writeprotect range = {
		.range = { (uintptr_t)addr, length }, .mode = on,
	};

	return ioctl(fd, command, &range) ? errno : WORKS;
}

int try_uffd_missing(const struct site *site)
{
	char *target = site_target(site);
	static char bytes[PAGE_ROOM] __attribute__((aligned(PAGE_ROOM)));
	struct uffdio_copy copy = {
		.dst = (uintptr_t)target, .src = (uintptr_t)bytes,
		.len = site->page,
	};
	struct uffdio_zeropage zero = {
		.range = { (uintptr_t)target, site->page },
	};
	int fd, error = uffd_open(0, &fd);

	error = error ?: uffd_register(fd, site, UFFDIO_REGISTER_MODE_MISSING);
	if (error)
		return error;
	/* A page that was never touched is filled before the first access returns. */
	expect(madvise(target, site->page, MADV_DONTNEED) == 0);
	fill(bytes, site->page, 7);
	error = ioctl(fd, UFFDIO_COPY, &copy) ? errno : WORKS;
	if (error)
		expect(ioctl(fd, UFFDIO_ZEROPAGE, &zero) == -1 &&
		       errno == error);
	else
		expect(is_filled(target, site->page, 7));
	uffd_unregister(fd, site);
	return error;
}

int try_uffd_minor(const struct site *site)
{
	int fd, error = uffd_open(0, &fd);

	return error ?: uffd_register(fd, site, UFFDIO_REGISTER_MODE_MINOR);
}

static void *write_it(void *target)
{
	*(volatile char *)target = 9;
	return NULL;
}

int try_uffd_wp(const struct site *site)
{
	char *target = site_target(site);
	int fd, error = uffd_open(UFFD_FEATURE_PAGEFAULT_FLAG_WP, &fd);
	struct uffd_msg message;
	pthread_t thread;

	need_uffd_wp();
	error = error ?: uffd_register(fd, site, UFFDIO_REGISTER_MODE_WP);
	if (error)
		return error;
	*target = 1;
	expect_equal(uffd_protect(fd, UFFDIO_WRITEPROTECT, target, site->page,
				  true), 0);
	expect(!pthread_create(&thread, NULL, write_it, target));
	expect(read(fd, &message, sizeof(message)) == sizeof(message));
	expect(message.event == UFFD_EVENT_PAGEFAULT &&
	       (message.arg.pagefault.flags & UFFD_PAGEFAULT_FLAG_WP));
	expect_equal(*target, 1);
	expect_equal(uffd_protect(fd, UFFDIO_WRITEPROTECT, target, site->page,
				  false), 0);
	expect(!pthread_join(thread, NULL));
	expect_equal(*target, 9);
	uffd_unregister(fd, site);
	return WORKS;
}

/* Count the pages of the range that are of a category; negative: an errno. */
static int scan(const struct site *site, __u64 category)
{
	long bytes = pagemap_scan(site->addr, site->length, category);

	return bytes < 0 ? bytes : bytes / (long)site->page;
}

static int pages_present(const struct site *site)
{
	return site->length / site->page - !!site->hole;
}

int try_pagemap_scan(const struct site *site)
{
	int pages = scan(site, SCAN_PRESENT);

	if (pages < 0)
		return -pages;
	expect_equal(pages, pages_present(site));
	return WORKS;
}

/*
 * A tracker of writes finds the written pages, and no others. It ends by
 * closing the descriptor: UFFDIO_UNREGISTER is a BUG() on 6.12, on any file's
 * private mapping.
 */
int try_uffd_wp_async(const struct site *site)
{
	int fd, error = uffd_open(FEATURE_WP_ASYNC | FEATURE_WP_UNPOPULATED,
				  &fd);

	need_uffd_wp();
	error = error ?: uffd_register(fd, site, UFFDIO_REGISTER_MODE_WP);
	if (error)
		return error;
	expect_equal(uffd_protect(fd, UFFDIO_WRITEPROTECT, site->addr,
				  site->length, true), 0);
	expect_equal(scan(site, SCAN_WRITTEN), 0);
	fill(site->addr + site->page, site->page, 1 + site->page);
	expect_equal(scan(site, SCAN_WRITTEN), 1);
	close(fd);
	expect_kept(site);
	return WORKS;
}

int try_uffd_rwp(const struct site *site)
{
	int fd, error = uffd_open(FEATURE_RWP | FEATURE_RWP_ASYNC, &fd);

	error = error ?: uffd_register(fd, site, REGISTER_RWP);
	if (error)
		return error;
	expect_equal(uffd_protect(fd, IOCTL_RWPROTECT, site->addr, site->length,
				  true), 0);
	expect_kept(site);
	uffd_unregister(fd, site);
	return WORKS;
}

int try_pagemap(const struct site *site)
{
	expect_equal(resident_bytes(site->addr, site->length) / site->page,
		     pages_present(site));
	return WORKS;
}

static bool soft_dirty(const char *addr)
{
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	uint64_t entry;

	expect(file >= 0);
	expect(pread(file, &entry, sizeof(entry), (uintptr_t)addr /
		     page_size() * sizeof(entry)) == sizeof(entry));
	close(file);
	return entry >> 55 & 1;
}

/* A huge page is dirty as a whole, so the other page is in another one. */
int try_soft_dirty(const struct site *site)
{
	char *other = site->extent + HUGE_PAGE_SIZE;

	*other = 1;
	if (!soft_dirty(other))
		untested("this processor has no soft-dirty pages");
	expect(put_text("/proc/self/clear_refs", "4"));
	if (soft_dirty(site->addr))
		untested("this kernel does not track soft-dirty pages");
	fill(site->addr, site->page, 1);
	expect(soft_dirty(site->addr));
	expect(!soft_dirty(other));
	expect_kept(site);
	return WORKS;
}

/* The range is part of a mapping, whose bounds are the link's name. */
int try_map_files(const struct site *site)
{
	unsigned long start, end;
	char line[512], path[64], target[64] = "";
	FILE *maps = fopen("/proc/self/maps", "r");

	expect(maps);
	do {
		expect(fgets(line, sizeof(line), maps));
		expect(sscanf(line, "%lx-%lx ", &start, &end) == 2);
	} while ((uintptr_t)site->addr < start || (uintptr_t)site->addr >= end);
	fclose(maps);
	snprintf(path, sizeof(path), "/proc/self/map_files/%lx-%lx", start, end);
	if (readlink(path, target, sizeof(target) - 1) < 0)
		return errno;
	expect(!strcmp(target, CHUNK_DEVICE_PATH));
	return WORKS;
}

int try_smaps(const struct site *site)
{
	size_t bytes = pages_present(site) * site->page;

	expect(mapping_figure(site->addr, "Rss") >= bytes);
	expect(mapping_figure(site->addr, "Anonymous") >= bytes);
	return WORKS;
}

int try_mincore(const struct site *site)
{
	unsigned char vector[64];
	size_t pages = site->length / site->page;

	expect(pages <= sizeof(vector));
	if (mincore(site->addr, site->length, vector))
		return errno;
	for (size_t i = 0; i < pages; i++)
		expect_equal(vector[i] & 1,
			     site->addr + i * site->page != site->hole);
	return WORKS;
}
