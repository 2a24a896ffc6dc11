// SPDX-License-Identifier: MIT
/*
 * A library to preload: a minimal malloc on libchunk. It calls libchunk with
 * its lock held, as allocators do, and reports when the thread that holds the
 * lock calls it again.
 */
#include <chunk.h>
#include <errno.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/syscall.h>

#define EXPORT __attribute__((visibility("default")))

#define MIB	((size_t)1 << 20)
#define LARGE	(MIB / 4)

EXPORT atomic_uint allocator_chunks;

static atomic_uint holder;

/* The chunk that small blocks are cut from; no block is used again. */
static char *current;
static size_t left;

/**
 * struct head - header in front of each block
 * @size:   bytes that were asked for
 * @extent: bytes of a large block's own extent, or 0
 */
struct head {
	_Alignas(16) size_t size;
	size_t extent;
};

static void enter(void)
{
	static const char again[] = "allocator: called with its lock held\n";
	unsigned int me = syscall(SYS_gettid), none = 0;

	if (atomic_load(&holder) == me) {
		syscall(SYS_write, STDERR_FILENO, again, sizeof(again) - 1);
		_exit(8);
	}
	while (!atomic_compare_exchange_weak(&holder, &none, me)) {
		none = 0;
		sched_yield();
	}
}

static void leave(void)
{
	atomic_store(&holder, 0);
}

static char *take_extent(size_t size)
{
	char *extent = chunk_alloc(size, MIB, false);

	atomic_fetch_add(&allocator_chunks, extent ? 1 : 0);
	return extent;
}

/* Context: the lock of enter() is held. */
static char *cut(size_t size)
{
	if (left < size) {
		current = take_extent(MIB);
		left = current ? MIB : 0;
	}
	if (left < size)
		return NULL;
	left -= size;
	return current + left;
}

static void *allocate(size_t size, size_t alignment)
{
	size_t need = sizeof(struct head) + alignment + size;
	size_t extent = 0;
	struct head *head;
	char *at;

	if (need < size || need > SIZE_MAX / 2) {
		errno = ENOMEM;
		return NULL;
	}
	if (need > LARGE)
		extent = (need + MIB - 1) & ~(MIB - 1);
	need = (need + sizeof(*head) - 1) & ~(sizeof(*head) - 1);
	enter();
	at = extent ? take_extent(extent) : cut(need);
	leave();
	if (!at)
		return NULL;
	at += sizeof(*head);
	at += -(uintptr_t)at & (alignment - 1);
	head = (struct head *)at - 1;
	head->size = size;
	head->extent = extent;
	return at;
}

EXPORT void *malloc(size_t size)
{
	return allocate(size, sizeof(struct head));
}

EXPORT void *aligned_alloc(size_t alignment, size_t size)
{
	return allocate(size, alignment);
}

/* Only extents are used again, and they come zeroed. */
EXPORT void *calloc(size_t count, size_t size)
{
	if (size && count > SIZE_MAX / size)
		return NULL;
	return malloc(count * size);
}

EXPORT void free(void *piece)
{
	struct head *head = (struct head *)piece - 1;

	if (!piece || !head->extent)
		return;
	enter();
	chunk_dealloc((void *)((uintptr_t)piece & -MIB), head->extent,
		      UNKNOWN_CHUNK);
	leave();
}

EXPORT void *realloc(void *old, size_t size)
{
	void *new = malloc(size);
	size_t had = old ? ((struct head *)old - 1)->size : 0;

	if (!new || !old)
		return new;
	memcpy(new, old, had < size ? had : size);
	free(old);
	return new;
}
