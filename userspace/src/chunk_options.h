/* SPDX-License-Identifier: MIT */
/* CHUNK_OPTIONS, the options of a program from its environment. */
#ifndef CHUNK_OPTIONS_H
#define CHUNK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "chunk.h"

/* As mozjemalloc: at most 6.25 % of a 32-bit address space */
#define CHUNK_RECYCLE_LIMIT	((size_t)128 << 20)

/*
 * Several arrays of the sizes that programs free and allocate in turns. The system
 * takes this memory when it is short, but operators see it as in use until then, and
 * a 32-bit address space has no room for that much.
 */
#define CHUNK_OFFER_LIMIT	((size_t)(sizeof(void *) == 8 ? 1024 : 128) << 20)

/**
 * enum chunk_backend_option - the source of chunks
 * @BACKEND_AUTO:   the device if it opens and mappings are not charged, else the system
 * @BACKEND_DEVICE: the device and nothing else
 * @BACKEND_MMAP:   the system
 */
enum chunk_backend_option {
	BACKEND_AUTO,
	BACKEND_DEVICE,
	BACKEND_MMAP,
};

/**
 * struct chunk_options - the values of CHUNK_OPTIONS
 * @backend:       backend:device|mmap|auto; the source of chunks
 * @backing:       backing:guarded|huge; the memory of chunks
 * @recycle_limit: recycle_limit:SIZE; most bytes to keep for reuse
 * @offer_limit:   offer_limit:SIZE; most bytes to keep as offered memory
 * @reuse:         reuse:trapped|offered; how deallocated chunks are kept
 * @poison:        poison:on|off; fill what is kept as offered memory, and look for
 *                 writes to it
 * @guards:        guard:on|off; guard decommitted pages without splitting
 *                 mappings, where the kernel can
 * @check:         check:on|off; look for misuse even where that takes time
 * @verbose:       verbose:on|off; say on stderr which backend is in use, and why
 * @child:         child:on|off; this is a child process, see chunk_set_child()
 * @explain:       explain:on|stack|off; explain accesses that trap
 * @explain_stack: explain:stack; with the stacks of those who made memory trap
 * @stats_exit:    stats:exit; print statistics at exit
 * @stats_signal:  stats:signal; print statistics on SIGUSR2
 * @stats_json:    stats_format:text|json; how to print them
 * @stall:         stall_attempts:N, stall_delay:N in milliseconds; how to wait for
 *                 memory, see chunk_set_stall()
 */
struct chunk_options {
	enum chunk_backend_option backend;
	enum chunk_backing backing;
	size_t recycle_limit;
	size_t offer_limit;
	enum chunk_reuse reuse;
	bool poison;
	bool guards;
	bool check;
	bool verbose;
	bool explain;
	bool explain_stack;
	bool stats_exit;
	bool stats_signal;
	bool stats_json;
	bool child;
	struct chunk_stall stall;
};

void chunk_options_read(struct chunk_options *options);

#endif /* CHUNK_OPTIONS_H */
