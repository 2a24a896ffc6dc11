// SPDX-License-Identifier: MIT
/* Mapping chunks: fresh address space at aligned places. */
#include <errno.h>

#include "chunk_map.h"
#include "chunk_place.h"
#include "chunk_recycle.h"
#include "os.h"

/* Attempts to map an aligned place that another thread may take first */
#define PLACE_TRIES	10

/* Unmap a fresh mapping that was never used: that leaves no new hole. */
static bool discard(void *addr, size_t size)
{
	int err = chunk_os_unmap(addr, size);

	if (err)
		chunk_recycle_refused("chunk_alloc", addr, size, err);
	return !err;
}

/* Cut an aligned range out of a larger mapping. */
static void *trim(char *addr, size_t mapped, size_t size, size_t alignment)
{
	size_t lead = -(uintptr_t)addr & (alignment - 1);
	size_t trail = mapped - lead - size;

	if (lead)
		discard(addr, lead);
	if (trail)
		discard(addr + lead + size, trail);
	return addr + lead;
}

/* Map so much that an aligned range fits in, and keep that range alone. */
static void *map_larger(size_t size, size_t alignment)
{
	size_t more = size + alignment - chunk_os_caps.page_size;
	unsigned int tries;
	uintptr_t at;
	void *addr;
	int err;

	addr = chunk_place_in_hole(size, alignment) ?:
		       chunk_place_below_cut(size, alignment);
	if (addr)
		return addr;
	for (tries = 0; tries < PLACE_TRIES; tries++) {
		if (chunk_os_map(NULL, more, &addr))
			return NULL;
		if (chunk_os_caps.can_unmap_partially) {
			addr = trim(addr, more, size, alignment);
			chunk_place_cut(addr);
			return addr;
		}
		/* Another thread may take the place in between. */
		if (!discard(addr, more))
			return NULL;
		at = ((uintptr_t)addr + alignment - 1) & ~(alignment - 1);
		err = chunk_os_map((void *)at, size, &addr);
		if (err != -EEXIST)
			return err ? NULL : addr;
	}
	return NULL;
}

/* As chunk_map_aligned(), by unaligned mappings */
static void *map_by_trying(size_t size, size_t alignment)
{
	uintptr_t at;
	void *addr;

	/* Neighbours of such a size leave an aligned place only by chance. */
	if (size & (alignment - 1))
		return map_larger(size, alignment);
	/* Once its neighbours are aligned, a mapping mostly is by itself. */
	if (chunk_os_map(NULL, size, &addr))
		return NULL;
	at = (uintptr_t)addr & ~(alignment - 1);
	if (at == (uintptr_t)addr)
		return addr;
	discard(addr, size);
	/* Where addresses are handed out from the top down, there is room. */
	if (at && !chunk_os_map((void *)at, size, &addr))
		return addr;
	return map_larger(size, alignment);
}

/**
 * chunk_map_aligned() - map fresh address space at a multiple of an alignment
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the page size
 *
 * Context: lock not held.
 * Return: memory that reads as zero, or NULL.
 */
void *chunk_map_aligned(size_t size, size_t alignment)
{
	void *addr;
	int err = -EOPNOTSUPP;

	if (chunk_os_caps.can_map_aligned)
		err = chunk_os_map_aligned(size, alignment, &addr);
	if (err == -EOPNOTSUPP)
		return map_by_trying(size, alignment);
	return err ? NULL : addr;
}
