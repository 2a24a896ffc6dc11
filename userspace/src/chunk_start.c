// SPDX-License-Identifier: MIT
/*
 * Setting chunk_state up, at first and in a forked child.
 *
 * If a thread that is not in the child held the lock at the fork, the data that
 * the lock protects may be half changed. The child gives up the parts that it
 * cannot trust, which costs some address space without memory, and begins them
 * anew. It can always read the registry.
 */
#include "chunk_backing.h"
#include "chunk_base.h"
#include "chunk_generation.h"
#include "chunk_known.h"
#include "chunk_offered.h"
#include "chunk_print.h"
#include "chunk_reason.h"
#include "chunk_registry.h"
#include "chunk_reuse.h"
#include "chunk_stall.h"
#include "chunk_start.h"
#include "chunk_state.h"
#include "chunk_words.h"

static void options_start(struct chunk_options *options)
{
	chunk_options_read(options);
	chunk_stall_start(&options->stall);
	if (options->child)
		chunk_stall_set_child(true);
}

/*
 * Where the system charges for mappings whatever they hold, the device cannot give
 * that charge back when it decommits; mmap can.
 */
static bool wants_device(const struct chunk_options *options)
{
	if (options->backend == BACKEND_AUTO)
		return !chunk_os_caps.charges_on_map;
	return options->backend == BACKEND_DEVICE;
}

/* Open the device, or note why it is not even tried. */
static void device_start(const struct chunk_options *options)
{
	int err;

	if (!wants_device(options)) {
		chunk_reason_set(options->backend == BACKEND_MMAP ?
				 REASON_OPTION : REASON_OVERCOMMIT);
		return;
	}
	err = chunk_generation_begin();
	if (err && options->backend == BACKEND_DEVICE)
		chunk_die_without_device(-err);
}

/**
 * chunk_start() - set chunk_state up
 *
 * Context: in no other thread at the same time. A child may run it again, if its
 * parent forked in the middle of it.
 */
void chunk_start(void)
{
	struct chunk_options *options = &chunk_state.options;

	options_start(options);
	chunk_os_init(options->guards);
	/* A child may find its parent's start half done. */
	chunk_base_reset();
	chunk_device_close();
	chunk_state.limit = options->recycle_limit;
	chunk_state.backing = options->backing;
	chunk_tree_init(&chunk_state.recycled, chunk_state.limit);
	chunk_reuse_start();
	chunk_radix_init(&chunk_state.registry);
	chunk_decommit_map_init(&chunk_state.decommit_map);
	device_start(options);
	chunk_print_start();
	chunk_backing_start();
}

/*
 * Count again: the fork may have cut counting short, and extents that other
 * threads had in hand are lost.
 */
static void recount(void)
{
	struct chunk_counts *counts = &chunk_state.counts;
	struct chunk_extent *extent = NULL;

	counts->live_bytes = 0;
	counts->live_chunks = 0;
	while ((extent = chunk_registry_next(extent))) {
		counts->live_bytes += extent->size;
		counts->live_chunks++;
	}
	counts->mapped_bytes = counts->live_bytes + chunk_state.recycled.bytes +
			       chunk_state.kept.tree.bytes +
			       chunk_state.premap.size;
}

/* Begin anew whatever the fork may have left half changed. */
static void reset(void)
{
	chunk_tree_init(&chunk_state.recycled, chunk_state.limit);
	chunk_state.premap.size = 0;
	chunk_state.free_nodes = NULL;
	xa_recover(&chunk_state.registry.chunks);
	chunk_decommit_map_reset(&chunk_state.decommit_map);
	chunk_offered_recover();
	chunk_known_reset();
	chunk_base_reset();
}

/**
 * chunk_start_child() - take chunk_state over from the parent of a forked process
 * @cut_short: a thread of the parent held the lock at the fork
 *
 * Context: in a child, chunk_lock() held.
 */
void chunk_start_child(bool cut_short)
{
	if (cut_short)
		reset();
	chunk_words_reset();
	chunk_reuse_start_child(cut_short);
	if (chunk_state.generation)
		chunk_generation_end(REASON_FORKED);
	recount();
}
