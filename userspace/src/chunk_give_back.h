/* SPDX-License-Identifier: MIT */
/* Giving an extent back to the device, or to the system if the device is lost. */
#ifndef CHUNK_GIVE_BACK_H
#define CHUNK_GIVE_BACK_H

#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_annotate.h"
#include "chunk_generation.h"
#include "chunk_state.h"
#include "chunk_unmap.h"

/**
 * chunk_give_back() - give an extent of the device back
 * @call:       the function of the API that does
 * @chunk:      its first byte
 * @size:       bytes
 * @type:       what it held
 * @generation: the device generation that it came from
 *
 * Unmaps it if that generation is lost. Inline, since every deallocation on the
 * device comes here.
 *
 * Context: lock not held.
 */
static inline void chunk_give_back(const char *call, void *chunk, size_t size,
				   enum chunk_type type, uintptr_t generation)
{
	int err;

	chunk_annotate_usable(chunk, size);
	if (generation == atomic_load_explicit(&chunk_state.generation,
					       memory_order_relaxed)) {
		err = chunk_device_dealloc(chunk, size, type);
		/* -ESTALE: the program has unmapped it by itself. */
		if (!err || err == -ESTALE)
			return;
		if (err == -ENODEV)
			chunk_device_lost(generation);
	}
	chunk_unmap_or_report(call, chunk, size);
}

#endif /* CHUNK_GIVE_BACK_H */
