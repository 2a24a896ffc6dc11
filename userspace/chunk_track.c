// SPDX-License-Identifier: MIT
/*
 * Which pages of live chunks are decommitted: a bitmap for each chunk of which
 * any are. Without memory for one the pages count as committed.
 *
 * Of extents that were handed out decommitted most pages stay so: there a bit is
 * set for what is committed, and without a bitmap nothing is. To commit takes
 * memory for one, then.
 */
#include <string.h>

#include "chunk_base.h"
#include "chunk_state.h"

/* What is read without a lock has to be a word. */
#define WORD_BITS	(8 * sizeof(uintptr_t))

/* Enough for pages of 4 KiB, the smallest there are. */
#define LEAF_WORDS	(CHUNK_TREE_UNIT / 4096 / WORD_BITS)

/**
 * struct chunk_leaf - decommitted pages of one chunk, or its committed ones
 * @bits: one for each page
 * @next: in the chain of bitmaps in nobody's use
 */
struct chunk_leaf {
	uintptr_t bits[LEAF_WORDS];
	struct chunk_leaf *next;
};

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

static size_t page_of(uintptr_t addr)
{
	return addr % CHUNK_TREE_UNIT / chunk_os.caps.page_size;
}

static bool is_set(const struct chunk_leaf *leaf, size_t page)
{
	return READ_ONCE(leaf->bits[page / WORD_BITS]) >> page % WORD_BITS &
	       1;
}

static struct chunk_extent *extent_at(uintptr_t addr)
{
	return chunk_radix_lookup(&chunk_state.live, addr);
}

static bool is_sparse(uintptr_t addr)
{
	struct chunk_extent *extent = extent_at(addr);

	return extent && extent->sparse;
}

/* Sets or clears bits; returns how many changed */
static size_t leaf_assign(struct chunk_leaf *leaf, size_t page, size_t count,
			  bool value)
{
	size_t changed = 0;

	while (count) {
		uintptr_t *word = &leaf->bits[page / WORD_BITS];
		size_t n = WORD_BITS - page % WORD_BITS;
		uintptr_t mask, new;

		if (n > count)
			n = count;
		mask = UINTPTR_MAX >> (WORD_BITS - n) << page % WORD_BITS;
		new = value ? *word | mask : *word & ~mask;
		changed += __builtin_popcountll(new ^ *word);
		WRITE_ONCE(*word, new);
		page += n;
		count -= n;
	}
	return changed;
}

/**
 * chunk_track_init() - know of no decommitted pages
 * @track: what is known
 */
void chunk_track_init(struct chunk_track *track)
{
	xa_init_flags(&track->leaves, 0);
	track->spares = NULL;
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
	track->spares = NULL;
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
	struct chunk_extent *extent = extent_at(addr);
	uintptr_t end = addr + size;
	size_t part, changed;
	bool value;

	for (; addr < end; addr += part) {
		struct chunk_leaf *leaf = leaf_of(track, addr);

		part = chunk_part(addr, end);
		if (addr % CHUNK_TREE_UNIT == 0)
			extent = extent_at(addr);
		value = decommitted ^ (extent && extent->sparse);
		if (!leaf && value && extent)
			leaf = leaf_new(track, addr);
		if (!leaf)
			continue;
		changed = leaf_assign(leaf, page_of(addr),
				      part / chunk_os.caps.page_size, value) *
			  chunk_os.caps.page_size;
		if (decommitted)
			track->bytes += changed;
		else
			track->bytes -= changed;
	}
}

/**
 * chunk_track_ready() - see to it that a commit can be noted
 * @track: what is known
 * @addr:  first byte, page-aligned
 * @size:  bytes, page-aligned
 *
 * Context: chunk_lock() held.
 * Return: false without memory.
 */
bool chunk_track_ready(struct chunk_track *track, uintptr_t addr, size_t size)
{
	uintptr_t end = addr + size;

	for (; addr < end; addr += chunk_part(addr, end)) {
		if (is_sparse(addr) && !leaf_of(track, addr) &&
		    !leaf_new(track, addr))
			return false;
	}
	return true;
}

/**
 * chunk_track_sparse() - count the pages of an extent handed out decommitted
 * @track: what is known
 * @size:  bytes of the extent, which is registered as sparse
 *
 * Context: chunk_lock() held.
 */
void chunk_track_sparse(struct chunk_track *track, size_t size)
{
	track->bytes += size;
}

/**
 * chunk_track_get() - is a page of a live extent decommitted?
 * @track:  what is known
 * @addr:   any address
 * @sparse: its extent was handed out decommitted
 *
 * Context: any, lock-free: good for as long as nobody commits or decommits it.
 */
bool chunk_track_get(struct chunk_track *track, uintptr_t addr, bool sparse)
{
	struct chunk_leaf *leaf = leaf_of(track, addr);

	return sparse ^ (leaf && is_set(leaf, page_of(addr)));
}

/**
 * chunk_track_run() - find decommitted pages in a range
 * @track: what is known
 * @addr:  first byte of the range, page-aligned; set to the first such page
 * @end:   byte after the last
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
		uintptr_t stop = at + chunk_part(at, end);
		bool sparse = is_sparse(at);

		if (!sparse && !leaf_of(track, at))
			continue;
		while (at < stop && !chunk_track_get(track, at, sparse))
			at += page;
		if (at == stop) {
			at -= page;
			continue;
		}
		for (to = at; to < stop && chunk_track_get(track, to, sparse);)
			to += page;
		*addr = at;
		return to - at;
	}
	return 0;
}

static size_t leaf_count(const struct chunk_leaf *leaf)
{
	size_t count = 0, i;

	for (i = 0; i < LEAF_WORDS; i++)
		count += __builtin_popcountll(leaf->bits[i]);
	return count;
}

/**
 * chunk_track_drop() - forget the pages of an extent that is given back
 * @track:  what is known
 * @addr:   first byte, chunk-aligned
 * @size:   bytes, chunk-aligned
 * @sparse: it was handed out decommitted
 *
 * Context: chunk_lock() held.
 */
void chunk_track_drop(struct chunk_track *track, uintptr_t addr, size_t size,
		      bool sparse)
{
	uintptr_t end = addr + size;

	if (sparse)
		track->bytes -= size;
	if (!READ_ONCE(track->leaves.head))
		return;
	for (; addr < end; addr += CHUNK_TREE_UNIT) {
		struct chunk_leaf *leaf = leaf_of(track, addr);
		size_t bytes;

		if (!leaf)
			continue;
		bytes = leaf_count(leaf) * chunk_os.caps.page_size;
		track->bytes += sparse ? bytes : -bytes;
		xa_store(&track->leaves, addr >> CHUNK_TREE_SHIFT, NULL, 0);
		leaf->next = track->spares;
		track->spares = leaf;
	}
}
