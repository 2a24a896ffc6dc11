// SPDX-License-Identifier: MIT
/*
 * jemalloc's extent hooks on libchunk, by public functions only.
 *
 * jemalloc allocates extents, splits and merges them, and returns an extent that it
 * does not need: first by dalloc, if that refuses by decommit, and if that refuses,
 * too, by a purge, after which it retains the address space. libchunk takes back
 * whole extents, so dalloc accepts nothing else; but an extent whose rest was never
 * used is whole.
 *
 * Decommit refuses if a trap is all that it would gain, since jemalloc then commits
 * again object by object, at a system call each. A purge frees the same memory, and
 * purged memory is used again without a call.
 *
 * An arena may have memory from before it was given these hooks. The hooks treat
 * such memory as jemalloc does by default.
 *
 * No hook calls malloc() or changes errno on success.
 */
#include <errno.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

#include "bounds.h"
#include "chunk.h"
#include "chunk_jemalloc.h"
#include "extents.h"
#include "foreign.h"
#include "partial_chunks.h"

static void *hook_alloc(extent_hooks_t *hooks, void *new_addr, size_t size,
			size_t alignment, bool *zero, bool *commit,
			unsigned int arena)
{
	int saved = errno;
	void *addr = NULL;
	bool is_zero = true;

	(void)hooks;
	(void)arena;
	if (!size)
		return NULL;
	if (size % UNIT || new_addr)
		addr = partial_chunks_take(new_addr, size, alignment);
	/* At a given address only a partial chunk can be. */
	if (!addr && !new_addr) {
		is_zero = *zero;
		addr = extents_alloc(size, alignment, true, &is_zero);
	}
	if (!addr)
		return NULL;
	errno = saved;
	extents_counts.allocs++;
	extents_counts.extent_bytes += size;
	*zero = is_zero;
	*commit = true;
	return addr;
}

/* Does a range consist of whole extents of libchunk? */
static bool is_whole(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (!part.whole)
			return false;
	return true;
}

static void release_all(void *addr, size_t size)
{
	struct part part = { .at = addr };

	while (extents_next(&part, (char *)addr + size))
		if (part.ours)
			extents_release(&part);
}

static bool hook_dalloc(extent_hooks_t *hooks, void *addr, size_t size,
			bool committed, unsigned int arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	if (!chunk_is_live(addr)) {
		extents_counts.foreign++;
		return true;
	}
	if (is_whole(addr, size)) {
		release_all(addr, size);
	} else if (!partial_chunks_complete(addr, size)) {
		extents_counts.refused++;
		return true;
	}
	extents_counts.deallocs++;
	extents_counts.extent_bytes -= size;
	return false;
}

/* A destroyed arena returns all that it retained, parts of extents, too. */
static void hook_destroy(extent_hooks_t *hooks, void *addr, size_t size,
			 bool committed, unsigned int arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	if (!chunk_is_live(addr)) {
		extents_counts.foreign++;
		foreign_destroy(addr, size);
		return;
	}
	extents_counts.extent_bytes -= size;
	release_all(addr, size);
}

static bool hook_commit(extent_hooks_t *hooks, void *addr, size_t size,
			size_t offset, size_t length, unsigned int arena)
{
	(void)hooks;
	(void)size;
	(void)arena;
	if (!chunk_is_live(addr)) {
		extents_counts.foreign++;
		return !foreign_commit((char *)addr + offset, length);
	}
	return !extents_commit((char *)addr + offset, length);
}

/*
 * Does a decommit give back more than a purge? If the system does not overcommit,
 * it charges memory until that becomes inaccessible, and the device's memory until
 * it is unmapped.
 */
static bool decommit_pays(void)
{
	return foreign_is_charged() && strcmp(chunk_backend(), "device");
}

static bool hook_decommit(extent_hooks_t *hooks, void *addr, size_t size,
			  size_t offset, size_t length, unsigned int arena)
{
	(void)hooks;
	(void)size;
	(void)arena;
	if (!chunk_is_live(addr)) {
		extents_counts.foreign++;
		return true;
	}
	if (!decommit_pays())
		return true;
	extents_decommit((char *)addr + offset, length);
	return false;
}

/* The memory reads as zero afterwards, also after a lazy purge. */
static bool hook_purge(extent_hooks_t *hooks, void *addr, size_t size,
		       size_t offset, size_t length, unsigned int arena)
{
	(void)hooks;
	(void)size;
	(void)arena;
	if (!chunk_is_live(addr))
		extents_counts.foreign++;
	return !extents_purge((char *)addr + offset, length);
}

static bool hook_split(extent_hooks_t *hooks, void *addr, size_t size,
		       size_t size_a, size_t size_b, bool committed,
		       unsigned int arena)
{
	(void)hooks;
	(void)addr;
	(void)size;
	(void)size_a;
	(void)size_b;
	(void)committed;
	(void)arena;
	return false;
}

/*
 * Memory of libchunk does not merge with other memory. jemalloc merges all the
 * time, so this must not take a system call: foreign_destroy() looks up where the
 * heap ends.
 */
static bool hook_merge(extent_hooks_t *hooks, void *addr_a, size_t size_a,
		       void *addr_b, size_t size_b, bool committed,
		       unsigned int arena)
{
	(void)hooks;
	(void)size_a;
	(void)size_b;
	(void)committed;
	(void)arena;
	return chunk_is_live(addr_a) != chunk_is_live(addr_b);
}

extent_hooks_t chunk_jemalloc_hooks = {
	.alloc = hook_alloc,
	.dalloc = hook_dalloc,
	.destroy = hook_destroy,
	.commit = hook_commit,
	.decommit = hook_decommit,
	.purge_lazy = hook_purge,
	.purge_forced = hook_purge,
	.split = hook_split,
	.merge = hook_merge,
};

/**
 * chunk_jemalloc_get_stats() - get counters of what jemalloc has from libchunk
 * @stats: counters, filled in
 */
void chunk_jemalloc_get_stats(struct chunk_jemalloc_stats *stats)
{
	*stats = (struct chunk_jemalloc_stats) {
		.extent_bytes = extents_counts.extent_bytes,
		.piece_bytes = partial_chunks_bytes(),
		.lost_bytes = partial_chunks_lost(),
		.allocs = extents_counts.allocs,
		.deallocs = extents_counts.deallocs,
		.refused = extents_counts.refused,
		.decommits = extents_counts.decommits,
		.commits = extents_counts.commits,
		.foreign = extents_counts.foreign,
	};
}

/**
 * chunk_jemalloc_owns() - test if an address lies in memory of libchunk
 * @addr: any address
 *
 * Context: any; takes no lock.
 * Return: whether it does.
 */
bool chunk_jemalloc_owns(const void *addr)
{
	return chunk_is_live(addr);
}

/**
 * chunk_jemalloc_backend() - get the source of libchunk's chunks
 *
 * Return: as chunk_backend().
 */
const char *chunk_jemalloc_backend(void)
{
	return chunk_backend();
}
