// SPDX-License-Identifier: MIT
/*
 * Extents kept for reuse where there is no device, which keeps its own: the same
 * engine does it here.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_base.h"
#include "chunk_guard.h"
#include "chunk_internal.h"
#include "chunk_state.h"

/*
 * Where a mapping must be unmapped as it was mapped, no extent may be cut or
 * merged: those of one chunk are kept, each for itself. Their address tells them
 * apart from all others in the tree; outside of it they are nobody's again.
 */
static bool is_keepable(size_t size)
{
	return chunk_os.caps.partial_unmap || size == CHUNK_TREE_UNIT;
}

static void *owner_in_tree(const struct chunk_extent *extent)
{
	return chunk_os.caps.partial_unmap ? NULL : (void *)extent->addr;
}

/* Context: chunk_lock() held; the limit's room for it is reserved. */
static void insert(struct chunk_extent *extent)
{
	extent->owner = owner_in_tree(extent);
	chunk_tree_insert(&chunk_state.recycled, extent,
			  &chunk_state.free_nodes);
}

/* Make what is to be recycled hold no memory, and trap; the type it then has */
static enum chunk_type retire(void *addr, size_t size)
{
	return chunk_guard_extent(addr, size) ? UNKNOWN_CHUNK : ZEROED_CHUNK;
}

/*
 * Into the tree, whatever the limit says. It is counted as mapped.
 *
 * Context: chunk_lock() held.
 */
static void insert_anyway(struct chunk_extent *extent)
{
	chunk_state.recycled.claimed += extent->size;
	insert(extent);
}

/* Keep a free extent for reuse; false without memory to know of it. */
static bool keep_anyway(uintptr_t addr, size_t size)
{
	enum chunk_type type = retire((void *)addr, size);
	struct chunk_extent *extent;

	chunk_lock();
	extent = chunk_free_nodes_take();
	if (extent) {
		extent->addr = addr;
		extent->size = size;
		extent->type = type;
		extent->live = false;
		insert_anyway(extent);
	}
	chunk_unlock();
	return extent;
}

/* The whole chunks of a range are kept. Returns how many bytes that is. */
static size_t keep_chunks(uintptr_t addr, size_t size)
{
	uintptr_t from = (addr + CHUNK_TREE_UNIT - 1) & ~(CHUNK_TREE_UNIT - 1);
	uintptr_t to = (addr + size) & ~(CHUNK_TREE_UNIT - 1);
	size_t kept = 0;

	if (from < to && is_keepable(size) && keep_anyway(from, to - from))
		kept = to - from;
	return kept;
}

/**
 * chunk_recycle_refused() - make the best of what the system does not take back
 * @call: the function of the API that would have given it back
 * @addr: first byte, page-aligned, not counted as mapped
 * @size: bytes, page-aligned
 * @err:  the system's answer, a negative error number
 *
 * Whole chunks are kept for reuse, beyond the limit; what else there is goes
 * without its memory. A line on stderr says so, once.
 *
 * Context: lock not held.
 */
void chunk_recycle_refused(const char *call, void *addr, size_t size, int err)
{
	size_t kept = keep_chunks((uintptr_t)addr, size);

	if (!kept)
		chunk_os.decommit(addr, size);
	chunk_lock();
	chunk_state.counts.mapped_bytes += size;
	chunk_unlock();
	chunk_report_unmap(call, addr, size, err,
			   kept ? "; it is kept for reuse" :
				  "; the address space is lost");
}

/**
 * chunk_recycle_unmap() - return address space, or keep it for reuse
 * @call: the function of the API that does
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

/* A free extent in nobody's hands: keep it if there is room, else unmap it. */
static void put_back(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;
	size_t size = extent->size;
	size_t room;

	chunk_lock();
	room = chunk_tree_claim(&chunk_state.recycled, size);
	if (room == size) {
		insert(extent);
		chunk_unlock();
		return;
	}
	chunk_tree_unclaim(&chunk_state.recycled, room);
	chunk_free_node_push(&chunk_state.free_nodes, extent);
	chunk_state.counts.mapped_bytes -= size;
	chunk_unlock();
	chunk_recycle_unmap("chunk_alloc", addr, size);
}

/* Make a recycled extent what a fresh one is; false when out of memory. */
static bool refresh(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;

	if (chunk_guard_undo(addr, extent->size))
		return false;
	chunk_backing_apply(addr, extent->size);
	/* Where the system could not make it trap, somebody may have written. */
	if ((extent->type != ZEROED_CHUNK || !chunk_os.caps.zero_on_commit) &&
	    chunk_os.purge(addr, extent->size))
		memset(addr, 0, extent->size);
	return true;
}

/* The best fit among recycled extents, or NULL; @none: and there is none */
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
	if (err)
		return NULL;
	extent->owner = NULL;
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
 * @none:      set: none fits
 *
 * Return: a live extent that reads as zero; NULL if none fits, or without memory.
 */
void *chunk_recycle_alloc(size_t size, size_t alignment, bool *none)
{
	struct chunk_extent *extent = take(size, alignment, none);
	void *addr;

	if (!extent)
		return NULL;
	addr = (void *)extent->addr;
	if (refresh(extent) && enlist(extent))
		return addr;
	/* Part of it may have been committed. */
	extent->type = retire(addr, size);
	put_back(extent);
	return NULL;
}

/* Put a decommitted extent into the tree, as much as the limit still allows. */
static size_t keep(struct chunk_extent *extent, size_t room)
{
	struct chunk_tree *tree = &chunk_state.recycled;

	chunk_tree_unclaim(tree, room);
	room = chunk_tree_claim(tree, room);
	chunk_state.counts.mapped_bytes -= extent->size - room;
	extent->size = room;
	if (room)
		insert(extent);
	else
		chunk_free_node_push(&chunk_state.free_nodes, extent);
	return room;
}

/**
 * chunk_recycle_claim() - make room for an extent to be kept
 * @size: bytes, a multiple of the chunk size
 *
 * Context: chunk_lock() held.
 * Return: how many of its first bytes the limit has room for, which they then
 * have to be given by chunk_recycle_dealloc().
 */
size_t chunk_recycle_claim(size_t size)
{
	if (!is_keepable(size))
		return 0;
	return chunk_tree_claim(&chunk_state.recycled, size);
}

/* Take something out of the tree that exceeds the limit, or NULL. */
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
	/* Without a node nothing can be cut, but all can be dropped. */
	extent = chunk_tree_first(tree);
	chunk_tree_remove(tree, extent);
	return extent;
}

/* Unmap what was taken out of the tree, or put it back; whether it went */
static bool unmap_taken(const char *call, struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;
	size_t size = extent->size;
	int err = chunk_unmap_used(addr, size);

	chunk_lock();
	if (err) {
		insert_anyway(extent);
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

/* Unmap some of what is over the limit. Returns whether there may be more. */
static bool evict_one(const char *call)
{
	struct chunk_extent *extent;

	chunk_lock();
	extent = take_excess();
	chunk_unlock();
	return extent && unmap_taken(call, extent);
}

/* Unmap what is over the limit, as far as the system lets us. */
static void evict(const char *call)
{
	struct chunk_tree *tree = &chunk_state.recycled;

	while (READ_ONCE(tree->bytes) > READ_ONCE(tree->limit) &&
	       evict_one(call))
		;
}

/**
 * chunk_recycle_dealloc() - keep what there is room for, and unmap the rest
 * @extent: in nobody's hands, not from the device
 * @room:   bytes at its beginning, from chunk_recycle_claim()
 */
void chunk_recycle_dealloc(struct chunk_extent *extent, size_t room)
{
	char *addr = (char *)extent->addr;
	size_t size = extent->size;

	if (room)
		extent->type = retire(addr, room);
	chunk_lock();
	room = keep(extent, room);
	chunk_unlock();
	if (room < size)
		chunk_recycle_unmap("chunk_dealloc", addr + room, size - room);
	/* What the system did not take before, it may take now. */
	evict("chunk_dealloc");
}

/* Unmap some of what is kept, whatever the limit. Returns whether any went. */
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

/* What the device keeps goes when the limit does, which is as before then. */
static bool release_device(void)
{
	struct chunk_device_stats stats;

	if (!atomic_load_explicit(&chunk_state.generation,
				  memory_order_relaxed) ||
	    chunk_device.stats(&stats) || !stats.recycled_bytes ||
	    chunk_device.limit(0))
		return false;
	chunk_device.limit(READ_ONCE(chunk_state.limit));
	return true;
}

/**
 * chunk_recycle_release() - return what is kept for reuse to the system
 *
 * Where that refuses something: nobody is to go without because of what is merely
 * kept.
 *
 * Context: lock not held.
 * Return: whether there was anything.
 */
bool chunk_recycle_release(void)
{
	bool any = release_device();

	while (release_one())
		any = true;
	return any;
}

/* Several threads may set it, and the device hears of it in any order. */
static void limit_device(void)
{
	uintptr_t generation;
	size_t bytes;

	do {
		generation = chunk_device_generation();
		if (!generation)
			return;
		bytes = READ_ONCE(chunk_state.limit);
		if (chunk_device.limit(bytes) == -ENODEV)
			chunk_device_lost(generation);
	} while (bytes != READ_ONCE(chunk_state.limit));
}

/**
 * chunk_set_recycle_limit() - bound what is kept for reuse
 * @bytes: the limit; what is kept beyond it is released at once
 *
 * Return: the limit before.
 */
size_t chunk_set_recycle_limit(size_t bytes)
{
	int saved = errno;
	size_t before;

	chunk_enter();
	chunk_lock();
	before = chunk_state.limit;
	WRITE_ONCE(chunk_state.limit, bytes);
	WRITE_ONCE(chunk_state.recycled.limit, bytes);
	chunk_unlock();
	evict("chunk_set_recycle_limit");
	limit_device();
	errno = saved;
	return before;
}
