// SPDX-License-Identifier: GPL-2.0-only
/*
 * What is decommitted in a region: one bit for each chunk, and a bit for each
 * page of chunks that are partly decommitted.
 *
 * Written under the context's lock, read by the fault handler without one. The
 * page bits of a chunk that is gone as a whole mean nothing; whoever brings it
 * back writes them first and clears the chunk's bit after, so that a reader who
 * sees the chunk present sees pages that are no older:
 *
 *   writer: page bits; smp_wmb(); clear gone
 *   reader: gone; smp_rmb(); page bits
 *
 * A reader may still act on what a moment later is out of date. That is what
 * chunk_gate_synchronize() is for.
 *
 * The page bits of an extent that is not live are clear, so that to hand it out is
 * to clear the bits of its chunks. chunk_region_clear_page_bits() sees to that.
 *
 * Calls that go over page bitmaps take time in proportion to their range: a
 * caller that holds the lock asks for CHUNK_STEP at a time. The others go over
 * one bit for each chunk, of which CHUNK_LENGTH_MAX bounds the number.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* A bitmap is one page of memory where pages are 4 KiB: 128 chunks. */
#define CHUNK_PAGE_BITMAP_CHUNKS	128UL
#define CHUNK_PAGE_BITMAP_BYTES	(CHUNK_PAGE_BITMAP_CHUNKS * CHUNK_PAGES / BITS_PER_BYTE)

/* Freed between two looks at whether somebody else wants the CPU */
#define CHUNK_FREE_BATCH	64UL

/* Leaves and snapshots are copied by words. */
static_assert(CHUNK_PAGE_BITMAP_CHUNKS % BITS_PER_LONG == 0);

/* Set or clear bits, a word at a time; returns how many changed */
static unsigned long bits_assign(unsigned long *map, unsigned long first,
				 unsigned long nr, bool value)
{
	unsigned long changed = 0;

	while (nr) {
		unsigned long *word = map + BIT_WORD(first);
		unsigned long shift = first % BITS_PER_LONG;
		unsigned long n = min(nr, BITS_PER_LONG - shift);
		unsigned long mask = GENMASK(shift + n - 1, shift);
		unsigned long new = value ? *word | mask : *word & ~mask;

		if (new != *word) {
			changed += hweight_long(new ^ *word);
			WRITE_ONCE(*word, new);
		}
		first += n;
		nr -= n;
	}
	return changed;
}

/* One bit, as most chunks come: without counting */
static void bit_assign(unsigned long *map, unsigned long bit, bool value)
{
	unsigned long *word = map + BIT_WORD(bit);

	WRITE_ONCE(*word, value ? *word | BIT_MASK(bit) :
				  *word & ~BIT_MASK(bit));
}

static unsigned long bits_count(const unsigned long *map, unsigned long first,
				unsigned long nr)
{
	unsigned long count = 0;

	while (nr) {
		unsigned long shift = first % BITS_PER_LONG;
		unsigned long n = min(nr, BITS_PER_LONG - shift);

		count += hweight_long(map[BIT_WORD(first)] &
				      GENMASK(shift + n - 1, shift));
		first += n;
		nr -= n;
	}
	return count;
}

static unsigned long page_bitmaps_of(unsigned long chunks)
{
	return DIV_ROUND_UP(chunks, CHUNK_PAGE_BITMAP_CHUNKS);
}

static unsigned long *page_bitmap_of(const struct chunk_region *region,
				     unsigned long chunk)
{
	return region->page_bitmaps[chunk / CHUNK_PAGE_BITMAP_CHUNKS];
}

/* The same without context->lock */
static const unsigned long *page_bitmap_seen(const struct chunk_region *region,
					     unsigned long chunk)
{
	/* Pairs with smp_store_release() in install_page_bitmap(). */
	return smp_load_acquire(&region->page_bitmaps[chunk / CHUNK_PAGE_BITMAP_CHUNKS]);
}

/* The bit of a chunk's first page in its bitmap */
static unsigned long page_bitmap_bit(unsigned long chunk)
{
	return chunk % CHUNK_PAGE_BITMAP_CHUNKS * CHUNK_PAGES;
}

/* The last bitmap of a region is as short as the region ends */
static size_t page_bitmap_bytes(const struct chunk_region *region, unsigned long chunk)
{
	unsigned long first = chunk - chunk % CHUNK_PAGE_BITMAP_CHUNKS;
	unsigned long n = min(region->chunks - first, CHUNK_PAGE_BITMAP_CHUNKS);

	return BITS_TO_LONGS(n * CHUNK_PAGES) * sizeof(long);
}

/**
 * struct piece - part of a range that lies in one chunk, or whole chunks
 * @chunk: index of the first chunk
 * @page:  first page within it
 * @pages: how many pages; CHUNK_PAGES for whole chunks
 * @whole: how many whole chunks, 0 for a part of one
 */
struct piece {
	unsigned long chunk;
	unsigned long page;
	unsigned long pages;
	unsigned long whole;
};

/* The first piece of the @nr pages at @page, counted from the region's start */
static struct piece piece_at(unsigned long page, unsigned long nr)
{
	struct piece piece = {
		.chunk = page / CHUNK_PAGES,
		.page = page % CHUNK_PAGES,
	};

	if (!piece.page && nr >= CHUNK_PAGES) {
		piece.whole = nr / CHUNK_PAGES;
		piece.pages = piece.whole * CHUNK_PAGES;
	} else {
		piece.pages = min(nr, CHUNK_PAGES - piece.page);
	}
	return piece;
}

/*
 * The registry's nodes for a region's chunks: at most one for each that many
 * chunks, one more because the first may be shared, and one above them.
 */
static size_t registry_bytes(unsigned long chunks)
{
	return (chunks / XA_CHUNK_SIZE + 3) * sizeof(struct xa_node);
}

/* Bytes that a region is charged for, without its page bitmaps */
static size_t region_bytes(const struct chunk_region *region)
{
	return struct_size(region, page_bitmaps, page_bitmaps_of(region->chunks)) +
	       BITS_TO_LONGS(region->chunks) * sizeof(long) +
	       (region->context ? registry_bytes(region->chunks) : 0);
}

/**
 * chunk_region_charge() - say whose region it is
 * @region: a new region; its context, if it has one, is set
 * @mm:     the address space it lies in, which is charged until it is freed
 *
 * Context: any.
 */
void chunk_region_charge(struct chunk_region *region, struct mm_struct *mm)
{
	region->mm = mm;
	chunk_charge(mm, region_bytes(region) +
			 region->nr_page_bitmaps * CHUNK_PAGE_BITMAP_BYTES);
}

/**
 * chunk_region_new() - describe address space that is wholly committed
 * @start: first byte, a multiple of CHUNK_SIZE
 * @size:  bytes, a non-zero multiple of CHUNK_SIZE, at most CHUNK_LENGTH_MAX
 *
 * Context: may sleep. Charged to the caller's memcg; see chunk_region_charge().
 * Return: a region with one reference and no context, or NULL without memory.
 */
struct chunk_region *chunk_region_new(unsigned long start, unsigned long size)
{
	unsigned long chunks = size / CHUNK_SIZE;
	struct chunk_region *region;

	region = kvzalloc(struct_size(region, page_bitmaps, page_bitmaps_of(chunks)),
			  GFP_KERNEL_ACCOUNT);
	if (!region)
		return NULL;
	region->decommitted_chunks = kvcalloc(BITS_TO_LONGS(chunks), sizeof(long),
					      GFP_KERNEL_ACCOUNT);
	if (!region->decommitted_chunks) {
		kvfree(region);
		return NULL;
	}
	refcount_set(&region->refs, 1);
	INIT_LIST_HEAD(&region->list);
	region->start = start;
	region->chunks = chunks;
	return region;
}

static void region_free(struct chunk_region *region)
{
	unsigned long i;

	if (region->mm)
		chunk_uncharge(region->mm, region_bytes(region) +
					   region->nr_page_bitmaps * CHUNK_PAGE_BITMAP_BYTES);
	/* A context's region is not counted: the context itself is. */
	if (!region->context && region->space)
		chunk_space_leave(region->space);
	for (i = 0; i < page_bitmaps_of(region->chunks); i++) {
		kfree(region->page_bitmaps[i]);
		if (i % CHUNK_FREE_BATCH == 0)
			cond_resched();
	}
	kvfree(region->decommitted_chunks);
	kvfree(region);
}

/**
 * chunk_region_get() - take a reference
 * @region: the region
 */
void chunk_region_get(struct chunk_region *region)
{
	refcount_inc(&region->refs);
}

/**
 * chunk_region_put() - drop a reference
 * @region: the region; freed with the last one
 *
 * Context: may sleep. No lock of the context held.
 */
void chunk_region_put(struct chunk_region *region)
{
	if (refcount_dec_and_test(&region->refs))
		region_free(region);
}

/**
 * chunk_region_decommitted() - must an access to this page trap?
 * @region: the region
 * @addr:   any address; one outside the region traps
 *
 * Context: any, without a lock. Ordered against writers as described at the
 * top of this file.
 */
bool chunk_region_decommitted(const struct chunk_region *region,
			      unsigned long addr)
{
	unsigned long chunk = (addr - region->start) / CHUNK_SIZE;
	unsigned long page = addr % CHUNK_SIZE / PAGE_SIZE;
	const unsigned long *bitmap;

	/* An mremap may have grown the VMA in place, which asks no driver. */
	if (addr < region->start || chunk >= region->chunks)
		return true;
	if (test_bit(chunk, region->decommitted_chunks))
		return true;
	smp_rmb(); /* pairs with smp_wmb() in chunk_region_commit() */
	bitmap = page_bitmap_seen(region, chunk);
	return bitmap && test_bit(page_bitmap_bit(chunk) + page, bitmap);
}

/* The page of a chunk from @page on, in pages, whose bit is so; else the end */
static unsigned long find_in_page_bitmap(const unsigned long *bitmap,
					 unsigned long chunk, unsigned long page,
				  bool decommitted)
{
	unsigned long first = page_bitmap_bit(chunk), end = first + CHUNK_PAGES;

	if (decommitted)
		return find_next_bit(bitmap, end, first + page) - first;
	return find_next_zero_bit(bitmap, end, first + page) - first;
}

/* Where to look on behind a chunk that is gone, or has no page bitmap */
static unsigned long next_chunk(const struct chunk_region *region,
				unsigned long chunk, bool whole)
{
	unsigned long end = min(region->chunks,
				round_down(chunk, CHUNK_PAGE_BITMAP_CHUNKS) +
				CHUNK_PAGE_BITMAP_CHUNKS);

	if (whole)
		return find_next_zero_bit(region->decommitted_chunks, end, chunk);
	return find_next_bit(region->decommitted_chunks, end, chunk);
}

/*
 * The address of next_chunk(). If a page bitmap came meanwhile, those chunks may
 * have been committed in part since: then it is that of the chunk itself.
 */
static unsigned long skip_chunks(const struct chunk_region *region,
				 unsigned long chunk, bool whole)
{
	unsigned long next = next_chunk(region, chunk, whole);

	smp_rmb(); /* pairs with smp_wmb() in chunk_region_commit() */
	if (!whole && page_bitmap_seen(region, chunk))
		next = chunk;
	return region->start + next * CHUNK_SIZE;
}

/**
 * chunk_region_find() - the next page that is decommitted, or that is not
 * @region:      the region
 * @addr:        where to look from, page-aligned, in the region
 * @end:         byte after the last, page-aligned, in the region
 * @decommitted: which of the two
 *
 * Passes over chunks without page bitmaps 128 at a time.
 *
 * Context: any, without a lock: good for as long as nobody commits or decommits.
 * Return: the page's address, or @end.
 */
unsigned long chunk_region_find(const struct chunk_region *region,
				unsigned long addr, unsigned long end,
				bool decommitted)
{
	while (addr < end) {
		unsigned long chunk = (addr - region->start) / CHUNK_SIZE;
		unsigned long page = addr % CHUNK_SIZE / PAGE_SIZE;
		bool whole = test_bit(chunk, region->decommitted_chunks);
		const unsigned long *bitmap;

		smp_rmb(); /* pairs with smp_wmb() in chunk_region_commit() */
		bitmap = page_bitmap_seen(region, chunk);
		if (whole || !bitmap) {
			if (whole == decommitted)
				return addr;
			addr = max(addr, skip_chunks(region, chunk, whole));
			continue;
		}
		page = find_in_page_bitmap(bitmap, chunk, page, decommitted);
		addr = region->start + chunk * CHUNK_SIZE + page * PAGE_SIZE;
		if (page < CHUNK_PAGES)
			break;
	}
	return min(addr, end);
}

/**
 * chunk_region_wants_page_bitmap() - would an operation lack a page bitmap?
 * @region: the region
 * @commit: the operation is a commit, else a decommit
 * @addr:   first byte, page-aligned, in the region
 * @size:   bytes, page-aligned, in the region
 * @at:     set to an address whose chunk lacks one
 *
 * Only the first and the last chunk of a range can be covered in part.
 *
 * Context: context->lock held.
 */
bool chunk_region_wants_page_bitmap(const struct chunk_region *region, bool commit,
				    unsigned long addr, unsigned long size,
			     unsigned long *at)
{
	unsigned long ends[] = { addr, addr + size - PAGE_SIZE };
	int i;

	for (i = 0; i < ARRAY_SIZE(ends); i++) {
		unsigned long chunk = (ends[i] - region->start) / CHUNK_SIZE;
		unsigned long start = region->start + chunk * CHUNK_SIZE;

		if (addr <= start && addr + size - start >= CHUNK_SIZE)
			continue;
		if (page_bitmap_of(region, chunk))
			continue;
		/* To commit part of a present chunk, or the reverse, is idle. */
		if (test_bit(chunk, region->decommitted_chunks) != commit)
			continue;
		*at = start;
		return true;
	}
	return false;
}

static void install_page_bitmap(struct chunk_region *region, unsigned long **slot,
				unsigned long *bitmap)
{
	/* Pairs with smp_load_acquire() in page_bitmap_seen(). */
	smp_store_release(slot, bitmap);
	region->nr_page_bitmaps++;
	if (region->mm)
		chunk_charge(region->mm, CHUNK_PAGE_BITMAP_BYTES);
}

/**
 * chunk_region_add_page_bitmap() - provide the page bitmap an operation lacked
 * @region: the region, of a context or a snapshot nobody else sees yet
 * @at:     an address in the region
 *
 * Context: may sleep; takes context->lock. The caller holds a reference.
 * Return: 0 or -ENOMEM.
 */
int chunk_region_add_page_bitmap(struct chunk_region *region, unsigned long at)
{
	unsigned long chunk = (at - region->start) / CHUNK_SIZE;
	unsigned long **slot = &region->page_bitmaps[chunk / CHUNK_PAGE_BITMAP_CHUNKS];
	unsigned long *bitmap = kzalloc(page_bitmap_bytes(region, chunk),
				      GFP_KERNEL_ACCOUNT);

	if (!bitmap)
		return -ENOMEM;
	if (!region->context) {
		install_page_bitmap(region, slot, bitmap);
		return 0;
	}
	spin_lock(&region->context->lock);
	if (!*slot) {
		install_page_bitmap(region, slot, bitmap);
		bitmap = NULL;
	}
	spin_unlock(&region->context->lock);
	kfree(bitmap);
	return 0;
}

/* How many of @nr chunks from @chunk on share a bitmap with it */
static unsigned long same_page_bitmap(unsigned long chunk, unsigned long nr)
{
	return min(nr, CHUNK_PAGE_BITMAP_CHUNKS - chunk % CHUNK_PAGE_BITMAP_CHUNKS);
}

static unsigned long count_present(const struct chunk_region *region,
				   unsigned long chunk, unsigned long nr)
{
	const unsigned long *bitmap = page_bitmap_of(region, chunk);
	unsigned long count = 0;

	for (; bitmap && nr; chunk++, nr--) {
		if (!test_bit(chunk, region->decommitted_chunks))
			count += bits_count(bitmap, page_bitmap_bit(chunk), CHUNK_PAGES);
	}
	return count;
}

/* Decommitted pages among those of chunks, present or wholly */
static unsigned long count_whole(const struct chunk_region *region,
				 unsigned long chunk, unsigned long nr)
{
	unsigned long wholly = bits_count(region->decommitted_chunks, chunk, nr);
	unsigned long count = wholly * CHUNK_PAGES;
	unsigned long n;

	if (!region->nr_page_bitmaps || wholly == nr)
		return count;
	for (; nr; chunk += n, nr -= n) {
		n = same_page_bitmap(chunk, nr);
		count += count_present(region, chunk, n);
	}
	return count;
}

static void clear_page_bitmaps(struct chunk_region *region, unsigned long chunk,
			       unsigned long nr)
{
	unsigned long n;

	if (!region->nr_page_bitmaps)
		return;
	for (; nr; chunk += n, nr -= n) {
		n = same_page_bitmap(chunk, nr);
		if (page_bitmap_of(region, chunk))
			bits_assign(page_bitmap_of(region, chunk), page_bitmap_bit(chunk),
				    n * CHUNK_PAGES, false);
	}
}

static void decommitted_chunks_assign(struct chunk_region *region, unsigned long chunk,
				      unsigned long nr, bool decommitted)
{
	if (nr == 1)
		bit_assign(region->decommitted_chunks, chunk, decommitted);
	else
		bits_assign(region->decommitted_chunks, chunk, nr, decommitted);
}

static void open_whole(struct chunk_region *region, unsigned long chunk,
		       unsigned long nr)
{
	clear_page_bitmaps(region, chunk, nr);
	smp_wmb(); /* pairs with smp_rmb() in the fault path */
	decommitted_chunks_assign(region, chunk, nr, false);
}

static unsigned long commit_part(struct chunk_region *region,
				 const struct piece *piece)
{
	unsigned long *bitmap = page_bitmap_of(region, piece->chunk);
	unsigned long first = page_bitmap_bit(piece->chunk);

	if (test_bit(piece->chunk, region->decommitted_chunks)) {
		bits_assign(bitmap, first, CHUNK_PAGES, true);
		smp_wmb(); /* pairs with smp_rmb() in the fault path */
		bit_assign(region->decommitted_chunks, piece->chunk, false);
	}
	if (!bitmap)
		return 0;
	return bits_assign(bitmap, first + piece->page, piece->pages, false);
}

/**
 * chunk_region_commit() - let accesses through
 * @region: the region
 * @addr:   first byte, page-aligned, in the region
 * @size:   bytes, page-aligned, in the region
 *
 * Context: context->lock held, chunk_region_wants_page_bitmap() false. CHUNK_STEP is
 * the most to ask for at a time.
 * Return: how many pages were decommitted until now.
 */
unsigned long chunk_region_commit(struct chunk_region *region,
				  unsigned long addr, unsigned long size)
{
	unsigned long page = (addr - region->start) / PAGE_SIZE;
	unsigned long left = size / PAGE_SIZE;
	unsigned long changed = 0;
	struct piece piece;

	for (; left; page += piece.pages, left -= piece.pages) {
		piece = piece_at(page, left);
		if (!piece.whole) {
			changed += commit_part(region, &piece);
			continue;
		}
		changed += count_whole(region, piece.chunk, piece.whole);
		open_whole(region, piece.chunk, piece.whole);
	}
	return changed;
}

/**
 * chunk_region_decommit() - make accesses trap from now on
 * @region: the region
 * @addr:   first byte, page-aligned, in the region
 * @size:   bytes, page-aligned, in the region
 *
 * Faults that looked at the state before may still map a page: the caller
 * waits for them (chunk_gate_synchronize()) and frees the memory.
 *
 * Context: context->lock held, chunk_region_wants_page_bitmap() false. CHUNK_STEP is
 * the most to ask for at a time.
 * Return: how many pages were committed until now.
 */
unsigned long chunk_region_decommit(struct chunk_region *region,
				    unsigned long addr, unsigned long size)
{
	unsigned long page = (addr - region->start) / PAGE_SIZE;
	unsigned long left = size / PAGE_SIZE;
	unsigned long changed = 0;
	struct piece piece;

	for (; left; page += piece.pages, left -= piece.pages) {
		piece = piece_at(page, left);
		if (piece.whole) {
			changed += piece.pages - count_whole(region, piece.chunk,
							     piece.whole);
			bits_assign(region->decommitted_chunks, piece.chunk, piece.whole,
				    true);
		} else if (!test_bit(piece.chunk, region->decommitted_chunks)) {
			changed += bits_assign(page_bitmap_of(region, piece.chunk),
					       page_bitmap_bit(piece.chunk) +
					       piece.page, piece.pages, true);
		}
	}
	return changed;
}

/**
 * chunk_region_open() - let accesses to whole chunks through
 * @region: the region
 * @addr:   first byte, a multiple of CHUNK_SIZE, in the region
 * @size:   bytes, a multiple of CHUNK_SIZE, in the region
 *
 * chunk_region_commit() for an extent that was not live, whose page bits are
 * clear.
 *
 * Context: context->lock held.
 */
void chunk_region_open(struct chunk_region *region, unsigned long addr,
		       unsigned long size)
{
	smp_wmb(); /* pairs with smp_rmb() in the fault path */
	decommitted_chunks_assign(region, (addr - region->start) / CHUNK_SIZE,
				  size / CHUNK_SIZE, false);
}

/**
 * chunk_region_close() - make accesses to whole chunks trap from now on
 * @region: the region
 * @addr:   first byte, a multiple of CHUNK_SIZE, in the region
 * @size:   bytes, a multiple of CHUNK_SIZE, in the region
 *
 * chunk_region_decommit() for what nobody counts the pages of.
 *
 * Context: context->lock held.
 */
void chunk_region_close(struct chunk_region *region, unsigned long addr,
			unsigned long size)
{
	decommitted_chunks_assign(region, (addr - region->start) / CHUNK_SIZE,
				  size / CHUNK_SIZE, true);
}

/**
 * chunk_region_clear_page_bits() - clear the page bits of an extent that is live no longer
 * @region: the region, of a context
 * @addr:   the extent's first byte
 * @size:   its bytes; chunk_region_close() was called for it
 *
 * Needed where pages of it were decommitted. Where it is given up the extent
 * must never be handed out again.
 *
 * Context: may sleep; takes context->lock. The extent is in no tree.
 * Return: 0, or -EINTR if it was given up after a fatal signal.
 */
int chunk_region_clear_page_bits(struct chunk_region *region, unsigned long addr,
				 unsigned long size)
{
	unsigned long chunk = (addr - region->start) / CHUNK_SIZE;
	unsigned long left = size / CHUNK_SIZE;
	unsigned long n;

	for (; left; chunk += n, left -= n) {
		n = min(left, CHUNK_STEP / CHUNK_SIZE);
		spin_lock(&region->context->lock);
		clear_page_bitmaps(region, chunk, n);
		spin_unlock(&region->context->lock);
		cond_resched();
		if (left > n && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* A word at a time, since the words may be changing */
static void words_copy(unsigned long *to, const unsigned long *from,
		       size_t bytes)
{
	size_t i;

	for (i = 0; i < bytes / sizeof(long); i++)
		to[i] = READ_ONCE(from[i]);
}

/**
 * chunk_region_snapshot() - copy the state of a region
 * @region: a region, of a context or a snapshot itself
 *
 * No lock of the context is needed: while mmap_lock is held for writing nothing
 * is decommitted, so that a chunk seen present stays so, and its page bits, read
 * after, are those of some moment since.
 *
 * Context: may sleep. mmap_lock of the address space the region is in held for
 * writing.
 * Return: a region without a context, or NULL without memory.
 */
struct chunk_region *chunk_region_snapshot(const struct chunk_region *region)
{
	struct chunk_region *copy;
	unsigned long i;

	copy = chunk_region_new(region->start, region->chunks * CHUNK_SIZE);
	if (!copy)
		return NULL;
	words_copy(copy->decommitted_chunks, region->decommitted_chunks,
		   BITS_TO_LONGS(copy->chunks) * sizeof(long));
	/* Pairs with smp_wmb() in chunk_region_commit(). */
	smp_rmb();
	for (i = 0; i < copy->chunks; i += CHUNK_PAGE_BITMAP_CHUNKS) {
		const unsigned long *bitmap = page_bitmap_seen(region, i);

		if (!bitmap)
			continue;
		if (chunk_region_add_page_bitmap(copy, copy->start + i * CHUNK_SIZE)) {
			chunk_region_put(copy);
			return NULL;
		}
		words_copy(page_bitmap_of(copy, i), bitmap, page_bitmap_bytes(copy, i));
		cond_resched();
	}
	return copy;
}
