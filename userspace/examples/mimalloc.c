// SPDX-License-Identifier: MIT
/*
 * A heap of mimalloc 2 in a region of chunks. Build: cc mimalloc.c -lchunk -lmimalloc
 */
#include <stdio.h>
#include <string.h>

#include <chunk_mimalloc.h>

int main(void)
{
	mi_arena_id_t arena;
	mi_heap_t *heap;
	char *region, *block;

	region = chunk_mimalloc_reserve(4 * CHUNK_MIMALLOC_UNIT, true, &arena);
	if (!region)
		return 1;
	heap = mi_heap_new_in_arena(arena);
	if (!heap)
		return 1;
	block = mi_heap_malloc(heap, 100000);
	if (block < region || block >= region + 4 * CHUNK_MIMALLOC_UNIT)
		return 1;
	memset(block, 1, 100000);
	printf("a block %zu bytes into the region\n", (size_t)(block - region));
	mi_free(block);
	return 0;
}
