// SPDX-License-Identifier: MIT
/* libchunk: without the module, and with it. */
#include <string.h>

#include <chunk.h>

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
