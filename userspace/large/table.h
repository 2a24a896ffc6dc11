/* SPDX-License-Identifier: MIT */
/* Large blocks, by the chunk that they begin in */
#ifndef TABLE_H
#define TABLE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "unit.h"

/* Start of a block in its extent: a multiple of COLOUR_STEP below COLOURS times that */
#define COLOUR_STEP	64
#define COLOURS		64
#define COLOUR_MOST	((COLOURS - 1) * COLOUR_STEP)

/* Bits of an address that are zero where a large block may begin */
#define NO_START	((UNIT - 1) & ~(uintptr_t)COLOUR_MOST)

/* Most chunks of an extent: 4 TiB */
#define CHUNKS_MOST	(((size_t)1 << 22) - 1)

/**
 * enum block_state - the state of the extent that an entry describes
 * @NO_BLOCK:   there never was a block
 * @LIVE_BLOCK: a block of the program
 * @KEPT_BLOCK: a freed block that is kept for reuse
 * @GONE_BLOCK: a freed block whose extent libchunk has
 */
enum block_state { NO_BLOCK, LIVE_BLOCK, KEPT_BLOCK, GONE_BLOCK };

/**
 * struct block - a large block
 * @extent: first byte of its extent
 * @size:   size of the extent in bytes, whole chunks
 * @start:  bytes from there to the block's first byte
 * @guard:  bytes from @extent to the guard, which reaches to the extent's end
 * @state:  state of the extent
 * @entry:  entry in the table
 * @word:   value of the entry that the other members were read from
 */
struct block {
	char *extent;
	size_t size;
	size_t start;
	size_t guard;
	enum block_state state;
	atomic_uint_least64_t *entry;
	uint64_t word;
};

/* Return false unless a large block may begin at @p. NULL is a "may". */
static inline bool may_be_large(const void *p)
{
	return !((uintptr_t)p & NO_START);
}

bool table_make(struct block *block);
bool table_read(const void *addr, struct block *block);
void table_write(struct block *block, enum block_state state);
bool table_change(struct block *block, enum block_state state);

#endif /* TABLE_H */
