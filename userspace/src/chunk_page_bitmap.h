/* SPDX-License-Identifier: MIT */
/* Page bitmaps: the decommitted pages of one chunk. */
#ifndef CHUNK_PAGE_BITMAP_H
#define CHUNK_PAGE_BITMAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <linux/compiler.h>

#include "chunk_tree.h"
#include "os.h"

/* Bits that a lookup without a lock reads at a time */
#define CHUNK_BITMAP_WORD	(8 * sizeof(uintptr_t))

/* Enough for pages of 4 KiB, the smallest size */
#define CHUNK_BITMAP_WORDS	(CHUNK_TREE_UNIT / 4096 / CHUNK_BITMAP_WORD)

/**
 * struct chunk_page_bitmap - decommitted pages of one chunk
 * @bits: one for each page, set if it is decommitted
 * @next: link in the chain of free bitmaps
 */
struct chunk_page_bitmap {
	uintptr_t bits[CHUNK_BITMAP_WORDS];
	struct chunk_page_bitmap *next;
};

/**
 * chunk_page_of() - find the page of an address
 * @addr: any address
 *
 * Return: its number within its chunk.
 */
static inline size_t chunk_page_of(uintptr_t addr)
{
	return addr % CHUNK_TREE_UNIT / chunk_os_caps.page_size;
}

/**
 * chunk_page_bitmap_is_set() - read a bit
 * @bitmap: the bitmap
 * @page:   number of a page in its chunk
 *
 * Context: any; takes no lock.
 * Return: true if the bit is set.
 */
static inline bool
chunk_page_bitmap_is_set(const struct chunk_page_bitmap *bitmap, size_t page)
{
	uintptr_t word = READ_ONCE(bitmap->bits[page / CHUNK_BITMAP_WORD]);

	return word >> page % CHUNK_BITMAP_WORD & 1;
}

size_t chunk_page_bitmap_assign(struct chunk_page_bitmap *bitmap, size_t page,
				size_t count, bool value);
size_t chunk_page_bitmap_bytes(const struct chunk_page_bitmap *bitmap);
size_t chunk_page_bitmap_runs(const struct chunk_page_bitmap *bitmap,
			      bool value, bool *before);
size_t chunk_page_bitmap_whole_runs(const struct chunk_page_bitmap *bitmap,
				    bool value, bool *before);

#endif /* CHUNK_PAGE_BITMAP_H */
