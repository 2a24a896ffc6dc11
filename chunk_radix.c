// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Registry of live chunks: finds the extent that contains an address.
 *
 * An XArray indexed by chunk. Aligned runs of 64, 4096, ... chunks take one
 * slot, so an extent of any size costs a number of stores that is bounded by
 * the width of a node and the height of the tree.
 *
 * A tree is as high as its largest index is wide. Addresses are wide, but those
 * of one process lie close together: so the index is the exclusive or of the
 * chunk's number and that of the first chunk that was registered. The lowest
 * bits are left alone, so that the chunks of an aligned window keep their
 * order.
 */
#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/minmax.h>
#include <linux/xarray.h>

#include "chunk_radix.h"
#include "chunk_tree.h"

/* Chunks of a window, whose indices are in order: two levels, 4 GiB */
#define WINDOW_CHUNKS	((uintptr_t)4096)

static uintptr_t radix_number(uintptr_t addr)
{
	return addr >> CHUNK_TREE_SHIFT;
}

static uintptr_t radix_index(uintptr_t origin, uintptr_t number)
{
	return number ^ (origin & ~(WINDOW_CHUNKS - 1));
}

/*
 * xa_store(), without replacing entries, and with some 5 % of an allocation's
 * instructions less. An entry may stand for many chunks: storing another one in
 * one of its slots would leave the other slots inconsistent.
 */
static inline int radix_store_one(struct chunk_radix *radix, uintptr_t index,
				  void *entry, gfp_t gfp)
{
	int err = 0;

	XA_STATE(xas, &radix->chunks, index);

	do {
		xas_lock(&xas);
		if (entry && unlikely(xas_load(&xas)))
			err = -EEXIST;
		else
			xas_store(&xas, entry);
		xas_unlock(&xas);
	} while (xas_nomem(&xas, gfp));
	return err ?: xas_error(&xas);
}

static int radix_store_window(struct chunk_radix *radix, uintptr_t first,
			      uintptr_t nr, void *entry, gfp_t gfp)
{
	uintptr_t index = radix_index(READ_ONCE(radix->origin), first);

	if (nr == 1)
		return radix_store_one(radix, index, entry, gfp);
	return xa_err(xa_store_range(&radix->chunks, index, index + nr - 1,
				     entry, gfp));
}

static int radix_store_range(struct chunk_radix *radix, uintptr_t addr, size_t size,
			     void *entry, gfp_t gfp)
{
	uintptr_t first = radix_number(addr);
	uintptr_t left = size >> CHUNK_TREE_SHIFT;
	uintptr_t nr;
	int err;

	for (; left; first += nr, left -= nr) {
		nr = min(left, WINDOW_CHUNKS - first % WINDOW_CHUNKS);
		err = radix_store_window(radix, first, nr, entry, gfp);
		if (err)
			return err;
	}
	return 0;
}

/**
 * chunk_radix_init() - make an empty registry
 * @radix: the registry
 */
void chunk_radix_init(struct chunk_radix *radix)
{
	/* In the kernel a registry grows at the wish of a process: charge it. */
	xa_init_flags(&radix->chunks, XA_FLAGS_ACCOUNT);
	radix->origin = 0;
}

/**
 * chunk_radix_destroy() - free the registry's own memory, not the extents
 * @radix: the registry; nobody looks anything up in it any more
 */
void chunk_radix_destroy(struct chunk_radix *radix)
{
	xa_destroy(&radix->chunks);
}

/* The origin; if there is none, one is set for the chunk at @addr. */
static inline uintptr_t radix_origin(struct chunk_radix *radix, uintptr_t addr)
{
	uintptr_t origin = READ_ONCE(radix->origin);

	if (origin)
		return origin;
	/* The lowest bit tells the lowest window from no window. */
	cmpxchg(&radix->origin, 0, radix_number(addr) | 1);
	return READ_ONCE(radix->origin);
}

/* Is any chunk of a range registered? */
static bool radix_is_taken(struct chunk_radix *radix, uintptr_t addr, size_t size)
{
	return chunk_radix_next(radix, addr, addr + size - 1);
}

/**
 * chunk_radix_store() - register every chunk of an extent
 * @radix:  the registry
 * @extent: the extent
 * @gfp:    flags for allocating nodes
 *
 * Context: may sleep if @gfp allows; no lock needed, but two callers must not
 * name the same chunks at the same time.
 * Return: 0, -ENOMEM, or -EEXIST if one of its chunks is registered; then
 * nothing has changed.
 */
int chunk_radix_store(struct chunk_radix *radix, struct chunk_extent *extent,
		      gfp_t gfp)
{
	uintptr_t origin = radix_origin(radix, extent->addr);
	int err;

	/* The most frequent size takes the short way. */
	if (extent->size == CHUNK_TREE_UNIT)
		return radix_store_one(radix, radix_index(origin,
							  radix_number(extent->addr)),
				       extent, gfp);
	if (radix_is_taken(radix, extent->addr, extent->size))
		return -EEXIST;
	err = radix_store_range(radix, extent->addr, extent->size, extent, gfp);
	if (err)
		chunk_radix_erase(radix, extent->addr, extent->size);
	return err;
}

/**
 * chunk_radix_store_ones() - register extents of one chunk each
 * @radix:   the registry
 * @extents: extents of one chunk
 * @nr:      number of extents
 * @gfp:     flags for allocating nodes; must not sleep
 *
 * Cheaper than one by one if the extents lie close together.
 *
 * Context: as for chunk_radix_store().
 * Return: number of extents registered: all, or those before the first for
 * which there was no memory, or whose chunk is registered already.
 */
unsigned int chunk_radix_store_ones(struct chunk_radix *radix,
				    struct chunk_extent *const *extents,
				    unsigned int nr, gfp_t gfp)
{
	uintptr_t origin = radix_origin(radix, extents[0]->addr);
	uintptr_t index, before = 0;
	unsigned int i = 0;

	XA_STATE(xas, &radix->chunks, 0);

	do {
		xas_lock(&xas);
		for (xas_set(&xas, 0); i < nr; i++, before = index) {
			index = radix_index(origin,
					    radix_number(extents[i]->addr));
			/* In the same node: no need to walk to it again. */
			if (xas_is_node(&xas) && (index ^ before) < XA_CHUNK_SIZE)
				xas_advance(&xas, index);
			else
				xas_set(&xas, index);
			if (unlikely(xas_load(&xas)))
				break;
			xas_store(&xas, extents[i]);
			if (xas_error(&xas))
				break;
		}
		xas_unlock(&xas);
	} while (xas_nomem(&xas, gfp));
	return i;
}

/**
 * chunk_radix_erase() - unregister every chunk of an extent
 * @radix: the registry
 * @addr:  first byte of a registered extent
 * @size:  its whole size in bytes
 *
 * Never fails: storing NULL allocates nothing.
 *
 * Context: any; no lock needed.
 */
void chunk_radix_erase(struct chunk_radix *radix, uintptr_t addr, size_t size)
{
	uintptr_t origin = READ_ONCE(radix->origin);

	if (size == CHUNK_TREE_UNIT)
		radix_store_one(radix, radix_index(origin, radix_number(addr)), NULL,
				0);
	else
		radix_store_range(radix, addr, size, NULL, 0);
}

/**
 * chunk_radix_lookup() - find the extent that contains an address
 * @radix: the registry
 * @addr:  any address
 *
 * Context: any, without a lock: the walk is protected by RCU. The extent itself
 * may have been freed by the time this returns, unless the caller prevents
 * that.
 * Return: the extent, or NULL if the chunk at @addr is not registered.
 */
struct chunk_extent *chunk_radix_lookup(struct chunk_radix *radix,
					uintptr_t addr)
{
	uintptr_t origin = READ_ONCE(radix->origin);

	/* Nothing was registered; chunks registered by now have other indices. */
	if (!origin)
		return NULL;
	return xa_load(&radix->chunks, radix_index(origin, radix_number(addr)));
}

/*
 * Length of the largest run of chunks at @first that ends no later than @end
 * and whose indices are a run, too, if not in the same order: that is a power
 * of 64 of windows. A run shorter than a window is in order.
 */
static uintptr_t radix_run_at(uintptr_t first, uintptr_t end)
{
	uintptr_t nr = WINDOW_CHUNKS;

	if (first % nr || end - first < nr - 1)
		return min(end - first + 1, nr - first % nr);
	while (first % (nr * 64) == 0 && end - first >= nr * 64 - 1)
		nr *= 64;
	return nr;
}

/* The registered chunk with the lowest index in a run */
static void *radix_find_in_run(struct chunk_radix *radix, uintptr_t origin,
			       uintptr_t first, uintptr_t nr)
{
	uintptr_t index = radix_index(origin, first);
	uintptr_t last = index + nr - 1;

	if (nr > WINDOW_CHUNKS) {
		index &= ~(nr - 1);
		last = index | (nr - 1);
	}
	return xa_find(&radix->chunks, &index, last, XA_PRESENT);
}

/**
 * chunk_radix_next() - find the first extent at or after an address
 * @radix: the registry
 * @addr:  any address
 * @last:  the last address to look at, not below @addr
 *
 * Time is logarithmic in the distance that is skipped.
 *
 * Context: as for chunk_radix_lookup().
 * Return: the extent, which may begin before @addr or end after @last, or NULL.
 */
struct chunk_extent *chunk_radix_next(struct chunk_radix *radix,
				      uintptr_t addr, uintptr_t last)
{
	uintptr_t origin = READ_ONCE(radix->origin);
	uintptr_t first = radix_number(addr);
	uintptr_t end = radix_number(last);
	struct chunk_extent *extent;
	uintptr_t nr;

	if (!origin)
		return NULL;
	for (; first <= end; first += nr) {
		nr = radix_run_at(first, end);
		while ((extent = radix_find_in_run(radix, origin, first, nr))) {
			if (nr <= WINDOW_CHUNKS)
				return extent;
			nr /= 64;
		}
	}
	return NULL;
}
