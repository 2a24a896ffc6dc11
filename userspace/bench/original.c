// SPDX-License-Identifier: MIT
/*
 * The original: the system calls that mozjemalloc's chunk layer makes, and none
 * of its trees.
 */
#include <sys/mman.h>

#include "bench.h"

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

static bool start(void)
{
	return true;
}

static void *map(size_t size)
{
	void *addr = mmap(NULL, size, RW, PRIVATE, -1, 0);

	return addr == MAP_FAILED ? NULL : addr;
}

static void *map_and_trim(size_t size, size_t alignment)
{
	size_t more = size + alignment - PAGE, lead;
	char *addr = map(more);

	if (!addr)
		return NULL;
	lead = -(uintptr_t)addr & (alignment - 1);
	if (lead)
		munmap(addr, lead);
	if (more - lead - size)
		munmap(addr + lead + size, more - lead - size);
	return addr + lead;
}

static void *fresh(size_t size, size_t alignment)
{
	void *addr = map(size);

	if (!addr || !((uintptr_t)addr & (alignment - 1)))
		return addr;
	munmap(addr, size);
	return map_and_trim(size, alignment);
}

static bool replace(void *addr, size_t size, int prot)
{
	return mmap(addr, size, prot, PRIVATE | MAP_FIXED, -1, 0) == addr;
}

static bool decommit(void *addr, size_t size)
{
	return replace(addr, size, PROT_NONE);
}

static void commit(void *addr, size_t size)
{
	check("mmap", !replace(addr, size, RW));
}

static void *take(void *addr, size_t size)
{
	return replace(addr, size, RW) ? addr : NULL;
}

/* Not the original's, but what there is for memory that shall be present. */
static void populate(void *addr, size_t size)
{
	check("MADV_POPULATE_WRITE", madvise(addr, size, MADV_POPULATE_WRITE));
}

static void *alloc_populated(size_t size)
{
	void *addr = fresh(size, MIB);

	check("mmap", !addr);
	populate(addr, size);
	return addr;
}

const struct way way_original = {
	.key = "original",
	.title = "original",
	.start = start,
	.fresh = fresh,
	.take = take,
	.give = decommit,
	.decommit = decommit,
	.commit = commit,
	.alloc_populated = alloc_populated,
	.populate = populate,
};
