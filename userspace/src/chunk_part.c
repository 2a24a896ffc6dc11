// SPDX-License-Identifier: MIT
/*
 * A range of pages, part by part. A range lies in one live chunk, or in memory from
 * pages_map(), of which the ends may come from different sources.
 */
#include "chunk_internal.h"
#include "chunk_state.h"

/* The owner at an address, and where it ends; memory that is no chunk is mmap's. */
static uintptr_t owner_at(uintptr_t at, uintptr_t *end)
{
	struct chunk_extent *extent =
		chunk_radix_lookup(&chunk_state.registry, at);

	if (!extent) {
		*end = (at | (CHUNK_TREE_UNIT - 1)) + 1;
		return 0;
	}
	*end = extent->addr + extent->size;
	return (uintptr_t)extent->owner;
}

/**
 * chunk_part_next() - find the next part of a range that comes from one source
 * @part: the part before; at first @at is where the range begins and @size is 0.
 *        Set to the next part, as long as possible
 * @end:  byte after the range
 *
 * Context: takes chunk_lock().
 * Return: false if there is no part left.
 */
bool chunk_part_next(struct chunk_part *part, uintptr_t end)
{
	uintptr_t at = (uintptr_t)part->at + part->size;
	uintptr_t to = at, next;

	if (at == end)
		return false;
	part->at += part->size;
	chunk_lock();
	part->generation = owner_at(at, &to);
	/* An extent at the very top of the address space ends at 0. */
	while (to - at < end - at && owner_at(to, &next) == part->generation)
		to = next;
	part->lost = part->generation &&
		     part->generation != chunk_state.generation;
	chunk_unlock();
	if (to - at > end - at)
		to = end;
	part->size = to - at;
	return true;
}
