// SPDX-License-Identifier: MIT
/*
 * Lookups: the extent at an address and the state of its pages, for programs that
 * scan memory. chunk_lookup() waits for no lock and changes nothing, so that it may
 * be called while all other threads are stopped, and in signal handlers.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_internal.h"
#include "chunk_state.h"

/* Most bytes that one call looks ahead */
#define FAR	(128 * CHUNK_TREE_UNIT)

/* Most pages where each takes a system call */
#define PROBES	64

static uintptr_t page_of(uintptr_t addr)
{
	return addr & ~(uintptr_t)(chunk_os_caps.page_size - 1);
}

static uintptr_t limit(uintptr_t addr, uintptr_t end, size_t far)
{
	return end - addr > far ? addr + far : end;
}

/* Pages of mmap: the decommit map knows. */
static void look_noted(struct chunk_info *info, uintptr_t addr, uintptr_t end,
		       bool sparse)
{
	struct chunk_decommit_map *map = &chunk_state.decommit_map;
	uintptr_t at = page_of(addr);
	bool is = chunk_decommit_map_get(map, at, sparse);

	end = limit(at, end, FAR);
	do {
		at += chunk_os_caps.page_size;
	} while (at < end && chunk_decommit_map_get(map, at, sparse) == is);
	info->committed = !is;
	info->end = (void *)at;
}

/* Pages of a lost generation: only a probe of each page tells. */
static void look_lost(struct chunk_info *info, uintptr_t addr, uintptr_t end)
{
	size_t page = chunk_os_caps.page_size;
	uintptr_t at = page_of(addr);
	bool is = chunk_device_traps_at((void *)at);

	end = limit(at, end, PROBES * page);
	do {
		at += page;
	} while (at < end && chunk_device_traps_at((void *)at) == is);
	info->committed = !is;
	info->end = (void *)at;
}

/* Ask the generation in use; false if there is none, or no answer. */
static bool ask_device(uintptr_t addr, struct chunk_device_run *run)
{
	return atomic_load_explicit(&chunk_state.generation,
				    memory_order_relaxed) &&
	       !chunk_device_lookup((void *)addr, run);
}

static void look_live(struct chunk_info *info, uintptr_t addr,
		      struct chunk_extent *extent)
{
	uintptr_t start = extent->addr, end = start + extent->size;
	uintptr_t owner = (uintptr_t)extent->owner;
	struct chunk_device_run run;

	info->where = LIVE_CHUNK;
	info->start = (void *)start;
	info->length = end - start;
	if (!owner) {
		look_noted(info, addr, end, extent->sparse);
	} else if (owner == chunk_state.generation && ask_device(addr, &run) &&
		   run.held) {
		info->committed = run.committed;
		info->end = run.end - addr < end - addr ? (void *)run.end :
							  (void *)end;
	} else {
		look_lost(info, addr, end);
	}
}

static void set_free(struct chunk_info *info, uintptr_t end)
{
	info->where = FREE_CHUNK;
	info->end = (void *)end;
}

/* Look at free extents; false if none is there. Context: chunk_lock() held. */
static bool look_in_tree(struct chunk_info *info, const struct chunk_tree *tree,
			 uintptr_t addr)
{
	struct chunk_extent *extent = chunk_tree_seek(tree, addr);

	if (extent && extent->addr <= addr) {
		set_free(info, extent->addr + extent->size);
		return true;
	}
	if (extent && extent->addr < (uintptr_t)info->end)
		info->end = (void *)extent->addr;
	return false;
}

/* Look at extents kept without the device. Context: chunk_lock() held. */
static void look_kept(struct chunk_info *info, uintptr_t addr)
{
	const struct chunk_premap *premap = &chunk_state.premap;
	uintptr_t from = (uintptr_t)premap->addr;

	if (look_in_tree(info, &chunk_state.recycled, addr) ||
	    look_in_tree(info, &chunk_state.kept.tree, addr))
		return;
	if (premap->size && addr - from < premap->size)
		set_free(info, from + premap->size);
	else if (premap->size && from > addr && from < (uintptr_t)info->end)
		info->end = (void *)from;
}

/* An address that is not live: kept for later, or not libchunk's */
static void look_elsewhere(struct chunk_info *info, uintptr_t addr)
{
	struct chunk_device_run run;
	struct chunk_extent *next;

	info->end = (void *)UINTPTR_MAX;
	next = chunk_radix_next(&chunk_state.registry, addr, UINTPTR_MAX);
	if (next && next->addr > addr)
		info->end = (void *)next->addr;
	if (ask_device(addr, &run)) {
		if (run.end < (uintptr_t)info->end)
			info->end = (void *)run.end;
		if (run.held) {
			set_free(info, (uintptr_t)info->end);
			return;
		}
	}
	if (!chunk_lock_try())
		return;
	look_kept(info, addr);
	chunk_unlock();
}

/* Fill as much as the caller's structure has; zero members not known here. */
static void hand_out(struct chunk_info *out, struct chunk_info *info)
{
	size_t size = out->size, known = sizeof(*info);

	info->size = size;
	memcpy(out, info, size < known ? size : known);
	if (size > known)
		memset((char *)out + known, 0, size - known);
}

/**
 * chunk_lookup() - find the state of the memory at an address
 * @addr: any address
 * @info: its @size is given; the rest is filled
 *
 * The answer holds until the memory there is allocated, deallocated, committed or
 * decommitted.
 *
 * Context: any thread, signal handlers too. Waits for no lock.
 * Return: true if the address lies in a live chunk.
 */
bool chunk_lookup(const void *addr, struct chunk_info *info)
{
	struct chunk_info found = { .size = sizeof(found) };
	struct chunk_extent *extent;
	int saved = errno;

	extent = chunk_radix_lookup(&chunk_state.registry, (uintptr_t)addr);
	if (extent)
		look_live(&found, (uintptr_t)addr, extent);
	else
		look_elsewhere(&found, (uintptr_t)addr);
	hand_out(info, &found);
	errno = saved;
	return extent;
}
