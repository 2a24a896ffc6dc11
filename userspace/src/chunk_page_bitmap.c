// SPDX-License-Identifier: MIT
/* Page bitmaps: the decommitted pages of one chunk. */
#include "chunk_page_bitmap.h"

#define WORD_BITS	CHUNK_BITMAP_WORD

static size_t chunk_pages(void)
{
	return CHUNK_TREE_UNIT / chunk_os_caps.page_size;
}

static size_t words(void)
{
	return (chunk_pages() + WORD_BITS - 1) / WORD_BITS;
}

/* A word of a bitmap, inverted unless @value; bits beyond the last page are 0. */
static uintptr_t word_of(const struct chunk_page_bitmap *bitmap, size_t i,
			 bool value)
{
	uintptr_t word = value ? bitmap->bits[i] : ~bitmap->bits[i];

	if (chunk_pages() < WORD_BITS)
		word &= ((uintptr_t)1 << chunk_pages() % WORD_BITS) - 1;
	return word;
}

/**
 * chunk_page_bitmap_assign() - set or clear bits
 * @bitmap: the bitmap
 * @page:   number of the first page in its chunk
 * @count:  number of pages
 * @value:  true to set, false to clear
 *
 * A reader without a lock sees the old or the new value of each bit.
 *
 * Context: the caller serialises writers.
 * Return: number of bits that changed.
 */
size_t chunk_page_bitmap_assign(struct chunk_page_bitmap *bitmap, size_t page,
				size_t count, bool value)
{
	size_t changed = 0;

	while (count) {
		uintptr_t *word = &bitmap->bits[page / WORD_BITS];
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
 * chunk_page_bitmap_bytes() - count decommitted bytes
 * @bitmap: the bitmap
 *
 * Return: bytes of the pages whose bits are set.
 */
size_t chunk_page_bitmap_bytes(const struct chunk_page_bitmap *bitmap)
{
	size_t count = 0, i;

	for (i = 0; i < words(); i++)
		count += __builtin_popcountll(word_of(bitmap, i, true));
	return count * chunk_os_caps.page_size;
}

/**
 * chunk_page_bitmap_runs() - count runs of equal bits
 * @bitmap: the bitmap
 * @value:  value of the bits to count
 * @before: does such a run end right in front of the chunk? Set to whether one ends
 *          at the end of the chunk
 *
 * Return: number of runs that begin in the chunk.
 */
size_t chunk_page_bitmap_runs(const struct chunk_page_bitmap *bitmap,
			      bool value, bool *before)
{
	uintptr_t last = *before;
	size_t count = 0, i;

	for (i = 0; i < words(); i++) {
		uintptr_t word = word_of(bitmap, i, value);

		count += __builtin_popcountll(word & ~(word << 1 | last));
		last = word >> (WORD_BITS - 1);
	}
	*before = chunk_page_bitmap_is_set(bitmap, chunk_pages() - 1) == value;
	return count;
}

/**
 * chunk_page_bitmap_whole_runs() - count runs of chunks in the same state
 * @bitmap: the bitmap
 * @value:  count chunks that are decommitted as a whole, or others
 * @before: as for chunk_page_bitmap_runs()
 *
 * Return: 1 if such a run begins with the chunk, else 0.
 */
size_t chunk_page_bitmap_whole_runs(const struct chunk_page_bitmap *bitmap,
				    bool value, bool *before)
{
	bool whole = chunk_page_bitmap_bytes(bitmap) == CHUNK_TREE_UNIT;
	bool is = whole == value;
	size_t count = is && !*before;

	*before = is;
	return count;
}
