// SPDX-License-Identifier: MIT
/*
 * The registry of live extents, and the counters that follow it. It has the
 * extents of every source, the device's too, so that a lookup needs no system
 * call.
 */
#include "chunk.h"
#include "chunk_free_nodes.h"
#include "chunk_offered.h"
#include "chunk_registry.h"
#include "chunk_state.h"

static void count(struct chunk_extent *extent)
{
	chunk_state.counts.live_bytes += extent->size;
	chunk_state.counts.live_chunks++;
	chunk_state.counts.allocs++;
}

/* Does an extent come from a device generation that was lost? */
static bool is_lost(struct chunk_extent *extent)
{
	return extent->owner && extent->owner != (void *)chunk_state.generation;
}

/**
 * chunk_registry_add() - register a fresh extent
 * @addr:  its first byte
 * @size:  bytes
 * @owner: the device generation that it comes from, or 0
 *
 * Context: chunk_lock() held.
 * Return: false when out of memory, with nothing changed.
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
	node->live = false;
	if (chunk_radix_store(&chunk_state.registry, node, 0)) {
		chunk_free_node_push(&chunk_state.free_nodes, node);
		return false;
	}
	count(node);
	/* The generation in use counts its mappings itself. */
	if (!owner || owner != chunk_state.generation)
		chunk_state.counts.mapped_bytes += size;
	return true;
}

/**
 * chunk_registry_set_sparse() - note that a whole extent of mmap is decommitted
 * @addr: its first byte; registered a moment ago and not handed out yet
 *
 * Context: chunk_lock() held since it was registered.
 */
void chunk_registry_set_sparse(void *addr)
{
	struct chunk_extent *extent =
		chunk_radix_lookup(&chunk_state.registry, (uintptr_t)addr);

	chunk_decommit_map_set_sparse(&chunk_state.decommit_map, extent);
}

/**
 * chunk_registry_add_recycled() - register an extent that was kept for reuse
 * @extent: the extent, in no tree
 *
 * Context: chunk_lock() held.
 * Return: false when out of memory, with nothing changed.
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

/* Why there is no such live extent, or NULL if there is */
static const char *why_not(const struct chunk_extent *extent, uintptr_t addr,
			   size_t size)
{
	if (!extent)
		return "this chunk is not live";
	if (extent->addr != addr)
		return "this is inside a live chunk, not its start";
	if (extent->size != size)
		return "the size is not what was allocated";
	return NULL;
}

/**
 * chunk_registry_remove() - take an extent out of the registry
 * @chunk: first byte of a live extent
 * @size:  its size in bytes
 * @why:   set if there is no such extent: what is wrong
 *
 * Context: chunk_lock() held.
 * Return: the extent, in no tree; NULL if there is none, with nothing changed.
 */
struct chunk_extent *chunk_registry_remove(void *chunk, size_t size,
					   const char **why)
{
	uintptr_t addr = (uintptr_t)chunk;
	struct chunk_extent *extent;

	extent = chunk_radix_lookup(&chunk_state.registry, addr);
	*why = why_not(extent, addr, size);
	if (*why)
		return NULL;
	chunk_radix_erase(&chunk_state.registry, addr, size);
	chunk_decommit_map_drop_extent(&chunk_state.decommit_map, extent);
	chunk_offered_drop(addr, size);
	chunk_state.counts.live_bytes -= size;
	chunk_state.counts.live_chunks--;
	chunk_state.counts.deallocs++;
	if (is_lost(extent))
		chunk_state.counts.mapped_bytes -= size;
	return extent;
}

/**
 * chunk_registry_next() - walk the live extents in order of address
 * @extent: a live extent; NULL for the first
 *
 * Context: chunk_lock() held.
 * Return: the live extent behind it, or NULL.
 */
struct chunk_extent *chunk_registry_next(const struct chunk_extent *extent)
{
	uintptr_t from = extent ? extent->addr + extent->size : 0;

	return chunk_radix_next(&chunk_state.registry, from, UINTPTR_MAX);
}

/**
 * chunk_is_live() - does an address lie in a live chunk?
 * @addr: any address
 *
 * Context: any thread, signal handlers too. Takes no lock, calls nothing.
 * Return: true if it does.
 */
bool chunk_is_live(const void *addr)
{
	return chunk_radix_lookup(&chunk_state.registry, (uintptr_t)addr);
}
