// SPDX-License-Identifier: MIT
/*
 * The decommit map: the decommitted pages of live chunks.
 *
 * A chunk has a page bitmap if some of its pages are decommitted and some are not.
 * Without a bitmap all pages of a chunk are committed, or in a sparse extent
 * decommitted. So a large extent that is decommitted as a whole, or handed out so,
 * needs no bitmaps, and a commit in it needs one for each chunk that it touches. Two
 * bitmaps are shared by all chunks that differ as a whole from their extent.
 *
 * Without memory for a bitmap, decommitted pages are not counted, which does no
 * other harm. A commit in a sparse extent gets its bitmaps first, or fails.
 *
 * Lookups take no lock. A change must at no time show wrong values for pages that
 * it does not change: a bitmap is complete before it is stored.
 */
#include <string.h>

#include "chunk_base.h"
#include "chunk_page_bitmap.h"
#include "chunk_state.h"

/* Shared by chunks that are decommitted as a whole; constant once it is set */
static struct chunk_page_bitmap all_set;

/* Shared by committed chunks of sparse extents; constant */
static struct chunk_page_bitmap none_set;

/* Chunks stored in one walk: fewer than the array would put in a single slot */
#define STRIDE	32

static bool is_shared(const struct chunk_page_bitmap *bitmap)
{
	return bitmap == &all_set || bitmap == &none_set;
}

static struct chunk_page_bitmap *bitmap_of(struct chunk_decommit_map *map,
					   uintptr_t addr)
{
	return xa_load(&map->bitmaps, addr >> CHUNK_TREE_SHIFT);
}

/* Is the bit of the page at an address set in the bitmap of its chunk? */
static bool is_set(const struct chunk_page_bitmap *bitmap, uintptr_t addr)
{
	return chunk_page_bitmap_is_set(bitmap, chunk_page_of(addr));
}

static void bitmap_free(struct chunk_decommit_map *map,
			struct chunk_page_bitmap *bitmap)
{
	if (is_shared(bitmap))
		return;
	bitmap->next = map->free_bitmaps;
	map->free_bitmaps = bitmap;
}

/* Give a chunk a bitmap of its own, with all bits @value; NULL without memory. */
static struct chunk_page_bitmap *bitmap_new(struct chunk_decommit_map *map,
					    uintptr_t addr, bool value)
{
	struct chunk_page_bitmap *bitmap = map->free_bitmaps;

	if (bitmap)
		map->free_bitmaps = bitmap->next;
	else
		bitmap = chunk_base_node(sizeof(*bitmap));
	if (!bitmap)
		return NULL;
	*bitmap = value ? all_set : none_set;
	if (!xa_err(xa_store(&map->bitmaps, addr >> CHUNK_TREE_SHIFT, bitmap,
			     0)))
		return bitmap;
	bitmap_free(map, bitmap);
	return NULL;
}

static struct chunk_extent *extent_at(uintptr_t addr)
{
	return chunk_radix_lookup(&chunk_state.registry, addr);
}

/* Bytes from @addr to the end of its chunk, or to @end if that comes first */
static size_t chunk_part(uintptr_t addr, uintptr_t end)
{
	size_t part = CHUNK_TREE_UNIT - addr % CHUNK_TREE_UNIT;

	return part < end - addr ? part : end - addr;
}

/* Store a bitmap for many chunks. Each gets a slot, since they may part again. */
static int store_all(struct chunk_decommit_map *map, uintptr_t addr,
		     uintptr_t end, struct chunk_page_bitmap *bitmap)
{
	uintptr_t first = addr >> CHUNK_TREE_SHIFT;
	uintptr_t left = (end - addr) >> CHUNK_TREE_SHIFT;
	uintptr_t n;
	void *result;

	for (; left; first += n, left -= n) {
		n = STRIDE - first % STRIDE;
		if (n > left)
			n = left;
		result = xa_store_range(&map->bitmaps, first, first + n - 1,
					bitmap, 0);
		if (xa_err(result))
			return xa_err(result);
	}
	return 0;
}

/* Find the first bitmap in whole chunks, or NULL. Sets *@addr to its chunk or @end. */
static struct chunk_page_bitmap *bitmap_next(struct chunk_decommit_map *map,
					     uintptr_t *addr, uintptr_t end)
{
	uintptr_t at = *addr >> CHUNK_TREE_SHIFT;
	struct chunk_page_bitmap *bitmap = NULL;

	if (*addr != end)
		bitmap = xa_find(&map->bitmaps, &at,
				 (end - 1) >> CHUNK_TREE_SHIFT, XA_PRESENT);
	*addr = bitmap ? at << CHUNK_TREE_SHIFT : end;
	return bitmap;
}

/* Take bitmaps off whole chunks, which then are in the state of their extent. */
static void clear_whole(struct chunk_decommit_map *map, uintptr_t addr,
			uintptr_t end, bool sparse)
{
	struct chunk_page_bitmap *bitmap;
	uintptr_t first, last;

	bitmap = bitmap_next(map, &addr, end);
	first = addr;
	last = addr;
	for (; bitmap; bitmap = bitmap_next(map, &addr, end)) {
		map->bytes += sparse ? CHUNK_TREE_UNIT : 0;
		map->bytes -= chunk_page_bitmap_bytes(bitmap);
		bitmap_free(map, bitmap);
		addr += CHUNK_TREE_UNIT;
		last = addr;
	}
	store_all(map, first, last, NULL);
}

/* Make an extent sparse no more: chunks without a bitmap count as committed. */
static void unsparse(struct chunk_decommit_map *map,
		     struct chunk_extent *extent)
{
	uintptr_t addr = extent->addr, end = addr + extent->size;

	map->bytes -= extent->size;
	for (; bitmap_next(map, &addr, end); addr += CHUNK_TREE_UNIT)
		map->bytes += CHUNK_TREE_UNIT;
	map->extents -= !!map->extents;
	extent->sparse = false;
}

/* Note the state of whole chunks of a live extent. */
static void set_whole(struct chunk_decommit_map *map,
		      struct chunk_extent *extent, uintptr_t addr,
		      uintptr_t end, bool decommitted)
{
	clear_whole(map, addr, end, extent->sparse);
	if (decommitted == extent->sparse)
		return;
	if (!store_all(map, addr, end, decommitted ? &all_set : &none_set)) {
		map->bytes += decommitted ? end - addr : addr - end;
		return;
	}
	store_all(map, addr, end, NULL);
	if (extent->sparse)
		unsparse(map, extent);
}

/* The bitmap to note a change in; NULL if nothing changes, or without memory */
static struct chunk_page_bitmap *bitmap_to_write(struct chunk_decommit_map *map,
						 struct chunk_extent *extent,
						 uintptr_t addr,
						 bool decommitted)
{
	struct chunk_page_bitmap *bitmap = bitmap_of(map, addr);
	uintptr_t start = addr & ~(CHUNK_TREE_UNIT - 1);
	bool was;

	if (bitmap && !is_shared(bitmap))
		return bitmap;
	was = bitmap ? bitmap == &all_set : extent->sparse;
	if (was == decommitted)
		return NULL;
	bitmap = bitmap_new(map, addr, was);
	if (bitmap || decommitted)
		return bitmap;
	/* Without memory, all of the chunk counts as committed. */
	if (extent->sparse)
		unsparse(map, extent);
	clear_whole(map, start, start + CHUNK_TREE_UNIT, false);
	return NULL;
}

/* Note the state of pages of one chunk. */
static void set_part(struct chunk_decommit_map *map,
		     struct chunk_extent *extent, uintptr_t addr, size_t size,
		     bool decommitted)
{
	struct chunk_page_bitmap *bitmap =
		bitmap_to_write(map, extent, addr, decommitted);
	size_t changed;

	if (!bitmap)
		return;
	changed = chunk_page_bitmap_assign(bitmap, chunk_page_of(addr),
					   size / chunk_os_caps.page_size,
					   decommitted) *
		  chunk_os_caps.page_size;
	if (decommitted)
		map->bytes += changed;
	else
		map->bytes -= changed;
}

/**
 * chunk_decommit_map_init() - make an empty map
 * @map: the map
 */
void chunk_decommit_map_init(struct chunk_decommit_map *map)
{
	memset(all_set.bits, 0xff, sizeof(all_set.bits));
	xa_init_flags(&map->bitmaps, 0);
	map->free_bitmaps = NULL;
	map->extents = 0;
	map->bytes = 0;
}

/**
 * chunk_decommit_map_reset() - make a map that may be half changed fit for use
 * @map: the map
 *
 * Context: in a forked child, chunk_lock() held.
 */
void chunk_decommit_map_reset(struct chunk_decommit_map *map)
{
	xa_recover(&map->bitmaps);
	map->free_bitmaps = NULL;
}

/* Note the state of a range in one live extent. */
static void set_range(struct chunk_decommit_map *map,
		      struct chunk_extent *extent, uintptr_t addr,
		      uintptr_t end, bool decommitted)
{
	uintptr_t last = end & ~(CHUNK_TREE_UNIT - 1);
	size_t part;

	for (; addr != end; addr += part) {
		part = chunk_part(addr, end);
		if (part < CHUNK_TREE_UNIT) {
			set_part(map, extent, addr, part, decommitted);
			continue;
		}
		part = last - addr;
		set_whole(map, extent, addr, last, decommitted);
	}
}

/* Note the state of a whole extent. */
static void set_extent(struct chunk_decommit_map *map,
		       struct chunk_extent *extent, bool decommitted)
{
	if (READ_ONCE(map->bitmaps.head))
		clear_whole(map, extent->addr, extent->addr + extent->size,
			    extent->sparse);
	if (extent->sparse) {
		map->extents -= !!map->extents;
		map->bytes -= extent->size;
	}
	extent->sparse = decommitted;
	if (decommitted) {
		map->extents++;
		map->bytes += extent->size;
	}
}

/*
 * Is a range a whole extent that is noted without bitmaps? A single chunk is not:
 * bitmaps tell how many ranges adjoining single chunks make up.
 */
static bool is_extent(const struct chunk_extent *extent, size_t size)
{
	return size == extent->size &&
	       (extent->sparse || size > CHUNK_TREE_UNIT);
}

/* Note the state of a range in one live extent, by the cheapest means. */
static void set_in_extent(struct chunk_decommit_map *map,
			  struct chunk_extent *extent, uintptr_t addr,
			  size_t size, bool decommitted)
{
	if (is_extent(extent, size))
		set_extent(map, extent, decommitted);
	else if (decommitted || extent->sparse || READ_ONCE(map->bitmaps.head))
		set_range(map, extent, addr, addr + size, decommitted);
}

/* Bytes from @addr on that belong to one extent, or to none */
static size_t extent_part(const struct chunk_extent *extent, uintptr_t addr,
			  uintptr_t end)
{
	size_t part;

	if (!extent)
		return chunk_part(addr, end);
	part = extent->addr + extent->size - addr;
	return part < end - addr ? part : end - addr;
}

/**
 * chunk_decommit_map_set() - note that pages were decommitted or committed
 * @map:       what is known
 * @addr:        first byte, page-aligned
 * @size:        bytes, page-aligned
 * @decommitted: true if they were decommitted, false if committed
 *
 * Skips pages of chunks that are not live.
 *
 * Context: chunk_lock() held.
 */
void chunk_decommit_map_set(struct chunk_decommit_map *map, uintptr_t addr,
			    size_t size, bool decommitted)
{
	uintptr_t end = addr + size;
	struct chunk_extent *extent;
	size_t part;

	for (; addr != end; addr += part) {
		extent = extent_at(addr);
		part = extent_part(extent, addr, end);
		if (extent)
			set_in_extent(map, extent, addr, part, decommitted);
	}
}

/* Give whole chunks of a sparse extent a slot each; their state stays. */
static bool ready_whole(struct chunk_decommit_map *map, uintptr_t addr,
			uintptr_t end)
{
	struct chunk_page_bitmap *bitmap;
	uintptr_t from;

	do {
		from = addr;
		bitmap = bitmap_next(map, &addr, end);
		if (store_all(map, from, addr, &all_set))
			return false;
		addr += CHUNK_TREE_UNIT;
	} while (bitmap);
	return true;
}

/* Give a chunk of a sparse extent a bitmap, to commit a part of it. */
static bool ready_part(struct chunk_decommit_map *map, uintptr_t addr)
{
	struct chunk_page_bitmap *bitmap = bitmap_of(map, addr);

	return (bitmap && bitmap != &all_set) || bitmap_new(map, addr, true);
}

/* Prepare a range in a sparse extent. */
static bool ready_range(struct chunk_decommit_map *map, uintptr_t addr,
			uintptr_t end)
{
	uintptr_t last = end & ~(CHUNK_TREE_UNIT - 1);
	bool ready = true;
	size_t part;

	for (; ready && addr != end; addr += part) {
		part = chunk_part(addr, end);
		if (part < CHUNK_TREE_UNIT) {
			ready = ready_part(map, addr);
			continue;
		}
		part = last - addr;
		ready = ready_whole(map, addr, last);
	}
	return ready;
}

/**
 * chunk_decommit_map_prepare() - get the memory to note a commit
 * @map: the map
 * @addr:  first byte, page-aligned
 * @size:  bytes, page-aligned
 *
 * Context: chunk_lock() held.
 * Return: false when out of memory.
 */
bool chunk_decommit_map_prepare(struct chunk_decommit_map *map, uintptr_t addr,
				size_t size)
{
	uintptr_t end = addr + size;
	struct chunk_extent *extent;
	bool ready = true;
	size_t part;

	for (; ready && addr != end; addr += part) {
		extent = extent_at(addr);
		part = extent_part(extent, addr, end);
		if (extent && extent->sparse && !is_extent(extent, part))
			ready = ready_range(map, addr, addr + part);
	}
	return ready;
}

/**
 * chunk_decommit_map_set_sparse() - note that a whole extent is decommitted
 * @map:  what is known
 * @extent: a live extent
 *
 * Needs no memory.
 *
 * Context: chunk_lock() held.
 */
void chunk_decommit_map_set_sparse(struct chunk_decommit_map *map,
				   struct chunk_extent *extent)
{
	set_extent(map, extent, true);
}

/**
 * chunk_decommit_map_get() - is a page of a live extent decommitted?
 * @map:  what is known
 * @addr:   any address
 * @sparse: its extent is sparse
 *
 * Context: any; takes no lock. The answer holds until the page is committed or
 * decommitted.
 * Return: true if it is.
 */
bool chunk_decommit_map_get(struct chunk_decommit_map *map, uintptr_t addr,
			    bool sparse)
{
	const struct chunk_page_bitmap *bitmap = bitmap_of(map, addr);

	return bitmap ? is_set(bitmap, addr) : sparse;
}

/* The first page of a chunk, from @addr on, in the other state; else @end */
static uintptr_t skip(struct chunk_decommit_map *map, uintptr_t addr,
		      uintptr_t end, bool sparse, bool decommitted)
{
	const struct chunk_page_bitmap *bitmap = bitmap_of(map, addr);

	if (!bitmap)
		return sparse == decommitted ? end : addr;
	while (addr != end && is_set(bitmap, addr) == decommitted)
		addr += chunk_os_caps.page_size;
	return addr;
}

/**
 * chunk_decommit_map_find() - find decommitted pages in a range
 * @map: the map
 * @addr:  first byte of the range, page-aligned; set to the first such page
 * @end:   byte after the last
 *
 * Context: chunk_lock() held.
 * Return: bytes from the new *@addr on, within one chunk, that are decommitted; 0
 * if there are none in the range.
 */
size_t chunk_decommit_map_find(struct chunk_decommit_map *map, uintptr_t *addr,
			       uintptr_t end)
{
	uintptr_t at = *addr, from, stop;

	for (; at != end; at = stop) {
		const struct chunk_extent *extent = extent_at(at);
		bool sparse = extent && extent->sparse;

		stop = at + chunk_part(at, end);
		from = skip(map, at, stop, sparse, false);
		if (from == stop)
			continue;
		*addr = from;
		return skip(map, from, stop, sparse, true) - from;
	}
	return 0;
}

/**
 * chunk_decommit_map_count() - count ranges of decommitted pages
 * @map: the map
 * @whole: count only ranges of whole chunks
 *
 * A sparse extent counts as one range, and one more for each committed range in it.
 * That is one too many for a committed range at the edge of the extent.
 *
 * Context: chunk_lock() held.
 * Return: an upper bound of their number.
 */
size_t chunk_decommit_map_count(struct chunk_decommit_map *map, bool whole)
{
	bool before = false, sparse, was = false;
	const struct chunk_extent *extent;
	uintptr_t at, next = 0;
	struct chunk_page_bitmap *bitmap;
	size_t count = map->extents;

	for (at = 0;; next = ++at) {
		bitmap = xa_find(&map->bitmaps, &at, UINTPTR_MAX, XA_PRESENT);
		if (!bitmap)
			break;
		extent = extent_at(at << CHUNK_TREE_SHIFT);
		sparse = extent && extent->sparse;
		before = before && at == next && sparse == was;
		was = sparse;
		count += whole ? chunk_page_bitmap_whole_runs(bitmap, !sparse,
							      &before) :
				 chunk_page_bitmap_runs(bitmap, !sparse,
							&before);
	}
	return count;
}

/* First byte of the decommitted pages in front of an address of an extent */
static uintptr_t skip_back(struct chunk_decommit_map *map,
			   const struct chunk_extent *extent, uintptr_t addr)
{
	while (addr != extent->addr) {
		uintptr_t page = addr - chunk_os_caps.page_size;
		const struct chunk_page_bitmap *bitmap = bitmap_of(map, page);

		if (bitmap ? !is_set(bitmap, page) : !extent->sparse)
			break;
		addr = bitmap ? page : page & ~(CHUNK_TREE_UNIT - 1);
	}
	return addr;
}

/**
 * chunk_decommit_map_around() - widen a range by the decommitted pages around it
 * @map:  what is known
 * @extent: a live extent that contains the range
 * @from:   first byte of the range, page-aligned; moved down
 * @to:     byte after it, page-aligned; moved up
 *
 * Takes time linear in those pages, or in chunks that are decommitted as a whole.
 *
 * Context: chunk_lock() held.
 */
void chunk_decommit_map_around(struct chunk_decommit_map *map,
			       const struct chunk_extent *extent,
			       uintptr_t *from, uintptr_t *to)
{
	uintptr_t end = extent->addr + extent->size;
	uintptr_t stop = *to;

	*from = skip_back(map, extent, *from);
	while (*to == stop && stop != end) {
		stop += chunk_part(stop, end);
		*to = skip(map, *to, stop, extent->sparse, true);
	}
}

/**
 * chunk_decommit_map_drop_extent() - drop the pages of an extent that is given back
 * @map:  what is known
 * @extent: an extent that was live
 *
 * Context: chunk_lock() held.
 */
void chunk_decommit_map_drop_extent(struct chunk_decommit_map *map,
				    struct chunk_extent *extent)
{
	set_extent(map, extent, false);
}
