/* SPDX-License-Identifier: MIT */
/*
 * What libchunk knows, the lock over it, and how a forked child takes it over.
 */
#ifndef CHUNK_STATE_H
#define CHUNK_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chunk_options.h"
#include "chunk_radix.h"
#include "chunk_decommit_map.h"
#include "chunk_tree.h"
#include "os.h"

/**
 * struct chunk_counts - for chunk_get_stats(); bytes where it says so
 * @live_bytes:      in live extents
 * @live_chunks:     how many of them
 * @mapped_bytes:    mapped by us, not by the present context of the device, nor
 *                   for bookkeeping
 * @base_bytes:      mapped for bookkeeping
 * @base_chunks:     how many mappings that is
 * @allocs:          chunk_alloc() calls that succeeded
 * @allocs_recycled: of these, from our own recycled extents
 * @deallocs:        chunk_dealloc() calls
 * @commits:         pages_commit() calls that succeeded
 * @decommits:       pages_decommit() calls
 * @untrapped:       times that memory was freed but does not trap, to leave
 *                   mappings to the program
 */
struct chunk_counts {
	uint64_t live_bytes;
	uint64_t live_chunks;
	uint64_t mapped_bytes;
	uint64_t base_bytes;
	uint64_t base_chunks;
	uint64_t allocs;
	uint64_t allocs_recycled;
	uint64_t deallocs;
	uint64_t commits;
	uint64_t decommits;
	uint64_t untrapped;
};

/**
 * struct chunk_premap - fresh address space that is mapped already
 * @addr:    its first byte
 * @size:    bytes, a multiple of the chunk size; 0 for none
 * @useless: mapping ahead costs memory, and is not done
 */
struct chunk_premap {
	char *addr;
	size_t size;
	bool useless;
};

/**
 * struct chunk_state - all there is, under chunk_lock() but for what is atomic
 * @live:      live extents; looked up without the lock
 * @recycled:  extents kept for reuse, all from mmap; the device keeps its own
 * @ahead:     mapped but not handed out yet
 * @spares:    nodes in nobody's use
 * @pages:     decommitted pages of live extents, but for the device's
 * @counts:    for statistics
 * @limit:     bytes to keep for reuse
 * @backing:   what the device is told its memory shall be
 * @grow:      bytes it is told to map at a time; 0: nothing is said
 * @options:   constant after the start
 * @device:    which context of the device is in use: 0 for none, else a number
 *             never used before, also the owner of the extents that come from it
 * @contexts:  how many contexts there were
 * @reopen:    it is worth trying to open the device again
 */
struct chunk_state {
	struct chunk_radix registry;
	struct chunk_tree recycled;
	struct chunk_premap premap;
	struct chunk_extent *free_nodes;
	struct chunk_decommit_map decommit_map;
	struct chunk_counts counts;
	size_t limit;
	enum chunk_backing backing;
	size_t grow;
	struct chunk_options options;
	atomic_uintptr_t generation;
	uintptr_t last_generation;
	atomic_bool reopen;
};

extern struct chunk_state chunk_state;

void chunk_enter(void);
void chunk_lock(void);
bool chunk_lock_try(void);
void chunk_unlock(void);

struct chunk_extent *chunk_free_nodes_take(void);
bool chunk_free_nodes_prepare(unsigned int count);
void chunk_count_base(size_t size);

uintptr_t chunk_device_generation(void);
void chunk_device_lost(uintptr_t generation);

#endif /* CHUNK_STATE_H */
