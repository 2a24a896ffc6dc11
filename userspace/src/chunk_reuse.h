/* SPDX-License-Identifier: MIT */
/* Extents kept for reuse with their contents, as offered memory. */
#ifndef CHUNK_REUSE_H
#define CHUNK_REUSE_H

#include <stdbool.h>
#include <stddef.h>

#include "chunk_tree.h"

/* Known contents of a kept extent, in its type; any other type is unknown, too. */
#define KEPT_ZERO	ZEROED_CHUNK
#define KEPT_UNKNOWN	UNKNOWN_CHUNK

/*
 * The type of a live extent of which no page was decommitted, as the registry gives it
 * to fresh ones; any other type says that some may be.
 */
#define LIVE_COMMITTED	ZEROED_CHUNK
#define LIVE_DECOMMITTED UNKNOWN_CHUNK

/**
 * enum chunk_reuse_fate - the way of a deallocated extent
 * @REUSE_LEAVES: it goes back to its source
 * @REUSE_LATER:  chunk_reuse_end() decides
 * @REUSE_DONE:   it is kept
 */
enum chunk_reuse_fate { REUSE_LEAVES, REUSE_LATER, REUSE_DONE };

/* chunk_reuse_tree.c: the tree and the borders, under the lock */
void chunk_reuse_start(void);
void chunk_reuse_start_child(bool cut_short);
void chunk_reuse_activate(void);
void chunk_reuse_note(const void *addr, size_t size, bool decommitted);
bool chunk_reuse_is_lost(const struct chunk_extent *extent);
bool chunk_reuse_add_borders(const struct chunk_extent *extent);
void chunk_reuse_insert(struct chunk_extent *extent);
void chunk_reuse_insert_anyway(struct chunk_extent *extent);
struct chunk_extent *chunk_reuse_find(size_t size, size_t alignment);
struct chunk_extent *chunk_reuse_take_away(uintptr_t *from, size_t most,
					   unsigned int tries);
void chunk_reuse_lose(void);
struct chunk_extent *chunk_reuse_take_lost(void);

/* chunk_reuse_evict.c: back to the sources */
bool chunk_reuse_make_room(const char *call, size_t size);
void chunk_reuse_settle(const char *call);
void chunk_reuse_trim(const char *call);
bool chunk_reuse_release(const char *call);
void chunk_reuse_drop_lost(void);

/* chunk_reuse_give.c: keeping deallocated extents */
enum chunk_reuse_fate chunk_reuse_begin(struct chunk_extent *extent,
					enum chunk_type type);
bool chunk_reuse_end(const char *call, struct chunk_extent *extent,
		     enum chunk_type type);

/* chunk_reuse_take.c: handing them out */
void *chunk_reuse_alloc(size_t size, size_t alignment, bool *zero);

#endif /* CHUNK_REUSE_H */
