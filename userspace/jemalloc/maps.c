// SPDX-License-Identifier: MIT
/*
 * jemalloc's mmap() and munmap(), answered with chunks.
 *
 * jemalloc's default extent hooks call mmap(), munmap() and madvise(). So if the
 * first two deal in chunks, the heap lies in chunks, and jemalloc need not know:
 * its arenas keep their default hooks, which it knows to be cheap, and are created
 * when it likes.
 *
 * For jemalloc chunks are ordinary memory: its advice goes to the kernel.
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
 * Has jemalloc any memory from here yet? Before its first extent it maps single
 * pages to probe the system; they come from the system.
 */
static atomic_bool used;

/* Page size in bytes; set by maps_start() */
static size_t page_size;

/* Is an option among jemalloc's options, "key:value,key:value"? */
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
 * maps_start() - get ready to give jemalloc chunks
 *
 * If the user wants jemalloc to use huge pages, libchunk is configured for them,
 * since the device's default backing has none. libchunk reports if it has none.
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

/* Does all of a range lie in extents of libchunk? */
static bool is_ours(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (!part.ours)
			return false;
	return true;
}

/*
 * If the system does not overcommit, jemalloc commits and decommits by mmap() over
 * the memory.
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

/* jemalloc insists on the alignment of huge pages for its metadata. */
static size_t alignment_for(size_t size)
{
	return size % HUGE_PAGE ? UNIT : HUGE_PAGE;
}

static void *get_new(void *addr, size_t size)
{
	bool zero = true;
	void *got = NULL;

	/* Only without retain:true does jemalloc ask for less than chunks. */
	if (size < UNIT || addr)
		got = partial_chunks_take(addr, size, 1);
	if (!got && !addr)
		got = extents_alloc(size, alignment_for(size), false, &zero);
	return got;
}

/**
 * maps_get() - answer jemalloc's mmap() of private anonymous memory
 * @addr:  hint, or address with MAP_FIXED; may be NULL: anywhere
 * @size:  bytes
 * @prot:  protection: PROT_READ and PROT_WRITE, or PROT_NONE
 * @flags: flags of mmap(); only MAP_FIXED matters
 *
 * Context: after maps_start().
 * Return: memory as mmap() returns it, or NULL if the kernel must be asked.
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

/* Does any of a range lie in extents of libchunk? */
static bool has_ours(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (part.ours)
			return true;
	return false;
}

/**
 * maps_put() - answer munmap() of memory that may be libchunk's
 * @addr:   first byte
 * @size:   bytes; jemalloc may have merged chunks with other memory
 * @unmap:  function for parts that are not libchunk's
 * @result: set to the result of munmap() if this returns true
 *
 * Return: false if no part is libchunk's; then nothing was done.
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
