// SPDX-License-Identifier: MIT
/*
 * Poison: offered memory does not trap, so CHUNK_OPTIONS="poison:on" fills it, and
 * looks whether anything was written to it before it is taken back. Pages that the
 * system discarded read as zero.
 */
#include <stdint.h>
#include <string.h>

#include "chunk_poison.h"
#include "chunk_report.h"
#include "chunk_tree.h"
#include "os.h"

#define POISON	0xdb

/**
 * chunk_poison() - fill memory that is to be kept
 * @addr: first byte
 * @size: bytes
 */
void chunk_poison(void *addr, size_t size)
{
	memset(addr, POISON, size);
}

/* The first byte of a page with another value, or the byte after the page */
static const unsigned char *other_byte(const unsigned char *page,
				       unsigned char value)
{
	const unsigned char *end = page + chunk_os_caps.page_size;

	while (page < end && *page == value)
		page++;
	return page;
}

static void check_page(const char *call, const unsigned char *page,
		       bool discarded)
{
	const unsigned char *end = page + chunk_os_caps.page_size;
	const unsigned char *at = other_byte(page, POISON);
	uintptr_t chunk = (uintptr_t)page & ~(CHUNK_TREE_UNIT - 1);

	if (at == end)
		return;
	/* A page that was discarded and written to later is mostly zero. */
	if (discarded && !*page) {
		at = other_byte(page, 0);
		if (at == end)
			return;
	}
	chunk_die(CHUNK_CALL(call), (void *)chunk, (uintptr_t)at - chunk,
		  "poison:on: the byte at this offset was written to after the chunk was given back");
}

/**
 * chunk_poison_check() - end the process if kept memory was written to
 * @call:      the function of the API that takes it back
 * @addr:      first byte
 * @size:      bytes
 * @discarded: some pages may read as zero
 */
void chunk_poison_check(const char *call, const void *addr, size_t size,
			bool discarded)
{
	const unsigned char *page = addr, *end = page + size;

	for (; page < end; page += chunk_os_caps.page_size)
		check_page(call, page, discarded);
}
