// SPDX-License-Identifier: MIT
/*
 * Reuse of extents where there is no device, which keeps its own: the same engine
 * does it here.
 */
#include <errno.h>
#include <string.h>

#include "chunk_annotate.h"
#include "chunk_backing.h"
#include "chunk_free_nodes.h"
#include "chunk_guard.h"
#include "chunk_probe.h"
#include "chunk_recycle.h"
#include "chunk_registry.h"
#include "chunk_state.h"

/* Put a decommitted extent back into the tree; unmap it if there is no room. */
static void put_back(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;
	size_t size = extent->size;
	size_t room;

	chunk_lock();
	room = chunk_tree_claim(&chunk_state.recycled, size);
	if (room == size) {
		chunk_recycle_insert(extent);
		chunk_unlock();
		return;
	}
	chunk_tree_unclaim(&chunk_state.recycled, room);
	chunk_free_node_push(&chunk_state.free_nodes, extent);
	chunk_state.counts.mapped_bytes -= size;
	chunk_unlock();
	chunk_recycle_unmap("chunk_alloc", addr, size);
}

/* Make a recycled extent read as zero, like a fresh one; false without memory */
static bool refresh(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;

	if (chunk_guard_undo(addr, extent->size))
		return false;
	chunk_backing_apply(addr, extent->size);
	/* An extent that could not be made to trap may have been written. */
	if ((extent->type != ZEROED_CHUNK || !chunk_os_caps.zero_on_commit) &&
	    chunk_os_purge(addr, extent->size))
		memset(addr, 0, extent->size);
	return true;
}

/* Take the best fit out of the tree, or NULL; @none: no extent fits */
static struct chunk_extent *take(size_t size, size_t alignment, bool *none)
{
	struct chunk_extent *extent;
	int err;

	chunk_lock();
	err = !chunk_free_nodes_prepare(2);
	if (!err)
		err = chunk_tree_take(&chunk_state.recycled, size, alignment,
				      &chunk_state.free_nodes, &extent);
	chunk_unlock();
	*none = err == -ENOENT;
	if (err) {
		chunk_probe_recycle_miss(size, alignment);
		return NULL;
	}
	extent->owner = NULL;
	chunk_annotate_usable((void *)extent->addr, extent->size);
	return extent;
}

static bool enlist(struct chunk_extent *extent)
{
	bool listed;

	chunk_lock();
	listed = chunk_registry_add_recycled(extent);
	chunk_unlock();
	return listed;
}

/**
 * chunk_recycle_alloc() - reuse an extent
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @none:      set: no extent fits
 *
 * Context: lock not held.
 * Return: a live extent that reads as zero; NULL if none fits, or when out of
 * memory.
 */
void *chunk_recycle_alloc(size_t size, size_t alignment, bool *none)
{
	struct chunk_extent *extent = take(size, alignment, none);
	void *addr;

	if (!extent)
		return NULL;
	addr = (void *)extent->addr;
	if (refresh(extent) && enlist(extent)) {
		chunk_probe_recycle_hit(addr, size);
		return addr;
	}
	/* Part of it may have been committed. */
	extent->type = chunk_recycle_decommit(addr, size);
	chunk_annotate_unusable(addr, size);
	put_back(extent);
	return NULL;
}

/* Put the first @room bytes into the tree, or fewer if the limit was lowered. */
static size_t keep(struct chunk_extent *extent, size_t room)
{
	struct chunk_tree *tree = &chunk_state.recycled;

	chunk_tree_unclaim(tree, room);
	room = chunk_tree_claim(tree, room);
	chunk_state.counts.mapped_bytes -= extent->size - room;
	extent->size = room;
	if (room)
		chunk_recycle_insert(extent);
	else
		chunk_free_node_push(&chunk_state.free_nodes, extent);
	return room;
}

/**
 * chunk_recycle_claim() - claim room under the limit for an extent
 * @size: bytes, a multiple of the chunk size
 *
 * Context: chunk_lock() held.
 * Return: bytes at the beginning of the extent that there is room for, to be passed
 * to chunk_recycle_dealloc().
 */
size_t chunk_recycle_claim(size_t size)
{
	if (!chunk_recycle_is_keepable(size))
		return 0;
	return chunk_tree_claim(&chunk_state.recycled, size);
}

/**
 * chunk_recycle_dealloc() - keep the part of an extent that there is room for
 * @extent: the extent, not from the device, in no tree
 * @room:   bytes at its beginning, from chunk_recycle_claim()
 *
 * Unmaps the rest.
 *
 * Context: lock not held.
 */
void chunk_recycle_dealloc(struct chunk_extent *extent, size_t room)
{
	char *addr = (char *)extent->addr;
	size_t size = extent->size;

	if (room) {
		extent->type = chunk_recycle_decommit(addr, room);
		chunk_annotate_unusable(addr, room);
	}
	chunk_lock();
	room = keep(extent, room);
	chunk_unlock();
	chunk_probe_dealloc(addr, size, room, 0);
	if (room < size)
		chunk_recycle_unmap("chunk_dealloc", addr + room, size - room);
	/* The system may take now what it refused before. */
	chunk_recycle_evict("chunk_dealloc");
}
