// SPDX-License-Identifier: MIT
/*
 * jemalloc's extent hooks on libchunk.
 *
 * jemalloc asks for extents, splits and merges them as it likes, and tries to
 * give back whatever it does not need: first by dalloc, where that is refused by
 * decommit, and where that is refused, too, by a purge, after which it keeps the
 * address space for reuse. Chunks come and go as a whole, so dalloc accepts whole
 * ones only, among which are those of which the rest has never been used.
 *
 * Decommit is refused wherever it gains nothing but a trap, since jemalloc then
 * commits again object by object, a system call each. A purge frees the same
 * memory, and what was purged is used again without a call.
 *
 * Hooks are also called for what an arena had before it had these. Such memory is
 * jemalloc's own business: it is kept and purged, as jemalloc does by default.
 *
 * Nothing here calls malloc, and none of the hooks changes errno on success.
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

	(void)hooks;
	(void)arena;
	if (!size)
		return NULL;
	if (size % UNIT || new_addr)
		addr = partial_chunks_take(new_addr, size, alignment);
	/* At a given place there is nothing but what partial_chunks_take() knows. */
	if (!addr && !new_addr)
		addr = extents_alloc(size, alignment, true);
	if (!addr)
		return NULL;
	errno = saved;
	extents_counts.allocs++;
	extents_counts.extent_bytes += size;
	*zero = true;
	*commit = true;
	return addr;
}

/* Is it one whole extent of libchunk's, or are they several that adjoin? */
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

/* An arena goes, and with it extents, or parts of them, that it retained. */
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
 * Does a decommit give back what a purge does not? Where the system does not
 * overcommit, mapped memory counts as used until it is inaccessible. The device's
 * memory does so until it is unmapped.
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

/* Zero afterwards, which is more than jemalloc wants of a lazy purge. */
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
 * Chunks and other memory stay apart. Jemalloc merges and splits all the time, and
 * this must not cost a system call: where the heap ends is looked up when memory
 * is destroyed.
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
 * chunk_jemalloc_get_stats() - what jemalloc has from libchunk
 * @stats: filled
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
 * chunk_jemalloc_owns() - did this memory come from libchunk?
 * @addr: any address
 *
 * Context: any; takes no lock.
 */
bool chunk_jemalloc_owns(const void *addr)
{
	return chunk_is_live(addr);
}

/**
 * chunk_jemalloc_backend() - where libchunk has its chunks from
 *
 * Return: as chunk_backend().
 */
const char *chunk_jemalloc_backend(void)
{
	return chunk_backend();
}
