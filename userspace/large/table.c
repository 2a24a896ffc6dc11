// SPDX-License-Identifier: MIT
/*
 * Large blocks, by the chunk that they begin in: an array in two levels, of one
 * word for each chunk of address space. A word has the state of a block in its two
 * lowest bits, then the block's colour, the extent's size in chunks and the guard's
 * position in pages.
 *
 * No function takes a lock, so the table is consistent in a child after fork and in
 * signal handlers.
 */
#include "chunk.h"
#include "memory.h"
#include "table.h"

/* A leaf takes 64 KiB, the largest page. */
#define LEAF_BITS	(sizeof(void *) == 8 ? 13 : 12)
#define LEAF		((size_t)1 << LEAF_BITS)

/**
 * struct leaf - a part of the table
 * @entry: a word for each chunk
 */
struct leaf {
	atomic_uint_least64_t entry[LEAF];
};

static struct leaf *_Atomic leaves[(size_t)1 << (NUMBER_BITS - LEAF_BITS)];

#define COLOUR_SHIFT	2
#define SIZE_SHIFT	8
#define GUARD_SHIFT	30

static uint64_t pack(const struct block *block, enum block_state state)
{
	return state |
	       (uint64_t)(block->start / COLOUR_STEP) << COLOUR_SHIFT |
	       (uint64_t)(block->size / UNIT) << SIZE_SHIFT |
	       (uint64_t)(block->guard / memory_page) << GUARD_SHIFT;
}

static void unpack(struct block *block)
{
	uint64_t word = block->word;

	block->state = word & 3;
	block->start = (word >> COLOUR_SHIFT) % COLOURS * COLOUR_STEP;
	block->size = ((word >> SIZE_SHIFT) & CHUNKS_MOST) * UNIT;
	block->guard = (word >> GUARD_SHIFT) * memory_page;
}

static struct leaf *make_leaf(size_t place)
{
	struct leaf *leaf = NULL, *fresh = pages_map(NULL, sizeof(*fresh));

	if (!fresh)
		return NULL;
	if (atomic_compare_exchange_strong(&leaves[place], &leaf, fresh))
		return fresh;
	/* Another thread was faster. */
	pages_unmap(fresh, sizeof(*fresh));
	return leaf;
}

/* The leaf of a chunk's number; NULL if none was made, or there can be none */
static struct leaf *leaf_of(uintptr_t number)
{
	if (number >> NUMBER_BITS)
		return NULL;
	return atomic_load_explicit(&leaves[number / LEAF],
				    memory_order_acquire);
}

/**
 * table_make() - find the entry for a new block
 * @block: the block; @block->extent is set
 *
 * Return: whether there is one now; false when out of memory.
 */
bool table_make(struct block *block)
{
	uintptr_t number = (uintptr_t)block->extent / UNIT;
	struct leaf *leaf = leaf_of(number);

	if (number >> NUMBER_BITS)
		return false;
	if (!leaf)
		leaf = make_leaf(number / LEAF);
	if (leaf)
		block->entry = &leaf->entry[number % LEAF];
	return leaf;
}

/**
 * table_read() - find the block that begins in the chunk around an address
 * @addr:  any address
 * @block: filled
 *
 * Return: false if there never was one.
 */
bool table_read(const void *addr, struct block *block)
{
	uintptr_t number = (uintptr_t)addr / UNIT;
	struct leaf *leaf = leaf_of(number);

	if (!leaf)
		return false;
	block->entry = &leaf->entry[number % LEAF];
	block->word = atomic_load_explicit(block->entry, memory_order_acquire);
	if (!block->word)
		return false;
	block->extent = (char *)(number * UNIT);
	unpack(block);
	return true;
}

/**
 * table_write() - enter a block
 * @block: the block, whose extent belongs to the caller alone
 * @state: its state from now on
 */
void table_write(struct block *block, enum block_state state)
{
	block->state = state;
	block->word = pack(block, state);
	atomic_store_explicit(block->entry, block->word, memory_order_release);
}

/**
 * table_change() - change a block's state unless somebody else was faster
 * @block: the block, from table_read()
 * @state: its state from now on
 *
 * Return: false if the entry is not as it was read.
 */
bool table_change(struct block *block, enum block_state state)
{
	uint64_t word = pack(block, state);

	if (!atomic_compare_exchange_strong(block->entry, &block->word, word))
		return false;
	block->word = word;
	block->state = state;
	return true;
}
