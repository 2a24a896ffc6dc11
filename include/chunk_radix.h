/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Registry of live chunks: finds the extent that contains an address.
 *
 * Host-neutral, like chunk_tree.h. Every chunk of an extent is registered, not
 * only the first, so that any interior address finds its extent.
 */
#ifndef CHUNK_RADIX_H
#define CHUNK_RADIX_H

#include <linux/types.h>
#include <linux/xarray.h>

#include "chunk_tree.h"

/* Bytes that a lowest node stands for: extents that begin at one register cheaply. */
#define CHUNK_RADIX_NODE_BYTES	(XA_CHUNK_SIZE * CHUNK_TREE_UNIT)

struct chunk_extent;

/**
 * struct chunk_radix - registry of live chunks
 * @chunks: extents by chunk; for the index see chunk_radix.c
 * @origin: a chunk in the window that indices are relative to; 0 until the
 *          first store, then constant
 */
struct chunk_radix {
	struct xarray chunks;
	uintptr_t origin;
};

void chunk_radix_init(struct chunk_radix *radix);
void chunk_radix_destroy(struct chunk_radix *radix);
int chunk_radix_store(struct chunk_radix *radix, struct chunk_extent *extent,
		      gfp_t gfp);
unsigned int chunk_radix_store_ones(struct chunk_radix *radix,
				    struct chunk_extent *const *extents,
				    unsigned int nr, gfp_t gfp);
void chunk_radix_erase(struct chunk_radix *radix, uintptr_t addr, size_t size);
struct chunk_extent *chunk_radix_lookup(struct chunk_radix *radix,
					uintptr_t addr);
struct chunk_extent *chunk_radix_next(struct chunk_radix *radix,
				      uintptr_t addr, uintptr_t last);

#endif /* CHUNK_RADIX_H */
