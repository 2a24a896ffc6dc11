// SPDX-License-Identifier: MIT
/*
 * Memory from libchunk: the only file that knows how libchunk reuses it.
 */
#include <errno.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/resource.h>
#include <unistd.h>

#include "chunk.h"
#include "memory.h"
#include "settings.h"
#include "table.h"

/* Bytes of freed blocks that are kept at most */
#define KEEP_MOST	((size_t)1 << 30)

/*
 * The same if they are not offered: the C library's malloc() may keep as much at the
 * end of its heap.
 */
#define HOT_MOST	((size_t)64 << 20)

size_t memory_page;
size_t memory_keep;

/* Kept blocks are offered. */
static bool offers;

/* A program with little address space needs most of it for other things. */
static size_t share_of_address_space(void)
{
	struct rlimit limit;

	if (getrlimit(RLIMIT_AS, &limit) || limit.rlim_cur == RLIM_INFINITY ||
	    limit.rlim_cur / 8 > KEEP_MOST)
		return KEEP_MOST;
	return limit.rlim_cur / 8;
}

/*
 * Have libchunk keep the memory of freed blocks as offered memory, unless the user
 * has decided. Returns the most bytes to keep.
 */
static size_t set_reuse(void)
{
	size_t limit;

	if (settings_have_option("reuse:trapped"))
		return 0;
	if (!settings_size_option("offer_limit:", &limit))
		limit = share_of_address_space();
	if (!settings_have_option("reuse:offered") &&
	    !chunk_set_reuse(REUSE_OFFERED, limit))
		return 0;
	return limit;
}

/*
 * Blocks are kept with their guards, and offered if that takes no system call. Else
 * few are kept, with their memory; libchunk offers the others. If it shall poison
 * what is freed, it gets all of them.
 */
static size_t most_kept(void)
{
	size_t limit = set_reuse();

	offers = chunk_offer_way() == OFFER_WORDS;
	if (settings_have_option("poison:on"))
		return 0;
	return offers || limit < HOT_MOST ? limit : HOT_MOST;
}

/**
 * memory_start() - set @memory_page and @memory_keep
 *
 * Context: before the first block. Several threads may do it at the same time.
 * Preserves errno.
 */
void memory_start(void)
{
	static atomic_bool done;
	int saved = errno;

	if (atomic_load_explicit(&done, memory_order_acquire))
		return;
	memory_page = sysconf(_SC_PAGESIZE);
	memory_keep = most_kept();
	atomic_store_explicit(&done, true, memory_order_release);
	errno = saved;
}

/**
 * memory_alloc() - get an extent
 * @size:      bytes, whole chunks
 * @alignment: bytes, a power of two of at least a chunk
 * @zero:      set to whether the memory is known to read as zero
 *
 * Return: the extent, or NULL.
 */
void *memory_alloc(size_t size, size_t alignment, bool *zero)
{
	return chunk_alloc_dirty(size, alignment, zero);
}

/**
 * memory_dealloc() - give an extent back
 * @extent: the extent, offered or not
 * @size:   its size in bytes
 */
void memory_dealloc(void *extent, size_t size)
{
	chunk_dealloc(extent, size, UNKNOWN_CHUNK);
}

/**
 * memory_offer() - let the system have the memory of chunks when it is short
 * @extent: first byte of an extent
 * @size:   bytes, whole chunks
 */
void memory_offer(void *extent, size_t size)
{
	if (offers)
		chunk_offer(extent, size);
}

/**
 * memory_take() - take back chunks that were offered
 * @extent: first byte of an extent
 * @size:   bytes, as they were offered
 *
 * Return: true if the memory is known to read as zero.
 */
bool memory_take(void *extent, size_t size)
{
	return offers && !chunk_reclaim(extent, size);
}
