// SPDX-License-Identifier: MIT
/*
 * A program that accesses memory of a chunk that it may not: for annotate_test. Prints
 * the address first. Its argument says which memory; without one it does nothing wrong.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"

#define MIB	((size_t)1 << 20)
#define GIB	((size_t)1 << 30)
#define PAGES	((size_t)1 << 16)

static char read_byte(char *at)
{
	printf("= %p\n", (void *)at);
	fflush(stdout);
	return *(volatile char *)at;
}

/* Chunks that come back can be used as before, all of them. */
static void reuse(size_t size)
{
	char *chunk = chunk_alloc(size, MIB, false);

	pages_decommit(chunk + PAGES, PAGES);
	memset(chunk, 1, PAGES);
	if (!pages_commit(chunk + PAGES, PAGES))
		exit(3);
	memset(chunk, 2, 2 * PAGES);
	pages_decommit(chunk + PAGES, PAGES);
	chunk_dealloc(chunk, size, UNKNOWN_CHUNK);
	chunk = chunk_alloc(size, MIB, false);
	memset(chunk, 3, size < GIB ? size : MIB);
	chunk[size - 1] = 4;
	chunk_dealloc(chunk, size, UNKNOWN_CHUNK);
}

/* Address space of a terabyte costs a tool little, wherever it is used. */
static void large(void)
{
	size_t size = sizeof(void *) == 8 ? 1024 * GIB : GIB;
	char *chunk = chunk_alloc_decommitted(size, MIB);

	/* valgrind has no room for that. */
	if (!chunk)
		return;
	if (!pages_commit(chunk + size / 2, MIB))
		exit(4);
	memset(chunk + size / 2, 1, MIB);
	pages_decommit(chunk + size / 2, MIB);
	if (!pages_commit(chunk, size))
		exit(5);
	memset(chunk, 1, MIB);
	memset(chunk + size / 2, 1, MIB);
	chunk_dealloc(chunk, size, UNKNOWN_CHUNK);
}

int main(int argc, char **argv)
{
	const char *what = argc > 1 ? argv[1] : "nothing";
	char *chunk = chunk_alloc(2 * MIB, MIB, false);

	if (!strcmp(what, "decommitted")) {
		pages_decommit(chunk + MIB, PAGES);
		return read_byte(chunk + MIB + 100);
	}
	if (!strcmp(what, "given-back")) {
		chunk_dealloc(chunk, 2 * MIB, UNKNOWN_CHUNK);
		return read_byte(chunk + 100);
	}
	if (!strcmp(what, "kept")) {
		if (!chunk_set_reuse(REUSE_OFFERED, 8 * MIB))
			return 3;
		chunk_dealloc(chunk, 2 * MIB, UNKNOWN_CHUNK);
		return read_byte(chunk + 100);
	}
	reuse(MIB);
	reuse(GIB);
	large();
	if (chunk_set_reuse(REUSE_OFFERED, 8 * MIB)) {
		reuse(MIB);
		reuse(4 * MIB);
	}
	puts("= done");
	return 0;
}
