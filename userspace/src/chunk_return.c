// SPDX-License-Identifier: MIT
/* Giving extents back: to the device, to the recycled ones or to the system. */
#include <errno.h>

#include "chunk.h"
#include "chunk_check.h"
#include "chunk_internal.h"
#include "chunk_state.h"

/**
 * chunk_check_dealloc() - end the process if this cannot be an extent
 * @call:  the function of the API that is given it
 * @chunk: its first byte
 * @size:  bytes
 * @type:  what it held
 *
 * Context: lock not held.
 */
void chunk_check_dealloc(const struct chunk_call *call, void *chunk,
			 size_t size, enum chunk_type type)
{
	if (!size || size % CHUNK_TREE_UNIT ||
	    (uintptr_t)chunk % CHUNK_TREE_UNIT)
		chunk_die(call, chunk, size,
			  "address or size is no multiple of 1 MiB");
	if ((unsigned int)type > RECYCLED_CHUNK)
		chunk_die(call, chunk, size, "there is no such type of chunk");
	chunk_enter();
	chunk_check_zeroed(call, chunk, size, type);
}

/**
 * chunk_return_begin() - take an extent out of the registry
 * @call:    the function of the API that gives it back
 * @chunk:   its first byte, checked
 * @size:    bytes, checked
 * @leaving: filled, for chunk_return_end()
 *
 * Ends the process if there is no such extent.
 *
 * Context: chunk_lock() held.
 */
void chunk_return_begin(const struct chunk_call *call, void *chunk, size_t size,
			struct chunk_leaving *leaving)
{
	const char *why;

	leaving->extent = chunk_registry_remove(chunk, size, &why);
	if (!leaving->extent) {
		chunk_unlock();
		chunk_die(call, chunk, size, why);
	}
	leaving->generation = (uintptr_t)leaving->extent->owner;
	leaving->room = 0;
	if (leaving->generation)
		chunk_free_node_push(&chunk_state.free_nodes, leaving->extent);
	else
		leaving->room = chunk_recycle_claim(size);
}

static void return_to_device(const char *call, void *chunk, size_t size,
			     enum chunk_type type, uintptr_t generation)
{
	int err;

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

/**
 * chunk_return_end() - give the address space of an extent back to its source
 * @call:    the function of the API that gives it back
 * @chunk:   its first byte
 * @size:    bytes
 * @type:    what it held
 * @leaving: from chunk_return_begin()
 *
 * Context: lock not held.
 */
void chunk_return_end(const char *call, void *chunk, size_t size,
		      enum chunk_type type, struct chunk_leaving *leaving)
{
	if (leaving->generation)
		return_to_device(call, chunk, size, type, leaving->generation);
	else
		chunk_recycle_dealloc(leaving->extent, leaving->room);
}

/**
 * chunk_dealloc() - give an extent back
 * @chunk: what chunk_alloc() returned
 * @size:  the size it was asked for
 * @type:  what it held: see chunk.h for what that changes
 *
 * Keeps as much of it for reuse as the limit allows.
 */
void chunk_dealloc(void *chunk, size_t size, enum chunk_type type)
{
	const struct chunk_call *call = CHUNK_CALL("chunk_dealloc");
	struct chunk_leaving leaving;
	int saved = errno;

	chunk_check_dealloc(call, chunk, size, type);
	chunk_lock();
	chunk_return_begin(call, chunk, size, &leaving);
	chunk_unlock();
	chunk_return_end(call->name, chunk, size, type, &leaving);
	errno = saved;
}
