/* SPDX-License-Identifier: MIT */
/* Which pages of live chunks are decommitted. */
#ifndef CHUNK_TRACK_H
#define CHUNK_TRACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/xarray.h>

struct chunk_leaf;

/**
 * struct chunk_track - what is known of pages; chunk_lock()
 * @leaves: for each chunk that has decommitted pages, or had, its bitmap
 * @spares: bitmaps in nobody's use
 * @bytes:  decommitted
 */
struct chunk_track {
	struct xarray leaves;
	struct chunk_leaf *spares;
	size_t bytes;
};

void chunk_track_init(struct chunk_track *track);
void chunk_track_reset(struct chunk_track *track);
void chunk_track_set(struct chunk_track *track, uintptr_t addr, size_t size,
		     bool decommitted);
bool chunk_track_ready(struct chunk_track *track, uintptr_t addr, size_t size);
void chunk_track_sparse(struct chunk_track *track, size_t size);
bool chunk_track_get(struct chunk_track *track, uintptr_t addr, bool sparse);
size_t chunk_track_run(struct chunk_track *track, uintptr_t *addr,
		       uintptr_t end);
void chunk_track_drop(struct chunk_track *track, uintptr_t addr, size_t size,
		      bool sparse);

#endif /* CHUNK_TRACK_H */
