/* SPDX-License-Identifier: MIT */
/* Which pages of live chunks are decommitted. */
#ifndef CHUNK_TRACK_H
#define CHUNK_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/xarray.h>

struct chunk_extent;
struct chunk_leaf;

/**
 * struct chunk_track - what is known of pages; chunk_lock()
 * @leaves: bitmaps, of chunks that are, or were, not as their extent says
 * @spares: bitmaps in nobody's use
 * @extents: number of sparse extents
 * @bytes:  decommitted
 */
struct chunk_track {
	struct xarray leaves;
	struct chunk_leaf *spares;
	size_t extents;
	size_t bytes;
};

void chunk_track_init(struct chunk_track *track);
void chunk_track_reset(struct chunk_track *track);
void chunk_track_set(struct chunk_track *track, uintptr_t addr, size_t size,
		     bool decommitted);
bool chunk_track_ready(struct chunk_track *track, uintptr_t addr, size_t size);
void chunk_track_sparse(struct chunk_track *track, struct chunk_extent *extent);
bool chunk_track_get(struct chunk_track *track, uintptr_t addr, bool sparse);
size_t chunk_track_run(struct chunk_track *track, uintptr_t *addr,
		       uintptr_t end);
size_t chunk_track_ranges(struct chunk_track *track, bool whole);
void chunk_track_around(struct chunk_track *track,
			const struct chunk_extent *extent, uintptr_t *from,
			uintptr_t *to);
void chunk_track_drop(struct chunk_track *track, struct chunk_extent *extent);

#endif /* CHUNK_TRACK_H */
