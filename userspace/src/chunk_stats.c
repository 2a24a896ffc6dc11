// SPDX-License-Identifier: MIT
/* Reports on this process: the source of chunks, and counters. */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_base.h"
#include "chunk_generation.h"
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

/* The device's counters; zeros if there is none */
static struct chunk_device_stats device_stats(void)
{
	struct chunk_device_stats stats = { 0 };

	if (!atomic_load_explicit(&chunk_state.generation,
				  memory_order_relaxed) ||
	    chunk_device_stats(&stats))
		memset(&stats, 0, sizeof(stats));
	return stats;
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
	device = device_stats();
	errno = saved;
	return device.recycled_bytes + READ_ONCE(chunk_state.recycled.bytes);
}

/**
 * chunk_get_stats() - read the counters of this process
 * @stats: filled
 */
void chunk_get_stats(struct chunk_stats *stats)
{
	struct chunk_counts *counts = &chunk_state.counts;
	struct chunk_device_stats device;
	struct chunk_base_counts base;
	int saved = errno;

	chunk_enter();
	chunk_lock();
	device = device_stats();
	base = chunk_base_get_counts();
	*stats = (struct chunk_stats){
		.live_bytes = counts->live_bytes + base.bytes,
		.live_chunks = counts->live_chunks + base.chunks,
		.decommitted_bytes = chunk_state.decommit_map.bytes +
				     device.decommitted_bytes,
		.recycled_bytes =
			chunk_state.recycled.bytes + device.recycled_bytes,
		.recycle_limit = chunk_state.limit,
		.mapped_bytes =
			counts->mapped_bytes + base.bytes + device.mapped_bytes,
		.base_bytes = base.bytes,
		.allocs = counts->allocs,
		.allocs_recycled =
			counts->allocs_recycled + device.allocs_recycled,
		.deallocs = counts->deallocs,
		.commits = counts->commits,
		.decommits = counts->decommits,
		.untrapped = counts->untrapped,
	};
	chunk_unlock();
	errno = saved;
}
