// SPDX-License-Identifier: GPL-2.0-only
/*
 * The state of a region's pages: a bit for each chunk that is wholly
 * decommitted, and page bitmaps with a bit for each page of chunks that are
 * partly decommitted.
 *
 * Written under the context's lock, read by the fault handler without one. The
 * page bits of a wholly decommitted chunk mean nothing. To make such a chunk
 * present again, the writer sets its page bits first and clears the chunk's bit
 * after, so that a reader who sees the chunk present sees page bits that are no
 * older:
 *
 *   writer: page bits; smp_wmb(); clear decommitted_chunks
 *   reader: decommitted_chunks; smp_rmb(); page bits
 *
 * A reader may still act on a state that is out of date a moment later: see
 * chunk_gate_synchronize().
 *
 * The page bits of an extent that is not live are clear, so that ALLOC clears
 * the bits of its chunks only. chunk_region_clear_page_bits() sees to that.
 *
 * Calls that go over page bitmaps take time in proportion to their range: a
 * caller that holds the lock asks for CHUNK_STEP at a time. Other calls go over
 * one bit for each chunk, and CHUNK_LENGTH_MAX bounds the number of chunks.
 */
#include <linux/bitmap.h>
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* Chunks of a page bitmap, which is one page of memory if pages are 4 KiB */
#define CHUNK_BITMAP_CHUNKS	128UL
#define CHUNK_BITMAP_BYTES \
	(CHUNK_BITMAP_CHUNKS * CHUNK_PAGES / BITS_PER_BYTE)

/* Page bitmaps to free before others get the CPU */
#define CHUNK_FREE_BATCH	64UL

/* Page bitmaps and snapshots are copied by words. */
static_assert(CHUNK_BITMAP_CHUNKS % BITS_PER_LONG == 0);

/* Set or clear bits, a word at a time; returns the number that changed. */
static unsigned long region_assign_bits(unsigned long *map, unsigned long first,
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

/* Set or clear one bit, the usual case, without counting. */
static void region_assign_bit(unsigned long *map, unsigned long bit, bool value)
{
	unsigned long *word = map + BIT_WORD(bit);

	WRITE_ONCE(*word, value ? *word | BIT_MASK(bit) :
				  *word & ~BIT_MASK(bit));
}

static unsigned long region_count_bits(const unsigned long *map,
				       unsigned long first,
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

static unsigned long region_nr_slots(unsigned long chunks)
{
	return DIV_ROUND_UP(chunks, CHUNK_BITMAP_CHUNKS);
}

static unsigned long *region_bitmap(const struct chunk_region *region,
				    unsigned long chunk)
{
	return region->page_bitmaps[chunk / CHUNK_BITMAP_CHUNKS];
}

/* The page bitmap of a chunk, seen without context->lock */
static const unsigned long *region_bitmap_seen(const struct chunk_region *region,
					       unsigned long chunk)
{
	/* Pairs with smp_store_release() in region_install_bitmap(). */
	return smp_load_acquire(&region->page_bitmaps[chunk / CHUNK_BITMAP_CHUNKS]);
}

/* The bit of a chunk's first page in its page bitmap */
static unsigned long region_page_bit(unsigned long chunk)
{
	return chunk % CHUNK_BITMAP_CHUNKS * CHUNK_PAGES;
}

/* The last page bitmap of a region ends where the region ends. */
static size_t region_bitmap_bytes(const struct chunk_region *region,
				  unsigned long chunk)
{
	unsigned long first = chunk - chunk % CHUNK_BITMAP_CHUNKS;
	unsigned long n = min(region->chunks - first, CHUNK_BITMAP_CHUNKS);

	return BITS_TO_LONGS(n * CHUNK_PAGES) * sizeof(long);
}

/**
 * struct region_piece - part of a range that lies in one chunk, or whole chunks
 * @chunk: index of the first chunk
 * @page:  first page within it
 * @pages: how many pages; CHUNK_PAGES for whole chunks
 * @whole: how many whole chunks, 0 for a part of one
 */
struct region_piece {
	unsigned long chunk;
	unsigned long page;
	unsigned long pages;
	unsigned long whole;
};

/* The first piece of the @nr pages at @page, counted from the region's start */
static struct region_piece region_piece_at(unsigned long page, unsigned long nr)
{
	struct region_piece piece = {
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
 * Bytes of the registry's nodes for a region's chunks: at most one node for
 * each XA_CHUNK_SIZE chunks, one more because the first may be shared, and one
 * above them.
 */
static size_t region_registry_bytes(unsigned long chunks)
{
	return (chunks / XA_CHUNK_SIZE + 3) * sizeof(struct xa_node);
}

/* Bytes that a region is charged for, without its page bitmaps */
static size_t region_own_bytes(const struct chunk_region *region)
{
	return struct_size(region, page_bitmaps, region_nr_slots(region->chunks)) +
	       BITS_TO_LONGS(region->chunks) * sizeof(long) +
	       (region->context ? region_registry_bytes(region->chunks) : 0);
}

/**
 * chunk_region_charge() - charge a region to its address space
 * @region: a new region; its context, if it has one, is set
 * @mm:     its address space, charged until the region is freed
 *
 * Context: any.
 */
void chunk_region_charge(struct chunk_region *region, struct mm_struct *mm)
{
	region->mm = mm;
	chunk_charge(mm, region_own_bytes(region) +
			 region->nr_page_bitmaps * CHUNK_BITMAP_BYTES);
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

	region = kvzalloc(struct_size(region, page_bitmaps, region_nr_slots(chunks)),
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
		chunk_uncharge(region->mm, region_own_bytes(region) +
					   region->nr_page_bitmaps * CHUNK_BITMAP_BYTES);
	/* Only snapshots are users of their space: else the context is. */
	if (!region->context && region->space)
		chunk_space_leave(region->space);
	for (i = 0; i < region_nr_slots(region->chunks); i++) {
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
 * chunk_region_decommitted() - tell whether an access to a page must trap
 * @region: the region
 * @addr:   any address; one outside the region traps
 *
 * Context: any, without a lock. Ordered against writers as described at the
 * top of this file.
 * Return: whether it must.
 */
bool chunk_region_decommitted(const struct chunk_region *region,
			      unsigned long addr)
{
	unsigned long chunk = (addr - region->start) / CHUNK_SIZE;
	unsigned long page = addr % CHUNK_SIZE / PAGE_SIZE;
	const unsigned long *bitmap;

	/* mremap may have grown the VMA in place, without asking the driver. */
	if (addr < region->start || chunk >= region->chunks)
		return true;
	if (test_bit(chunk, region->decommitted_chunks))
		return true;
	smp_rmb(); /* pairs with smp_wmb() in chunk_region_commit() */
	bitmap = region_bitmap_seen(region, chunk);
	return bitmap && test_bit(region_page_bit(chunk) + page, bitmap);
}

/* The first page of a chunk from @page on whose state is so, else CHUNK_PAGES */
static unsigned long region_find_page(const unsigned long *bitmap,
				      unsigned long chunk, unsigned long page,
				      bool decommitted)
{
	unsigned long first = region_page_bit(chunk), end = first + CHUNK_PAGES;

	if (decommitted)
		return find_next_bit(bitmap, end, first + page) - first;
	return find_next_zero_bit(bitmap, end, first + page) - first;
}

/*
 * The chunk to look at after one that is wholly decommitted (@whole), or has no
 * page bitmap: the next whose chunk bit differs
 */
static unsigned long region_next_chunk(const struct chunk_region *region,
				       unsigned long chunk, bool whole)
{
	unsigned long end = min(region->chunks,
				round_down(chunk, CHUNK_BITMAP_CHUNKS) +
				CHUNK_BITMAP_CHUNKS);

	if (whole)
		return find_next_zero_bit(region->decommitted_chunks, end, chunk);
	return find_next_bit(region->decommitted_chunks, end, chunk);
}

/*
 * The address of region_next_chunk(). If a page bitmap was installed meanwhile,
 * the chunks passed over may have been committed in part since: then the
 * address of the chunk itself.
 */
static unsigned long region_skip_chunks(const struct chunk_region *region,
					unsigned long chunk, bool whole)
{
	unsigned long next = region_next_chunk(region, chunk, whole);

	smp_rmb(); /* pairs with smp_wmb() in chunk_region_commit() */
	if (!whole && region_bitmap_seen(region, chunk))
		next = chunk;
	return region->start + next * CHUNK_SIZE;
}

/**
 * chunk_region_find() - find the next page in a given state
 * @region:      the region
 * @addr:        first address to look at, page-aligned, in the region
 * @end:         byte after the last, page-aligned, in the region
 * @decommitted: the state: decommitted, else committed
 *
 * Passes over chunks without page bitmaps CHUNK_BITMAP_CHUNKS at a time.
 *
 * Context: any, without a lock; the answer is good for as long as nobody
 * commits or decommits.
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
		bitmap = region_bitmap_seen(region, chunk);
		if (whole || !bitmap) {
			if (whole == decommitted)
				return addr;
			addr = max(addr, region_skip_chunks(region, chunk, whole));
			continue;
		}
		page = region_find_page(bitmap, chunk, page, decommitted);
		addr = region->start + chunk * CHUNK_SIZE + page * PAGE_SIZE;
		if (page < CHUNK_PAGES)
			break;
	}
	return min(addr, end);
}

/**
 * chunk_region_wants_page_bitmap() - tell whether a page bitmap is missing
 * @region: the region
 * @commit: the operation is a commit, else a decommit
 * @addr:   first byte, page-aligned, in the region
 * @size:   bytes, page-aligned, in the region
 * @at:     set to an address whose chunk lacks one
 *
 * Only the first and the last chunk of a range can be covered in part.
 *
 * Context: context->lock held.
 * Return: whether the operation needs one that there is not.
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
		if (region_bitmap(region, chunk))
			continue;
		/* No-op: the chunk is already wholly in the requested state. */
		if (test_bit(chunk, region->decommitted_chunks) != commit)
			continue;
		*at = start;
		return true;
	}
	return false;
}

static void region_install_bitmap(struct chunk_region *region, unsigned long **slot,
				  unsigned long *bitmap)
{
	/* Pairs with smp_load_acquire() in region_bitmap_seen(). */
	smp_store_release(slot, bitmap);
	region->nr_page_bitmaps++;
	if (region->mm)
		chunk_charge(region->mm, CHUNK_BITMAP_BYTES);
}

/**
 * chunk_region_add_page_bitmap() - provide a missing page bitmap
 * @region: the region, of a context or a snapshot nobody else sees yet
 * @at:     an address in the region
 *
 * Context: may sleep; takes context->lock. The caller holds a reference.
 * Return: 0 or -ENOMEM.
 */
int chunk_region_add_page_bitmap(struct chunk_region *region, unsigned long at)
{
	unsigned long chunk = (at - region->start) / CHUNK_SIZE;
	unsigned long **slot = &region->page_bitmaps[chunk / CHUNK_BITMAP_CHUNKS];
	unsigned long *bitmap = kzalloc(region_bitmap_bytes(region, chunk),
					GFP_KERNEL_ACCOUNT);

	if (!bitmap)
		return -ENOMEM;
	if (!region->context) {
		region_install_bitmap(region, slot, bitmap);
		return 0;
	}
	spin_lock(&region->context->lock);
	if (!*slot) {
		region_install_bitmap(region, slot, bitmap);
		bitmap = NULL;
	}
	spin_unlock(&region->context->lock);
	kfree(bitmap);
	return 0;
}

/* Number of chunks, of @nr from @chunk on, that share its page bitmap */
static unsigned long region_same_bitmap(unsigned long chunk, unsigned long nr)
{
	return min(nr, CHUNK_BITMAP_CHUNKS - chunk % CHUNK_BITMAP_CHUNKS);
}

static unsigned long region_count_present(const struct chunk_region *region,
					  unsigned long chunk, unsigned long nr)
{
	const unsigned long *bitmap = region_bitmap(region, chunk);
	unsigned long count = 0;

	for (; bitmap && nr; chunk++, nr--) {
		if (!test_bit(chunk, region->decommitted_chunks))
			count += region_count_bits(bitmap,
						   region_page_bit(chunk),
						   CHUNK_PAGES);
	}
	return count;
}

/* Number of decommitted pages of whole chunks, in any state */
static unsigned long region_count_whole(const struct chunk_region *region,
					unsigned long chunk, unsigned long nr)
{
	unsigned long wholly = region_count_bits(region->decommitted_chunks,
						 chunk, nr);
	unsigned long count = wholly * CHUNK_PAGES;
	unsigned long n;

	if (!region->nr_page_bitmaps || wholly == nr)
		return count;
	for (; nr; chunk += n, nr -= n) {
		n = region_same_bitmap(chunk, nr);
		count += region_count_present(region, chunk, n);
	}
	return count;
}

static void region_clear_bitmaps(struct chunk_region *region, unsigned long chunk,
				 unsigned long nr)
{
	unsigned long n;

	if (!region->nr_page_bitmaps)
		return;
	for (; nr; chunk += n, nr -= n) {
		unsigned long *bitmap = region_bitmap(region, chunk);

		n = region_same_bitmap(chunk, nr);
		if (bitmap)
			region_assign_bits(bitmap, region_page_bit(chunk),
					   n * CHUNK_PAGES, false);
	}
}

static void region_assign_chunks(struct chunk_region *region, unsigned long chunk,
				 unsigned long nr, bool decommitted)
{
	if (nr == 1)
		region_assign_bit(region->decommitted_chunks, chunk, decommitted);
	else
		region_assign_bits(region->decommitted_chunks, chunk, nr,
				   decommitted);
}

static void region_open_whole(struct chunk_region *region, unsigned long chunk,
			      unsigned long nr)
{
	region_clear_bitmaps(region, chunk, nr);
	smp_wmb(); /* pairs with smp_rmb() in the fault path */
	region_assign_chunks(region, chunk, nr, false);
}

static unsigned long region_commit_part(struct chunk_region *region,
					const struct region_piece *piece)
{
	unsigned long *bitmap = region_bitmap(region, piece->chunk);
	unsigned long first = region_page_bit(piece->chunk);

	if (test_bit(piece->chunk, region->decommitted_chunks)) {
		region_assign_bits(bitmap, first, CHUNK_PAGES, true);
		smp_wmb(); /* pairs with smp_rmb() in the fault path */
		region_assign_bit(region->decommitted_chunks, piece->chunk,
				  false);
	}
	if (!bitmap)
		return 0;
	return region_assign_bits(bitmap, first + piece->page, piece->pages,
				  false);
}

static unsigned long region_commit_piece(struct chunk_region *region,
					 const struct region_piece *piece)
{
	unsigned long changed;

	if (!piece->whole)
		return region_commit_part(region, piece);
	changed = region_count_whole(region, piece->chunk, piece->whole);
	region_open_whole(region, piece->chunk, piece->whole);
	return changed;
}

static unsigned long region_decommit_piece(struct chunk_region *region,
					   const struct region_piece *piece)
{
	unsigned long changed, first;

	if (piece->whole) {
		changed = piece->pages - region_count_whole(region, piece->chunk,
							    piece->whole);
		region_assign_bits(region->decommitted_chunks, piece->chunk,
				   piece->whole, true);
		return changed;
	}
	if (test_bit(piece->chunk, region->decommitted_chunks))
		return 0;
	first = region_page_bit(piece->chunk) + piece->page;
	return region_assign_bits(region_bitmap(region, piece->chunk), first,
				  piece->pages, true);
}

/* Change a range piece by piece; returns the number of pages that changed. */
static __always_inline unsigned long
region_change(struct chunk_region *region, unsigned long addr,
	      unsigned long size,
	      unsigned long (*change_piece)(struct chunk_region *region,
					    const struct region_piece *piece))
{
	unsigned long page = (addr - region->start) / PAGE_SIZE;
	unsigned long left = size / PAGE_SIZE;
	unsigned long changed = 0;
	struct region_piece piece;

	for (; left; page += piece.pages, left -= piece.pages) {
		piece = region_piece_at(page, left);
		changed += change_piece(region, &piece);
	}
	return changed;
}

/**
 * chunk_region_commit() - let accesses through
 * @region: the region
 * @addr:   first byte, page-aligned, in the region
 * @size:   bytes, page-aligned, in the region; at most CHUNK_STEP at a time
 *
 * Context: context->lock held, chunk_region_wants_page_bitmap() false.
 * Return: number of pages that were decommitted until now.
 */
unsigned long chunk_region_commit(struct chunk_region *region,
				  unsigned long addr, unsigned long size)
{
	return region_change(region, addr, size, region_commit_piece);
}

/**
 * chunk_region_decommit() - make accesses trap from now on
 * @region: the region
 * @addr:   first byte, page-aligned, in the region
 * @size:   bytes, page-aligned, in the region; at most CHUNK_STEP at a time
 *
 * Faults that read the state before may still map a page: the caller waits for
 * them (chunk_gate_synchronize()) and frees the memory.
 *
 * Context: context->lock held, chunk_region_wants_page_bitmap() false.
 * Return: number of pages that were committed until now.
 */
unsigned long chunk_region_decommit(struct chunk_region *region,
				    unsigned long addr, unsigned long size)
{
	return region_change(region, addr, size, region_decommit_piece);
}

/**
 * chunk_region_open() - let accesses to whole chunks through
 * @region: the region
 * @addr:   first byte, a multiple of CHUNK_SIZE, in the region
 * @size:   bytes, a multiple of CHUNK_SIZE, in the region
 *
 * As chunk_region_commit(), for an extent that was not live: its page bits are
 * clear already.
 *
 * Context: context->lock held.
 */
void chunk_region_open(struct chunk_region *region, unsigned long addr,
		       unsigned long size)
{
	smp_wmb(); /* pairs with smp_rmb() in the fault path */
	region_assign_chunks(region, (addr - region->start) / CHUNK_SIZE,
			     size / CHUNK_SIZE, false);
}

/**
 * chunk_region_close() - make accesses to whole chunks trap from now on
 * @region: the region
 * @addr:   first byte, a multiple of CHUNK_SIZE, in the region
 * @size:   bytes, a multiple of CHUNK_SIZE, in the region
 *
 * As chunk_region_decommit(), without counting pages.
 *
 * Context: context->lock held.
 */
void chunk_region_close(struct chunk_region *region, unsigned long addr,
			unsigned long size)
{
	region_assign_chunks(region, (addr - region->start) / CHUNK_SIZE,
			     size / CHUNK_SIZE, true);
}

/**
 * chunk_region_clear_page_bits() - clear the page bits of an unregistered extent
 * @region: the region, of a context
 * @addr:   first byte of the extent
 * @size:   bytes of the extent; chunk_region_close() was called for it
 *
 * Needed if pages of it were decommitted while it was live. If this gives up,
 * the extent must never be handed out again.
 *
 * Context: may sleep; takes context->lock. The extent is in no tree.
 * Return: 0, or -EINTR if it gave up after a fatal signal.
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
		region_clear_bitmaps(region, chunk, n);
		spin_unlock(&region->context->lock);
		cond_resched();
		if (left > n && fatal_signal_pending(current))
			return -EINTR;
	}
	return 0;
}

/* Copy a word at a time, since the words may be changing. */
static void region_copy_words(unsigned long *to, const unsigned long *from,
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
 * No lock of the context is needed: while mmap_lock is held for writing nobody
 * decommits. So a chunk seen present stays present, and its page bits, read
 * after that, are from some moment since.
 *
 * Context: may sleep; mmap_lock of the region's address space held for writing.
 * Return: a region without a context, or NULL without memory.
 */
struct chunk_region *chunk_region_snapshot(const struct chunk_region *region)
{
	struct chunk_region *copy;
	unsigned long i;

	copy = chunk_region_new(region->start, region->chunks * CHUNK_SIZE);
	if (!copy)
		return NULL;
	region_copy_words(copy->decommitted_chunks, region->decommitted_chunks,
			  BITS_TO_LONGS(copy->chunks) * sizeof(long));
	/* Pairs with smp_wmb() in chunk_region_commit(). */
	smp_rmb();
	for (i = 0; i < copy->chunks; i += CHUNK_BITMAP_CHUNKS) {
		const unsigned long *bitmap = region_bitmap_seen(region, i);

		if (!bitmap)
			continue;
		if (chunk_region_add_page_bitmap(copy, copy->start +
						 i * CHUNK_SIZE)) {
			chunk_region_put(copy);
			return NULL;
		}
		region_copy_words(region_bitmap(copy, i), bitmap,
				  region_bitmap_bytes(copy, i));
		cond_resched();
	}
	return copy;
}
