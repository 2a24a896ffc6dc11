// SPDX-License-Identifier: MIT
/*
 * jemalloc's extent hooks on libchunk.
 *
 * jemalloc asks for extents, splits and merges them as it likes, and tries to
 * give back whatever it does not need: first by dalloc, and where that is refused
 * by decommit, after which it keeps the address space for reuse. Chunks come and
 * go as a whole, so dalloc accepts whole ones only, among which are those of which
 * the rest has never been used. Decommitted memory traps, and
 * on the device that costs no mapping.
 *
 * Hooks are also called for what an arena had before it had these. Such memory is
 * jemalloc's own business: it is kept and purged, as jemalloc does by default.
 *
 * Nothing here calls malloc, and none of the hooks changes errno on success.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <jemalloc/jemalloc.h>

#include "chunk.h"
#include "chunk_internal.h"
#include "chunk_jemalloc.h"
#include "chunk_tree.h"
#include "os.h"
#include "os_linux.h"
#include "pieces.h"

#define UNIT	CHUNK_TREE_UNIT

static struct {
	atomic_uint_least64_t extent_bytes;
	atomic_uint_least64_t allocs;
	atomic_uint_least64_t deallocs;
	atomic_uint_least64_t refused;
	atomic_uint_least64_t decommits;
	atomic_uint_least64_t commits;
	atomic_uint_least64_t foreign;
} counts;

/* Whole chunks, of which the caller gets the first @size bytes */
static void *alloc_chunks(size_t size, size_t alignment)
{
	size_t whole = (size + UNIT - 1) & ~(UNIT - 1);
	char *addr;

	if (whole < size)
		return NULL;
	if (alignment < UNIT)
		alignment = UNIT;
	addr = chunk_alloc(whole, alignment, false);
	if (!addr || whole == size)
		return addr;
	pages_decommit(addr + size, whole - size);
	if (pieces_put(addr + size, whole - size))
		return addr;
	/* Better none than one of which a part is lost */
	chunk_dealloc(addr, whole, ARENA_CHUNK);
	return NULL;
}

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
		addr = pieces_take(new_addr, size, alignment);
	/* At a given place there is nothing but what pieces_take() knows. */
	if (!addr && !new_addr)
		addr = alloc_chunks(size, alignment);
	if (!addr)
		return NULL;
	errno = saved;
	counts.allocs++;
	counts.extent_bytes += size;
	*zero = true;
	*commit = true;
	return addr;
}

/* Is it one whole extent of libchunk's, or are they several that adjoin? */
static bool is_whole(void *addr, size_t size)
{
	char *at = addr, *end = at + size;
	void *start;
	size_t length;

	while (at < end) {
		if (!chunk_extent_of(at, &start, &length) || start != at ||
		    length > (size_t)(end - at))
			return false;
		at += length;
	}
	return true;
}

static void dealloc_all(void *addr, size_t size)
{
	char *at = addr, *end = at + size;
	void *start;
	size_t length;

	while (at < end && chunk_extent_of(at, &start, &length)) {
		chunk_dealloc(at, length, ARENA_CHUNK);
		at += length;
	}
}

static bool hook_dalloc(extent_hooks_t *hooks, void *addr, size_t size,
			bool committed, unsigned int arena)
{
	(void)hooks;
	(void)committed;
	(void)arena;
	if (!chunk_is_live(addr)) {
		counts.foreign++;
		return true;
	}
	if (is_whole(addr, size)) {
		dealloc_all(addr, size);
	} else if (!pieces_complete(addr, size)) {
		counts.refused++;
		return true;
	}
	counts.deallocs++;
	counts.extent_bytes -= size;
	return false;
}

/*
 * Is it, or could it be, of the heap that sbrk() extends? jemalloc takes memory
 * there, too, and the kernel must not find holes in it. What else lies below the
 * heap's end is treated the same, which costs address space and no more.
 */
static bool is_heap(void *addr)
{
	return (uintptr_t)addr < (uintptr_t)sys(SYS_brk, 0L);
}

static void destroy_foreign(void *addr, size_t size)
{
	counts.foreign++;
	if (is_heap(addr))
		chunk_purge_several(addr, size);
	else
		chunk_unmap_or_report("extent_destroy", addr, size);
}

/* An arena goes, and with it extents, or parts of them, that it retained. */
static void hook_destroy(extent_hooks_t *hooks, void *addr, size_t size,
			 bool committed, unsigned int arena)
{
	char *at = addr, *end = at + size;

	(void)hooks;
	(void)arena;
	if (!chunk_is_live(addr)) {
		destroy_foreign(addr, size);
		return;
	}
	counts.extent_bytes -= size;
	if (committed)
		chunk_decommit_several(addr, size);
	while (at < end) {
		size_t piece = end - at, length;
		void *start;

		if (!chunk_extent_of(at, &start, &length))
			break;
		length -= at - (char *)start;
		if (piece > length)
			piece = length;
		pieces_keep(at, piece);
		at += piece;
	}
}

/* jemalloc decommits by itself where the system does not overcommit. */
static bool commit_foreign(void *addr, size_t size)
{
	counts.foreign++;
	return sys(SYS_mprotect, addr, size, PROT_READ | PROT_WRITE);
}

static bool hook_commit(extent_hooks_t *hooks, void *addr, size_t size,
			size_t offset, size_t length, unsigned int arena)
{
	(void)hooks;
	(void)size;
	(void)arena;
	if (!chunk_is_live(addr))
		return commit_foreign((char *)addr + offset, length);
	if (!chunk_commit_several((char *)addr + offset, length))
		return true;
	counts.commits++;
	return false;
}

static bool hook_decommit(extent_hooks_t *hooks, void *addr, size_t size,
			  size_t offset, size_t length, unsigned int arena)
{
	(void)hooks;
	(void)size;
	(void)arena;
	if (!chunk_is_live(addr)) {
		counts.foreign++;
		return true;
	}
	chunk_decommit_several((char *)addr + offset, length);
	counts.decommits++;
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
		counts.foreign++;
	return !chunk_purge_several((char *)addr + offset, length);
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
 * Ours, the heap and what is neither are given back in different ways: they stay
 * apart.
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
	if (chunk_is_live(addr_a))
		return !chunk_is_live(addr_b);
	return chunk_is_live(addr_b) || is_heap(addr_a) != is_heap(addr_b);
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
		.extent_bytes = counts.extent_bytes,
		.piece_bytes = pieces_bytes(),
		.lost_bytes = pieces_lost(),
		.allocs = counts.allocs,
		.deallocs = counts.deallocs,
		.refused = counts.refused,
		.decommits = counts.decommits,
		.commits = counts.commits,
		.foreign = counts.foreign,
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
