// SPDX-License-Identifier: MIT
/* Returning recycled extents to the system: those over the limit, or all. */
#include <errno.h>

#include "chunk_free_nodes.h"
#include "chunk_recycle.h"
#include "chunk_state.h"
#include "chunk_unmap.h"

/* Take an extent that exceeds the limit out of the tree, or NULL. */
static struct chunk_extent *take_excess(void)
{
	struct chunk_tree *tree = &chunk_state.recycled;
	struct chunk_extent *extent;
	int err;

	chunk_free_nodes_prepare(1);
	err = chunk_tree_evict(tree, &chunk_state.free_nodes, &extent);
	if (!err)
		return extent;
	if (err == -ENOENT)
		return NULL;
	/* Without a free node no extent can be cut, but a whole one can go. */
	extent = chunk_tree_first(tree);
	chunk_tree_remove(tree, extent);
	return extent;
}

/* Unmap an extent taken out of the tree; false if it had to be put back. */
static bool unmap_taken(const char *call, struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;
	size_t size = extent->size;
	int err = chunk_unmap_used(addr, size);

	chunk_lock();
	if (err) {
		chunk_recycle_insert_anyway(extent);
	} else {
		chunk_free_node_push(&chunk_state.free_nodes, extent);
		chunk_state.counts.mapped_bytes -= size;
	}
	chunk_unlock();
	if (err)
		chunk_report_unmap(call, addr, size, err,
				   "; it is kept for reuse");
	return !err;
}

/* Unmap an extent over the limit. Returns false if there is no more to unmap. */
static bool evict_one(const char *call)
{
	struct chunk_extent *extent;

	chunk_lock();
	extent = take_excess();
	chunk_unlock();
	return extent && unmap_taken(call, extent);
}

/**
 * chunk_recycle_evict() - unmap extents over the limit
 * @call: the function of the API that does
 *
 * Stops when the system refuses one.
 *
 * Context: lock not held.
 */
void chunk_recycle_evict(const char *call)
{
	struct chunk_tree *tree = &chunk_state.recycled;

	while (READ_ONCE(tree->bytes) > READ_ONCE(tree->limit) &&
	       evict_one(call))
		;
}

/* Unmap an extent whatever the limit. Returns false if none went. */
static bool release_one(void)
{
	struct chunk_extent *extent;

	chunk_lock();
	extent = chunk_tree_first(&chunk_state.recycled);
	if (extent)
		chunk_tree_remove(&chunk_state.recycled, extent);
	chunk_unlock();
	return extent && unmap_taken("chunk_alloc", extent);
}

/* Make the device release what it keeps, by a limit of 0 for a moment. */
static bool release_device(void)
{
	struct chunk_device_stats stats;

	if (!atomic_load_explicit(&chunk_state.generation,
				  memory_order_relaxed) ||
	    chunk_device_stats(&stats) || !stats.recycled_bytes ||
	    chunk_device_limit(0))
		return false;
	chunk_device_limit(READ_ONCE(chunk_state.limit));
	return true;
}

/**
 * chunk_recycle_release() - return all recycled extents to the system
 *
 * For an allocation that the system refused: address space that is merely kept
 * must not make it fail.
 *
 * Context: lock not held.
 * Return: true if there were any.
 */
bool chunk_recycle_release(void)
{
	bool any = release_device();

	while (release_one())
		any = true;
	return any;
}
