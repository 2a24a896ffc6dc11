// SPDX-License-Identifier: MIT
/*
 * A pool of buffers with a guard page behind each: a write past the end of a buffer
 * traps, on the device without a mapping for each guard. A freed buffer has no memory
 * and traps, too. Build: cc pool.c -lchunk
 */
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <chunk.h>

#define CHUNK	((size_t)1 << 20)

/* struct pool - buffers of @size bytes in one chunk, each with a page behind it */
struct pool {
	char *chunk;
	size_t size;
	size_t page;
	unsigned int count;
	unsigned int free[CHUNK / 4096];
};

/* @size is a multiple of the page size. */
static bool pool_start(struct pool *pool, size_t size)
{
	pool->page = (size_t)sysconf(_SC_PAGESIZE);
	pool->size = size;
	/* Decommitted from the start: a buffer is committed when it is taken. */
	pool->chunk = chunk_alloc_decommitted(CHUNK, CHUNK);
	pool->count = 0;
	for (size_t i = CHUNK / (size + pool->page); i; i--)
		pool->free[pool->count++] = (unsigned int)i - 1;
	return pool->chunk;
}

static void *pool_take(struct pool *pool)
{
	char *buffer;

	if (!pool->count)
		return NULL;
	buffer = pool->chunk + pool->free[pool->count - 1] * (pool->size + pool->page);
	if (!pages_commit(buffer, pool->size))
		return NULL;
	pool->count--;
	return buffer;
}

static void pool_give(struct pool *pool, void *buffer)
{
	size_t offset = (size_t)((char *)buffer - pool->chunk);

	pages_decommit(buffer, pool->size);
	pool->free[pool->count++] = (unsigned int)(offset / (pool->size + pool->page));
}

static sigjmp_buf trapped;

static void on_trap(int signal)
{
	siglongjmp(trapped, signal);
}

static bool traps(volatile char *byte)
{
	if (sigsetjmp(trapped, 1))
		return true;
	*byte = 1;
	return false;
}

int main(void)
{
	struct pool pool;
	char *buffer, *other;
	size_t size;

	size = 2 * (size_t)sysconf(_SC_PAGESIZE);
	if (!pool_start(&pool, size))
		return 1;
	signal(SIGSEGV, on_trap);
	signal(SIGBUS, on_trap);

	buffer = pool_take(&pool);
	other = pool_take(&pool);
	if (!buffer || !other)
		return 1;
	memset(buffer, 1, size);
	if (traps(buffer + size - 1) || !traps(buffer + size))
		return 1;
	pool_give(&pool, buffer);
	if (!traps(buffer) || traps(other))
		return 1;
	if (pool_take(&pool) != buffer || buffer[0])
		return 1;
	printf("%zu bytes, then a page that traps\n", size);
	chunk_dealloc(pool.chunk, CHUNK, UNKNOWN_CHUNK);
	return 0;
}
