// SPDX-License-Identifier: MIT
/* libchunk without the module. */
#include <string.h>

#include "chunk.h"
#include "layer.h"

static bool start(void)
{
	return !strcmp(chunk_backend(), "mmap");
}

static void *alloc(size_t size, size_t alignment)
{
	void *addr = chunk_alloc(size, alignment, false);

	if (!addr)
		fail("chunk_alloc");
	return addr;
}

static void dealloc(void *addr, size_t size)
{
	chunk_dealloc(addr, size, ARENA_CHUNK);
}

static void take(void *addr, size_t size)
{
	(void)addr;
	alloc(size, MIB);
}

static void commit(void *addr, size_t size)
{
	if (!pages_commit(addr, size))
		fail("pages_commit");
}

static void clear(void)
{
	chunk_set_recycle_limit(chunk_set_recycle_limit(0));
}

static void unmap(void *addr, size_t size)
{
	size_t limit = chunk_set_recycle_limit(0);

	dealloc(addr, size);
	chunk_set_recycle_limit(limit);
}

const struct layer layer_libchunk = {
	.name = "libchunk",
	.start = start,
	.fresh = alloc,
	.give = dealloc,
	.take = take,
	.decommit = pages_decommit,
	.commit = commit,
	.alloc = alloc,
	.dealloc = dealloc,
	.clear = clear,
	.unmap = unmap,
};
