// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Registry of live chunks: which extent does an address belong to?
 *
 * An XArray indexed by chunk. Aligned runs of 64, 4096, ... chunks take one
 * slot, so an extent of any size costs a number of stores that is bounded by
 * the width of a node and the height of the tree.
 */
#include <linux/errno.h>
#include <linux/xarray.h>

#include "chunk_radix.h"
#include "chunk_tree.h"

static unsigned long chunk_index(uintptr_t addr)
{
	return addr >> CHUNK_TREE_SHIFT;
}

static int store_range(struct chunk_radix *radix, uintptr_t addr, size_t size,
		       void *entry, gfp_t gfp)
{
	unsigned long first = chunk_index(addr);
	unsigned long last = chunk_index(addr + size - 1);

	if (first == last)
		return xa_err(xa_store(&radix->chunks, first, entry, gfp));
	return xa_err(xa_store_range(&radix->chunks, first, last, entry, gfp));
}

/**
 * chunk_radix_init() - make an empty registry
 * @radix: the registry
 */
void chunk_radix_init(struct chunk_radix *radix)
{
	/* In the kernel a registry grows at the wish of a process: charge it. */
	xa_init_flags(&radix->chunks, XA_FLAGS_ACCOUNT);
}

/**
 * chunk_radix_destroy() - free the registry's own memory, not the extents
 * @radix: the registry; nobody looks anything up in it any more
 */
void chunk_radix_destroy(struct chunk_radix *radix)
{
	xa_destroy(&radix->chunks);
}

/**
 * chunk_radix_store() - register every chunk of an extent
 * @radix:  the registry
 * @extent: an extent none of whose chunks is registered
 * @gfp:    how to allocate nodes
 *
 * Context: may sleep if @gfp allows; no lock needed, but two callers must not
 * name the same chunks.
 * Return: 0, or -ENOMEM with nothing registered.
 */
int chunk_radix_store(struct chunk_radix *radix, struct chunk_extent *extent,
		      gfp_t gfp)
{
	int err = store_range(radix, extent->addr, extent->size, extent, gfp);

	if (err)
		chunk_radix_erase(radix, extent->addr, extent->size);
	return err;
}

/**
 * chunk_radix_erase() - forget every chunk of an extent
 * @radix: the registry
 * @addr:  start of an extent that was registered
 * @size:  its whole size in bytes
 *
 * Never fails: storing NULL allocates nothing.
 *
 * Context: any; no lock needed.
 */
void chunk_radix_erase(struct chunk_radix *radix, uintptr_t addr, size_t size)
{
	store_range(radix, addr, size, NULL, 0);
}

/**
 * chunk_radix_lookup() - the live extent that contains an address
 * @radix: the registry
 * @addr:  any address
 *
 * Context: any, without a lock: the walk is protected by RCU. The extent itself
 * may be gone by the time this returns; to look into it the caller needs what
 * keeps it from being freed.
 * Return: the extent, or NULL if the chunk at @addr is not live.
 */
struct chunk_extent *chunk_radix_lookup(struct chunk_radix *radix,
					uintptr_t addr)
{
	return xa_load(&radix->chunks, chunk_index(addr));
}

/**
 * chunk_radix_next() - the first live extent at or after an address
 * @radix: the registry
 * @addr:  any address
 * @last:  the last address to look at
 *
 * Context: as for chunk_radix_lookup().
 * Return: the extent, which may begin before @addr or end after @last, or NULL.
 */
struct chunk_extent *chunk_radix_next(struct chunk_radix *radix,
				      uintptr_t addr, uintptr_t last)
{
	unsigned long index = chunk_index(addr);

	return xa_find(&radix->chunks, &index, chunk_index(last), XA_PRESENT);
}
