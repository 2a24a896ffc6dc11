// SPDX-License-Identifier: MIT
/*
 * Marks of live chunks that are offered without a word, by chunk_offer(). A word has
 * the state of its chunk in itself.
 */
#include <linux/xarray.h>

#include "chunk_offered.h"
#include "chunk_tree.h"

/* Marks by number of chunk; readers take no lock. */
struct xarray chunk_offered_marks;

/* The array points to these; only the addresses matter, which it wants to be even. */
static const uintptr_t entries[MARK_ADVISED + 1];

static uintptr_t index_of(const void *chunk)
{
	return (uintptr_t)chunk >> CHUNK_TREE_SHIFT;
}

/**
 * chunk_offered_mark() - mark a live chunk
 * @chunk: any address in it
 * @mark:  MARK_KEPT or MARK_ADVISED
 *
 * Context: chunk_lock() held.
 * Return: false when out of memory. A chunk that is marked already never fails.
 */
bool chunk_offered_mark(const void *chunk, enum chunk_mark mark)
{
	return !xa_err(xa_store(&chunk_offered_marks, index_of(chunk),
				(void *)&entries[mark], 0));
}

/**
 * chunk_offered_get() - read the mark of a live chunk
 * @chunk: any address in it
 *
 * Context: any; takes no lock. The caller owns the chunk.
 * Return: the mark.
 */
enum chunk_mark chunk_offered_get(const void *chunk)
{
	const uintptr_t *entry;

	if (!READ_ONCE(chunk_offered_marks.head))
		return MARK_NONE;
	entry = xa_load(&chunk_offered_marks, index_of(chunk));
	return entry ? (enum chunk_mark)(entry - entries) : MARK_NONE;
}

/**
 * chunk_offered_drop_slowly() - chunk_offered_drop() if any chunk has a mark
 * @addr: first byte, chunk-aligned
 * @size: bytes, chunk-aligned
 *
 * Context: chunk_lock() held.
 */
void chunk_offered_drop_slowly(uintptr_t addr, size_t size)
{
	uintptr_t at = addr >> CHUNK_TREE_SHIFT;
	uintptr_t last = (addr + size - 1) >> CHUNK_TREE_SHIFT;

	while (xa_find(&chunk_offered_marks, &at, last, XA_PRESENT))
		xa_store(&chunk_offered_marks, at, NULL, 0);
}

/**
 * chunk_offered_recover() - make marks that may be half changed fit for use
 *
 * Context: in a forked child, chunk_lock() held.
 */
void chunk_offered_recover(void)
{
	xa_recover(&chunk_offered_marks);
}
