// SPDX-License-Identifier: MIT
/*
 * Keeping extents for reuse where there is no device: into the tree of recycled
 * extents, also beyond the limit if the system does not take them back.
 */
#include "chunk_free_nodes.h"
#include "chunk_guard.h"
#include "chunk_probe.h"
#include "chunk_recycle.h"
#include "chunk_state.h"
#include "chunk_unmap.h"

/**
 * chunk_recycle_is_keepable() - may an extent be kept for reuse?
 * @size: bytes, a multiple of the chunk size
 *
 * Where the system unmaps whole mappings only, no extent may be cut or merged, so
 * single chunks are kept and nothing else.
 *
 * Return: true if it may.
 */
bool chunk_recycle_is_keepable(size_t size)
{
	return chunk_os_caps.can_unmap_partially || size == CHUNK_TREE_UNIT;
}

/* Extents of different owners never merge: their address tells them apart. */
static void *owner_in_tree(const struct chunk_extent *extent)
{
	return chunk_os_caps.can_unmap_partially ? NULL : (void *)extent->addr;
}

/* Tell which extent of the tree an extent became part of. */
static __attribute__((noinline)) void trace_coalesce(uintptr_t addr, size_t size)
{
	const struct chunk_extent *into = chunk_tree_find(&chunk_state.recycled, addr);

	if (into)
		chunk_probe_coalesce(addr, size, into->addr, into->size);
}

/**
 * chunk_recycle_insert() - put an extent into the tree
 * @extent: the extent, decommitted, in no tree; its size is claimed
 *
 * Context: chunk_lock() held.
 */
void chunk_recycle_insert(struct chunk_extent *extent)
{
	const struct chunk_extent *last = chunk_state.free_nodes;
	uintptr_t addr = extent->addr;
	size_t size = extent->size;

	extent->owner = owner_in_tree(extent);
	chunk_tree_insert(&chunk_state.recycled, extent,
			  &chunk_state.free_nodes);
	/* Two extents that become one leave a node. */
	if (HAS_PROBES && chunk_state.free_nodes != last)
		trace_coalesce(addr, size);
}

/**
 * chunk_recycle_insert_anyway() - put an extent into the tree despite the limit
 * @extent: the extent, decommitted, in no tree; counted as mapped
 *
 * Context: chunk_lock() held.
 */
void chunk_recycle_insert_anyway(struct chunk_extent *extent)
{
	chunk_state.recycled.claimed += extent->size;
	chunk_recycle_insert(extent);
}

/**
 * chunk_recycle_decommit() - free the memory of an extent to be kept, and guard it
 * @addr: first byte, chunk-aligned
 * @size: bytes, chunk-aligned
 *
 * Context: lock not held.
 * Return: the type of the extent from now on: zeroed if accesses trap.
 */
enum chunk_type chunk_recycle_decommit(void *addr, size_t size)
{
	return chunk_guard_extent(addr, size) ? UNKNOWN_CHUNK : ZEROED_CHUNK;
}

/* Keep free chunks for reuse; false if there is no node for them. */
static bool keep_anyway(uintptr_t addr, size_t size)
{
	enum chunk_type type = chunk_recycle_decommit((void *)addr, size);
	struct chunk_extent *extent;

	chunk_lock();
	extent = chunk_free_nodes_take();
	if (extent) {
		extent->addr = addr;
		extent->size = size;
		extent->type = type;
		extent->live = false;
		chunk_recycle_insert_anyway(extent);
	}
	chunk_unlock();
	return extent;
}

/* Keep the whole chunks of a range. Returns the number of bytes kept. */
static size_t keep_chunks(uintptr_t addr, size_t size)
{
	uintptr_t from = (addr + CHUNK_TREE_UNIT - 1) & ~(CHUNK_TREE_UNIT - 1);
	uintptr_t to = (addr + size) & ~(CHUNK_TREE_UNIT - 1);
	size_t kept = 0;

	if (from < to && chunk_recycle_is_keepable(size) &&
	    keep_anyway(from, to - from))
		kept = to - from;
	return kept;
}

/**
 * chunk_recycle_refused() - keep address space that the system did not take back
 * @call: the function of the API that would have returned it
 * @addr: first byte, page-aligned, not counted as mapped
 * @size: bytes, page-aligned
 * @err:  the system's answer, a negative error number
 *
 * Keeps whole chunks for reuse, beyond the limit. Other parts lose their memory.
 * A line on stderr says so, once.
 *
 * Context: lock not held.
 */
void chunk_recycle_refused(const char *call, void *addr, size_t size, int err)
{
	size_t kept = keep_chunks((uintptr_t)addr, size);

	if (!kept)
		chunk_os_decommit(addr, size);
	chunk_lock();
	chunk_state.counts.mapped_bytes += size;
	chunk_unlock();
	chunk_report_unmap(call, addr, size, err,
			   kept ? "; it is kept for reuse" :
				  "; the address space is lost");
}

/**
 * chunk_recycle_unmap() - return address space, or keep it for reuse
 * @call: the function of the API that returns it
 * @addr: first byte, chunk-aligned, not counted as mapped
 * @size: bytes, chunk-aligned
 *
 * Context: lock not held.
 */
void chunk_recycle_unmap(const char *call, void *addr, size_t size)
{
	int err = chunk_unmap_used(addr, size);

	if (err)
		chunk_recycle_refused(call, addr, size, err);
}
