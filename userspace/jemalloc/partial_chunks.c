// SPDX-License-Identifier: MIT
/*
 * Parts of chunks that are in nobody's hands.
 *
 * jemalloc's sizes are multiples of pages, libchunk's of chunks. What remains
 * of a chunk, and what comes back of one in parts, is kept here until somebody
 * wants some of it or until the chunk is whole again and goes back. All of it is
 * decommitted, so that an access traps, or has never been touched. It holds no
 * memory.
 *
 * There are few of them, since jemalloc asks for whole chunks nearly always. So
 * they are in a table, which grows and never shrinks.
 *
 * A child may be forked while another thread is in here. libchunk's lock is free
 * in the child all the same. So nothing is ever in the table twice: what moves is
 * taken out first, and all that can happen to a child is that it misses a piece.
 */
#include <stdatomic.h>

#include "chunk.h"
#include "chunk_internal.h"
#include "chunk_state.h"
#include "partial_chunks.h"

/**
 * struct piece - an entry of the table
 * @addr: first byte
 * @size: bytes; 0 if the entry is free, set last and cleared first
 */
struct piece {
	atomic_uintptr_t addr;
	atomic_size_t size;
};

/**
 * struct block - a part of the table
 * @next:   the part behind it
 * @pieces: the entries
 * @count:  how many there are
 */
struct block {
	struct block *next;
	struct piece *pieces;
	size_t count;
};

#define FIRST	128
#define FURTHER	((size_t)64 << 10)

static struct piece first_pieces[FIRST];
static struct block first = { .pieces = first_pieces, .count = FIRST };

static atomic_uint_least64_t kept;
static atomic_uint_least64_t lost;

/* The entry behind @piece, or the first; NULL at the end. chunk_lock() */
static struct piece *next_piece(struct block **block, struct piece *piece)
{
	if (!piece) {
		*block = &first;
		return first.pieces;
	}
	piece++;
	if (piece == (*block)->pieces + (*block)->count) {
		*block = (*block)->next;
		piece = *block ? (*block)->pieces : NULL;
	}
	return piece;
}

static void fill(struct piece *piece, uintptr_t addr, size_t size)
{
	piece->addr = addr;
	piece->size = size;
	kept += size;
}

static void clear(struct piece *piece)
{
	kept -= piece->size;
	piece->size = 0;
}

/* A free entry; NULL if there is none. chunk_lock() */
static struct piece *find_free(void)
{
	struct block *block;
	struct piece *piece = NULL;

	do {
		piece = next_piece(&block, piece);
	} while (piece && piece->size);
	return piece;
}

/* Make room. Not under the lock. */
static bool grow(void)
{
	struct block *block = pages_map(NULL, FURTHER);
	struct block *last = &first;

	if (!block)
		return false;
	block->pieces = (struct piece *)(block + 1);
	block->count = (FURTHER - sizeof(*block)) / sizeof(struct piece);
	chunk_lock();
	while (last->next)
		last = last->next;
	last->next = block;
	chunk_unlock();
	return true;
}

/**
 * struct range - of addresses
 * @start: first byte
 * @end:   the byte behind the last
 */
struct range {
	uintptr_t start;
	uintptr_t end;
};

/* The piece that adjoins @range inside @extent, or NULL. chunk_lock() */
static struct piece *find_adjoining(const struct range *range,
				    const struct range *extent)
{
	struct block *block;
	struct piece *piece = NULL;

	while ((piece = next_piece(&block, piece))) {
		uintptr_t start = piece->addr, end = start + piece->size;

		if (piece->size && start >= extent->start &&
		    end <= extent->end &&
		    (end == range->start || start == range->end))
			break;
	}
	return piece;
}

/* The piece that is exactly that, or NULL. chunk_lock() */
static struct piece *find_exactly(uintptr_t start, uintptr_t end)
{
	struct block *block;
	struct piece *piece = NULL;

	while ((piece = next_piece(&block, piece)))
		if (piece->size && piece->addr == start &&
		    piece->size == end - start)
			break;
	return piece;
}

/* Take out what adjoins @range inside @extent, and add it. chunk_lock() */
static void absorb(struct range *range, const struct range *extent)
{
	struct piece *piece;

	while ((piece = find_adjoining(range, extent))) {
		if (piece->addr < range->start)
			range->start = piece->addr;
		else
			range->end = piece->addr + piece->size;
		clear(piece);
	}
}

static bool find_extent(void *addr, struct range *extent)
{
	void *start;
	size_t length;

	if (!chunk_extent_of(addr, &start, &length))
		return false;
	extent->start = (uintptr_t)start;
	extent->end = extent->start + length;
	return true;
}

static bool is_whole(const struct range *range, const struct range *extent)
{
	return range->start == extent->start && range->end == extent->end;
}

static void give_back(const struct range *extent)
{
	chunk_dealloc((void *)extent->start, extent->end - extent->start,
		      ARENA_CHUNK);
}

/**
 * pieces_put() - keep a part of a chunk
 * @addr: first byte, page-aligned, in a live extent of libchunk's; decommitted or
 *        never touched
 * @size: bytes, not beyond that extent
 *
 * If nothing of the extent is missing any more it is given back.
 *
 * Context: chunk_lock() not held.
 * Return: false if there is no memory to remember it.
 */
bool pieces_put(void *addr, size_t size)
{
	struct range range = { (uintptr_t)addr, (uintptr_t)addr + size };
	struct range extent;
	struct piece *piece;

	if (!find_extent(addr, &extent))
		return false;
	for (;;) {
		chunk_lock();
		absorb(&range, &extent);
		if (is_whole(&range, &extent))
			break;
		piece = find_free();
		if (piece)
			fill(piece, range.start, range.end - range.start);
		chunk_unlock();
		if (piece)
			return true;
		if (!grow())
			return false;
	}
	chunk_unlock();
	give_back(&extent);
	return true;
}

/**
 * pieces_complete() - give back an extent if nothing but this is missing of it
 * @addr: first byte, in a live extent of libchunk's; committed or not
 * @size: bytes, not beyond that extent
 *
 * Context: chunk_lock() not held.
 * Return: whether the extent was given back. If not, nothing has changed.
 */
bool pieces_complete(void *addr, size_t size)
{
	uintptr_t start = (uintptr_t)addr, end = start + size;
	struct piece *before, *behind;
	struct range extent;
	bool whole;

	if (!find_extent(addr, &extent) || end > extent.end)
		return false;
	chunk_lock();
	/* What is kept has been joined: each side is one piece, if it is all. */
	before = find_exactly(extent.start, start);
	behind = find_exactly(end, extent.end);
	whole = (before || start == extent.start) &&
		(behind || end == extent.end);
	if (whole && before)
		clear(before);
	if (whole && behind)
		clear(behind);
	chunk_unlock();
	if (whole)
		give_back(&extent);
	return whole;
}

/**
 * pieces_keep() - keep a part of a chunk, or count it as lost
 * @addr: as in pieces_put()
 * @size: as in pieces_put()
 */
void pieces_keep(void *addr, size_t size)
{
	if (!pieces_put(addr, size))
		lost += size;
}

/* The smallest piece that does, only at @at unless that is 0. chunk_lock() */
static struct piece *best_fit(uintptr_t at, size_t size, size_t alignment)
{
	struct block *block;
	struct piece *piece = NULL, *best = NULL;

	while ((piece = next_piece(&block, piece))) {
		if (piece->size < size || piece->addr & (alignment - 1) ||
		    (at && piece->addr != at))
			continue;
		if (!best || piece->size < best->size)
			best = piece;
	}
	return best;
}

/**
 * pieces_take() - get memory from what is kept
 * @addr:      where exactly, or NULL for anywhere
 * @size:      bytes, a multiple of the page size
 * @alignment: bytes, a power of two
 *
 * Context: chunk_lock() not held.
 * Return: committed memory that reads as zero, or NULL.
 */
void *pieces_take(void *addr, size_t size, size_t alignment)
{
	struct piece *piece;
	uintptr_t at = 0;
	size_t had;

	/* Most of the time, and with chunk-sized requests only: nothing. */
	if (!kept)
		return NULL;
	chunk_lock();
	piece = best_fit((uintptr_t)addr, size, alignment);
	if (piece) {
		at = piece->addr;
		had = piece->size;
		clear(piece);
		if (had > size)
			fill(piece, at + size, had - size);
	}
	chunk_unlock();
	if (!at)
		return NULL;
	if (pages_commit((void *)at, size))
		return (void *)at;
	/* What was committed of it must not stay so. */
	pages_decommit((void *)at, size);
	pieces_keep((void *)at, size);
	return NULL;
}

/**
 * pieces_bytes() - how much is kept
 *
 * Return: bytes of address space.
 */
uint64_t pieces_bytes(void)
{
	return kept;
}

/**
 * pieces_lost() - how much could not be kept
 *
 * Return: bytes of address space.
 */
uint64_t pieces_lost(void)
{
	return lost;
}
