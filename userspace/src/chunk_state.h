/* SPDX-License-Identifier: MIT */
/* The state of libchunk in this process: all that chunk_lock() protects. */
#ifndef CHUNK_STATE_H
#define CHUNK_STATE_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chunk_decommit_map.h"
#include "chunk_lock.h"
#include "chunk_options.h"
#include "chunk_radix.h"
#include "chunk_reason.h"
#include "chunk_tree.h"
#include "os.h"

/**
 * struct chunk_counts - counters for chunk_get_stats(); sizes in bytes
 * @live_bytes:      in live extents
 * @live_chunks:     live extents
 * @mapped_bytes:    mapped by libchunk: neither by the device generation in use,
 *                   which counts for itself, nor for bookkeeping
 * @allocs:          chunk_alloc() calls that succeeded
 * @allocs_recycled: of these, served by libchunk's own recycled extents
 * @deallocs:        chunk_dealloc() calls
 * @commits:         pages_commit() calls that succeeded
 * @decommits:       pages_decommit() calls
 * @untrapped:       times that memory was freed without making it trap, to leave
 *                   mappings to the program
 */
struct chunk_counts {
	uint64_t live_bytes;
	uint64_t live_chunks;
	uint64_t mapped_bytes;
	uint64_t allocs;
	uint64_t allocs_recycled;
	uint64_t deallocs;
	uint64_t commits;
	uint64_t decommits;
	uint64_t untrapped;
};

/**
 * struct chunk_premap - address space that is mapped before it is asked for
 * @addr:    its first byte
 * @size:    bytes, a multiple of the chunk size; 0 if there is none
 * @useless: untouched mappings cost memory on this system, so none are made
 */
struct chunk_premap {
	char *addr;
	size_t size;
	bool useless;
};

/**
 * struct chunk_kept - extents kept with their contents, as offered memory
 * @tree:      the extents
 * @borders:   an entry for each chunk at which an extent of the device begins or
 *             ends, by number of chunk
 * @hand:      address at which the next eviction begins
 * @taken:     bytes handed out again
 * @discarded: of these, bytes whose contents are known to have been discarded
 * @reuse:     what becomes of deallocated extents
 * @active:    extents are kept, or may have been; never reset
 * @lost:      there may be extents of lost device generations
 * @changing:  the tree is being changed
 */
struct chunk_kept {
	struct chunk_tree tree;
	struct xarray borders;
	uintptr_t hand;
	uint64_t taken;
	uint64_t discarded;
	enum chunk_reuse reuse;
	bool active;
	bool lost;
	atomic_bool changing;
};

/**
 * struct chunk_state - the state; chunk_lock() protects all that is not atomic
 * @registry:     live extents; lookups take no lock
 * @recycled:     extents of mmap kept for reuse; the device keeps its own
 * @kept:         extents of every source kept for reuse with their contents
 * @premap:       address space not handed out yet
 * @free_nodes:   nodes for extents
 * @decommit_map: decommitted pages of live extents that are not the device's
 * @counts:       counters
 * @limit:        most bytes to keep for reuse
 * @backing:      backing that new device generations are asked for
 * @grow:         bytes that they are asked to map at a time; 0: as the device likes
 * @options:      CHUNK_OPTIONS; constant after the start
 * @generation:   the device generation in use, also the owner of the extents that
 *                come from it; 0 if there is none
 * @last_generation: how many device generations there were, @generation included
 * @opening:      why the device is opened: REASON_OPENED, or why the last generation
 *                ended
 * @reason:       enum chunk_reason: why the backend is what it is; any thread reads it
 * @reopen:       the device was lost, and may be opened again
 * @note_decommits: somebody wants to know of each decommit: the kept extents, once they
 *                are active, or explain:on; never reset
 */
struct chunk_state {
	struct chunk_radix registry;
	struct chunk_tree recycled;
	struct chunk_kept kept;
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
	enum chunk_reason opening;
	atomic_uint reason;
	atomic_bool reopen;
	bool note_decommits;
};

/* Hidden, as in chunk_process.h */
#ifndef _WIN32
#pragma GCC visibility push(hidden)
#endif
extern struct chunk_state chunk_state;
#ifndef _WIN32
#pragma GCC visibility pop
#endif

/**
 * chunk_has_kept() - are there extents that are kept with their contents?
 *
 * Context: any; takes no lock.
 * Return: true if there are.
 */
static inline bool chunk_has_kept(void)
{
	return unlikely(READ_ONCE(chunk_state.kept.tree.bytes));
}

#endif /* CHUNK_STATE_H */
