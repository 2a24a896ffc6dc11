// SPDX-License-Identifier: MIT
/*
 * An allocator that gets its chunks from a table of functions, as mozjemalloc's arenas
 * do: the table is all that it knows. Build: cc mozjemalloc.c -lchunk
 */
#include <stdio.h>
#include <string.h>

#include <chunk_mozjemalloc.h>

#define CHUNK	((size_t)1 << 20)

/* struct arena - blocks of 64 KiB in one chunk of a source */
struct arena {
	const struct chunk_mozjemalloc *source;
	char *chunk;
	unsigned int used;
};

static bool arena_start(struct arena *arena, const struct chunk_mozjemalloc *source)
{
	arena->source = source;
	arena->used = 0;
	arena->chunk = source->map(CHUNK, CHUNK);
	if (!arena->chunk)
		return false;
	source->decommit(arena->chunk, CHUNK);
	return true;
}

static void *arena_alloc(struct arena *arena)
{
	for (unsigned int i = 0; i < 16; i++) {
		char *block = arena->chunk + i * (CHUNK / 16);

		if (arena->used & 1U << i)
			continue;
		if (!arena->source->commit(block, CHUNK / 16))
			return NULL;
		arena->used |= 1U << i;
		return block;
	}
	return NULL;
}

static void arena_free(struct arena *arena, void *block)
{
	arena->used &= ~(1U << (size_t)((char *)block - arena->chunk) / (CHUNK / 16));
	arena->source->decommit(block, CHUNK / 16);
}

int main(void)
{
	struct arena arena;
	char *block;

	if (!arena_start(&arena, &chunk_mozjemalloc))
		return 1;
	block = arena_alloc(&arena);
	if (!block || block[0])
		return 1;
	memset(block, 1, CHUNK / 16);
	printf("a block of %zu bytes\n", CHUNK / 16);
	arena_free(&arena, block);
	arena.source->unmap(arena.chunk, CHUNK);
	return 0;
}
