// SPDX-License-Identifier: MIT
/*
 * Device generations: their beginning and their end.
 *
 * A context of the device serves one process and ends when somebody closes its
 * descriptor; libchunk then opens the device again. Each opening begins a
 * generation, whose number is never used again. Extents note the generation that
 * they come from, since only its context knows them.
 */
#include "chunk_backing.h"
#include "chunk_generation.h"
#include "chunk_reason.h"
#include "chunk_registry.h"
#include "chunk_reuse.h"
#include "chunk_state.h"

/**
 * chunk_generation_begin() - open the device
 *
 * Context: chunk_lock() held, or during chunk_start().
 * Return: 0 or a negative error number, from chunk_device_open().
 */
int chunk_generation_begin(void)
{
	int err = chunk_device_open();

	if (err) {
		chunk_reason_set_error(-err);
		return err;
	}
	chunk_reason_set(chunk_state.opening);
	if (chunk_state.limit != CHUNK_RECYCLE_LIMIT)
		chunk_device_limit(chunk_state.limit);
	chunk_backing_tell_device();
	chunk_state.generation = ++chunk_state.last_generation;
	return 0;
}

/**
 * chunk_generation_end() - give up the generation in use
 * @why: REASON_FORKED or REASON_CLOSED: the reason for the next one
 *
 * Its live extents stay mapped, and libchunk counts them as its own from now on.
 *
 * Context: chunk_lock() held.
 */
void chunk_generation_end(enum chunk_reason why)
{
	struct chunk_extent *extent = NULL;

	while ((extent = chunk_registry_next(extent))) {
		if (extent->owner == (void *)chunk_state.generation)
			chunk_state.counts.mapped_bytes += extent->size;
	}
	chunk_reuse_lose();
	chunk_device_close();
	chunk_state.generation = 0;
	chunk_state.opening = why;
	chunk_state.reopen = true;
}
