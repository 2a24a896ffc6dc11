// SPDX-License-Identifier: MIT
/* The counters of this process, put together. */
#include <string.h>

#include "chunk_base.h"
#include "chunk_counters.h"
#include "chunk_state.h"

/**
 * chunk_counters_device() - read the counters of the device
 *
 * Context: any, signal handlers too.
 * Return: the counters; zeros if there is no device.
 */
struct chunk_device_stats chunk_counters_device(void)
{
	struct chunk_device_stats stats = { 0 };

	if (!atomic_load_explicit(&chunk_state.generation,
				  memory_order_relaxed) ||
	    chunk_device_stats(&stats))
		memset(&stats, 0, sizeof(stats));
	return stats;
}

/**
 * chunk_counters_mapping_room() - count the mappings that may still be made
 *
 * Context: any, signal handlers too.
 * Return: their number; UINT64_MAX if it is not known.
 */
uint64_t chunk_counters_mapping_room(void)
{
	size_t room = chunk_os_mapping_room();

	return room == SIZE_MAX ? UINT64_MAX : room;
}

/**
 * chunk_counters_read() - read all counters but @mapping_room
 *
 * Context: chunk_lock() held; without it, counters may not fit each other.
 * Return: the counters.
 */
struct chunk_stats chunk_counters_read(void)
{
	struct chunk_counts *counts = &chunk_state.counts;
	struct chunk_kept *kept = &chunk_state.kept;
	struct chunk_device_stats device = chunk_counters_device();
	struct chunk_base_counts base = chunk_base_get_counts();

	return (struct chunk_stats){
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
		.offered_bytes = kept->tree.bytes,
		.offered_taken = kept->taken,
		.offered_discarded = kept->discarded,
		.retained_bytes =
			chunk_state.premap.size + device.retained_bytes,
		.word_offered_bytes = device.offered_bytes,
		.word_discards = device.discards,
		.traps = device.traps,
	};
}
