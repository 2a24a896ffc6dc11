// SPDX-License-Identifier: MIT
/* libchunk, without the module and with it. */
#include <string.h>

#include "bench.h"
#include "chunk.h"

static bool start(void)
{
	chunk_set_recycle_limit(SIZE_MAX / 2);
	return true;
}

static bool start_device(void)
{
	return start() && !strcmp(chunk_backend(), "device");
}

static void *fresh(size_t size, size_t alignment)
{
	void *addr = chunk_alloc(size, alignment, false);

	check("chunk_alloc", !addr);
	return addr;
}

static void take(void *addr, size_t size)
{
	(void)addr;
	fresh(size, MIB);
}

static void give(void *addr, size_t size)
{
	chunk_dealloc(addr, size, ARENA_CHUNK);
}

static void commit(void *addr, size_t size)
{
	check("pages_commit", !pages_commit(addr, size));
}

#define WAY						\
	.fresh = fresh,					\
	.take = take,					\
	.give = give,					\
	.decommit = pages_decommit,			\
	.commit = commit

const struct way way_mmap = {
	.name = "libchunk, mmap",
	.option = "backend:mmap",
	.start = start,
	WAY
};

const struct way way_libchunk = {
	.name = "libchunk, device",
	.option = "backend:device",
	.start = start_device,
	WAY
};
