// SPDX-License-Identifier: MIT
/*
 * The tree of extents that are kept with their contents, offered to the system.
 *
 * Adjoining extents of one device generation coalesce, and allocations cut the
 * result anywhere. The device takes back only extents as it handed them out, so
 * their borders are noted when they are first kept: between two borders that follow
 * each other in a kept extent lies an extent of the device. A part of one stays kept
 * until the rest is. Extents of mmap have no borders; any part of them can be
 * unmapped. Where the system unmaps whole mappings only, single chunks are kept and
 * nothing else: each chunk of the tree is a mapping.
 *
 * A thread of a parent may change the tree when the process forks. The child finds
 * that marked, and gives the tree up.
 */
#include "chunk_free_nodes.h"
#include "chunk_full.h"
#include "chunk_registry.h"
#include "chunk_reuse.h"
#include "chunk_state.h"

#define kept	(&chunk_state.kept)

/* A child forked at any point must not find the change without its mark. */
static void change_begin(void)
{
	atomic_store_explicit(&kept->changing, true, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

static void change_end(void)
{
	atomic_store_explicit(&kept->changing, false, memory_order_release);
}

static void clear(void)
{
	chunk_tree_init(&kept->tree, kept->tree.limit);
	xa_init_flags(&kept->borders, 0);
	change_end();
}

/**
 * chunk_reuse_start() - set up, by the options
 *
 * Context: during chunk_start(), after the options were read.
 */
void chunk_reuse_start(void)
{
	kept->tree.limit = chunk_state.options.offer_limit;
	kept->reuse = chunk_state.options.reuse;
	kept->active = kept->reuse == REUSE_OFFERED;
	chunk_state.note_decommits = kept->active || chunk_state.options.explain;
	WRITE_ONCE(kept->lost, false);
	clear();
}

/**
 * chunk_reuse_start_child() - take the kept extents over from a parent
 * @cut_short: a thread of the parent held the lock at the fork
 *
 * Context: in a forked child, chunk_lock() held.
 */
void chunk_reuse_start_child(bool cut_short)
{
	/* Threads that claimed room are not in the child. */
	kept->tree.claimed = 0;
	if (cut_short)
		xa_recover(&kept->borders);
	if (atomic_load_explicit(&kept->changing, memory_order_acquire))
		clear();
}

/**
 * chunk_reuse_activate() - get ready to keep extents
 *
 * Context: chunk_lock() held.
 */
void chunk_reuse_activate(void)
{
	struct chunk_extent *extent = NULL;

	if (kept->active)
		return;
	/* Until now nobody has noted what was decommitted. */
	while ((extent = chunk_registry_next(extent)))
		WRITE_ONCE(extent->type, LIVE_DECOMMITTED);
	WRITE_ONCE(kept->active, true);
	WRITE_ONCE(chunk_state.note_decommits, true);
}

/**
 * chunk_reuse_note() - note that pages lose their memory
 * @addr:        first byte, in a live extent or in none
 * @size:        bytes
 * @decommitted: they are decommitted, too
 *
 * Context: the caller owns them; the lock need not be held.
 */
void chunk_reuse_note(const void *addr, size_t size, bool decommitted)
{
	uintptr_t at = (uintptr_t)addr & ~(CHUNK_TREE_UNIT - 1);
	uintptr_t last = (uintptr_t)addr + size - 1;
	struct chunk_extent *extent =
		chunk_radix_lookup(&chunk_state.registry, at);

	if (!extent)
		return;
	for (; last - at < size + CHUNK_TREE_UNIT; at += CHUNK_TREE_UNIT)
		chunk_full_set(at, false);
	if (decommitted)
		WRITE_ONCE(extent->type, LIVE_DECOMMITTED);
}

/**
 * chunk_reuse_is_lost() - does an extent come from a device generation that was lost?
 * @extent: the extent
 *
 * Context: chunk_lock() held.
 * Return: true if so.
 */
bool chunk_reuse_is_lost(const struct chunk_extent *extent)
{
	return extent->owner && extent->owner != (void *)chunk_state.generation;
}

/* The first border from @addr to @last, or 0 */
static uintptr_t next_border(uintptr_t addr, uintptr_t last)
{
	uintptr_t at = addr >> CHUNK_TREE_SHIFT;

	if (addr > last || !xa_find(&kept->borders, &at,
				    last >> CHUNK_TREE_SHIFT, XA_PRESENT))
		return 0;
	return at << CHUNK_TREE_SHIFT;
}

static bool add_border(uintptr_t addr)
{
	return !xa_err(xa_store(&kept->borders, addr >> CHUNK_TREE_SHIFT,
				kept, 0));
}

/**
 * chunk_reuse_add_borders() - note where an extent of the device begins and ends
 * @extent: the extent, as the device handed it out
 *
 * Borders within it are those of extents that were given back.
 *
 * Context: chunk_lock() held.
 * Return: false when out of memory; then it cannot be kept.
 */
bool chunk_reuse_add_borders(const struct chunk_extent *extent)
{
	uintptr_t end = extent->addr + extent->size, at = extent->addr;

	while ((at = next_border(at + CHUNK_TREE_UNIT, end - CHUNK_TREE_UNIT)))
		xa_store(&kept->borders, at >> CHUNK_TREE_SHIFT, NULL, 0);
	return add_border(extent->addr) && add_border(end);
}

/**
 * chunk_reuse_insert() - put an extent into the tree
 * @extent: the extent, offered, in no tree; its size is claimed
 *
 * Context: chunk_lock() held.
 */
void chunk_reuse_insert(struct chunk_extent *extent)
{
	change_begin();
	chunk_tree_insert(&kept->tree, extent, &chunk_state.free_nodes);
	change_end();
}

/**
 * chunk_reuse_insert_anyway() - put an extent into the tree despite the limit
 * @extent: the extent, offered, in no tree
 *
 * Context: chunk_lock() held.
 */
void chunk_reuse_insert_anyway(struct chunk_extent *extent)
{
	kept->tree.claimed += extent->size;
	chunk_reuse_insert(extent);
}

/**
 * chunk_reuse_find() - take the best fit out of the tree
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 *
 * Context: chunk_lock() held.
 * Return: an extent of that size, in no tree, still offered; or NULL.
 */
struct chunk_extent *chunk_reuse_find(size_t size, size_t alignment)
{
	struct chunk_extent *extent;
	int err;

	/* An exact fit takes none. */
	chunk_free_nodes_prepare(2);
	change_begin();
	err = chunk_tree_take(&kept->tree, size, alignment,
			      &chunk_state.free_nodes, &extent);
	change_end();
	return err ? NULL : extent;
}

/* Put the rest of a kept extent back that was cut. */
static void keep_rest(const struct chunk_extent *whole, uintptr_t addr,
		      uintptr_t end)
{
	struct chunk_extent *rest;

	if (addr == end)
		return;
	rest = chunk_free_node_pop(&chunk_state.free_nodes);
	*rest = *whole;
	rest->addr = addr;
	rest->size = end - addr;
	kept->tree.claimed += rest->size;
	chunk_tree_insert(&kept->tree, rest, &chunk_state.free_nodes);
}

/* Cut a range out of a kept extent; NULL without memory for the rest */
static struct chunk_extent *cut(struct chunk_extent *extent, uintptr_t addr,
				uintptr_t end)
{
	struct chunk_extent whole;

	if (!chunk_free_nodes_prepare(2) &&
	    (addr != extent->addr || end != extent->addr + extent->size))
		return NULL;
	change_begin();
	chunk_tree_remove(&kept->tree, extent);
	whole = *extent;
	extent->addr = addr;
	extent->size = end - addr;
	keep_rest(&whole, whole.addr, addr);
	keep_rest(&whole, end, whole.addr + whole.size);
	change_end();
	return extent;
}

/*
 * Find a range of a kept extent, from @from on, that its source takes back. Returns
 * the end of it, or 0.
 */
static uintptr_t find_returnable(const struct chunk_extent *extent,
				 uintptr_t *from, size_t most)
{
	uintptr_t end = extent->addr + extent->size;

	if (*from < extent->addr)
		*from = extent->addr;
	if (!chunk_os_caps.can_unmap_partially)
		return *from + CHUNK_TREE_UNIT;
	if (!extent->owner || chunk_reuse_is_lost(extent))
		return end - *from > most ? *from + most : end;
	*from = next_border(*from, end);
	return *from ? next_border(*from + CHUNK_TREE_UNIT, end) : 0;
}

/**
 * chunk_reuse_take_away() - take an extent out of the tree to give it back
 * @from:  first address to look at; set to the address to go on at
 * @most:  bytes to take from an extent of which any part can be given back
 * @tries: number of kept extents to look at
 *
 * Context: chunk_lock() held.
 * Return: the extent, in no tree; or NULL, with *@from 0 if there is none left.
 */
struct chunk_extent *chunk_reuse_take_away(uintptr_t *from, size_t most,
					   unsigned int tries)
{
	struct chunk_extent *extent;
	uintptr_t addr, end;

	for (; tries; tries--) {
		extent = chunk_tree_seek(&kept->tree, *from);
		if (!extent) {
			*from = 0;
			return NULL;
		}
		addr = *from;
		*from = extent->addr + extent->size;
		end = find_returnable(extent, &addr, most);
		if (!end)
			continue;
		extent = cut(extent, addr, end);
		if (!extent)
			continue;
		*from = end;
		return extent;
	}
	return NULL;
}

/**
 * chunk_reuse_lose() - note that the generation in use is about to be lost
 *
 * Its kept extents stay mapped for now, and libchunk counts them as its own.
 *
 * Context: chunk_lock() held.
 */
void chunk_reuse_lose(void)
{
	struct chunk_extent *extent = chunk_tree_first(&kept->tree);

	for (; extent; extent = chunk_tree_next(extent)) {
		if (!extent->owner || chunk_reuse_is_lost(extent))
			continue;
		chunk_state.counts.mapped_bytes += extent->size;
		WRITE_ONCE(kept->lost, true);
	}
}

/**
 * chunk_reuse_take_lost() - take an extent of a lost generation out of the tree
 *
 * Context: chunk_lock() held.
 * Return: the extent, or NULL if there is none left.
 */
struct chunk_extent *chunk_reuse_take_lost(void)
{
	struct chunk_extent *extent = chunk_tree_first(&kept->tree);

	while (extent && !chunk_reuse_is_lost(extent))
		extent = chunk_tree_next(extent);
	if (extent) {
		change_begin();
		chunk_tree_remove(&kept->tree, extent);
		change_end();
	} else {
		WRITE_ONCE(kept->lost, false);
	}
	return extent;
}
