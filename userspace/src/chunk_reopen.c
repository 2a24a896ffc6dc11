// SPDX-License-Identifier: MIT
/* Device generations: the one in use, and its loss. */
#include "chunk_generation.h"
#include "chunk_state.h"

/**
 * chunk_device_generation() - find the device generation to use
 *
 * Opens the device again if it was lost.
 *
 * Context: chunk_enter() done, lock not held.
 * Return: its number, or 0 if there is no device.
 */
uintptr_t chunk_device_generation(void)
{
	if (atomic_load_explicit(&chunk_state.reopen, memory_order_relaxed)) {
		chunk_lock();
		if (chunk_state.reopen && !chunk_state.generation)
			chunk_generation_begin();
		chunk_state.reopen = false;
		chunk_unlock();
	}
	return atomic_load_explicit(&chunk_state.generation,
				    memory_order_relaxed);
}

/**
 * chunk_device_lost() - note that the device answered -ENODEV
 * @generation: the generation that was in use for the call
 *
 * Context: lock not held.
 */
void chunk_device_lost(uintptr_t generation)
{
	chunk_lock();
	if (chunk_state.generation == generation)
		chunk_generation_end(REASON_CLOSED);
	chunk_unlock();
}
