/* SPDX-License-Identifier: MIT */
#ifndef CHUNK_OPTIONS_H
#define CHUNK_OPTIONS_H

#include <stdbool.h>
#include <stddef.h>

#include "chunk.h"

enum chunk_backend_option {
	BACKEND_AUTO,
	BACKEND_DEVICE,
	BACKEND_MMAP,
};

/**
 * struct chunk_options - what CHUNK_OPTIONS says
 * @backend:       backend:device|mmap|auto; what to take chunks from
 * @backing:       backing:guarded|huge; what the memory of chunks is
 * @recycle_limit: recycle_limit:SIZE; bytes
 * @guards:        guard:on|off; guard decommitted pages without splitting
 *                 mappings, where the kernel can
 * @check:         check:on|off; look for misuse also where that costs something
 * @child:         child:on|off; this is a child process, see chunk_set_child()
 * @stall:         stall_attempts:N, stall_delay:N in milliseconds; how memory is
 *                 waited for, see chunk_set_stall()
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
