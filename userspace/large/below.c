// SPDX-License-Identifier: MIT
/*
 * The allocator below: the next definition of malloc() and its family behind this
 * library, in the order in which the dynamic linker searches, as RTLD_NEXT means
 * it. dlsym() cannot be used: it may allocate, and this code runs in the first
 * malloc() of a process.
 */
#include "below.h"
#include "misuse.h"
#include "objects.h"

static void *first_alloc(size_t size)
{
	below_find();
	return below.alloc(size);
}

static void *first_calloc(size_t count, size_t size)
{
	below_find();
	return below.calloc(count, size);
}

static void *first_realloc(void *p, size_t size)
{
	below_find();
	return below.realloc(p, size);
}

static void first_free(void *p)
{
	below_find();
	below.free(p);
}

static void *first_memalign(size_t alignment, size_t size)
{
	below_find();
	return below.memalign(alignment, size);
}

static void *first_aligned(size_t alignment, size_t size)
{
	below_find();
	return below.aligned(alignment, size);
}

static int first_posix(void **p, size_t alignment, size_t size)
{
	below_find();
	return below.posix(p, alignment, size);
}

static size_t first_usable(void *p)
{
	below_find();
	return below.usable(p);
}

struct below below = {
	.alloc = first_alloc,
	.calloc = first_calloc,
	.realloc = first_realloc,
	.free = first_free,
	.memalign = first_memalign,
	.aligned = first_aligned,
	.posix = first_posix,
	.usable = first_usable,
};

static uintptr_t find(const char *name)
{
	uintptr_t symbol = object_find_after(name);

	if (!symbol)
		misuse_no_function(name);
	return symbol;
}

/**
 * below_find() - find the functions of the allocator below
 *
 * Context: the first time there is one thread, since dynamic linkers load all that
 *          a program needs before any of its code runs. Repeating it does no harm.
 *          Ends the process if a function is missing.
 */
void below_find(void)
{
	below.alloc = (void *)find("malloc");
	below.calloc = (void *)find("calloc");
	below.realloc = (void *)find("realloc");
	below.free = (void *)find("free");
	below.memalign = (void *)find("memalign");
	below.aligned = (void *)find("aligned_alloc");
	below.posix = (void *)find("posix_memalign");
	below.usable = (void *)find("malloc_usable_size");
}
