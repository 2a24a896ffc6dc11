// SPDX-License-Identifier: MIT
/*
 * An arena of jemalloc 5 whose extents are chunks; the rest of the program's heap is
 * left alone. Build: cc jemalloc.c -l:libchunk-jemalloc.a -l:libchunk.a -ljemalloc
 */
#include <stdio.h>
#include <string.h>

#include <jemalloc/jemalloc.h>

#include <chunk.h>
#include <chunk_jemalloc.h>

int main(void)
{
	extent_hooks_t *hooks = &chunk_jemalloc_hooks;
	struct chunk_jemalloc_stats stats;
	size_t length = sizeof(unsigned int);
	unsigned int arena;
	char *block;
	int flags;

	if (mallctl("arenas.create", &arena, &length, &hooks, sizeof(hooks)))
		return 1;
	/* Without the cache of the thread, blocks come from the arena itself. */
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	block = mallocx((size_t)8 << 20, flags);
	if (!block || !chunk_jemalloc_owns(block))
		return 1;
	memset(block, 1, (size_t)8 << 20);
	dallocx(block, flags);

	chunk_jemalloc_get_stats(&stats);
	printf("jemalloc has %llu KiB of chunks, from the %s\n",
	       (unsigned long long)stats.extent_bytes >> 10, chunk_backend());
	return 0;
}
