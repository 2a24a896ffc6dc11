// SPDX-License-Identifier: GPL-2.0-only
/*
 * Choosing addresses for mappings: .get_unmapped_area.
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"
#include "chunk_words.h"

/**
 * chunk_offset_alignment() - decode the alignment in an mmap offset
 * @pgoff: the offset in pages: log2 of the alignment, or 0
 *
 * Context: any.
 * Return: the alignment in bytes, or 0 if the offset is no valid one.
 */
unsigned long chunk_offset_alignment(unsigned long pgoff)
{
	if (!pgoff)
		return CHUNK_SIZE;
	if (pgoff < CHUNK_SHIFT || pgoff >= BITS_PER_LONG - 1)
		return 0;
	return 1UL << pgoff;
}

/**
 * chunk_get_unmapped_area() - file_operations.get_unmapped_area: choose an address
 * @file:  the device
 * @addr:  hint, or with MAP_FIXED the demand
 * @len:   bytes, page-aligned
 * @pgoff: log2 of the alignment, or 0; or that of words
 * @flags: MAP_*
 *
 * mm calls it for MAP_FIXED, too, and before it merges mappings, which makes
 * it the place to refuse an offset.
 *
 * Context: mmap_lock of current->mm held for writing.
 * Return: an aligned address, or -EINVAL or -ENOMEM as an unsigned long.
 */
unsigned long chunk_get_unmapped_area(struct file *file, unsigned long addr,
				      unsigned long len, unsigned long pgoff,
				      unsigned long flags)
{
	struct chunk_context *context = file->private_data;
	unsigned long alignment = chunk_offset_alignment(pgoff);
	unsigned long area;

	if (chunk_words_offset(pgoff))
		return flags & MAP_FIXED ? addr :
		       chunk_search_area(addr, len, flags);
	if (!alignment || !IS_ALIGNED(len, CHUNK_SIZE))
		return -EINVAL;
	if (len > CHUNK_LENGTH_MAX)
		return -ENOMEM;
	/* Root could ask for address 0, but that stands for no extent. */
	if (flags & MAP_FIXED)
		return addr && IS_ALIGNED(addr, alignment) ? addr : -EINVAL;
	/* Smaller mappings cannot have huge pages. */
	if (chunk_is_huge(context) && len >= PMD_SIZE)
		alignment = max(alignment, PMD_SIZE);
	if (addr && IS_ALIGNED(addr, alignment)) {
		/* The exact length: a hole that just fits will do. */
		area = chunk_search_area(addr, len, flags);
		if (area == addr)
			return area;
	}
	if (len + (alignment - PAGE_SIZE) < len)
		return -ENOMEM;
	area = chunk_search_area(0, len + (alignment - PAGE_SIZE), flags);
	if (IS_ERR_VALUE(area))
		return area;
	return ALIGN(area, alignment);
}
