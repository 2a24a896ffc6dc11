// SPDX-License-Identifier: MIT
/* Reports on this process: the source of chunks, and counters. */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_counters.h"
#include "chunk_generation.h"
#include "chunk_reason.h"
#include "chunk_state.h"

/**
 * chunk_backend() - name the source of chunks
 *
 * Return: "device", or the name of the system's own way.
 */
const char *chunk_backend(void)
{
	int saved = errno;
	bool device;

	chunk_enter();
	device = chunk_device_generation();
	errno = saved;
	return device ? "device" : chunk_os_name;
}

/**
 * chunk_backend_reason() - say why chunks come from chunk_backend()
 *
 * Return: a constant string, one of those in chunk.h.
 */
const char *chunk_backend_reason(void)
{
	int saved = errno;

	chunk_enter();
	chunk_device_generation();
	errno = saved;
	return chunk_reason_word();
}

/**
 * chunk_recycled_bytes() - count the bytes kept for reuse
 *
 * Context: takes no lock.
 * Return: bytes.
 */
size_t chunk_recycled_bytes(void)
{
	struct chunk_device_stats device;
	int saved = errno;

	chunk_enter();
	device = chunk_counters_device();
	errno = saved;
	return device.recycled_bytes + READ_ONCE(chunk_state.recycled.bytes);
}

/*
 * The device's counters end with its descriptor. Chunks that libchunk keeps are
 * handed out without a call to the device, so nobody may have noticed yet.
 */
static void notice_lost_device(void)
{
	uintptr_t generation = atomic_load_explicit(&chunk_state.generation,
						    memory_order_relaxed);
	struct chunk_device_stats stats;

	if (generation && chunk_device_stats(&stats) == -ENODEV)
		chunk_device_lost(generation);
}

/**
 * chunk_get_stats_sized() - read the counters of this process
 * @stats: the first @size bytes are filled
 * @size:  size of the structure as the caller knows it, in bytes
 */
void chunk_get_stats_sized(struct chunk_stats *stats, size_t size)
{
	struct chunk_stats now;
	size_t known = sizeof(now);
	int saved = errno;

	chunk_enter();
	notice_lost_device();
	chunk_lock();
	now = chunk_counters_read();
	chunk_unlock();
	/* It takes a while, so callers who do not know it do not wait for it. */
	if (size > offsetof(struct chunk_stats, mapping_room))
		now.mapping_room = chunk_counters_mapping_room();
	memcpy(stats, &now, size < known ? size : known);
	if (size > known)
		memset((char *)stats + known, 0, size - known);
	errno = saved;
}

/* The macro of chunk.h is for callers. */
#undef chunk_get_stats

/**
 * chunk_get_stats() - read the counters of the first version of the structure
 * @stats: filled up to @untrapped
 *
 * For programs that were compiled when there were no others.
 */
void chunk_get_stats(struct chunk_stats *stats)
{
	chunk_get_stats_sized(stats, offsetof(struct chunk_stats, offered_bytes));
}
