// SPDX-License-Identifier: MIT
/*
 * First byte and size of the extents that the adapter has allocated, by the chunks
 * that they consist of.
 *
 * chunk_lookup() knows them, too, but also finds out what is committed, which takes
 * a system call on the device and a look at many pages without it. So this is a
 * cache of it: an extent that is missing here is only slower to find. It takes no
 * lock, and thus is consistent in a child after fork.
 */
#include <stdatomic.h>
#include <stdint.h>

#include "bounds.h"
#include "chunk.h"

/* A leaf takes 64 KiB, the largest page, or with 32 bits has all. */
#define LEAF_BITS	(sizeof(void *) == 8 ? 13 : NUMBER_BITS)
#define LEAF		((size_t)1 << LEAF_BITS)

/**
 * struct leaf - a part of the table
 * @entry: for each chunk, the number of its extent's first chunk in the upper half
 *         and the number of chunks in the lower half; 0: no extent
 */
struct leaf {
	atomic_uint_least64_t entry[LEAF];
};

static struct leaf *_Atomic leaves[(size_t)1 << (NUMBER_BITS - LEAF_BITS)];

static uintptr_t number_of(const void *addr)
{
	return (uintptr_t)addr / UNIT;
}

/* Return the leaf of a chunk, or NULL if there is no memory or no place for it. */
static struct leaf *leaf_of(uintptr_t number, bool make)
{
	struct leaf *leaf = NULL, *fresh;

	if (number >> NUMBER_BITS)
		return NULL;
	leaf = atomic_load_explicit(&leaves[number / LEAF],
				    memory_order_acquire);
	if (leaf || !make)
		return leaf;
	fresh = pages_map(NULL, sizeof(*fresh));
	if (!fresh)
		return NULL;
	if (atomic_compare_exchange_strong(&leaves[number / LEAF], &leaf, fresh))
		return fresh;
	/* Another thread was faster. */
	pages_unmap(fresh, sizeof(*fresh));
	return leaf;
}

static void set_all(void *start, size_t size, uint64_t value, bool make)
{
	uintptr_t number = number_of(start), end = number + size / UNIT;

	for (; number < end; number++) {
		struct leaf *leaf = leaf_of(number, make);

		if (leaf)
			atomic_store_explicit(&leaf->entry[number % LEAF],
					      value, memory_order_relaxed);
	}
}

/**
 * bounds_note() - remember an extent
 * @start: its first byte
 * @size:  its size in bytes
 *
 * Context: before anybody else knows of the extent.
 */
void bounds_note(void *start, size_t size)
{
	uint64_t chunks = size / UNIT;

	if (chunks <= UINT32_MAX)
		set_all(start, size, (uint64_t)number_of(start) << 32 | chunks,
			true);
}

/**
 * bounds_drop() - forget an extent
 * @start: its first byte
 * @size:  its size in bytes
 *
 * Context: before it is deallocated.
 */
void bounds_drop(void *start, size_t size)
{
	set_all(start, size, 0, false);
}

static bool find_slowly(const void *addr, void **start, size_t *size)
{
	struct chunk_info info = { .size = sizeof(info) };

	if (!chunk_lookup(addr, &info))
		return false;
	*start = info.start;
	*size = info.length;
	return true;
}

/**
 * bounds_find() - find the live extent that contains an address
 * @addr:  any address
 * @start: set to the extent's first byte on success
 * @size:  set to its size in bytes on success
 *
 * Return: whether there is one, noted or not.
 */
bool bounds_find(const void *addr, void **start, size_t *size)
{
	uintptr_t number = number_of(addr);
	struct leaf *leaf = leaf_of(number, false);
	uint64_t value = 0;

	if (leaf)
		value = atomic_load_explicit(&leaf->entry[number % LEAF],
					     memory_order_relaxed);
	if (!value)
		return chunk_is_live(addr) && find_slowly(addr, start, size);
	*start = (void *)((uintptr_t)(value >> 32) * UNIT);
	*size = (size_t)(uint32_t)value * UNIT;
	return true;
}
