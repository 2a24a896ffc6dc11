// SPDX-License-Identifier: MIT
/*
 * A program for those who trace: it causes every event of libchunk's probes, without the
 * module. Exits with 0 if all calls did what they should.
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk.h"

#define MIB	((size_t)1 << 20)
#define PAGES	((size_t)1 << 16)

static sigjmp_buf back;

static void come_back(int signal)
{
	(void)signal;
	siglongjmp(back, 1);
}

static void *get(size_t size)
{
	void *chunk = chunk_alloc(size, MIB, false);

	if (!chunk)
		exit(1);
	return chunk;
}

/* Give the two halves of an extent back that are neighbours; get one again. */
static void recycle(void)
{
	char *chunks[16];
	int i;

	for (i = 0; i < 16; i++)
		chunks[i] = get(MIB);
	for (i = 0; i < 16; i++)
		chunk_dealloc(chunks[i], MIB, UNKNOWN_CHUNK);
	for (i = 0; i < 16; i++)
		chunk_dealloc(get(MIB), MIB, UNKNOWN_CHUNK);
	chunk_set_recycle_limit(0);
	chunk_set_recycle_limit(16 * MIB);
}

static void decommit(void)
{
	char *chunk = get(MIB), *empty;

	pages_decommit(chunk, PAGES);
	if (!pages_commit(chunk, PAGES))
		exit(1);
	pages_decommit(chunk, PAGES);
	signal(SIGSEGV, come_back);
	signal(SIGBUS, come_back);
	pages_decommit(chunk, PAGES);
	if (!sigsetjmp(back, 1)) {
		*(volatile char *)chunk;
		exit(2);
	}
	empty = chunk_alloc_decommitted(4 * MIB, MIB);
	if (!empty || !pages_commit(empty, PAGES))
		exit(1);
}

static void offer(void)
{
	char *chunk = get(2 * MIB);

	memset(chunk, 1, 2 * MIB);
	chunk_offer(chunk, 2 * MIB);
	chunk_reclaim(chunk, 2 * MIB);
	if (!chunk_set_reuse(REUSE_OFFERED, 8 * MIB))
		exit(3);
	chunk_dealloc(chunk, 2 * MIB, UNKNOWN_CHUNK);
	get(2 * MIB);
}

int main(void)
{
	setenv("CHUNK_OPTIONS", "backend:mmap,explain:on", 1);
	recycle();
	decommit();
	offer();
	return 0;
}
