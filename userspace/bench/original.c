// SPDX-License-Identifier: MIT
/*
 * The original: the system calls of mozjemalloc's chunk layer, without its trees
 */
#include <sys/mman.h>

#include "bench.h"
#include "mozjemalloc.h"

static bool start(void)
{
	return true;
}

static void commit(void *addr, size_t size)
{
	check("mmap", !original_commit(addr, size));
}

static void *take(void *addr, size_t size)
{
	return original_commit(addr, size) ? addr : NULL;
}

/* The original has no such call; this is the system's. */
static void populate(void *addr, size_t size)
{
	check("MADV_POPULATE_WRITE", madvise(addr, size, MADV_POPULATE_WRITE));
}

static void *alloc_populated(size_t size)
{
	void *addr = original_map(size, MIB);

	check("mmap", !addr);
	populate(addr, size);
	return addr;
}

const struct way way_original = {
	.key = "original",
	.title = "original",
	.start = start,
	.fresh = original_map,
	.take = take,
	.give = original_decommit,
	.decommit = original_decommit,
	.commit = commit,
	.alloc_populated = alloc_populated,
	.populate = populate,
};
