// SPDX-License-Identifier: MIT
/* libchunk: without the module, and with it. */
#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <chunk.h>
#include <linux/chunk.h>

#include "bench.h"

static bool start(void)
{
	chunk_set_recycle_limit(SIZE_MAX / 2);
	return true;
}

static bool start_guarded(void)
{
	return start() && !strcmp(chunk_backend(), "device");
}

static bool has_huge(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	bool has;

	if (fd < 0)
		return false;
	has = !ioctl(fd, CHUNK_IOC_INFO, &info) && info.caps & CHUNK_CAP_HUGE;
	close(fd);
	return has;
}

static bool start_huge(void)
{
	return has_huge() && start_guarded();
}

static void *fresh(size_t size, size_t alignment)
{
	return chunk_alloc(size, alignment, false);
}

static void *take(void *addr, size_t size)
{
	(void)addr;
	return chunk_alloc(size, MIB, false);
}

static bool give(void *addr, size_t size)
{
	chunk_dealloc(addr, size, ARENA_CHUNK);
	return true;
}

static bool decommit(void *addr, size_t size)
{
	pages_decommit(addr, size);
	return true;
}

static void commit(void *addr, size_t size)
{
	check("pages_commit", !pages_commit(addr, size));
}

#define CALLS_OF_LIBCHUNK	\
	.fresh = fresh,		\
	.take = take,		\
	.give = give,		\
	.decommit = decommit,	\
	.commit = commit

const struct way way_mmap = {
	.key = "mmap",
	.title = "libchunk, mmap",
	.option = "backend:mmap",
	.start = start,
	CALLS_OF_LIBCHUNK
};

const struct way way_guarded = {
	.key = "guarded",
	.title = "libchunk, device",
	.option = "backend:device",
	.module = true,
	.start = start_guarded,
	CALLS_OF_LIBCHUNK
};

const struct way way_huge = {
	.key = "huge",
	.title = "libchunk, device, huge",
	.option = "backend:device,backing:huge",
	.module = true,
	.start = start_huge,
	CALLS_OF_LIBCHUNK
};
