// SPDX-License-Identifier: MIT
/*
 * An arena of mimalloc 3 on chunks: its callback commits and decommits, so that freed
 * memory traps. With mimalloc 3: cc -DHAVE_MIMALLOC3 mimalloc3.c -lchunk -lmimalloc.
 * Without it, main() calls the callback as mimalloc would.
 */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <chunk.h>

#ifdef HAVE_MIMALLOC3
#include <mimalloc.h>
#else
#include "declared/mimalloc3.h"
#endif

/* mimalloc wants arenas at multiples of its slices and of some size. */
#define ALIGNMENT	((size_t)64 << 20)
#define SIZE		((size_t)1 << 30)

static bool chunk_commit(bool commit, void *start, size_t size, bool *is_zero, void *arg)
{
	(void)arg;
	if (!commit) {
		pages_decommit(start, size);
		return true;
	}
	/* Pages that are committed already keep their contents. */
	if (is_zero)
		*is_zero = false;
	return pages_commit(start, size);
}

/* Return the arena's memory, which mimalloc keeps for good; NULL without memory. */
static void *reserve(mi_arena_id_t *arena)
{
	void *region = chunk_alloc_decommitted(SIZE, ALIGNMENT);

	if (!region)
		return NULL;
	if (!mi_manage_memory(region, SIZE, false, false, true, -1, true, chunk_commit, NULL,
			      arena)) {
		chunk_dealloc(region, SIZE, UNKNOWN_CHUNK);
		return NULL;
	}
	return region;
}

#ifndef HAVE_MIMALLOC3
/**
 * mi_manage_memory() - stand in for mimalloc: commit part of the region and free it
 * @start:          first byte of the region
 * @size:           bytes
 * @is_committed:   false: @commit_fun is asked before memory is used
 * @is_pinned:      false: memory may be decommitted
 * @is_zero:        true: memory that was never used reads as zero
 * @numa_node:      -1: any
 * @exclusive:      true: only heaps that ask for the arena use it
 * @commit_fun:     commits and decommits
 * @commit_fun_arg: its last argument; may be NULL: it needs none
 * @arena_id:       set to the arena
 *
 * Return: false if an argument is unlike the example's, or there is no memory.
 */
bool mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned,
		      bool is_zero, int numa_node, bool exclusive,
		      mi_commit_fun_t *commit_fun, void *commit_fun_arg,
		      mi_arena_id_t *arena_id)
{
	bool zero;

	if (is_committed || is_pinned || !is_zero || numa_node != -1 || !exclusive || !size)
		return false;
	if (!commit_fun(true, start, 1 << 16, &zero, commit_fun_arg))
		return false;
	memset(start, 1, 1 << 16);
	*arena_id = start;
	return commit_fun(false, start, 1 << 16, NULL, commit_fun_arg);
}
#endif

int main(void)
{
	struct chunk_stats stats;
	mi_arena_id_t arena;

	if (!reserve(&arena))
		return 1;
	chunk_get_stats(&stats);
	printf("%llu of %llu MiB are decommitted\n",
	       (unsigned long long)stats.decommitted_bytes >> 20,
	       (unsigned long long)stats.live_bytes >> 20);
	return 0;
}
