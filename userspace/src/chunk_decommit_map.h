/* SPDX-License-Identifier: MIT */
/* The decommit map: the decommitted pages of live chunks. */
#ifndef CHUNK_DECOMMIT_MAP_H
#define CHUNK_DECOMMIT_MAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/xarray.h>

struct chunk_extent;
struct chunk_page_bitmap;

/**
 * struct chunk_decommit_map - the map; protected by chunk_lock()
 * @bitmaps:      page bitmaps by number of chunk, for chunks of which pages are, or
 *                were, in another state than their extent
 * @free_bitmaps: chain of free bitmaps
 * @extents:      number of sparse extents
 * @bytes:        decommitted bytes
 */
struct chunk_decommit_map {
	struct xarray bitmaps;
	struct chunk_page_bitmap *free_bitmaps;
	size_t extents;
	size_t bytes;
};

void chunk_decommit_map_init(struct chunk_decommit_map *map);
void chunk_decommit_map_reset(struct chunk_decommit_map *map);
void chunk_decommit_map_set(struct chunk_decommit_map *map, uintptr_t addr,
			    size_t size, bool decommitted);
bool chunk_decommit_map_prepare(struct chunk_decommit_map *map, uintptr_t addr,
				size_t size);
void chunk_decommit_map_set_sparse(struct chunk_decommit_map *map,
				   struct chunk_extent *extent);
bool chunk_decommit_map_get(struct chunk_decommit_map *map, uintptr_t addr,
			    bool sparse);
size_t chunk_decommit_map_find(struct chunk_decommit_map *map, uintptr_t *addr,
			       uintptr_t end);
size_t chunk_decommit_map_count(struct chunk_decommit_map *map, bool whole);
void chunk_decommit_map_around(struct chunk_decommit_map *map,
			       const struct chunk_extent *extent,
			       uintptr_t *from, uintptr_t *to);
void chunk_decommit_map_drop_extent(struct chunk_decommit_map *map,
				    struct chunk_extent *extent);

#endif /* CHUNK_DECOMMIT_MAP_H */
