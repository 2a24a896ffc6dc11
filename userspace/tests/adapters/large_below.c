// SPDX-License-Identifier: MIT
/*
 * An allocator to be preloaded below libchunk-large.so, all of whose blocks look like
 * large ones by their addresses. It ends the process at each bad pointer, and has a
 * block for every call, whatever its size.
 */
#include <errno.h>
#include <malloc.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#define MIB	((size_t)1 << 20)
#define UNITS	((size_t)1 << 17)

/* Enough for the program, which does not write to blocks that it cannot have meant */
#define MOST	(64 * MIB)

static atomic_uintptr_t area;
static atomic_size_t next_unit;

/* Size of the live block that begins in a unit, or 0 */
static atomic_size_t sizes[UNITS];

static void end(const char *why)
{
	if (write(STDERR_FILENO, why, strlen(why)) >= 0)
		abort();
}

static char *get_area(void)
{
	uintptr_t none = 0;
	char *p = (char *)area;

	if (p)
		return p;
	p = mmap(NULL, (UNITS + 1) * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		end("large_below: no address space\n");
	p += -(uintptr_t)p & (MIB - 1);
	atomic_compare_exchange_strong(&area, &none, (uintptr_t)p);
	return (char *)area;
}

/* Which colour a block has depends on its number, but for aligned ones. */
static char *address_of(size_t unit, size_t alignment)
{
	return get_area() + unit * MIB + (alignment > 64 ? 0 : unit % 64 * 64);
}

static size_t unit_of(const char *p)
{
	size_t unit = (p - get_area()) / MIB;

	if (p < get_area() || unit >= UNITS || !sizes[unit] ||
	    (p != address_of(unit, 64) && p != address_of(unit, 128)))
		end("large_below: not a block of this allocator\n");
	return unit;
}

static void *get(size_t size, size_t alignment)
{
	size_t most = size < MOST ? size : MOST;
	size_t count = (most + 4096) / MIB + 1;
	size_t unit = atomic_fetch_add(&next_unit, count + alignment / MIB);

	if (alignment > MIB)
		unit += -((uintptr_t)get_area() / MIB + unit) & (alignment / MIB - 1);
	if (unit + count > UNITS) {
		errno = ENOMEM;
		return NULL;
	}
	sizes[unit] = most ? most : 1;
	return address_of(unit, alignment);
}

/**
 * malloc() - allocate a block
 * @size: bytes
 *
 * Return: the block, or NULL.
 */
void *malloc(size_t size)
{
	return get(size, 1);
}

/**
 * calloc() - allocate a block of zeroes
 * @count: number of elements
 * @size:  size of an element in bytes
 *
 * Return: the block, or NULL.
 */
void *calloc(size_t count, size_t size)
{
	/* No address is used twice. */
	return get(count * size, 1);
}

/**
 * free() - free a block
 * @p: the block; may be NULL: nothing is freed
 */
void free(void *p)
{
	if (p && !atomic_exchange(&sizes[unit_of(p)], 0))
		end("large_below: freed twice\n");
}

/**
 * malloc_usable_size() - get the size of a block
 * @p: the block; may be NULL
 *
 * Return: bytes.
 */
size_t malloc_usable_size(void *p)
{
	return p ? sizes[unit_of(p)] : 0;
}

/**
 * realloc() - resize a block
 * @p:    the block; may be NULL: a new one
 * @size: bytes
 *
 * Return: another block, or NULL.
 */
void *realloc(void *p, size_t size)
{
	void *to = get(size, 1);

	if (!p || !to)
		return to;
	memcpy(to, p, size < malloc_usable_size(p) ? size : malloc_usable_size(p));
	free(p);
	return to;
}

/**
 * memalign() - allocate an aligned block
 * @alignment: bytes, a power of two
 * @size:      bytes
 *
 * Return: the block, or NULL.
 */
void *memalign(size_t alignment, size_t size)
{
	return get(size, alignment);
}

/**
 * aligned_alloc() - allocate an aligned block
 * @alignment: bytes, a power of two
 * @size:      bytes
 *
 * Return: the block, or NULL.
 */
void *aligned_alloc(size_t alignment, size_t size)
{
	return get(size, alignment);
}

/**
 * posix_memalign() - allocate an aligned block
 * @p:         set to the block
 * @alignment: bytes, a power of two
 * @size:      bytes
 *
 * Return: 0 or ENOMEM.
 */
int posix_memalign(void **p, size_t alignment, size_t size)
{
	*p = get(size, alignment);
	return *p ? 0 : ENOMEM;
}
