/* SPDX-License-Identifier: MIT */
/* CHUNK_OPTIONS, the options of a program from its environment. */
#ifndef CHUNK_OPTIONS_H
#define CHUNK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "chunk.h"

/* As mozjemalloc: at most 6.25 % of a 32-bit address space */
#define CHUNK_RECYCLE_LIMIT	((size_t)128 << 20)

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
 * @guards:        guard:on|off; guard decommitted pages without splitting
 *                 mappings, where the kernel can
 * @check:         check:on|off; look for misuse even where that takes time
 * @child:         child:on|off; this is a child process, see chunk_set_child()
 * @stall:         stall_attempts:N, stall_delay:N in milliseconds; how to wait for
 *                 memory, see chunk_set_stall()
 */
struct chunk_options {
	enum chunk_backend_option backend;
	enum chunk_backing backing;
	size_t recycle_limit;
	bool guards;
	bool check;
	bool child;
	struct chunk_stall stall;
};

void chunk_options_read(struct chunk_options *options);

#endif /* CHUNK_OPTIONS_H */
