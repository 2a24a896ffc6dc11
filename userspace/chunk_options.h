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
 */
struct chunk_options {
	enum chunk_backend_option backend;
	enum chunk_backing backing;
	size_t recycle_limit;
	bool guards;
};

void chunk_options_read(struct chunk_options *options);

#endif /* CHUNK_OPTIONS_H */
