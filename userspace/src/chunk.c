// SPDX-License-Identifier: MIT
/* The API to allocate one extent. */
#include <errno.h>

#include "chunk.h"
#include "chunk_base.h"
#include "chunk_check.h"
#include "chunk_internal.h"
#include "chunk_state.h"

/* Get an extent for the caller's bookkeeping. */
static void *obtain_base(size_t size, size_t alignment)
{
	void *addr = NULL;

	if (chunk_is_possible(size, alignment))
		addr = chunk_map_aligned(size, alignment);
	if (!addr && chunk_make_room(size, alignment))
		addr = chunk_map_aligned(size, alignment);
	if (!addr)
		return NULL;
	chunk_check_note_mapped(addr, size);
	chunk_lock();
	chunk_base_count(size);
	chunk_state.counts.allocs++;
	chunk_unlock();
	return addr;
}

/* An allocation of the API: checks, and errno */
static void *alloc(const char *name, size_t size, size_t alignment,
		   enum chunk_birth birth, bool base)
{
	int saved = errno;
	void *addr;

	chunk_check_alloc(CHUNK_CALL(name), size, alignment);
	chunk_enter();
	addr = base ? obtain_base(size, alignment) :
		      chunk_obtain(size, alignment, birth);
	errno = addr ? saved : ENOMEM;
	return addr;
}

/**
 * chunk_alloc() - get an extent
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @base:      for the caller's own bookkeeping: neither recycled nor registered
 *
 * Return: committed memory that reads as zero, or NULL with errno ENOMEM.
 */
void *chunk_alloc(size_t size, size_t alignment, bool base)
{
	return alloc("chunk_alloc", size, alignment, BORN_COMMITTED, base);
}

/**
 * chunk_alloc_populated() - get an extent with all of its pages present
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 *
 * For callers that are about to write to all pages: cheaper than a fault for each.
 *
 * Return: committed memory that reads as zero and takes no more page faults, or
 * NULL with errno ENOMEM.
 */
void *chunk_alloc_populated(size_t size, size_t alignment)
{
	return alloc("chunk_alloc_populated", size, alignment, BORN_PRESENT,
		     false);
}

/**
 * chunk_alloc_decommitted() - get an extent that holds no memory yet
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 *
 * For callers that use little of much address space.
 *
 * Return: an extent that traps until it is committed, or NULL with errno ENOMEM.
 */
void *chunk_alloc_decommitted(size_t size, size_t alignment)
{
	return alloc("chunk_alloc_decommitted", size, alignment,
		     BORN_DECOMMITTED, false);
}
