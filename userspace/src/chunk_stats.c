// SPDX-License-Identifier: MIT
/* What libchunk counts, and what the device does. */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_state.h"

static bool device_stats(struct chunk_device_stats *stats)
{
	memset(stats, 0, sizeof(*stats));
	return atomic_load_explicit(&chunk_state.generation,
				    memory_order_relaxed) &&
	       !chunk_device.stats(stats);
}

/**
 * chunk_recycled_bytes() - how much is kept for reuse
 *
 * Context: takes no lock.
 * Return: bytes.
 */
size_t chunk_recycled_bytes(void)
{
	struct chunk_device_stats device;
	int saved = errno;

	chunk_enter();
	device_stats(&device);
	errno = saved;
	return device.recycled_bytes + READ_ONCE(chunk_state.recycled.bytes);
}

/**
 * chunk_get_stats() - counters of this process
 * @stats: filled
 */
void chunk_get_stats(struct chunk_stats *stats)
{
	struct chunk_device_stats device;
	struct chunk_counts *counts = &chunk_state.counts;
	int saved = errno;

	chunk_enter();
	chunk_lock();
	device_stats(&device);
	*stats = (struct chunk_stats){
		.live_bytes = counts->live_bytes + counts->base_bytes,
		.live_chunks = counts->live_chunks + counts->base_chunks,
		.decommitted_bytes = chunk_state.decommit_map.bytes +
				     device.decommitted_bytes,
		.recycled_bytes =
			chunk_state.recycled.bytes + device.recycled_bytes,
		.recycle_limit = chunk_state.limit,
		.mapped_bytes = counts->mapped_bytes + counts->base_bytes +
				device.mapped_bytes,
		.base_bytes = counts->base_bytes,
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
