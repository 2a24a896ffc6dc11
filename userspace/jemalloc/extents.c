// SPDX-License-Identifier: MIT
/*
 * Extents of libchunk as jemalloc sees them.
 *
 * For libchunk an extent is the result of one allocation. jemalloc merges extents
 * that adjoin, memory from elsewhere among them, and splits the result anywhere. So
 * each function here walks a range part by part.
 *
 * No function here calls malloc().
 */
#include "bounds.h"
#include "chunk.h"
#include "extents.h"
#include "foreign.h"
#include "partial_chunks.h"

struct extents_counts extents_counts;

/* Return the end of the chunk around @at, or 0 at the end of the address space. */
static char *chunk_end(char *at)
{
	return (char *)(((uintptr_t)at | (UNIT - 1)) + 1);
}

/* Extents consist of chunks, so foreign memory ends where a chunk begins. */
static char *end_of_foreign(char *at, const char *end)
{
	char *next = chunk_end(at);

	while ((size_t)(next - at) < (size_t)(end - at) && !chunk_is_live(next))
		next = chunk_end(next);
	return next;
}

/**
 * extents_next() - get the next part of a range
 * @part: the previous part; at first @at is the first byte and @size is 0. Set to
 *        the next part
 * @end:  byte after the range
 *
 * Return: false after the last part.
 */
bool extents_next(struct part *part, const char *end)
{
	char *at = part->at + part->size, *to;
	size_t length;
	void *start;

	if (at == end)
		return false;
	part->at = at;
	part->ours = bounds_find(at, &start, &length);
	to = part->ours ? (char *)start + length : end_of_foreign(at, end);
	part->size = to - at;
	part->whole = part->ours && start == at;
	if (part->size > (size_t)(end - at)) {
		part->size = end - at;
		part->whole = false;
	}
	return true;
}

/**
 * extents_commit() - make pages of live extents readable and writable
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Return: false when out of memory; then a part may be committed.
 */
bool extents_commit(void *addr, size_t size)
{
	struct part part = { .at = addr };
	bool good = true;

	while (good && extents_next(&part, (char *)addr + size))
		good = part.ours && pages_commit(part.at, part.size);
	if (good)
		extents_counts.commits++;
	return good;
}

/**
 * extents_decommit() - free pages of live extents, which then trap
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 */
void extents_decommit(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (part.ours)
			pages_decommit(part.at, part.size);
	extents_counts.decommits++;
}

/**
 * extents_purge() - free the memory of pages, of libchunk or from elsewhere
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Return: whether all of it surely reads as zero.
 */
bool extents_purge(void *addr, size_t size)
{
	struct part part = { .at = addr };
	bool zero = true;

	while (extents_next(&part, (char *)addr + size)) {
		if (part.ours)
			zero &= pages_purge(part.at, part.size, false);
		else
			zero &= foreign_purge(part.at, part.size);
	}
	return zero;
}

/* With CHUNK_OPTIONS="reuse:offered" they may hold something. */
static char *alloc_chunks(size_t size, size_t alignment, bool *zero)
{
	bool is = false;
	char *addr;

	if (*zero)
		return chunk_alloc(size, alignment, false);
	addr = chunk_alloc_dirty(size, alignment, &is);
	if (addr)
		*zero = is;
	return addr;
}

/**
 * extents_alloc() - allocate whole chunks and return the beginning of them
 * @size:       bytes, a non-zero multiple of the page size
 * @alignment:  bytes, a power of two
 * @guard_rest: whether the rest of the last chunk traps, at one system call
 * @zero:       it must read as zero; set on success: whether it does
 *
 * The rest is kept as a partial chunk, which reads as zero.
 *
 * Return: committed memory, or NULL.
 */
void *extents_alloc(size_t size, size_t alignment, bool guard_rest, bool *zero)
{
	size_t whole = (size + UNIT - 1) & ~(UNIT - 1);
	char *addr;

	if (whole < size)
		return NULL;
	if (alignment < UNIT)
		alignment = UNIT;
	addr = alloc_chunks(whole, alignment, zero);
	if (addr)
		bounds_note(addr, whole);
	if (!addr || whole == size)
		return addr;
	if (guard_rest)
		pages_decommit(addr + size, whole - size);
	else if (!*zero)
		pages_purge(addr + size, whole - size, true);
	if (partial_chunks_put(addr + size, whole - size))
		return addr;
	/* Rather fail than lose a part of an extent. */
	bounds_drop(addr, whole);
	chunk_dealloc(addr, whole, ARENA_CHUNK);
	return NULL;
}

/**
 * extents_release() - take back a part of a range
 * @part: part of a live extent, from extents_next()
 *
 * A whole extent goes back to libchunk. Any other part is freed, and its address
 * space is kept until the rest of the extent comes back, too.
 */
void extents_release(struct part *part)
{
	if (part->whole) {
		bounds_drop(part->at, part->size);
		chunk_dealloc(part->at, part->size, ARENA_CHUNK);
	} else if (!partial_chunks_complete(part->at, part->size)) {
		pages_decommit(part->at, part->size);
		partial_chunks_keep(part->at, part->size);
	}
}
