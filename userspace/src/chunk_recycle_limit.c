// SPDX-License-Identifier: MIT
/* The limit of bytes to keep for reuse. */
#include <errno.h>

#include "chunk.h"
#include "chunk_generation.h"
#include "chunk_recycle.h"
#include "chunk_state.h"

/*
 * Tell the device the limit. Threads that set it at the same time reach the device
 * in any order, so each goes on until it has told the last limit.
 */
static void limit_device(void)
{
	uintptr_t generation;
	size_t bytes;

	do {
		generation = chunk_device_generation();
		if (!generation)
			return;
		bytes = READ_ONCE(chunk_state.limit);
		if (chunk_device_limit(bytes) == -ENODEV)
			chunk_device_lost(generation);
	} while (bytes != READ_ONCE(chunk_state.limit));
}

/**
 * chunk_set_recycle_limit() - bound the bytes kept for reuse
 * @bytes: the limit; extents beyond it are released at once
 *
 * Return: the limit before.
 */
size_t chunk_set_recycle_limit(size_t bytes)
{
	int saved = errno;
	size_t before;

	chunk_enter();
	chunk_lock();
	before = chunk_state.limit;
	WRITE_ONCE(chunk_state.limit, bytes);
	WRITE_ONCE(chunk_state.recycled.limit, bytes);
	chunk_unlock();
	chunk_recycle_evict("chunk_set_recycle_limit");
	limit_device();
	errno = saved;
	return before;
}
