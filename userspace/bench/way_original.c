// SPDX-License-Identifier: MIT
/* The original: exactly the system calls that mozjemalloc's chunk layer makes. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "bench.h"

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

static bool start(void)
{
	return true;
}

/* Try, and if it is not aligned map more and trim. */
static void *fresh(size_t size, size_t alignment)
{
	size_t more = size + alignment - PAGE, lead;
	char *addr = mmap(NULL, size, RW, PRIVATE, -1, 0);

	check("mmap", addr == MAP_FAILED);
	if (!((uintptr_t)addr & (alignment - 1)))
		return addr;
	munmap(addr, size);
	addr = mmap(NULL, more, RW, PRIVATE, -1, 0);
	check("mmap", addr == MAP_FAILED);
	lead = -(uintptr_t)addr & (alignment - 1);
	if (lead)
		munmap(addr, lead);
	if (more - lead - size)
		munmap(addr + lead + size, more - lead - size);
	return addr + lead;
}

static void replace(void *addr, size_t size, int prot)
{
	check("mmap", mmap(addr, size, prot, PRIVATE | MAP_FIXED, -1, 0) ==
		      MAP_FAILED);
}

static void decommit(void *addr, size_t size)
{
	replace(addr, size, PROT_NONE);
}

static void commit(void *addr, size_t size)
{
	replace(addr, size, RW);
}

/* Not the original's: what there is today for memory that is present. */
static void *populate(size_t size)
{
	void *addr = fresh(size, MIB);

	check("madvise", madvise(addr, size, MADV_NOHUGEPAGE) ||
	      madvise(addr, size, 23 /* MADV_POPULATE_WRITE */));
	return addr;
}

const struct way way_original = {
	.name = "original",
	.start = start,
	.fresh = fresh,
	.take = commit,
	.give = decommit,
	.decommit = decommit,
	.commit = commit,
	.populate = populate,
};
