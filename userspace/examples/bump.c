// SPDX-License-Identifier: MIT
/*
 * A bump allocator: much address space at once, of which pages are committed as they
 * are needed. Blocks never move, and a read behind the last one traps instead of
 * finding something. Build: cc bump.c -lchunk
 */
#include <stdio.h>
#include <string.h>

#include <chunk.h>

#define SPAN	((size_t)64 << 30)	/* address space; memory is not taken for it */
#define STEP	((size_t)1 << 20)	/* committed at a time */

/* struct bump - addresses of the next block, and of the ends */
struct bump {
	char *start;
	char *next;
	char *committed;
};

static bool bump_start(struct bump *bump)
{
	bump->start = chunk_alloc_decommitted(SPAN, STEP);
	bump->next = bump->start;
	bump->committed = bump->start;
	return bump->start;
}

static void *bump_alloc(struct bump *bump, size_t size)
{
	char *block = bump->next;
	size_t missing;

	size = (size + 15) & ~(size_t)15;
	if (size > (size_t)(bump->start + SPAN - block))
		return NULL;
	if (size > (size_t)(bump->committed - block)) {
		missing = size - (size_t)(bump->committed - block);
		missing = (missing + STEP - 1) & ~(STEP - 1);
		if (!pages_commit(bump->committed, missing))
			return NULL;
		bump->committed += missing;
	}
	bump->next = block + size;
	return block;
}

/* Forget all blocks: the address space stays, the memory goes, and all of it traps. */
static void bump_reset(struct bump *bump)
{
	if (bump->committed > bump->start)
		pages_decommit(bump->start, (size_t)(bump->committed - bump->start));
	bump->next = bump->start;
	bump->committed = bump->start;
}

int main(void)
{
	struct chunk_stats stats;
	struct bump bump;
	char *block;

	if (!bump_start(&bump))
		return 1;
	for (int i = 0; i < 100000; i++) {
		block = bump_alloc(&bump, 100);
		if (!block || block[99])
			return 1;
		memset(block, 1, 100);
	}
	chunk_get_stats(&stats);
	printf("%zu bytes of blocks, %llu committed of %llu\n",
	       (size_t)(bump.next - bump.start),
	       (unsigned long long)(stats.live_bytes - stats.decommitted_bytes),
	       (unsigned long long)stats.live_bytes);

	bump_reset(&bump);
	chunk_get_stats(&stats);
	if (stats.decommitted_bytes != SPAN)
		return 1;
	chunk_dealloc(bump.start, SPAN, UNKNOWN_CHUNK);
	return 0;
}
