// SPDX-License-Identifier: MIT
/* The original: exactly the system calls that mozjemalloc's chunk layer makes. */
#define _GNU_SOURCE
#include <sys/mman.h>

#include "bench.h"
#include "mozjemalloc.h"

static bool start(void)
{
	return true;
}

static void *fresh(size_t size, size_t alignment)
{
	void *addr = original_map(size, alignment);

	check("mmap", !addr);
	return addr;
}

static void decommit(void *addr, size_t size)
{
	check("mmap", !original_decommit(addr, size));
}

static void commit(void *addr, size_t size)
{
	check("mmap", !original_commit(addr, size));
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
