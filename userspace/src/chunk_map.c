// SPDX-License-Identifier: MIT
/* Mapping: pages anywhere or somewhere, and chunks at aligned places. */
#include <errno.h>

#include "chunk.h"
#include "chunk_check.h"
#include "chunk_internal.h"
#include "chunk_known.h"
#include "chunk_report.h"
#include "chunk_state.h"

/* How often to map an aligned place that others may take. */
#define PLACE_TRIES	10

/*
 * Where address space was given back, as its address and its number of chunks,
 * which the address bitmaps room for; 0: nowhere that is known. What is mapped
 * there comes from no new place.
 */
#define HOLE_CHUNKS	(CHUNK_TREE_UNIT - 1)

static atomic_uintptr_t last_hole;

/*
 * Where the last mapping is that was cut out of a larger one, 0 if address space
 * was given back since. Where addresses are handed out from the top down there
 * is most likely room below it, and one call does for three or more. While
 * nothing is given back that moves no further down than what is mapped takes;
 * afterwards the system knows better where there is room.
 */
static atomic_uintptr_t last_cut;

static void remember_hole(uintptr_t addr, size_t size)
{
	uintptr_t chunks = size >> CHUNK_TREE_SHIFT;

	if (addr % CHUNK_TREE_UNIT || size % CHUNK_TREE_UNIT ||
	    chunks > HOLE_CHUNKS)
		return;
	atomic_store_explicit(&last_hole, chunks ? addr | chunks : 0,
			      memory_order_relaxed);
}

/**
 * chunk_unmap_used() - return address space that was in use
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Return: 0, or -ENOMEM without mappings to do it.
 */
int chunk_unmap_used(void *addr, size_t size)
{
	int err = chunk_os.unmap(addr, size);

	if (err)
		return err;
	atomic_store_explicit(&last_cut, 0, memory_order_relaxed);
	remember_hole((uintptr_t)addr, size);
	return 0;
}

/**
 * chunk_report_unmap() - say that address space cannot be returned, once
 * @call: the function of the API that would
 * @addr: first byte
 * @size: bytes
 * @err:  why, a negative error number
 * @fate: what becomes of it
 */
void chunk_report_unmap(const char *call, const void *addr, size_t size,
			int err, const char *fate)
{
	static atomic_bool said;
	struct chunk_line line = { 0 };

	if (atomic_exchange_explicit(&said, true, memory_order_relaxed))
		return;
	chunk_line_text(&line, "libchunk: ");
	chunk_line_text(&line, call);
	chunk_line_text(&line, ": unmap(");
	chunk_line_number(&line, (uintptr_t)addr, 16);
	chunk_line_text(&line, ", ");
	chunk_line_number(&line, size, 10);
	chunk_line_text(&line, "): ");
	chunk_line_error(&line, -err);
	chunk_line_text(&line, fate);
	if (err == -ENOMEM && chunk_os.advice)
		chunk_line_text(&line, chunk_os.advice);
	chunk_line_text(&line, " (said once)");
	chunk_line_write(&line);
}

/**
 * chunk_unmap_or_report() - return address space, or lose it
 * @call: the function of the API that does
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Where the system cannot, for lack of mappings, the memory is freed, and a line
 * on stderr says that the address space is lost.
 *
 * Return: whether it was returned.
 */
bool chunk_unmap_or_report(const char *call, void *addr, size_t size)
{
	int err = chunk_os.unmap(addr, size);

	if (!err)
		return true;
	chunk_os.decommit(addr, size);
	chunk_report_unmap(call, addr, size, err,
			   "; the address space is lost");
	return false;
}

/* Unmap what was mapped a moment ago and never used: it bitmaps no new hole. */
static bool discard(void *addr, size_t size)
{
	int err = chunk_os.unmap(addr, size);

	if (err)
		chunk_recycle_refused("chunk_alloc", addr, size, err);
	return !err;
}

/* Cut an aligned piece out of a larger mapping. */
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

static void remember(void *addr)
{
	atomic_store_explicit(&last_cut, (uintptr_t)addr, memory_order_relaxed);
}

static void *map_below_last(size_t size, size_t alignment)
{
	uintptr_t last = atomic_load_explicit(&last_cut, memory_order_relaxed);
	uintptr_t at = (last - size) & ~(alignment - 1);
	void *addr;

	if (last <= size || !at || chunk_os.map((void *)at, size, &addr))
		return NULL;
	remember(addr);
	return addr;
}

/* From the top of the last hole down; what is left of it may serve others. */
static void *map_in_hole(size_t size, size_t alignment)
{
	uintptr_t word = atomic_load_explicit(&last_hole, memory_order_relaxed);
	uintptr_t hole = word & ~HOLE_CHUNKS;
	size_t free = (word & HOLE_CHUNKS) << CHUNK_TREE_SHIFT;
	uintptr_t at = (hole + free - size) & ~(alignment - 1);
	void *addr;

	if (free < size || at < hole)
		return NULL;
	/* Whoever else comes here at the same time finds it taken. */
	remember_hole(hole, at - hole);
	return chunk_os.map((void *)at, size, &addr) ? NULL : addr;
}

/* A mapping so large that an aligned one fits in, and that one alone is kept */
static void *map_larger(size_t size, size_t alignment)
{
	size_t more = size + alignment - chunk_os.caps.page_size;
	unsigned int tries;
	uintptr_t at;
	void *addr;
	int err;

	addr = map_in_hole(size, alignment) ?: map_below_last(size, alignment);
	if (addr)
		return addr;
	for (tries = 0; tries < PLACE_TRIES; tries++) {
		if (chunk_os.map(NULL, more, &addr))
			return NULL;
		if (chunk_os.caps.partial_unmap) {
			addr = trim(addr, more, size, alignment);
			remember(addr);
			return addr;
		}
		/* Another thread may take the place in between. */
		if (!discard(addr, more))
			return NULL;
		at = ((uintptr_t)addr + alignment - 1) & ~(alignment - 1);
		err = chunk_os.map((void *)at, size, &addr);
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

	/* Neighbours of such sizes leave no aligned place but by chance. */
	if (size & (alignment - 1))
		return map_larger(size, alignment);
	/* Once its neighbours are aligned, it mostly is by itself. */
	if (chunk_os.map(NULL, size, &addr))
		return NULL;
	at = (uintptr_t)addr & ~(alignment - 1);
	if (at == (uintptr_t)addr)
		return addr;
	discard(addr, size);
	/* Where addresses are handed out from the top down, there is room. */
	if (at && !chunk_os.map((void *)at, size, &addr))
		return addr;
	return map_larger(size, alignment);
}

/**
 * chunk_map_aligned() - a fresh mapping at a multiple of an alignment
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the page size
 *
 * Return: memory that reads as zero, or NULL.
 */
void *chunk_map_aligned(size_t size, size_t alignment)
{
	void *addr;
	int err = -ENODEV;

	if (chunk_os.map_aligned)
		err = chunk_os.map_aligned(size, alignment, &addr);
	if (err == -ENODEV)
		return map_by_trying(size, alignment);
	return err ? NULL : addr;
}

/**
 * pages_map() - a new private zero-filled mapping
 * @addr: exactly where, or NULL for anywhere; page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Never over another mapping.
 *
 * Return: the address, or NULL with errno ENOMEM, or EEXIST if the place is
 * taken.
 */
void *pages_map(void *addr, size_t size)
{
	int saved = errno;
	void *out;
	int err;

	chunk_check_range(CHUNK_CALL("pages_map"), addr, size, true);
	err = chunk_os.map(addr, size, &out);
	if (!err)
		chunk_known_add(out, size);
	errno = err ? -err : saved;
	return err ? NULL : out;
}

/**
 * pages_unmap() - return address space
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * A failure is reported on stderr and is not fatal.
 */
void pages_unmap(void *addr, size_t size)
{
	const struct chunk_call *call = CHUNK_CALL("pages_unmap");
	int saved = errno;

	chunk_check_range(call, addr, size, false);
	chunk_check_unmap(call, addr, size);
	chunk_known_remove(addr, size);
	chunk_unmap_or_report("pages_unmap", addr, size);
	errno = saved;
}
