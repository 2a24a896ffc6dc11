// SPDX-License-Identifier: MIT
/*
 * Handing kept extents out, as they are or zeroed.
 *
 * Words tell what became of each chunk. They are taken under the lock, without a
 * system call. A chunk that the kernel is about to discard is free again in a
 * moment.
 */
#include <string.h>

#include "chunk_annotate.h"
#include "chunk_full.h"
#include "chunk_offer.h"
#include "chunk_poison.h"
#include "chunk_probe.h"
#include "chunk_recycle.h"
#include "chunk_registry.h"
#include "chunk_reuse.h"
#include "chunk_state.h"

#define kept	(&chunk_state.kept)

/* Naps of some 50 us before an extent is passed over */
#define NAPS	200

/**
 * struct taken - an extent taken back
 * @extent:    the extent, or NULL
 * @contents:  what became of them
 * @discarded: bytes known to have been discarded
 * @was_zero:  it was kept as zero
 */
struct taken {
	struct chunk_extent *extent;
	enum chunk_contents contents;
	size_t discarded;
	bool was_zero;
};

/* Offer the first bytes of an extent again, which were taken back already. */
static void offer_again(const struct chunk_extent *extent, size_t size)
{
	/* Some of it may have been discarded, and would look written to. */
	if (size && chunk_state.options.poison)
		chunk_poison((void *)extent->addr, size);
	if (size)
		chunk_offer_words((void *)extent->addr, size,
				  (uintptr_t)extent->owner);
}

/* The contents of all chunks together; CONTENTS_BUSY: none was taken */
static enum chunk_contents take_words(const struct chunk_extent *extent,
				      size_t *discarded)
{
	uintptr_t generation = (uintptr_t)extent->owner;
	enum chunk_contents contents;
	bool intact = true;
	size_t done;

	*discarded = 0;
	for (done = 0; done < extent->size; done += CHUNK_TREE_UNIT) {
		contents = chunk_take_word((void *)(extent->addr + done),
					   generation);
		if (contents == CONTENTS_BUSY) {
			offer_again(extent, done);
			return contents;
		}
		intact &= contents == CONTENTS_INTACT;
		if (contents == CONTENTS_ZERO) {
			*discarded += CHUNK_TREE_UNIT;
			chunk_full_set(extent->addr + done, false);
		}
	}
	if (*discarded == extent->size)
		return CONTENTS_ZERO;
	return intact ? CONTENTS_INTACT : CONTENTS_UNKNOWN;
}

/* Make an extent live. */
static bool enlist(struct taken *taken)
{
	struct chunk_extent *extent = taken->extent;

	extent->live = extent->owner;
	taken->was_zero = extent->type == KEPT_ZERO;
	if (!chunk_registry_add_recycled(extent))
		return false;
	extent->type = LIVE_COMMITTED;
	kept->taken += extent->size;
	kept->discarded += taken->discarded;
	return true;
}

static void put_back(const struct taken *taken)
{
	struct chunk_extent *extent = taken->extent;

	if (extent->owner && taken->contents != CONTENTS_BUSY)
		offer_again(extent, extent->size);
	chunk_annotate_unusable((void *)extent->addr, extent->size);
	chunk_reuse_insert_anyway(extent);
}

/* Take an extent of the tree. Context: chunk_lock() held. */
static struct taken take(size_t size, size_t alignment)
{
	struct taken taken = {
		.extent = chunk_reuse_find(size, alignment),
		.contents = CONTENTS_UNKNOWN,
	};

	if (!taken.extent)
		return taken;
	chunk_annotate_usable((void *)taken.extent->addr, taken.extent->size);
	if (chunk_reuse_is_lost(taken.extent)) {
		WRITE_ONCE(kept->lost, true);
		taken.contents = CONTENTS_BUSY;
	} else if (taken.extent->owner) {
		taken.contents = take_words(taken.extent, &taken.discarded);
	}
	if (taken.contents != CONTENTS_BUSY && enlist(&taken))
		return taken;
	put_back(&taken);
	taken.extent = NULL;
	return taken;
}

/* Take an extent, and wait a moment for one that is being discarded. */
static struct taken take_patiently(size_t size, size_t alignment)
{
	struct taken taken;
	unsigned int naps;

	for (naps = 0; naps < NAPS; naps++) {
		if (READ_ONCE(kept->lost))
			chunk_reuse_drop_lost();
		chunk_lock();
		taken = take(size, alignment);
		chunk_unlock();
		if (taken.extent || taken.contents != CONTENTS_BUSY)
			break;
		if (!READ_ONCE(kept->lost))
			chunk_os_nap();
	}
	return taken;
}

/* Take memory back that was offered without words; false if it has to go. */
static bool take_advised(struct taken *taken)
{
	struct chunk_extent *extent = taken->extent;
	unsigned int naps;

	for (naps = 0; naps < NAPS; naps++) {
		taken->contents = chunk_take_advised((void *)extent->addr,
						     extent->size);
		if (taken->contents != CONTENTS_BUSY)
			return true;
		chunk_os_nap();
	}
	return false;
}

/* Unmap an extent that stays out of reach. */
static void *drop(struct taken *taken)
{
	struct chunk_extent *extent = taken->extent;
	void *addr = (void *)extent->addr;
	size_t size = extent->size;
	const char *why;

	chunk_lock();
	chunk_registry_remove(addr, size, &why);
	chunk_state.counts.allocs--;
	chunk_state.counts.allocs_recycled--;
	chunk_state.counts.deallocs--;
	chunk_state.counts.mapped_bytes -= size;
	chunk_free_node_push(&chunk_state.free_nodes, extent);
	chunk_unlock();
	chunk_recycle_unmap("chunk_alloc", addr, size);
	return NULL;
}

/*
 * The C library's memset() is made for large sizes. A compiler that knows that the
 * size is a multiple of 8 writes 8 bytes at a time instead.
 */
static void write_zeros(void *addr, size_t size)
{
	OPTIMIZER_HIDE_VAR(size);
	memset(addr, 0, size);
}

/* Write zeros to all of a range that may hold something else. */
static void clear_range(uintptr_t from, uintptr_t to)
{
	void *addr = (void *)from;

	if (from != to && chunk_os_clear(addr, to - from, chunk_full_set))
		write_zeros(addr, to - from);
}

/* The end of the chunks from @at on that are full, or that are not */
static uintptr_t run(const struct chunk_extent *extent, uintptr_t at, bool full)
{
	uintptr_t end = extent->addr + extent->size;

	/* Advice may have left holes in chunks that were full. */
	if (!extent->owner)
		return full ? at : end;
	while (at != end && chunk_full_get(at) == full)
		at += CHUNK_TREE_UNIT;
	return at;
}

/* Write zeros to all of an extent that may hold something else. */
static void clear(const struct chunk_extent *extent)
{
	uintptr_t at = extent->addr, end = at + extent->size, to;

	while (at != end) {
		to = run(extent, at, true);
		if (to != at)
			write_zeros((void *)at, to - at);
		at = run(extent, to, false);
		clear_range(to, at);
	}
}

static bool is_zero(const struct taken *taken)
{
	return taken->contents == CONTENTS_ZERO ||
	       taken->was_zero;
}

/**
 * chunk_reuse_alloc() - hand a kept extent out
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @zero:      it must read as zero; set: whether it does
 *
 * Context: lock not held.
 * Return: a live extent, or NULL if none fits.
 */
void *chunk_reuse_alloc(size_t size, size_t alignment, bool *zero)
{
	struct taken taken;
	void *addr;

	/* Several mappings could not be given back as one. */
	if (!chunk_recycle_is_keepable(size))
		return NULL;
	taken = take_patiently(size, alignment);
	if (!taken.extent)
		return NULL;
	addr = (void *)taken.extent->addr;
	if (!taken.extent->owner && !take_advised(&taken))
		return drop(&taken);
	chunk_probe_take(addr, size, taken.contents);
	if (chunk_state.options.poison && taken.contents != CONTENTS_ZERO)
		chunk_poison_check("chunk_alloc", addr, size,
				   taken.contents != CONTENTS_INTACT);
	if (is_zero(&taken))
		*zero = true;
	else if (*zero)
		clear(taken.extent);
	return addr;
}
