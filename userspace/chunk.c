// SPDX-License-Identifier: MIT
/*
 * Chunks: handing them out, taking them back, keeping some for reuse.
 *
 * With the device the module does the recycling; without it the same engine
 * does it here. The registry is here in either case, so that a lookup is no
 * system call.
 */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "chunk.h"
#include "chunk_base.h"
#include "chunk_internal.h"
#include "chunk_report.h"
#include "chunk_state.h"

#define UNIT	CHUNK_TREE_UNIT

/* How often to open a device that somebody keeps closing. */
#define DEVICE_TRIES	3

static bool is_power_of_2(size_t n)
{
	return n && !(n & (n - 1));
}

/**
 * chunks_init() - set everything up
 *
 * Implied by every other function; safe to repeat, from any thread.
 */
void chunks_init(void)
{
	int saved = errno;

	chunk_enter();
	errno = saved;
}

static void count_live(struct chunk_extent *extent)
{
	chunk_state.counts.live_bytes += extent->size;
	chunk_state.counts.live_chunks++;
	chunk_state.counts.allocs++;
}

/* Does an extent belong to a context that is no more? */
static bool is_lost(struct chunk_extent *extent)
{
	return extent->owner && extent->owner != (void *)chunk_state.device;
}

/* Put a fresh extent in the registry; false without memory, with nothing changed. */
static bool enlist(void *addr, size_t size, uintptr_t owner)
{
	struct chunk_extent *node = chunk_node_new();

	if (!node)
		return false;
	node->addr = (uintptr_t)addr;
	node->size = size;
	node->owner = (void *)owner;
	node->type = ZEROED_CHUNK;
	if (chunk_radix_store(&chunk_state.live, node, 0)) {
		chunk_spare_push(&chunk_state.spares, node);
		return false;
	}
	count_live(node);
	/* What the present context has mapped it counts itself. */
	if (!owner || is_lost(node))
		chunk_state.counts.mapped_bytes += size;
	return true;
}

/* -ENODEV if the context is lost */
static int alloc_context(uintptr_t context, size_t size, size_t alignment,
			 void **out)
{
	bool listed;
	int err;

	err = chunk_device.alloc(size, alignment, out);
	if (err == -ENODEV)
		chunk_device_lost(context);
	if (err)
		return err;
	chunk_lock();
	listed = enlist(*out, size, context);
	chunk_unlock();
	if (listed)
		return 0;
	chunk_device.dealloc(*out, size, ZEROED_CHUNK);
	return -ENOMEM;
}

/* -ENODEV if there is no device */
static int alloc_device(size_t size, size_t alignment, void **out)
{
	uintptr_t context;
	int err = -ENODEV;
	unsigned int tries;

	/* A context that was lost is opened again. */
	for (tries = 0; err == -ENODEV && tries < DEVICE_TRIES; tries++) {
		context = chunk_device_context();
		if (!context)
			break;
		err = alloc_context(context, size, alignment, out);
	}
	return err;
}

/*
 * Where a mapping must be unmapped as it was mapped, no extent may be cut or
 * merged: those of one chunk are kept, each for itself. Their address tells them
 * apart from all others in the tree; outside of it they are nobody's again.
 */
static bool is_keepable(size_t size)
{
	return chunk_os.caps.partial_unmap || size == UNIT;
}

static void *owner_in_tree(const struct chunk_extent *extent)
{
	return chunk_os.caps.partial_unmap ? NULL : (void *)extent->addr;
}

/* Context: chunk_lock() held; the limit's room for it is reserved. */
static void insert(struct chunk_extent *extent)
{
	extent->owner = owner_in_tree(extent);
	chunk_tree_insert(&chunk_state.recycled, extent, &chunk_state.spares);
}

/* A free extent in nobody's hands: keep it if there is room, else unmap it. */
static void put_back(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;
	size_t size = extent->size;
	size_t room;

	chunk_lock();
	room = chunk_tree_reserve(&chunk_state.recycled, size);
	if (room == size) {
		insert(extent);
		chunk_unlock();
		return;
	}
	chunk_tree_unreserve(&chunk_state.recycled, room);
	chunk_spare_push(&chunk_state.spares, extent);
	chunk_state.counts.mapped_bytes -= size;
	chunk_unlock();
	chunk_unmap_or_report("chunk_alloc", addr, size);
}

/* Make a recycled extent what a fresh one is; false when out of memory. */
static bool refresh(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;

	if ((chunk_os.revive ?: chunk_os.commit)(addr, extent->size))
		return false;
	/* Where the system could not make it trap, somebody may have written. */
	if ((extent->type != ZEROED_CHUNK || !chunk_os.caps.zero_on_commit) &&
	    chunk_os.purge(addr, extent->size))
		memset(addr, 0, extent->size);
	return true;
}

/* Make what is to be recycled hold no memory, and trap; the type it then has */
static enum chunk_type retire(void *addr, size_t size)
{
	int (*with)(void *addr, size_t size) =
		chunk_os.retire ?: chunk_os.decommit;

	return with(addr, size) ? UNKNOWN_CHUNK : ZEROED_CHUNK;
}

/* The best fit among recycled extents, or NULL */
static struct chunk_extent *take_recycled(size_t size, size_t alignment)
{
	struct chunk_extent *extent;
	int err;

	chunk_lock();
	err = !chunk_nodes_ready(2);
	if (!err)
		err = chunk_tree_take(&chunk_state.recycled, size, alignment,
				      &chunk_state.spares, &extent);
	chunk_unlock();
	if (err)
		return NULL;
	extent->owner = NULL;
	return extent;
}

static bool enlist_recycled(struct chunk_extent *extent)
{
	bool listed;

	chunk_lock();
	listed = !chunk_radix_store(&chunk_state.live, extent, 0);
	if (listed) {
		count_live(extent);
		chunk_state.counts.allocs_recycled++;
	}
	chunk_unlock();
	return listed;
}

static void *alloc_recycled(size_t size, size_t alignment)
{
	struct chunk_extent *extent = take_recycled(size, alignment);
	void *addr;

	if (!extent)
		return NULL;
	addr = (void *)extent->addr;
	if (refresh(extent) && enlist_recycled(extent))
		return addr;
	/* Part of it may have been committed. */
	extent->type = retire(addr, size);
	put_back(extent);
	return NULL;
}

static void *alloc_fresh(size_t size, size_t alignment, bool base)
{
	void *addr = base ? chunk_map_aligned(size, alignment) :
			    chunk_map_fresh(size, alignment);
	bool good = true;

	if (!addr)
		return NULL;
	chunk_lock();
	if (base) {
		chunk_count_base(size);
		chunk_state.counts.allocs++;
	} else {
		good = enlist(addr, size, 0);
	}
	chunk_unlock();
	if (good)
		return addr;
	chunk_unmap_or_report("chunk_alloc", addr, size);
	return NULL;
}

static void *alloc_any(size_t size, size_t alignment, bool base)
{
	void *addr;
	int err;

	if (size > PTRDIFF_MAX || alignment > PTRDIFF_MAX)
		return NULL;
	if (base)
		return alloc_fresh(size, alignment, true);
	err = alloc_device(size, alignment, &addr);
	if (!err)
		return addr;
	if (err != -ENODEV ||
	    chunk_state.options.backend == BACKEND_DEVICE)
		return NULL;
	addr = alloc_recycled(size, alignment);
	return addr ? addr : alloc_fresh(size, alignment, false);
}

/**
 * chunk_alloc() - get an extent
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @base:      for the caller's own bookkeeping: neither recycled nor registered
 *
 * Return: committed memory that reads as zero, or NULL with errno ENOMEM.
 */
void *chunk_alloc(size_t size, size_t alignment, bool base)
{
	int saved = errno;
	void *addr;

	if (!size || size % UNIT)
		chunk_die("chunk_alloc", (void *)alignment, size,
			  "the size is no multiple of 1 MiB");
	if (!is_power_of_2(alignment) || alignment % UNIT)
		chunk_die("chunk_alloc", (void *)alignment, size,
			  "the alignment is no power of two from 1 MiB");
	chunk_enter();
	addr = alloc_any(size, alignment, base);
	errno = addr ? saved : ENOMEM;
	return addr;
}

/* Take a live extent out of the registry. Dies if it is not exactly that. */
static struct chunk_extent *delist(void *chunk, size_t size)
{
	uintptr_t addr = (uintptr_t)chunk;
	struct chunk_extent *extent;
	const char *why = NULL;

	extent = chunk_radix_lookup(&chunk_state.live, addr);
	if (!extent)
		why = "this chunk is not live";
	else if (extent->addr != addr)
		why = "this is inside a live chunk, not its start";
	else if (extent->size != size)
		why = "the size is not what was allocated";
	if (why) {
		chunk_unlock();
		chunk_die("chunk_dealloc", chunk, size, why);
	}
	chunk_radix_erase(&chunk_state.live, addr, size);
	chunk_track_drop(&chunk_state.pages, addr, size);
	chunk_state.counts.live_bytes -= size;
	chunk_state.counts.live_chunks--;
	chunk_state.counts.deallocs++;
	if (is_lost(extent))
		chunk_state.counts.mapped_bytes -= size;
	return extent;
}

static void dealloc_device(void *chunk, size_t size, enum chunk_type type,
			   uintptr_t context)
{
	int err;

	if (context == atomic_load_explicit(&chunk_state.device,
					    memory_order_relaxed)) {
		err = chunk_device.dealloc(chunk, size, type);
		/* Somebody else has unmapped it: then it is gone already. */
		if (!err || err == -ESTALE)
			return;
		if (err == -ENODEV)
			chunk_device_lost(context);
	}
	chunk_unmap_or_report("chunk_dealloc", chunk, size);
}

/* Put a decommitted extent into the tree, as much as the limit still allows. */
static size_t keep(struct chunk_extent *extent, size_t room)
{
	struct chunk_tree *tree = &chunk_state.recycled;

	chunk_tree_unreserve(tree, room);
	room = chunk_tree_reserve(tree, room);
	chunk_state.counts.mapped_bytes -= extent->size - room;
	extent->size = room;
	if (room)
		insert(extent);
	else
		chunk_spare_push(&chunk_state.spares, extent);
	return room;
}

/* Recycle the first @room bytes, which are reserved, and unmap the rest. */
static void dealloc_mapped(struct chunk_extent *extent, size_t room)
{
	char *addr = (char *)extent->addr;
	size_t size = extent->size;

	if (room)
		extent->type = retire(addr, room);
	chunk_lock();
	room = keep(extent, room);
	chunk_unlock();
	if (room < size)
		chunk_unmap_or_report("chunk_dealloc", addr + room,
				      size - room);
}

/**
 * chunk_dealloc() - give an extent back
 * @chunk: what chunk_alloc() returned
 * @size:  the size it was asked for
 * @type:  what it held
 *
 * Keeps as much of it for reuse as the limit allows.
 */
void chunk_dealloc(void *chunk, size_t size, enum chunk_type type)
{
	int saved = errno;
	struct chunk_extent *extent;
	uintptr_t context;
	size_t room = 0;

	if (!size || size % UNIT || (uintptr_t)chunk % UNIT)
		chunk_die("chunk_dealloc", chunk, size,
			  "address or size is no multiple of 1 MiB");
	if ((unsigned int)type > RECYCLED_CHUNK)
		chunk_die("chunk_dealloc", chunk, size,
			  "there is no such type of chunk");
	chunk_enter();
	chunk_lock();
	extent = delist(chunk, size);
	context = (uintptr_t)extent->owner;
	if (context)
		chunk_spare_push(&chunk_state.spares, extent);
	else if (is_keepable(size))
		room = chunk_tree_reserve(&chunk_state.recycled, size);
	chunk_unlock();
	if (context)
		dealloc_device(chunk, size, type, context);
	else
		dealloc_mapped(extent, room);
	errno = saved;
}

/**
 * chunk_is_live() - does an address lie in a live chunk?
 * @addr: any address
 *
 * Context: any thread, signal handlers too. Takes no lock, calls nothing.
 */
bool chunk_is_live(const void *addr)
{
	return chunk_radix_lookup(&chunk_state.live, (uintptr_t)addr);
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
	extent = chunk_radix_lookup(&chunk_state.live, (uintptr_t)addr);
	if (extent) {
		*start = (void *)extent->addr;
		*size = extent->size;
	}
	chunk_unlock();
	return extent;
}

static bool device_stats(struct chunk_device_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	return atomic_load_explicit(&chunk_state.device,
				    memory_order_relaxed) &&
	       !chunk_device.stats(stats);
}

/**
 * chunk_recycled_bytes() - how much is kept for reuse
 *
 * Context: takes no lock.
 * Return: bytes.
 */
size_t chunk_recycled_bytes(void)
{
	struct chunk_device_stats device;
	int saved = errno;

	chunk_enter();
	device_stats(&device);
	errno = saved;
	return device.recycled_bytes + READ_ONCE(chunk_state.recycled.bytes);
}

/* Take something out of the tree that exceeds the limit, or NULL. */
static struct chunk_extent *take_excess(void)
{
	struct chunk_tree *tree = &chunk_state.recycled;
	struct chunk_extent *extent;
	int err;

	chunk_nodes_ready(1);
	err = chunk_tree_evict(tree, &chunk_state.spares, &extent);
	if (!err)
		return extent;
	if (err == -ENOENT)
		return NULL;
	/* Without a node nothing can be cut, but all can be dropped. */
	extent = chunk_tree_first(tree);
	chunk_tree_remove(tree, extent);
	return extent;
}

/* Unmap what is over the limit. */
static void evict(void)
{
	struct chunk_extent *extent;
	uintptr_t addr;
	size_t size;

	for (;;) {
		chunk_lock();
		extent = take_excess();
		if (!extent) {
			chunk_unlock();
			return;
		}
		addr = extent->addr;
		size = extent->size;
		chunk_spare_push(&chunk_state.spares, extent);
		chunk_state.counts.mapped_bytes -= size;
		chunk_unlock();
		chunk_unmap_or_report("chunk_set_recycle_limit", (void *)addr,
				      size);
	}
}

/* Several threads may set it, and the device hears of it in any order. */
static void limit_device(void)
{
	uintptr_t context;
	size_t bytes;

	do {
		context = chunk_device_context();
		if (!context)
			return;
		bytes = READ_ONCE(chunk_state.limit);
		if (chunk_device.limit(bytes) == -ENODEV)
			chunk_device_lost(context);
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
	chunk_state.recycled.limit = bytes;
	chunk_unlock();
	evict();
	limit_device();
	errno = saved;
	return before;
}

/**
 * chunk_backend() - where chunks come from
 *
 * Return: "device", or what the system's own way is called.
 */
const char *chunk_backend(void)
{
	int saved = errno;
	bool device;

	chunk_enter();
	device = chunk_device_context();
	errno = saved;
	return device ? "device" : chunk_os.name;
}

/**
 * chunk_get_stats() - counters of this process
 * @stats: filled
 */
void chunk_get_stats(struct chunk_stats *stats)
{
	struct chunk_device_stats device;
	struct chunk_counts *counts = &chunk_state.counts;
	int saved = errno;

	chunk_enter();
	chunk_lock();
	device_stats(&device);
	*stats = (struct chunk_stats) {
		.live_bytes = counts->live_bytes + counts->base_bytes,
		.live_chunks = counts->live_chunks + counts->base_chunks,
		.decommitted_bytes = chunk_state.pages.bytes +
				     device.decommitted_bytes,
		.recycled_bytes = chunk_state.recycled.bytes +
				  device.recycled_bytes,
		.recycle_limit = chunk_state.limit,
		.mapped_bytes = counts->mapped_bytes + counts->base_bytes +
				device.mapped_bytes,
		.base_bytes = counts->base_bytes,
		.allocs = counts->allocs,
		.allocs_recycled = counts->allocs_recycled +
				   device.allocs_recycled,
		.deallocs = counts->deallocs,
		.commits = counts->commits,
		.decommits = counts->decommits,
	};
	chunk_unlock();
	errno = saved;
}
