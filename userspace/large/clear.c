// SPDX-License-Identifier: MIT
/*
 * Making memory read as zero at the cost of what was touched: pages that are
 * present are written, and others are not made present for that.
 */
#include <stdbool.h>
#include <string.h>
#include <sys/mman.h>

#include "chunk.h"
#include "clear.h"
#include "memory.h"

/* Pages that are looked at in one call */
#define WINDOW	4096

/* A gap of fewer pages is written: a call for it would cost more. */
#define GAP	16

/*
 * Return the end of the run of pages that begins at @at. A run of absent pages is
 * long; short ones are part of the run of present pages around them.
 */
static size_t run_end(const unsigned char *present, size_t at, size_t pages)
{
	size_t absent = 0, i;

	if (!(present[at] & 1)) {
		for (i = at; i < pages && !(present[i] & 1); i++)
			;
		return i;
	}
	for (i = at; i < pages && absent < GAP; i++)
		absent = present[i] & 1 ? 0 : absent + 1;
	return absent < GAP ? i : i - absent;
}

static void clear_run(char *p, size_t size, bool present)
{
	/* An absent page may be swapped out. */
	if (present || size < GAP * memory_page || !pages_purge(p, size, true))
		memset(p, 0, size);
}

/* Whole pages, at most WINDOW of them */
static void clear_window(char *p, size_t pages)
{
	unsigned char present[WINDOW];
	size_t at = 0, end;

	if (mincore(p, pages * memory_page, present)) {
		memset(p, 0, pages * memory_page);
		return;
	}
	for (; at < pages; at = end) {
		end = run_end(present, at, pages);
		clear_run(p + at * memory_page, (end - at) * memory_page,
			  present[at] & 1);
	}
}

/**
 * clear_memory() - make memory of a large block read as zero
 * @p:    its first byte
 * @size: bytes, up to a page that belongs to the block, too, or is its end
 */
void clear_memory(char *p, size_t size)
{
	size_t head = -(uintptr_t)p & (memory_page - 1);
	char *end;

	if (head > size)
		head = size;
	memset(p, 0, head);
	/* The rest of the last page belongs to the block as well. */
	end = p + size;
	for (p += head; p < end;) {
		size_t pages = (end - p + memory_page - 1) / memory_page;

		if (pages > WINDOW)
			pages = WINDOW;
		clear_window(p, pages);
		p += pages * memory_page;
	}
}
