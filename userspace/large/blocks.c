// SPDX-License-Identifier: MIT
/*
 * Large blocks. Each has an extent of its own, which consists of
 *
 * - less than a page by which blocks of one size differ, their colour;
 * - the block, and the rest of its last page;
 * - the guard: decommitted pages up to the extent's end, at least one.
 *
 * A freed block is offered and kept with its guard (kept.c), or goes back to
 * libchunk. Nobody but the table knows where blocks are, so a block's memory has
 * no header that a stray write could destroy.
 */
#include <errno.h>
#include <string.h>

#include "blocks.h"
#include "chunk.h"
#include "clear.h"
#include "kept.h"
#include "memory.h"
#include "misuse.h"

struct blocks_counts blocks_counts;

static void count(atomic_uint_least64_t *counter)
{
	atomic_fetch_add_explicit(counter, 1, memory_order_relaxed);
}

/* Bytes that are offered: whole chunks, but none of the guard's alone */
static size_t offered_size(const struct block *block)
{
	return (block->guard + UNIT - 1) & ~(UNIT - 1);
}

/* An entry stays behind when libchunk has unmapped the extent. */
static bool is_elsewhere(const void *p)
{
	struct chunk_info info = { .size = sizeof(info) };

	return !chunk_lookup(p, &info) && info.where == NO_CHUNK;
}

/* Return false if @p is not from here after all, or else end the process. */
static bool judge(const char *call, void *p, const struct block *block)
{
	if (block->state == GONE_BLOCK && is_elsewhere(p))
		return false;
	if (block->state == LIVE_BLOCK || (block->state == GONE_BLOCK && chunk_is_live(p)))
		misuse_die(call, p, "this is inside a block, not its start");
	misuse_die(call, p, "this block is free");
}

/**
 * blocks_find() - find the live block that begins at an address
 * @call:  name of the caller's function, for messages
 * @p:     the address, may_be_large()
 * @block: filled
 *
 * Return: true if it is a large block; false: it is for the allocator below. Ends
 * the process if the block is free, or begins elsewhere.
 */
bool blocks_find(const char *call, void *p, struct block *block)
{
	if (!p || !table_read(p, block))
		return false;
	if (block->state == LIVE_BLOCK && block->extent + block->start == p)
		return true;
	return judge(call, p, block);
}

/* Give the extent of a block back to libchunk. */
static void drop(struct block *block)
{
	table_write(block, GONE_BLOCK);
	memory_dealloc(block->extent, block->size);
}

/* Returns false when out of memory; then the guard is where it was. */
static bool move_guard(struct block *block, size_t guard)
{
	char *extent = block->extent;

	if (guard > block->guard) {
		if (!pages_commit(extent + block->guard, guard - block->guard))
			return false;
	} else if (guard < block->guard) {
		pages_decommit(extent + guard, block->guard - guard);
	}
	block->guard = guard;
	return true;
}

/* Use a kept block. */
static bool reuse(const struct wish *wish, struct block *block, bool *zero)
{
	if (!kept_take(wish, block))
		return false;
	*zero = memory_take(block->extent, offered_size(block));
	if (!move_guard(block, wish_guard(wish, block->extent))) {
		drop(block);
		return false;
	}
	count(&blocks_counts.warm);
	return true;
}

static char *get_extent(const struct wish *wish, bool *zero)
{
	size_t alignment = wish->alignment > UNIT ? wish->alignment : UNIT;
	char *extent = memory_alloc(wish->extent, alignment, zero);

	if (!extent && kept_flush(drop))
		extent = memory_alloc(wish->extent, alignment, zero);
	return extent;
}

static bool make(const struct wish *wish, struct block *block, bool *zero)
{
	block->extent = get_extent(wish, zero);
	if (!block->extent)
		return false;
	block->size = wish->extent;
	block->guard = wish_guard(wish, block->extent);
	if (!table_make(block)) {
		memory_dealloc(block->extent, block->size);
		return false;
	}
	pages_decommit(block->extent + block->guard, block->size - block->guard);
	return true;
}

static bool obtain(const struct wish *wish, struct block *block, bool *zero)
{
	return reuse(wish, block, zero) || make(wish, block, zero);
}

static void *alloc(const struct wish *wish, bool clear)
{
	struct block block;
	int saved = errno;
	bool zero;
	char *p;

	if (!obtain(wish, &block, &zero)) {
		count(&blocks_counts.refused);
		errno = saved;
		return NULL;
	}
	block.start = wish_start(wish, block.extent);
	table_write(&block, LIVE_BLOCK);
	count(&blocks_counts.allocs);
	p = block.extent + block.start;
	if (clear && !zero)
		clear_memory(p, wish->size);
	return p;
}

/* Returns false if no extent can be that large. */
static bool make_wish(size_t size, size_t alignment, struct wish *wish)
{
	memory_start();
	if (size > (CHUNKS_MOST - 1) * UNIT)
		return false;
	wish->size = size;
	wish->alignment = alignment;
	wish->extent = (size + COLOUR_MOST + 2 * memory_page + UNIT - 2) & ~(UNIT - 1);
	return true;
}

/**
 * blocks_alloc() - allocate a block
 * @size:      bytes
 * @alignment: bytes, a power of two
 * @clear:     whether it shall read as zero
 *
 * Return: the block, or NULL; then the allocator below has to serve. Preserves
 * errno.
 */
void *blocks_alloc(size_t size, size_t alignment, bool clear)
{
	struct wish wish;

	return make_wish(size, alignment, &wish) ? alloc(&wish, clear) : NULL;
}

/* Most bytes of address space beyond a block that was resized */
#define SLACK_MOST	((size_t)256 << 20)

/**
 * blocks_alloc_to_grow() - allocate a block that was resized, and may be once more
 * @size: bytes
 *
 * Its guard is up to a quarter longer than the block: address space costs little, and
 * a vector that grows step by step is seldom copied.
 *
 * Return: the block, or NULL. Preserves errno.
 */
void *blocks_alloc_to_grow(size_t size)
{
	struct wish wish;
	size_t slack;
	void *p = NULL;

	if (!make_wish(size, 1, &wish))
		return NULL;
	slack = wish.extent / 4 & ~(UNIT - 1);
	if (slack > SLACK_MOST)
		slack = SLACK_MOST;
	if (wish.extent <= CHUNKS_MOST * UNIT - slack) {
		wish.extent += slack;
		p = alloc(&wish, false);
	}
	return p ? p : blocks_alloc(size, 1, false);
}

static bool keep(struct block *block)
{
	if (!kept_wants(block))
		return false;
	memory_offer(block->extent, offered_size(block));
	return kept_put(block, drop);
}

/**
 * blocks_free() - free a block
 * @call:  name of the caller's function, for messages
 * @block: the block, from blocks_find()
 *
 * Preserves errno.
 */
void blocks_free(const char *call, struct block *block)
{
	int saved = errno;

	if (!table_change(block, KEPT_BLOCK))
		misuse_die(call, block->extent + block->start,
			   "two threads free this block");
	if (!keep(block))
		drop(block);
	errno = saved;
}

/**
 * blocks_resize() - resize a block in place
 * @block: the block, from blocks_find()
 * @size:  the wanted size in bytes
 *
 * Return: whether it has that size now. Preserves errno.
 */
bool blocks_resize(struct block *block, size_t size)
{
	size_t most = block->size - memory_page - block->start;
	int saved = errno;
	size_t guard;

	if (size > most)
		return false;
	guard = (block->start + size + memory_page - 1) & ~(memory_page - 1);
	if (!move_guard(block, guard)) {
		errno = saved;
		return false;
	}
	table_write(block, LIVE_BLOCK);
	count(&blocks_counts.resized);
	return true;
}

/**
 * blocks_usable() - get the size of a block
 * @block: the block, from blocks_find()
 *
 * Return: bytes up to its guard.
 */
size_t blocks_usable(const struct block *block)
{
	return block->guard - block->start;
}
