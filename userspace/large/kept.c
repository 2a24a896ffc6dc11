// SPDX-License-Identifier: MIT
/*
 * Freed blocks that are kept with their guards, so that a program that frees and
 * allocates the same size again and again makes no system call. Their memory is
 * offered. libchunk merges and splits the extents of all other freed blocks.
 *
 * A row has the blocks of some sizes of extents. A slot names one block; whoever
 * takes the name out of the slot owns the block. So there is no lock, and a block
 * can only be lost in a child if another thread had it in its hands at the fork.
 */
#include "kept.h"
#include "memory.h"
#include "settings.h"

#define ROWS	64
#define SLOTS	8
#define ALL	(ROWS * SLOTS)

/* A name has a chunk's number, then the extent's chunks, then some of the guard. */
#define SIZE_SHIFT	NUMBER_BITS
#define GUARD_SHIFT	(SIZE_SHIFT + 22)

static atomic_uint_least64_t slots[ALL];
static atomic_size_t kept_bytes;
static atomic_uint hand;

/**
 * wish_start() - choose where a block begins in an extent
 * @wish:   the block
 * @extent: first byte of the extent
 *
 * Blocks of one size begin at different cache sets, depending on the extent: one
 * that is used again for the same size has its guard where it was.
 *
 * Return: bytes from the extent's first byte.
 */
size_t wish_start(const struct wish *wish, const char *extent)
{
	uint32_t number = (uintptr_t)extent / UNIT;

	if (wish->alignment > COLOUR_STEP)
		return 0;
	if (!settings.colour)
		return -wish->size & COLOUR_MOST;
	/* By the golden ratio numbers with any stride are spread evenly. */
	return (number * 0x9e3779b9u >> 26) * COLOUR_STEP;
}

/**
 * wish_guard() - find the page behind a block
 * @wish:   the block
 * @extent: first byte of the extent
 *
 * Return: bytes from the extent's first byte.
 */
size_t wish_guard(const struct wish *wish, const char *extent)
{
	size_t end = wish_start(wish, extent) + wish->size;

	return (end + memory_page - 1) & ~(memory_page - 1);
}

static uint64_t name_of(uintptr_t number, size_t chunks, size_t guard)
{
	return number | (uint64_t)chunks << SIZE_SHIFT |
	       (uint64_t)(guard / memory_page) << GUARD_SHIFT;
}

static char *extent_of(uint64_t name)
{
	return (char *)((uintptr_t)(name & ((1u << NUMBER_BITS) - 1)) * UNIT);
}

static atomic_uint_least64_t *row_of(size_t chunks)
{
	return &slots[chunks % ROWS * SLOTS];
}

static bool has_size(uint64_t name, const struct wish *wish)
{
	return name && ((name >> SIZE_SHIFT) & CHUNKS_MOST) == wish->extent / UNIT &&
	       !((uintptr_t)extent_of(name) & (wish->alignment - 1) & ~(UNIT - 1));
}

static bool has_guard(uint64_t name, const struct wish *wish)
{
	const char *extent = extent_of(name);

	return name == name_of((uintptr_t)extent / UNIT, wish->extent / UNIT,
			       wish_guard(wish, extent));
}

/* Return a name that was in the row and is not any more, or 0. */
static uint64_t take_name(const struct wish *wish, bool any_guard)
{
	atomic_uint_least64_t *row = row_of(wish->extent / UNIT);

	for (size_t i = 0; i < SLOTS; i++) {
		uint64_t name = atomic_load_explicit(&row[i], memory_order_relaxed);

		if (has_size(name, wish) && (any_guard || has_guard(name, wish)) &&
		    atomic_compare_exchange_strong_explicit(&row[i], &name, 0,
							    memory_order_acquire,
							    memory_order_relaxed))
			return name;
	}
	return 0;
}

static bool open(uint64_t name, struct block *block)
{
	table_read(extent_of(name), block);
	atomic_fetch_sub_explicit(&kept_bytes, block->guard, memory_order_relaxed);
	return true;
}

/**
 * kept_take() - take out a block
 * @wish:  the block to be allocated
 * @block: filled; from now on the caller's
 *
 * Return: whether there is one, with an extent of the wanted size. If one has its
 * guard in the right place, it is that.
 */
bool kept_take(const struct wish *wish, struct block *block)
{
	uint64_t name;

	if (!atomic_load_explicit(&kept_bytes, memory_order_relaxed))
		return false;
	name = take_name(wish, false);
	if (!name)
		name = take_name(wish, true);
	return name && open(name, block);
}

static bool drop_slot(unsigned int i, void (*drop)(struct block *))
{
	struct block block;
	uint64_t name;

	if (!atomic_load_explicit(&slots[i % ALL], memory_order_relaxed))
		return false;
	name = atomic_exchange_explicit(&slots[i % ALL], 0, memory_order_acquire);
	if (!name || !open(name, &block))
		return false;
	drop(&block);
	return true;
}

static bool is_full(void)
{
	return atomic_load_explicit(&kept_bytes, memory_order_relaxed) > memory_keep;
}

/* The hand of a clock: the slot after it was looked at the longest time ago. */
static void make_room(void (*drop)(struct block *))
{
	for (unsigned int i = 0; i < ALL && is_full(); i++)
		drop_slot(atomic_fetch_add(&hand, 1), drop);
}

static bool put_name(uint64_t name, atomic_uint_least64_t *row)
{
	for (size_t i = 0; i < SLOTS; i++) {
		uint64_t none = 0;

		if (!atomic_load_explicit(&row[i], memory_order_relaxed) &&
		    atomic_compare_exchange_strong_explicit(&row[i], &none, name,
							    memory_order_release,
							    memory_order_relaxed))
			return true;
	}
	return false;
}

/**
 * kept_wants() - tell whether a block may be kept
 * @block: the block
 *
 * Return: false if it is too large, or none is kept.
 */
bool kept_wants(const struct block *block)
{
	return block->guard <= memory_keep;
}

/**
 * kept_put() - keep a block
 * @block: the block, wanted, in state KEPT_BLOCK, offered
 * @drop:  function for blocks that have to leave for it
 *
 * Return: whether it is kept; false: it is still the caller's.
 */
bool kept_put(const struct block *block, void (*drop)(struct block *))
{
	size_t chunks = block->size / UNIT;
	uint64_t name = name_of((uintptr_t)block->extent / UNIT, chunks,
				block->guard);
	atomic_uint_least64_t *row = row_of(chunks);

	/* Before anybody can take it, so that the sum is never negative. */
	atomic_fetch_add_explicit(&kept_bytes, block->guard, memory_order_relaxed);
	make_room(drop);
	if (put_name(name, row))
		return true;
	drop_slot(row - slots + atomic_fetch_add(&hand, 1) % SLOTS, drop);
	if (put_name(name, row))
		return true;
	atomic_fetch_sub_explicit(&kept_bytes, block->guard, memory_order_relaxed);
	return false;
}

/**
 * kept_flush() - give up all blocks, as memory or address space is short
 * @drop: function for each of them
 *
 * Return: whether there were any.
 */
bool kept_flush(void (*drop)(struct block *))
{
	bool any = false;

	for (unsigned int i = 0; i < ALL; i++)
		any |= drop_slot(i, drop);
	return any;
}
