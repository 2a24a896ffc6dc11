// SPDX-License-Identifier: MIT
/*
 * jemalloc's mmap() and munmap(), answered with chunks.
 *
 * All of jemalloc's own extent hooks come down to mmap(), munmap() and advice. So
 * a heap lies in chunks if the two calls are answered with chunks, and jemalloc
 * need not know: its arenas keep their own hooks, of which it knows that they are
 * cheap, and come into being when it likes.
 *
 * Chunks are ordinary memory as far as jemalloc goes: advice reaches them by the
 * kernel.
 */
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bounds.h"
#include "chunk.h"
#include "chunk_adapter.h"
#include "extents.h"
#include "maps.h"
#include "partial_chunks.h"

#define HUGE_PAGE	((size_t)2 << 20)

#define RW	(PROT_READ | PROT_WRITE)

/*
 * Has jemalloc got anything from here yet? Before its first extent it maps single
 * pages to see what the system can do, which are the system's.
 */
static atomic_bool used;

/* Page size in bytes; set by maps_start() */
static size_t page_size;

/* Does an option of jemalloc's, "key:value,key:value", say that? */
static bool says(const char *options, const char *option)
{
	size_t length = strlen(option);

	while (options) {
		if (!strncmp(options, option, length) &&
		    (!options[length] || options[length] == ','))
			return true;
		options = strchr(options, ',');
		options += options ? 1 : 0;
	}
	return false;
}

/**
 * maps_start() - be ready to give jemalloc chunks
 *
 * Huge pages that the user asked jemalloc for are asked of libchunk, since the
 * device's plain memory has none. That libchunk has none either it says itself.
 *
 * Context: before maps_get(); safe to repeat.
 */
void maps_start(void)
{
	static atomic_bool started;

	if (atomic_exchange(&started, true))
		return;
	page_size = sysconf(_SC_PAGESIZE);
	chunks_init();
	if (says(chunk_os_getenv("MALLOC_CONF"), "thp:always"))
		chunk_configure(HUGE_BACKING, 0);
}

/* Does all of a range lie in live extents? */
static bool is_ours(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (!part.ours)
			return false;
	return true;
}

/*
 * Where the system does not overcommit, jemalloc commits and decommits by mapping
 * memory anew in place.
 */
static void *map_again(void *addr, size_t size, int prot)
{
	if (!chunk_is_live(addr) || !is_ours(addr, size))
		return NULL;
	if (prot == PROT_NONE)
		extents_decommit(addr, size);
	else if (!extents_commit(addr, size))
		return NULL;
	return addr;
}

/* Huge pages need their alignment, which jemalloc for its notes insists on. */
static size_t alignment_for(size_t size)
{
	return size % HUGE_PAGE ? UNIT : HUGE_PAGE;
}

static void *get_new(void *addr, size_t size)
{
	void *got = NULL;

	/* Only jemalloc without retain:true asks for less than chunks. */
	if (size < UNIT || addr)
		got = partial_chunks_take(addr, size, 1);
	if (!got && !addr)
		got = extents_alloc(size, alignment_for(size), false);
	return got;
}

/**
 * maps_get() - answer jemalloc's mmap() of private anonymous memory
 * @addr:  as for mmap()
 * @size:  bytes
 * @prot:  PROT_READ and PROT_WRITE, or PROT_NONE
 * @flags: as for mmap(); MAP_FIXED is looked at
 *
 * Context: maps_start() done.
 * Return: memory as mmap() would give, or NULL: ask the kernel.
 */
void *maps_get(void *addr, size_t size, int prot, int flags)
{
	void *got;

	size = (size + page_size - 1) & ~(page_size - 1);
	if (!size)
		return NULL;
	if (flags & MAP_FIXED)
		return map_again(addr, size, prot);
	if (size < UNIT && !atomic_load_explicit(&used, memory_order_relaxed))
		return NULL;
	got = get_new(addr, size);
	if (!got)
		return NULL;
	atomic_store_explicit(&used, true, memory_order_relaxed);
	if (prot == PROT_NONE)
		extents_decommit(got, size);
	extents_counts.allocs++;
	extents_counts.extent_bytes += size;
	return got;
}

/* Does any of a range lie in live extents? */
static bool has_ours(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (part.ours)
			return true;
	return false;
}

/**
 * maps_put() - answer munmap() of what may be jemalloc's
 * @addr:   first byte
 * @size:   bytes; jemalloc may have merged ours with what is not
 * @unmap:  for the parts that are not ours
 * @result: what munmap() shall return; filled in if the answer is true
 *
 * Return: false if nothing of it is ours and nothing has been done.
 */
bool maps_put(void *addr, size_t size, int (*unmap)(void *addr, size_t size),
	      int *result)
{
	struct part part = { .at = addr };

	size = (size + page_size - 1) & ~(page_size - 1);
	if (!size || (uintptr_t)addr % page_size ||
	    (uintptr_t)addr + size < size || !has_ours(addr, size))
		return false;
	*result = 0;
	extents_counts.deallocs++;
	while (extents_next(&part, (char *)addr + size)) {
		if (part.ours) {
			extents_counts.extent_bytes -= part.size;
			extents_release(&part);
		} else if (unmap(part.at, part.size)) {
			*result = -1;
		}
	}
	return true;
}
