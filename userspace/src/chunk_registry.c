// SPDX-License-Identifier: MIT
/*
 * The registry of live extents, and the counting of them. It is here whatever
 * they come from, so that a lookup is no system call.
 */
#include "chunk.h"
#include "chunk_internal.h"
#include "chunk_report.h"
#include "chunk_state.h"

static void count(struct chunk_extent *extent)
{
	chunk_state.counts.live_bytes += extent->size;
	chunk_state.counts.live_chunks++;
	chunk_state.counts.allocs++;
}

/* Does an extent belong to a context that is no more? */
static bool is_lost(struct chunk_extent *extent)
{
	return extent->owner && extent->owner != (void *)chunk_state.generation;
}

/**
 * chunk_registry_add() - put a fresh extent in the registry
 * @addr:  its first byte
 * @size:  bytes
 * @owner: the context of the device that it comes from, or 0
 *
 * Context: chunk_lock() held.
 * Return: false without memory, with nothing changed.
 */
bool chunk_registry_add(void *addr, size_t size, uintptr_t owner)
{
	struct chunk_extent *node = chunk_free_nodes_take();

	if (!node)
		return false;
	node->addr = (uintptr_t)addr;
	node->size = size;
	node->owner = (void *)owner;
	node->type = ZEROED_CHUNK;
	node->sparse = false;
	if (chunk_radix_store(&chunk_state.registry, node, 0)) {
		chunk_free_node_push(&chunk_state.free_nodes, node);
		return false;
	}
	count(node);
	/* What the present context has mapped it counts itself. */
	if (!owner || is_lost(node))
		chunk_state.counts.mapped_bytes += size;
	return true;
}

/**
 * chunk_registry_set_sparse() - an extent of mmap just registered is decommitted
 * @addr: its first byte; nobody else knows of it yet
 *
 * Context: chunk_lock() held.
 */
void chunk_registry_set_sparse(void *addr)
{
	struct chunk_extent *extent =
		chunk_radix_lookup(&chunk_state.registry, (uintptr_t)addr);

	chunk_decommit_map_set_sparse(&chunk_state.decommit_map, extent);
}

/**
 * chunk_registry_add_recycled() - put an extent that was kept for reuse in the registry
 * @extent: the extent, in nobody's hands
 *
 * Context: chunk_lock() held.
 * Return: false without memory, with nothing changed.
 */
bool chunk_registry_add_recycled(struct chunk_extent *extent)
{
	extent->sparse = false;
	if (chunk_radix_store(&chunk_state.registry, extent, 0))
		return false;
	count(extent);
	chunk_state.counts.allocs_recycled++;
	return true;
}

/**
 * chunk_registry_remove() - take an extent out of the registry
 * @call:  the function of the API that does
 * @chunk: its first byte
 * @size:  bytes
 *
 * Ends the process if they are not exactly those of a live extent.
 *
 * Context: chunk_lock() held.
 * Return: the extent, in nobody's hands.
 */
struct chunk_extent *chunk_registry_remove(const struct chunk_call *call,
					   void *chunk, size_t size)
{
	uintptr_t addr = (uintptr_t)chunk;
	struct chunk_extent *extent;
	const char *why = NULL;

	extent = chunk_radix_lookup(&chunk_state.registry, addr);
	if (!extent)
		why = "this chunk is not live";
	else if (extent->addr != addr)
		why = "this is inside a live chunk, not its start";
	else if (extent->size != size)
		why = "the size is not what was allocated";
	if (why) {
		chunk_unlock();
		chunk_die(call, chunk, size, why);
	}
	chunk_radix_erase(&chunk_state.registry, addr, size);
	chunk_decommit_map_drop_extent(&chunk_state.decommit_map, extent);
	chunk_state.counts.live_bytes -= size;
	chunk_state.counts.live_chunks--;
	chunk_state.counts.deallocs++;
	if (is_lost(extent))
		chunk_state.counts.mapped_bytes -= size;
	return extent;
}

/**
 * chunk_is_live() - does an address lie in a live chunk?
 * @addr: any address
 *
 * Context: any thread, signal handlers too. Takes no lock, calls nothing.
 */
bool chunk_is_live(const void *addr)
{
	return chunk_radix_lookup(&chunk_state.registry, (uintptr_t)addr);
}

/**
 * chunk_extent_of() - the live extent that contains an address
 * @addr:  any address
 * @start: set to its first byte
 * @size:  set to its size in bytes
 *
 * Return: whether there is one.
 */
bool chunk_extent_of(const void *addr, void **start, size_t *size)
{
	struct chunk_extent *extent;

	chunk_enter();
	chunk_lock();
	extent = chunk_radix_lookup(&chunk_state.registry, (uintptr_t)addr);
	if (extent) {
		*start = (void *)extent->addr;
		*size = extent->size;
	}
	chunk_unlock();
	return extent;
}
