// SPDX-License-Identifier: MIT
/*
 * Which pages of live chunks are decommitted: a bitmap for each chunk of which
 * any are, and one for all chunks that are decommitted as a whole. Extents of more
 * than one chunk that are have none: it is said in their nodes. Without memory for
 * a bitmap the page is not counted, and nothing else is amiss.
 */
#include <string.h>

#include "chunk_base.h"
#include "chunk_state.h"

/* Enough for pages of 4 KiB, the smallest there are. */
#define LEAF_WORDS	(CHUNK_TREE_UNIT / 4096 / 64)

/**
 * struct chunk_leaf - decommitted pages of one chunk
 * @bits: one for each page
 * @next: in the chain of bitmaps in nobody's use
 */
struct chunk_leaf {
	uint64_t bits[LEAF_WORDS];
	struct chunk_leaf *next;
};

/* Of chunks that are decommitted as a whole; constant once it is set */
static struct chunk_leaf all_set;

/* So many chunks have one walk: fewer than would be one slot of the array. */
#define STRIDE	32

static struct chunk_leaf *leaf_of(struct chunk_track *track, uintptr_t addr)
{
	return xa_load(&track->leaves, addr >> CHUNK_TREE_SHIFT);
}

static struct chunk_leaf *leaf_new(struct chunk_track *track, uintptr_t addr)
{
	struct chunk_leaf *leaf = track->spares;

	if (leaf)
		track->spares = leaf->next;
	else
		leaf = chunk_base_node(sizeof(*leaf));
	if (!leaf)
		return NULL;
	memset(leaf, 0, sizeof(*leaf));
	if (!xa_err(xa_store(&track->leaves, addr >> CHUNK_TREE_SHIFT, leaf,
			     0)))
		return leaf;
	leaf->next = track->spares;
	track->spares = leaf;
	return NULL;
}

/* The bytes from @addr to the end of its chunk, or to @end if that is sooner */
static size_t chunk_part(uintptr_t addr, uintptr_t end)
{
	size_t part = CHUNK_TREE_UNIT - addr % CHUNK_TREE_UNIT;

	return part < end - addr ? part : end - addr;
}

static size_t chunk_pages(void)
{
	return CHUNK_TREE_UNIT / chunk_os.caps.page_size;
}

static size_t page_of(uintptr_t addr)
{
	return addr % CHUNK_TREE_UNIT / chunk_os.caps.page_size;
}

static bool is_set(const struct chunk_leaf *leaf, size_t page)
{
	return leaf->bits[page / 64] >> page % 64 & 1;
}

/* Sets or clears bits; returns how many changed */
static size_t leaf_assign(struct chunk_leaf *leaf, size_t page, size_t count,
			  bool value)
{
	size_t changed = 0;

	while (count) {
		uint64_t *word = &leaf->bits[page / 64];
		size_t n = 64 - page % 64;
		uint64_t mask, new;

		if (n > count)
			n = count;
		mask = ~0ULL >> (64 - n) << page % 64;
		new = value ? *word | mask : *word & ~mask;
		changed += __builtin_popcountll(new ^ *word);
		*word = new;
		page += n;
		count -= n;
	}
	return changed;
}

static size_t leaf_bytes(const struct chunk_leaf *leaf)
{
	size_t count = 0, i;

	if (leaf == &all_set)
		return CHUNK_TREE_UNIT;
	for (i = 0; i < LEAF_WORDS; i++)
		count += __builtin_popcountll(leaf->bits[i]);
	return count * chunk_os.caps.page_size;
}

/* The same for each of many chunks. Each keeps a slot: they may part again. */
static int store_all(struct chunk_track *track, uintptr_t addr, uintptr_t end,
		     struct chunk_leaf *leaf)
{
	uintptr_t first = addr >> CHUNK_TREE_SHIFT;
	uintptr_t left = (end - addr) >> CHUNK_TREE_SHIFT;
	uintptr_t n;
	void *result;

	for (; left; first += n, left -= n) {
		n = STRIDE - first % STRIDE;
		if (n > left)
			n = left;
		result = xa_store_range(&track->leaves, first, first + n - 1,
					leaf, 0);
		if (xa_err(result))
			return xa_err(result);
	}
	return 0;
}

/* Know of no decommitted pages in whole chunks. */
static void clear_whole(struct chunk_track *track, uintptr_t addr,
			uintptr_t end)
{
	uintptr_t at = addr >> CHUNK_TREE_SHIFT;
	uintptr_t last = (end - 1) >> CHUNK_TREE_SHIFT;
	struct chunk_leaf *leaf;
	bool any = false;

	for (; at <= last && (leaf = xa_find(&track->leaves, &at, last,
					     XA_PRESENT)); at++) {
		any = true;
		track->bytes -= leaf_bytes(leaf);
		if (leaf == &all_set)
			continue;
		leaf->next = track->spares;
		track->spares = leaf;
	}
	if (any)
		store_all(track, addr, end, NULL);
}

/* Whole chunks of one live extent */
static void set_whole(struct chunk_track *track, uintptr_t addr, uintptr_t end)
{
	clear_whole(track, addr, end);
	if (store_all(track, addr, end, &all_set))
		store_all(track, addr, end, NULL);
	else
		track->bytes += end - addr;
}

/* The bitmap of a chunk to write to; NULL: there is none to be had, or to do */
static struct chunk_leaf *leaf_for(struct chunk_track *track, uintptr_t addr,
				   bool decommitted)
{
	struct chunk_leaf *leaf = leaf_of(track, addr);

	if (leaf == &all_set && !decommitted) {
		leaf = leaf_new(track, addr);
		if (leaf)
			leaf_assign(leaf, 0, chunk_pages(), true);
		else
			clear_whole(track, addr & ~(CHUNK_TREE_UNIT - 1),
				    (addr | (CHUNK_TREE_UNIT - 1)) + 1);
	} else if (leaf == &all_set) {
		leaf = NULL;
	} else if (!leaf && decommitted) {
		leaf = leaf_new(track, addr);
	}
	return leaf;
}

/* Pages of one chunk */
static void set_part(struct chunk_track *track, uintptr_t addr, size_t size,
		     bool decommitted)
{
	struct chunk_leaf *leaf = leaf_for(track, addr, decommitted);
	size_t changed;

	if (!leaf)
		return;
	changed = leaf_assign(leaf, page_of(addr), size / chunk_os.caps.page_size,
			      decommitted) * chunk_os.caps.page_size;
	if (decommitted)
		track->bytes += changed;
	else
		track->bytes -= changed;
}

/**
 * chunk_track_init() - know of no decommitted pages
 * @track: what is known
 */
void chunk_track_init(struct chunk_track *track)
{
	memset(all_set.bits, 0xff, sizeof(all_set.bits));
	xa_init_flags(&track->leaves, 0);
	track->spares = NULL;
	track->extents = 0;
	track->bytes = 0;
}

/**
 * chunk_track_reset() - drop what may be half changed
 * @track: what is known
 *
 * Context: in a forked child.
 */
void chunk_track_reset(struct chunk_track *track)
{
	xa_recover(&track->leaves);
	track->spares = NULL;
}

/* Part of one live extent */
static void set_range(struct chunk_track *track, uintptr_t addr, uintptr_t end,
		      bool decommitted)
{
	uintptr_t last = end & ~(CHUNK_TREE_UNIT - 1);
	size_t part;

	for (; addr != end; addr += part) {
		part = chunk_part(addr, end);
		if (part < CHUNK_TREE_UNIT) {
			set_part(track, addr, part, decommitted);
			continue;
		}
		part = last - addr;
		if (decommitted)
			set_whole(track, addr, last);
		else if (READ_ONCE(track->leaves.head))
			clear_whole(track, addr, last);
	}
}

/* All of a live extent */
static void set_extent(struct chunk_track *track, struct chunk_extent *extent,
		       bool decommitted)
{
	if (extent->all_decommitted) {
		track->extents -= !!track->extents;
		track->bytes -= extent->size;
	} else if (READ_ONCE(track->leaves.head)) {
		clear_whole(track, extent->addr, extent->addr + extent->size);
	}
	extent->all_decommitted = decommitted;
	if (decommitted) {
		track->extents++;
		track->bytes += extent->size;
	}
}

/**
 * chunk_track_spread() - note what is known of an extent for each of its chunks
 * @track:  what is known
 * @extent: a live extent
 *
 * Context: chunk_lock() held.
 */
void chunk_track_spread(struct chunk_track *track, struct chunk_extent *extent)
{
	if (!extent->all_decommitted)
		return;
	set_extent(track, extent, false);
	set_whole(track, extent->addr, extent->addr + extent->size);
}

/* A range that is in one extent, or in none */
static void set_in_extent(struct chunk_track *track, uintptr_t addr,
			  size_t size, bool decommitted)
{
	struct chunk_extent *extent;

	extent = chunk_radix_lookup(&chunk_state.live, addr);
	if (!extent)
		return;
	if (size == extent->size && size > CHUNK_TREE_UNIT) {
		set_extent(track, extent, decommitted);
		return;
	}
	if (extent->all_decommitted && decommitted)
		return;
	chunk_track_spread(track, extent);
	set_range(track, addr, addr + size, decommitted);
}

/* How many bytes from @addr on belong to one extent, or to none */
static size_t extent_part(uintptr_t addr, uintptr_t end)
{
	struct chunk_extent *extent;
	size_t part;

	extent = chunk_radix_lookup(&chunk_state.live, addr);
	if (!extent)
		return chunk_part(addr, end);
	part = extent->addr + extent->size - addr;
	return part < end - addr ? part : end - addr;
}

/**
 * chunk_track_set() - note that pages were decommitted or committed
 * @track:       what is known
 * @addr:        first byte, page-aligned
 * @size:        bytes, page-aligned
 * @decommitted: which of the two
 *
 * Only of live chunks.
 *
 * Context: chunk_lock() held.
 */
void chunk_track_set(struct chunk_track *track, uintptr_t addr, size_t size,
		     bool decommitted)
{
	uintptr_t end = addr + size;
	size_t part;

	for (; addr != end; addr += part) {
		part = extent_part(addr, end);
		set_in_extent(track, addr, part, decommitted);
	}
}

/**
 * chunk_track_run() - find decommitted pages in a range
 * @track: what is known
 * @addr:  first byte of the range, page-aligned; set to the first such page
 * @end:   byte after the last
 *
 * Does not see extents that are decommitted as a whole: see chunk_track_spread().
 *
 * Context: chunk_lock() held.
 * Return: how many bytes, within one chunk, are decommitted at @addr; 0 for
 * none in the range.
 */
size_t chunk_track_run(struct chunk_track *track, uintptr_t *addr,
		       uintptr_t end)
{
	size_t page = chunk_os.caps.page_size;
	uintptr_t at, to;

	for (at = *addr; at < end; at += chunk_part(at, end)) {
		struct chunk_leaf *leaf = leaf_of(track, at);
		uintptr_t stop = at + chunk_part(at, end);

		if (!leaf)
			continue;
		while (at < stop && !is_set(leaf, page_of(at)))
			at += page;
		if (at == stop) {
			at -= page;
			continue;
		}
		for (to = at; to < stop && is_set(leaf, page_of(to));)
			to += page;
		*addr = at;
		return to - at;
	}
	return 0;
}

/* Beginnings of ranges in a bitmap; *@before: does one end in front of it? */
static size_t leaf_ranges(const struct chunk_leaf *leaf, bool *before)
{
	size_t words = (chunk_pages() + 63) / 64;
	uint64_t last = *before, count = 0;
	size_t i;

	for (i = 0; i < words; i++) {
		uint64_t word = leaf->bits[i];

		count += __builtin_popcountll(word & ~(word << 1 | last));
		last = word >> 63;
	}
	*before = is_set(leaf, chunk_pages() - 1);
	return count;
}

static bool is_whole(const struct chunk_leaf *leaf)
{
	size_t page;

	for (page = 0; page < chunk_pages(); page++) {
		if (!is_set(leaf, page))
			return false;
	}
	return true;
}

/**
 * chunk_track_ranges() - count ranges of decommitted pages
 * @track: what is known
 * @whole: only those of whole chunks
 *
 * Context: chunk_lock() held.
 * Return: how many there are.
 */
size_t chunk_track_ranges(struct chunk_track *track, bool whole)
{
	uintptr_t at, next = 0;
	struct chunk_leaf *leaf;
	bool before = false;
	size_t count = track->extents;

	for (at = 0;; next = ++at) {
		leaf = xa_find(&track->leaves, &at, UINTPTR_MAX, XA_PRESENT);
		if (!leaf)
			break;
		before = before && at == next;
		if (!whole) {
			count += leaf_ranges(leaf, &before);
			continue;
		}
		count += !before && is_whole(leaf);
		before = is_whole(leaf);
	}
	return count;
}

/* Is the page at an address decommitted? */
static bool is_decommitted(struct chunk_track *track, uintptr_t addr)
{
	const struct chunk_leaf *leaf = leaf_of(track, addr);

	return leaf && is_set(leaf, page_of(addr));
}

/**
 * chunk_track_around() - the decommitted pages that a range is among
 * @track:  what is known
 * @extent: a live extent that contains the range
 * @from:   first byte of the range, page-aligned; set to where such pages begin
 * @to:     byte after it, page-aligned; set to where they end
 *
 * Time is linear in how many there are.
 *
 * Context: chunk_lock() held.
 */
void chunk_track_around(struct chunk_track *track,
			const struct chunk_extent *extent, uintptr_t *from,
			uintptr_t *to)
{
	uintptr_t end = extent->addr + extent->size;
	size_t page = chunk_os.caps.page_size;

	while (*from != extent->addr && is_decommitted(track, *from - page))
		*from -= page;
	while (*to != end && is_decommitted(track, *to))
		*to += page;
}

/**
 * chunk_track_drop() - forget the pages of an extent that is given back
 * @track:  what is known
 * @extent: an extent that was live
 *
 * Context: chunk_lock() held.
 */
void chunk_track_drop(struct chunk_track *track, struct chunk_extent *extent)
{
	set_extent(track, extent, false);
}
