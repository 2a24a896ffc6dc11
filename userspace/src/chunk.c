// SPDX-License-Identifier: MIT
/* The API to allocate one extent. */
#include <errno.h>

#include "chunk.h"
#include "chunk_annotate.h"
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

/*
 * An allocation of the API: checks, and errno. Its first arguments are the callers',
 * which costs nothing.
 */
static void *alloc(size_t size, size_t alignment, bool base,
		   enum chunk_birth birth, const char *name)
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

/* The same while some extents are kept. @zero: as of chunk_obtain_any() */
static void *alloc_any(size_t size, size_t alignment, bool *zero,
		       enum chunk_birth birth, const char *name)
{
	int saved = errno;
	void *addr;

	chunk_check_alloc(CHUNK_CALL(name), size, alignment);
	chunk_enter();
	addr = chunk_obtain_any(size, alignment, birth, zero);
	errno = addr ? saved : ENOMEM;
	return addr;
}

/*
 * The same for memory that has to be zero. Inlined, it would burden callers for whom
 * nothing is kept.
 */
static __attribute__((noinline)) void *
alloc_zero(size_t size, size_t alignment, enum chunk_birth birth,
	   const char *name)
{
	bool zero = true;

	return alloc_any(size, alignment, &zero, birth, name);
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
	if (chunk_has_kept() && !base)
		return alloc_zero(size, alignment, BORN_COMMITTED, "chunk_alloc");
	return alloc(size, alignment, base, BORN_COMMITTED, "chunk_alloc");
}

/**
 * chunk_alloc_dirty() - get an extent with whatever it holds
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @zero:      set on success: it is known to read as zero
 *
 * For callers that write to all of it before they read, or keep track themselves of
 * what has to be zero. It holds what some caller in this process left there.
 *
 * Return: committed memory, or NULL with errno ENOMEM.
 */
void *chunk_alloc_dirty(size_t size, size_t alignment, bool *zero)
{
	bool is = false;
	void *addr;

	addr = alloc_any(size, alignment, &is, BORN_COMMITTED,
			 "chunk_alloc_dirty");
	if (addr)
		*zero = is;
	return addr;
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
	if (chunk_has_kept())
		return alloc_zero(size, alignment, BORN_PRESENT,
				  "chunk_alloc_populated");
	return alloc(size, alignment, false, BORN_PRESENT,
		     "chunk_alloc_populated");
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
	void *addr;

	if (chunk_has_kept())
		addr = alloc_zero(size, alignment, BORN_DECOMMITTED,
				  "chunk_alloc_decommitted");
	else
		addr = alloc(size, alignment, false, BORN_DECOMMITTED,
			     "chunk_alloc_decommitted");
	if (!addr)
		return NULL;
	chunk_annotate_unusable(addr, size);
	if (READ_ONCE(chunk_state.note_decommits))
		chunk_note_decommit("chunk_alloc_decommitted", addr, size,
				    __builtin_return_address(0));
	return addr;
}
