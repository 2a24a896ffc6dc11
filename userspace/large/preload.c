// SPDX-License-Identifier: MIT
/*
 * libchunk-large.so: preloaded, it serves the large blocks of malloc() from chunks.
 *
 * It defines malloc() and its family for the program. Small blocks cost a comparison
 * and a jump: they are the business of the allocator that the program would have
 * otherwise (below.h). A pointer tells by its lowest 20 bits that it is from there,
 * but for one in a thousand; the others are looked up in a table without locks, and
 * nothing is believed that is not in the table.
 *
 * Until the constructor has run, the defaults hold; blocks allocated before it are
 * like any others. No function here uses thread-local memory or a lock.
 */
#include <errno.h>
#include <malloc.h>
#include <stdlib.h>
#include <string.h>

#include "below.h"
#include "blocks.h"
#include "chunk.h"
#include "chunk_adapter.h"
#include "free_sized.h"
#include "memory.h"
#include "settings.h"

#define EXPORTED	__attribute__((visibility("default")))
#define COLD		__attribute__((noinline))

static inline bool is_large(size_t size)
{
	return __builtin_expect(size >= settings.threshold, 0);
}

/* Is it a large block? NULL is none. */
static bool find(const char *call, void *p, struct block *block)
{
	return may_be_large(p) && blocks_find(call, p, block);
}

/* Some allocators leave errno alone if the size is absurd. */
static void *or_no_memory(void *p)
{
	if (!p)
		errno = ENOMEM;
	return p;
}

static COLD void *alloc_large(size_t size)
{
	void *p = blocks_alloc(size, 1, false);

	return p ? p : or_no_memory(below.alloc(size));
}

/**
 * malloc() - allocate a block
 * @size: bytes
 *
 * Return: the block, or NULL with errno ENOMEM.
 */
EXPORTED void *malloc(size_t size)
{
	return is_large(size) ? alloc_large(size) : below.alloc(size);
}

static COLD void *calloc_large(size_t size)
{
	void *p = blocks_alloc(size, 1, true);

	return p ? p : or_no_memory(below.calloc(1, size));
}

/**
 * calloc() - allocate a block that reads as zero
 * @count: number of elements
 * @size:  size of an element in bytes
 *
 * Return: the block, or NULL with errno ENOMEM.
 */
EXPORTED void *calloc(size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all))
		return or_no_memory(NULL);
	return is_large(all) ? calloc_large(all) : below.calloc(count, size);
}

static COLD void free_perhaps_large(void *p)
{
	struct block block;

	if (blocks_find("free", p, &block))
		blocks_free("free", &block);
	else
		below.free(p);
}

/**
 * free() - free a block
 * @p: the block; may be NULL: nothing is freed
 *
 * Preserves errno for large blocks.
 */
EXPORTED void free(void *p)
{
	if (__builtin_expect(may_be_large(p), 0))
		free_perhaps_large(p);
	else
		below.free(p);
}

/* A block of the allocator below that gets large */
static void *from_below(void *p, size_t size)
{
	void *to = blocks_alloc_to_grow(size);
	size_t kept;

	if (!to)
		return or_no_memory(below.realloc(p, size));
	kept = below.usable(p);
	memcpy(to, p, kept < size ? kept : size);
	below.free(p);
	return to;
}

/*
 * Return a block as the allocator below makes it of a block that is resized to
 * @size, also to 0, which each allocator does in its own way: then NULL may mean
 * that there is no block any more, as @gone says.
 */
static void *small_like_below(size_t size, bool *gone)
{
	void *p;

	*gone = false;
	if (size)
		return below.alloc(size);
	p = below.alloc(1);
	if (!p)
		return NULL;
	p = below.realloc(p, 0);
	*gone = !p;
	return p;
}

static void *alloc_to_move(const struct block *block, size_t size)
{
	void *to;

	if (size > blocks_usable(block))
		to = blocks_alloc_to_grow(size);
	else
		to = blocks_alloc(size, 1, false);
	return to ? to : below.alloc(size);
}

/* May a block that would be so large stay where it is? */
static bool may_stay(const struct block *block, size_t size)
{
	return is_large(size) && size >= block->size / 2;
}

static void *move(void *p, struct block *block, size_t size)
{
	size_t usable = blocks_usable(block);
	bool gone = false;
	void *to;

	if (is_large(size))
		to = alloc_to_move(block, size);
	else
		to = small_like_below(size, &gone);
	/* A block that gets smaller can always stay. */
	if (!to && !gone)
		return size <= usable ? p : or_no_memory(NULL);
	if (to)
		memcpy(to, p, size < usable ? size : usable);
	blocks_free("realloc", block);
	atomic_fetch_add_explicit(&blocks_counts.moved, 1, memory_order_relaxed);
	return to;
}

static COLD void *realloc_perhaps_large(void *p, size_t size)
{
	struct block block;

	if (!p)
		return is_large(size) ? alloc_large(size) : below.alloc(size);
	if (!find("realloc", p, &block))
		return is_large(size) ? from_below(p, size) : below.realloc(p, size);
	if (may_stay(&block, size) && blocks_resize(&block, size))
		return p;
	return move(p, &block, size);
}

/**
 * realloc() - resize a block
 * @p:    the block; may be NULL: a new one
 * @size: bytes; 0 is treated as the allocator below treats it
 *
 * A large block stays where it is if its chunks have room for the new size and that
 * is at least half of them.
 *
 * Return: the block, which may have moved, or NULL with errno ENOMEM, and @p is as
 * it was.
 */
EXPORTED void *realloc(void *p, size_t size)
{
	if (__builtin_expect(may_be_large(p), 0) || is_large(size))
		return realloc_perhaps_large(p, size);
	return below.realloc(p, size);
}

/**
 * reallocarray() - resize a block
 * @p:     the block; may be NULL: a new one
 * @count: number of elements
 * @size:  size of an element in bytes
 *
 * Return: as realloc(); also NULL with errno ENOMEM if the product is too large.
 */
EXPORTED void *reallocarray(void *p, size_t count, size_t size)
{
	size_t all;

	if (__builtin_mul_overflow(count, size, &all))
		return or_no_memory(NULL);
	return realloc(p, all);
}

static bool is_power_of_two(size_t alignment)
{
	return alignment && !(alignment & (alignment - 1));
}

/* Other alignments are for the allocator below, which refuses or rounds them. */
static COLD void *align_large(size_t alignment, size_t size,
			      void *(*otherwise)(size_t alignment, size_t size))
{
	void *p;

	if (!is_power_of_two(alignment))
		return otherwise(alignment, size);
	p = blocks_alloc(size, alignment, false);
	return p ? p : or_no_memory(otherwise(alignment, size));
}

/**
 * memalign() - allocate an aligned block
 * @alignment: bytes, a power of two
 * @size:      bytes
 *
 * Return: the block, or NULL with errno set.
 */
EXPORTED void *memalign(size_t alignment, size_t size)
{
	if (is_large(size))
		return align_large(alignment, size, below.memalign);
	return below.memalign(alignment, size);
}

/**
 * aligned_alloc() - allocate an aligned block
 * @alignment: bytes, a power of two
 * @size:      bytes
 *
 * Return: the block, or NULL with errno set.
 */
EXPORTED void *aligned_alloc(size_t alignment, size_t size)
{
	if (is_large(size))
		return align_large(alignment, size, below.aligned);
	return below.aligned(alignment, size);
}

/**
 * posix_memalign() - allocate an aligned block
 * @p:         set to the block on success
 * @alignment: bytes, a power of two and a multiple of the size of a pointer
 * @size:      bytes
 *
 * Return: 0, EINVAL or ENOMEM. Preserves errno.
 */
EXPORTED int posix_memalign(void **p, size_t alignment, size_t size)
{
	void *got = NULL;

	if (is_large(size) && is_power_of_two(alignment) &&
	    alignment >= sizeof(void *))
		got = blocks_alloc(size, alignment, false);
	if (!got)
		return below.posix(p, alignment, size);
	*p = got;
	return 0;
}

static size_t page_size(void)
{
	memory_start();
	return memory_page;
}

/**
 * valloc() - allocate a block that begins at a page
 * @size: bytes
 *
 * Return: the block, or NULL with errno ENOMEM.
 */
EXPORTED void *valloc(size_t size)
{
	return memalign(page_size(), size);
}

/**
 * pvalloc() - allocate whole pages
 * @size: bytes, which are rounded up
 *
 * Return: the block, or NULL with errno ENOMEM.
 */
EXPORTED void *pvalloc(size_t size)
{
	size_t page = page_size();

	if (size > SIZE_MAX - page)
		return or_no_memory(NULL);
	return memalign(page, (size + page - 1) & ~(page - 1));
}

/**
 * free_sized() - free a block
 * @p:    the block; may be NULL: nothing is freed
 * @size: bytes that it was allocated with
 */
EXPORTED void free_sized(void *p, size_t size)
{
	(void)size;
	free(p);
}

/**
 * free_aligned_sized() - free an aligned block
 * @p:         the block; may be NULL: nothing is freed
 * @alignment: alignment in bytes that it was allocated with
 * @size:      bytes that it was allocated with
 */
EXPORTED void free_aligned_sized(void *p, size_t alignment, size_t size)
{
	(void)alignment;
	(void)size;
	free(p);
}

/**
 * malloc_usable_size() - get the size of a block
 * @p: the block; may be NULL
 *
 * Return: bytes that the program may use; 0 for NULL.
 */
EXPORTED size_t malloc_usable_size(void *p)
{
	struct block block;

	if (find("malloc_usable_size", p, &block))
		return blocks_usable(&block);
	return below.usable(p);
}

static void __attribute__((constructor(101))) start(void)
{
	settings_read();
}

static void say_number(struct chunk_line *line, const char *what, uint64_t number)
{
	chunk_line_text(line, what);
	chunk_line_number(line, number, 10);
}

static void __attribute__((destructor)) report(void)
{
	struct chunk_line line = { 0 };

	if (!settings.report)
		return;
	chunk_line_text(&line, "libchunk-large: backend ");
	/* To ask libchunk would open the device. */
	chunk_line_text(&line, blocks_counts.allocs ? chunk_backend() : "none");
	say_number(&line, ", blocks ", blocks_counts.allocs);
	say_number(&line, ", kept ones used again ", blocks_counts.warm);
	say_number(&line, ", resized in place ", blocks_counts.resized);
	say_number(&line, ", moved ", blocks_counts.moved);
	say_number(&line, ", left to the allocator below ", blocks_counts.refused);
	chunk_line_write(&line);
}
