// SPDX-License-Identifier: MIT
/*
 * Extents of libchunk's as jemalloc sees them: joined and cut as it likes.
 *
 * libchunk knows an extent by what it was asked for, jemalloc merges extents that
 * adjoin and splits what it merged, and some of what it merges may be memory from
 * elsewhere. So a range is walked part by part.
 *
 * None of this calls malloc.
 */
#include "bounds.h"
#include "chunk.h"
#include "extents.h"
#include "foreign.h"
#include "partial_chunks.h"

struct extents_counts extents_counts;

/* The end of the chunk that @at lies in, or of the address space */
static char *chunk_end(char *at)
{
	return (char *)(((uintptr_t)at | (UNIT - 1)) + 1);
}

/* Extents consist of chunks: what is none reaches to a border of chunks. */
static char *end_of_foreign(char *at, const char *end)
{
	char *next = chunk_end(at);

	while ((size_t)(next - at) < (size_t)(end - at) && !chunk_is_live(next))
		next = chunk_end(next);
	return next;
}

/**
 * extents_next() - the next part of a range
 * @part: the one before; at first @at is where the range begins, @size 0
 * @end:  byte behind the range
 *
 * Return: false behind the last. Else @part is filled in.
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
 * extents_decommit() - free the memory of pages of live extents; they trap
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
 * extents_purge() - free the memory of pages, of whomever
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

/**
 * extents_alloc() - get whole chunks, of which the caller gets the beginning
 * @size:       bytes, a non-zero multiple of the page size
 * @alignment:  bytes, a power of two
 * @guard_rest: what is behind @size, to the end of its chunk, traps
 *
 * The rest is kept as a partial chunk. It takes up no memory either way; to make
 * it trap costs a system call.
 *
 * Return: committed memory that reads as zero, or NULL.
 */
void *extents_alloc(size_t size, size_t alignment, bool guard_rest)
{
	size_t whole = (size + UNIT - 1) & ~(UNIT - 1);
	char *addr;

	if (whole < size)
		return NULL;
	if (alignment < UNIT)
		alignment = UNIT;
	addr = chunk_alloc(whole, alignment, false);
	if (addr)
		bounds_note(addr, whole);
	if (!addr || whole == size)
		return addr;
	if (guard_rest)
		pages_decommit(addr + size, whole - size);
	if (partial_chunks_put(addr + size, whole - size))
		return addr;
	/* Better none than one of which a part is lost */
	bounds_drop(addr, whole);
	chunk_dealloc(addr, whole, ARENA_CHUNK);
	return NULL;
}

/**
 * extents_release() - take back a part of a range
 * @part: of a live extent, from extents_next(); its memory may be in use
 *
 * A whole extent goes back to libchunk. Of any other the memory is freed, and its
 * address space is kept until the rest of it comes back, too.
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
