// SPDX-License-Identifier: MIT
/*
 * Partial chunks: parts of chunks that jemalloc does not use.
 *
 * jemalloc's sizes are multiples of pages, libchunk's of chunks. The rest of a
 * chunk, and any part of one that comes back, is kept here until a request takes
 * some of it or until the extent is complete again and goes back to libchunk. All
 * of it is decommitted, so that an access traps, or has never been touched. It
 * holds no memory.
 *
 * There are few partial chunks, since jemalloc asks for whole chunks nearly always.
 * So they are in a table, which grows and never shrinks.
 *
 * A child may be forked while another thread holds the lock. The lock therefore
 * names the process that holds it, and a child takes it over from its parent. So
 * nothing is ever in the table twice: an entry that moves is taken out first, and
 * all that can happen to a child is that it misses one.
 */
#include <errno.h>
#include <stdatomic.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "bounds.h"
#include "chunk.h"
#include "partial_chunks.h"

/**
 * struct partial - an entry of the table
 * @addr: first byte
 * @size: bytes; 0 if the entry is free, set last and cleared first
 */
struct partial {
	atomic_uintptr_t addr;
	atomic_size_t size;
};

/**
 * struct block - a part of the table
 * @next:     the next part; may be NULL: this is the last
 * @partials: the entries
 * @count:    number of entries
 */
struct block {
	struct block *next;
	struct partial *partials;
	size_t count;
};

#define FIRST	128
#define FURTHER	((size_t)64 << 10)

static struct partial first_partials[FIRST];
static struct block first = { .partials = first_partials, .count = FIRST };

static atomic_uint_least64_t kept;
static atomic_uint_least64_t lost;

/* The process that holds the lock over the table, or 0 */
static atomic_long holder;

/* The lock is held for a scan of the table: a thread that finds it taken sleeps. */
static void sleep_shortly(void)
{
	struct timespec nap = { .tv_nsec = 50000 };
	int saved = errno;

	nanosleep(&nap, NULL);
	errno = saved;
}

static void lock(void)
{
	long me = syscall(SYS_getpid), seen = 0;

	while (!atomic_compare_exchange_strong(&holder, &seen, me)) {
		/* Any other process is a parent, whose threads are not here. */
		if (seen != me)
			continue;
		sleep_shortly();
		seen = 0;
	}
}

static void unlock(void)
{
	atomic_store_explicit(&holder, 0, memory_order_release);
}

/* Return the entry after @partial, or the first; NULL at the end. Locked. */
static struct partial *next_partial(struct block **block,
				    struct partial *partial)
{
	if (!partial) {
		*block = &first;
		return first.partials;
	}
	partial++;
	if (partial == (*block)->partials + (*block)->count) {
		*block = (*block)->next;
		partial = *block ? (*block)->partials : NULL;
	}
	return partial;
}

static void fill(struct partial *partial, uintptr_t addr, size_t size)
{
	partial->addr = addr;
	partial->size = size;
	kept += size;
}

static void clear(struct partial *partial)
{
	kept -= partial->size;
	partial->size = 0;
}

/* Return a free entry, or NULL. Locked. */
static struct partial *find_free(void)
{
	struct block *block;
	struct partial *partial = NULL;

	do {
		partial = next_partial(&block, partial);
	} while (partial && partial->size);
	return partial;
}

/* Add a part to the table. Not locked. */
static bool grow(void)
{
	struct block *block = pages_map(NULL, FURTHER);
	struct block *last = &first;

	if (!block)
		return false;
	block->partials = (struct partial *)(block + 1);
	block->count = (FURTHER - sizeof(*block)) / sizeof(struct partial);
	lock();
	while (last->next)
		last = last->next;
	last->next = block;
	unlock();
	return true;
}

/**
 * struct range - range of addresses
 * @start: first byte
 * @end:   byte after the last
 */
struct range {
	uintptr_t start;
	uintptr_t end;
};

/* Return the entry that adjoins @range inside @extent, or NULL. Locked. */
static struct partial *find_adjoining(const struct range *range,
				      const struct range *extent)
{
	struct block *block;
	struct partial *partial = NULL;

	while ((partial = next_partial(&block, partial))) {
		uintptr_t start = partial->addr, end = start + partial->size;

		if (partial->size && start >= extent->start &&
		    end <= extent->end &&
		    (end == range->start || start == range->end))
			break;
	}
	return partial;
}

/* Return the entry of exactly this range, or NULL. Locked. */
static struct partial *find_exactly(uintptr_t start, uintptr_t end)
{
	struct block *block;
	struct partial *partial = NULL;

	while ((partial = next_partial(&block, partial)))
		if (partial->size && partial->addr == start &&
		    partial->size == end - start)
			break;
	return partial;
}

/* Move entries that adjoin @range inside @extent into @range. Locked. */
static void absorb(struct range *range, const struct range *extent)
{
	struct partial *partial;

	while ((partial = find_adjoining(range, extent))) {
		if (partial->addr < range->start)
			range->start = partial->addr;
		else
			range->end = partial->addr + partial->size;
		clear(partial);
	}
}

static bool find_extent(void *addr, struct range *extent)
{
	void *start;
	size_t length;

	if (!bounds_find(addr, &start, &length))
		return false;
	extent->start = (uintptr_t)start;
	extent->end = extent->start + length;
	return true;
}

static bool is_whole(const struct range *range, const struct range *extent)
{
	return range->start == extent->start && range->end == extent->end;
}

static void give_back(const struct range *extent)
{
	void *start = (void *)extent->start;
	size_t size = extent->end - extent->start;

	bounds_drop(start, size);
	chunk_dealloc(start, size, ARENA_CHUNK);
}

/**
 * partial_chunks_put() - keep a part of a chunk
 * @addr: first byte, page-aligned, in a live extent; decommitted or never touched
 * @size: bytes, not beyond that extent
 *
 * If this completes the extent, it goes back to libchunk.
 *
 * Return: false if the table is full and there is no memory.
 */
bool partial_chunks_put(void *addr, size_t size)
{
	struct range range = { (uintptr_t)addr, (uintptr_t)addr + size };
	struct range extent;
	struct partial *partial;

	if (!find_extent(addr, &extent))
		return false;
	for (;;) {
		lock();
		absorb(&range, &extent);
		if (is_whole(&range, &extent))
			break;
		partial = find_free();
		if (partial)
			fill(partial, range.start, range.end - range.start);
		unlock();
		if (partial)
			return true;
		if (!grow())
			return false;
	}
	unlock();
	give_back(&extent);
	return true;
}

/**
 * partial_chunks_complete() - give back an extent that this part completes
 * @addr: first byte, in a live extent; committed or not
 * @size: bytes, not beyond that extent
 *
 * Return: whether the extent was given back. If not, nothing has changed.
 */
bool partial_chunks_complete(void *addr, size_t size)
{
	uintptr_t start = (uintptr_t)addr, end = start + size;
	struct partial *before, *behind;
	struct range extent;
	bool whole;

	if (!find_extent(addr, &extent) || end > extent.end)
		return false;
	/* Mostly there are none: a part of an extent is not worth the lock then. */
	if (!kept && (start != extent.start || end != extent.end))
		return false;
	lock();
	/* Adjoining entries have been joined: each side is one entry at most. */
	before = find_exactly(extent.start, start);
	behind = find_exactly(end, extent.end);
	whole = (before || start == extent.start) &&
		(behind || end == extent.end);
	if (whole && before)
		clear(before);
	if (whole && behind)
		clear(behind);
	unlock();
	if (whole)
		give_back(&extent);
	return whole;
}

/**
 * partial_chunks_keep() - keep a part of a chunk, or count it as lost
 * @addr: first byte, as for partial_chunks_put()
 * @size: bytes
 */
void partial_chunks_keep(void *addr, size_t size)
{
	if (!partial_chunks_put(addr, size))
		lost += size;
}

/* Return the smallest entry that fits, at @at unless that is 0, or NULL. Locked. */
static struct partial *best_fit(uintptr_t at, size_t size, size_t alignment)
{
	struct block *block;
	struct partial *partial = NULL, *best = NULL;

	while ((partial = next_partial(&block, partial))) {
		if (partial->size < size || partial->addr & (alignment - 1) ||
		    (at && partial->addr != at))
			continue;
		if (!best || partial->size < best->size)
			best = partial;
	}
	return best;
}

/**
 * partial_chunks_take() - allocate memory from a partial chunk
 * @addr:      exact address; may be NULL: anywhere
 * @size:      bytes, a multiple of the page size
 * @alignment: bytes, a power of two
 *
 * Return: committed memory that reads as zero, or NULL.
 */
void *partial_chunks_take(void *addr, size_t size, size_t alignment)
{
	struct partial *partial;
	uintptr_t at = 0;
	size_t had;

	/* As long as requests are multiples of chunks, there are none. */
	if (!kept)
		return NULL;
	lock();
	partial = best_fit((uintptr_t)addr, size, alignment);
	if (partial) {
		at = partial->addr;
		had = partial->size;
		clear(partial);
		if (had > size)
			fill(partial, at + size, had - size);
	}
	unlock();
	if (!at)
		return NULL;
	if (pages_commit((void *)at, size))
		return (void *)at;
	/* Some part may have been committed. */
	pages_decommit((void *)at, size);
	partial_chunks_keep((void *)at, size);
	return NULL;
}

/**
 * partial_chunks_bytes() - get the size of all partial chunks
 *
 * Return: bytes of address space.
 */
uint64_t partial_chunks_bytes(void)
{
	return kept;
}

/**
 * partial_chunks_lost() - get the size of all parts that could not be kept
 *
 * Return: bytes of address space.
 */
uint64_t partial_chunks_lost(void)
{
	return lost;
}
