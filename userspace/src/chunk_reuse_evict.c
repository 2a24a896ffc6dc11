// SPDX-License-Identifier: MIT
/*
 * Returning kept extents to their sources: some over the limit, those of a lost
 * device generation, or all.
 *
 * Eviction goes round by address, so that an extent that nobody wants does not stay
 * for ever.
 */
#include "chunk_give_back.h"
#include "chunk_recycle.h"
#include "chunk_reuse.h"
#include "chunk_state.h"

#define kept	(&chunk_state.kept)

/* Kept extents that one eviction looks at */
#define LOOKS	64

/**
 * struct evicted - a range of address space on its way to its source
 * @addr:       its first byte
 * @size:       bytes
 * @generation: the device generation that it came from, or 0
 */
struct evicted {
	void *addr;
	size_t size;
	uintptr_t generation;
};

/* Context: chunk_lock() held; the lock must be released before send(). */
static struct evicted pack(struct chunk_extent *extent)
{
	struct evicted evicted = {
		.addr = (void *)extent->addr,
		.size = extent->size,
		.generation = (uintptr_t)extent->owner,
	};

	/* The generation in use counts its mappings itself. */
	if (!extent->owner || chunk_reuse_is_lost(extent))
		chunk_state.counts.mapped_bytes -= extent->size;
	chunk_free_node_push(&chunk_state.free_nodes, extent);
	return evicted;
}

static void send(const char *call, const struct evicted *evicted)
{
	if (evicted->generation)
		chunk_give_back(call, evicted->addr, evicted->size,
				UNKNOWN_CHUNK, evicted->generation);
	else
		chunk_recycle_unmap(call, evicted->addr, evicted->size);
}

/* Return an extent at @from or behind it to its source; false if there is none. */
static bool evict_from(const char *call, uintptr_t *from, size_t most,
		       unsigned int looks)
{
	struct chunk_extent *extent;
	struct evicted evicted;

	chunk_lock();
	extent = chunk_reuse_take_away(from, most, looks);
	if (extent)
		evicted = pack(extent);
	chunk_unlock();
	if (extent)
		send(call, &evicted);
	return extent;
}

/* Return some extent to its source, of @most bytes if that can be. */
static bool evict_one(const char *call, size_t most)
{
	uintptr_t from;
	bool done;

	chunk_lock();
	from = kept->hand;
	chunk_unlock();
	done = evict_from(call, &from, most, LOOKS);
	/* From the beginning again */
	if (!done && !from)
		done = evict_from(call, &from, most, LOOKS);
	chunk_lock();
	kept->hand = from;
	chunk_unlock();
	return done;
}

/**
 * chunk_reuse_make_room() - claim room for an extent, by evicting others
 * @call: the function of the API that keeps it
 * @size: bytes
 *
 * Context: lock not held.
 * Return: false if there is no room for all of it; then none is claimed.
 */
bool chunk_reuse_make_room(const char *call, size_t size)
{
	struct chunk_tree *tree = &kept->tree;
	size_t room;

	do {
		chunk_lock();
		room = size > tree->limit ? 0 : chunk_tree_claim(tree, size);
		if (room < size)
			chunk_tree_unclaim(tree, room);
		chunk_unlock();
		if (room == size)
			return true;
	} while (size <= READ_ONCE(tree->limit) &&
		 evict_one(call, size - room));
	return false;
}

/**
 * chunk_reuse_settle() - return extents over the limit, as long as some are found soon
 * @call: the function of the API that keeps one
 *
 * Context: lock not held.
 */
void chunk_reuse_settle(const char *call)
{
	struct chunk_tree *tree = &kept->tree;
	size_t bytes, limit;

	do {
		bytes = READ_ONCE(tree->bytes);
		limit = READ_ONCE(tree->limit);
	} while (bytes > limit && evict_one(call, bytes - limit));
}

/**
 * chunk_reuse_trim() - return extents over the limit to their sources
 * @call: the function of the API that does
 *
 * Context: lock not held.
 */
void chunk_reuse_trim(const char *call)
{
	struct chunk_tree *tree = &kept->tree;
	uintptr_t from = 0;
	size_t bytes, limit;

	do {
		bytes = READ_ONCE(tree->bytes);
		limit = READ_ONCE(tree->limit);
	} while (bytes > limit &&
		 evict_from(call, &from, bytes - limit, -1U));
}

/**
 * chunk_reuse_release() - return all kept extents to their sources
 * @call: the function of the API that does
 *
 * Parts of extents of the device of which other parts are live stay.
 *
 * Context: lock not held.
 * Return: true if any was returned.
 */
bool chunk_reuse_release(const char *call)
{
	uintptr_t from = 0;
	bool any = false;

	while (evict_from(call, &from, SIZE_MAX, -1U))
		any = true;
	return any;
}

/**
 * chunk_reuse_drop_lost() - unmap kept extents of lost device generations
 *
 * Their words, which the system goes by, are out of reach.
 *
 * Context: lock not held.
 */
void chunk_reuse_drop_lost(void)
{
	struct chunk_extent *extent;
	struct evicted evicted;

	do {
		chunk_lock();
		extent = chunk_reuse_take_lost();
		if (extent)
			evicted = pack(extent);
		chunk_unlock();
		if (extent)
			send("chunk_alloc", &evicted);
	} while (extent);
}
