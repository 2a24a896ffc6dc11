// SPDX-License-Identifier: MIT
/*
 * Premapping: fresh chunks without a system call for each.
 *
 * A mapping that is needed is made larger than that, by half of the bytes in live
 * chunks, within bounds. The surplus is handed out from the top down: where the
 * system places mappings in that order, too, the next mapping adjoins the rest. The
 * surplus takes no memory; on systems where it would, nothing is premapped.
 */
#include "chunk.h"
#include "chunk_internal.h"
#include "chunk_probe.h"
#include "chunk_state.h"

/* Most bytes to premap: the system call hardly counts any more. */
#define PREMAP_MAX	((size_t)16 << 20)

/* For larger extents one is premapped, up to this size if addresses abound. */
#define PREMAP_LARGE	((size_t)(sizeof(void *) == 8 ? 64 : 16) << 20)

/*
 * An extent that fills whole nodes of the registry is cheap to register. So if
 * addresses abound, extents of such sizes begin where a node begins; their
 * neighbours then do, too.
 */
#define NODE_BYTES	(sizeof(void *) == 8 ? CHUNK_RADIX_NODE_BYTES : \
					       CHUNK_TREE_UNIT)

static bool is_aligned(const char *addr, size_t alignment)
{
	return !((uintptr_t)addr & (alignment - 1));
}

/* Take an extent from either end, so that the rest stays contiguous. */
static void *take(size_t size, size_t alignment)
{
	struct chunk_premap *premap = &chunk_state.premap;
	char *at;

	if (premap->size < size)
		return NULL;
	at = premap->addr + premap->size - size;
	if (!is_aligned(at, alignment)) {
		at = premap->addr;
		if (!is_aligned(at, alignment))
			return NULL;
		premap->addr += size;
	}
	premap->size -= size;
	/* The registry counts it from now on. */
	chunk_state.counts.mapped_bytes -= size;
	return at;
}

/*
 * How many bytes to premap with an extent: a multiple of the alignment. 0 if the
 * size of the extent is no such multiple, or if the premapping is large enough and
 * merely not aligned for this extent.
 */
static size_t surplus(size_t size, size_t alignment)
{
	size_t there = chunk_state.premap.size;
	size_t most = chunk_state.counts.live_bytes / 2;
	size_t bound = size > PREMAP_MAX && size <= PREMAP_LARGE ? size :
								   PREMAP_MAX;

	if (chunk_state.premap.useless || size & (alignment - 1) ||
	    there >= size)
		return 0;
	if (most > bound)
		most = bound;
	return most < there + size ? 0 : (most - there) & ~(alignment - 1);
}

/* Context: chunk_lock() held. */
static void set_premap(char *addr, size_t size)
{
	chunk_state.counts.mapped_bytes += size;
	chunk_state.counts.mapped_bytes -= chunk_state.premap.size;
	chunk_state.premap.addr = addr;
	chunk_state.premap.size = size;
}

/*
 * Replace the premapping by a new one, which the old one joins if it adjoins.
 * Returns an extent of it.
 */
static void *keep_premap(char *addr, size_t mapped, size_t size,
			 size_t alignment)
{
	struct chunk_premap old;
	void *chunk;

	chunk_lock();
	old = chunk_state.premap;
	if (old.size && addr + mapped == old.addr &&
	    is_aligned(old.addr + old.size, alignment)) {
		mapped += old.size;
		old.size = 0;
	}
	set_premap(addr, mapped);
	chunk = take(size, alignment);
	chunk_unlock();
	if (old.size)
		chunk_recycle_unmap("chunk_alloc", old.addr, old.size);
	return chunk;
}

/* Map an extent by itself, with the backing that is wanted. */
static inline __attribute__((always_inline)) void *
map_aligned(size_t size, size_t alignment)
{
	void *addr = chunk_map_aligned(size, alignment);

	if (!addr) {
		chunk_probe_grow(NULL, size, -ENOMEM);
		return NULL;
	}
	chunk_probe_grow(addr, size, 0);
	chunk_backing_apply(addr, size);
	return addr;
}

static void *map_more(size_t size, size_t alignment, size_t more)
{
	size_t place = alignment;
	char *addr;

	if (place < NODE_BYTES && size % NODE_BYTES == 0 &&
	    more % NODE_BYTES == 0)
		place = NODE_BYTES;
	addr = map_aligned(size + more, place);
	if (!addr)
		return NULL;
	if (chunk_os_can_premap(addr))
		return keep_premap(addr, size + more, size, alignment);
	chunk_lock();
	chunk_state.premap.useless = true;
	chunk_unlock();
	chunk_recycle_unmap("chunk_alloc", addr, more);
	return addr + more;
}

/* Unmap the premapping: others may need the room. False if there is none. */
static bool give_up(void)
{
	struct chunk_premap old;

	chunk_lock();
	old = chunk_state.premap;
	set_premap(NULL, 0);
	chunk_unlock();
	if (old.size)
		chunk_recycle_unmap("chunk_alloc", old.addr, old.size);
	return old.size;
}

/**
 * chunk_map_fresh() - get fresh address space, premapped or mapped now
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 *
 * Return: memory that reads as zero and is not counted as mapped, or NULL.
 */
void *chunk_map_fresh(size_t size, size_t alignment)
{
	size_t more = 0;
	void *addr;

	if (!chunk_os_caps.has_premap)
		return map_aligned(size, alignment);
	chunk_lock();
	addr = take(size, alignment);
	if (!addr)
		more = surplus(size, alignment);
	chunk_unlock();
	if (!addr && more)
		addr = map_more(size, alignment, more);
	if (!addr)
		addr = map_aligned(size, alignment);
	if (!addr && give_up())
		addr = map_aligned(size, alignment);
	return addr;
}
