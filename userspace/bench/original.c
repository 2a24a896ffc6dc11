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

/*
 * The original keeps nothing. The system's call is lazy freeing: the pages stay
 * until memory is short, and nobody can tell which of them do.
 */
static void offer(void *addr, size_t size)
{
	check("MADV_FREE", madvise(addr, size, MADV_FREE));
}

static bool take_back(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return false;
}

static void *given;

static void dealloc(void *addr, size_t size)
{
	check("decommit", !original_decommit(addr, size));
	given = addr;
}

static void *alloc(size_t size, bool zeroed)
{
	(void)zeroed;
	return given ? take(given, size) : original_map(size, MIB);
}

static const struct offers offers = {
	.start = start,
	.offer = offer,
	.take = take_back,
	.dealloc = dealloc,
	.alloc = alloc,
};

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
	.offers = &offers,
};
