// SPDX-License-Identifier: MIT
/*
 * Zeroing memory, but only the pages that hold something: /proc/self/pagemap says of
 * each page whether it is present or swapped out. It needs no privilege for that.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>

#include "chunk_tree.h"
#include "os.h"
#include "os_linux.h"

#define PAGEMAP	"/proc/self/pagemap"

/* Entries of a chunk, if pages have 4 KiB; they lie on the stack. */
#define ENTRIES	(CHUNK_TREE_UNIT >> 12)

/* The page is present; or is in swap, is being moved or has a mark; is not shared */
#define PRESENT		(1ULL << 63)
#define SWAPPED		(1ULL << 62)
#define EXCLUSIVE	(1ULL << 56)

/* Is the file about this memory? An emulator's may be about its own. */
enum trust { UNTRIED, TRUSTED, DISTRUSTED };

static atomic_int trust;

/* The descriptor is not kept: a child would read of its parent, and programs close all. */
static int open_pagemap(void)
{
	return sys(SYS_openat, AT_FDCWD, PAGEMAP, O_RDONLY | O_CLOEXEC, 0);
}

static bool read_entries(int fd, const char *addr, uint64_t *entries,
			 size_t count)
{
	uintptr_t at = (uintptr_t)addr / chunk_os_caps.page_size;
	long bytes = count * sizeof(*entries);

	return sys(SYS_lseek, fd, (long)(at * sizeof(*entries)), SEEK_SET) >= 0 &&
	       sys(SYS_read, fd, entries, bytes) == bytes;
}

/* The stack is present. */
static int try_stack(int fd)
{
	uint64_t entry = 0;

	return read_entries(fd, (char *)&entry, &entry, 1) && entry & PRESENT ?
		       TRUSTED :
		       DISTRUSTED;
}

static bool is_trusted(int fd)
{
	int is = atomic_load_explicit(&trust, memory_order_relaxed);

	if (is == UNTRIED) {
		is = try_stack(fd);
		atomic_store_explicit(&trust, is, memory_order_relaxed);
	}
	return is == TRUSTED;
}

static bool reads_zero(const char *page)
{
	const uint64_t *at = (const uint64_t *)page;
	const uint64_t *end = at + chunk_os_caps.page_size / sizeof(*at);

	while (at < end && !*at)
		at++;
	return at == end;
}

/* A page that is shared may be the system's own page of zeros. */
static bool holds_something(uint64_t entry, const char *page)
{
	if (entry & SWAPPED)
		return true;
	if (!(entry & PRESENT))
		return false;
	return entry & EXCLUSIVE || !reads_zero(page);
}

/* Zero pages by their entries. Returns the number of bytes that held something. */
static size_t clear(char *addr, const uint64_t *entries, size_t count)
{
	size_t page = chunk_os_caps.page_size, held = 0;
	size_t first = 0, i;

	for (i = 0; i < count; i++) {
		if (holds_something(entries[i], addr + i * page))
			continue;
		memset(addr + first * page, 0, (i - first) * page);
		held += (i - first) * page;
		first = i + 1;
	}
	memset(addr + first * page, 0, (count - first) * page);
	return held + (count - first) * page;
}

static int clear_by(int fd, char *addr, size_t size, chunk_os_cleared *cleared)
{
	const size_t count = CHUNK_TREE_UNIT / chunk_os_caps.page_size;
	uint64_t entries[ENTRIES];
	char *end = addr + size;
	size_t held;

	for (; addr != end; addr += CHUNK_TREE_UNIT) {
		if (!read_entries(fd, addr, entries, count))
			return -EOPNOTSUPP;
		held = clear(addr, entries, count);
		cleared((uintptr_t)addr, held == CHUNK_TREE_UNIT);
	}
	return 0;
}

int chunk_os_clear(void *addr, size_t size, chunk_os_cleared *cleared)
{
	int err = -EOPNOTSUPP;
	int fd;

	if (atomic_load_explicit(&trust, memory_order_relaxed) == DISTRUSTED)
		return err;
	fd = open_pagemap();
	if (fd < 0)
		return err;
	if (is_trusted(fd))
		err = clear_by(fd, addr, size, cleared);
	sys(SYS_close, fd);
	return err;
}
