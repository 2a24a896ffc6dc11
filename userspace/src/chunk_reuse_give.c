// SPDX-License-Identifier: MIT
/*
 * Keeping deallocated extents: with their contents, which the system may discard
 * when memory is short.
 *
 * Where the device has words, that is done under the lock, without a system call.
 * All else is done later, without the lock.
 */
#include "chunk_annotate.h"
#include "chunk_backing.h"
#include "chunk_offer.h"
#include "chunk_poison.h"
#include "chunk_recycle.h"
#include "chunk_reuse.h"
#include "chunk_state.h"

#define kept	(&chunk_state.kept)

/*
 * Is it part of an extent of the device? Only the kept parts together can be given
 * back.
 */
static bool is_part(const struct chunk_extent *extent)
{
	return extent->owner && extent->live;
}

static bool is_wanted(const struct chunk_extent *extent)
{
	if (kept->reuse != REUSE_OFFERED ||
	    extent->size > kept->tree.limit)
		return false;
	return extent->owner || chunk_recycle_is_keepable(extent->size);
}

/* The contents of an extent that is given back, as far as they are known */
static enum chunk_type contents(enum chunk_type type)
{
	if (chunk_state.options.poison)
		return KEPT_UNKNOWN;
	return type == ZEROED_CHUNK ? KEPT_ZERO : KEPT_UNKNOWN;
}

/*
 * Are all words mapped? Each chunk was kept before, so they are unless the device has
 * none. Mapping them takes the lock.
 */
static bool has_words(const struct chunk_extent *extent)
{
	const char *first = (char *)extent->addr;
	const char *last = first + extent->size - CHUNK_TREE_UNIT;
	uintptr_t generation = (uintptr_t)extent->owner;

	return chunk_window_of(last) - chunk_window_of(first) <= 1 &&
	       chunk_window_find(first, generation) &&
	       chunk_window_find(last, generation);
}

/* Context: chunk_lock() held. */
static void keep_unusable(struct chunk_extent *extent)
{
	chunk_annotate_unusable((void *)extent->addr, extent->size);
	chunk_reuse_insert(extent);
}

/* Keep an extent without a system call, if that can be. */
static bool keep_now(struct chunk_extent *extent, enum chunk_type type)
{
	size_t room;

	if (!is_part(extent) || extent->type != LIVE_COMMITTED ||
	    chunk_state.options.poison || chunk_state.options.check ||
	    !has_words(extent))
		return false;
	room = chunk_tree_claim(&kept->tree, extent->size);
	if (room == extent->size &&
	    chunk_offer_words((void *)extent->addr, room,
			      (uintptr_t)extent->owner)) {
		extent->type = contents(type);
		keep_unusable(extent);
		return true;
	}
	chunk_tree_unclaim(&kept->tree, room);
	return false;
}

/**
 * chunk_reuse_begin() - keep a deallocated extent, or begin to
 * @extent: the extent, no longer in the registry
 * @type:   what the caller says it holds
 *
 * Context: chunk_lock() held.
 * Return: REUSE_DONE: it is kept; REUSE_LATER: chunk_reuse_end() is to be called;
 * REUSE_LEAVES: it is not kept.
 */
enum chunk_reuse_fate chunk_reuse_begin(struct chunk_extent *extent,
					enum chunk_type type)
{
	if (chunk_reuse_is_lost(extent))
		return REUSE_LEAVES;
	if (!is_wanted(extent) && !is_part(extent))
		return REUSE_LEAVES;
	return keep_now(extent, type) ? REUSE_DONE : REUSE_LATER;
}

/* Make all of an extent accessible; false if that cannot be. */
static bool commit(const struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;

	chunk_annotate_usable(addr, extent->size);
	if (chunk_state.options.check &&
	    !chunk_os_is_mapped(addr, extent->size))
		return false;
	if (extent->type == LIVE_COMMITTED)
		return true;
	if (extent->owner)
		return !chunk_device_commit(addr, extent->size, false);
	if (chunk_os_commit(addr, extent->size))
		return false;
	chunk_backing_apply(addr, extent->size);
	return true;
}

/* By advice, memory of the device would be freed at once. */
static bool offer(const struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;

	if (extent->owner)
		return chunk_offer_words(addr, extent->size,
					 (uintptr_t)extent->owner);
	return chunk_offer_advise(addr, extent->size);
}

/* The program may have offered it by itself, and the system be discarding it. */
static void poison(const struct chunk_extent *extent)
{
	char *at = (char *)extent->addr, *end = at + extent->size;

	if (!extent->owner)
		chunk_take_advised(at, extent->size);
	while (extent->owner && at != end) {
		uintptr_t generation = (uintptr_t)extent->owner;

		if (chunk_word_is_offered(at, generation) &&
		    chunk_take_word(at, generation) == CONTENTS_BUSY)
			chunk_os_nap();
		else
			at += CHUNK_TREE_UNIT;
	}
	chunk_poison((void *)extent->addr, extent->size);
}

static void unclaim(size_t size)
{
	chunk_lock();
	chunk_tree_unclaim(&kept->tree, size);
	chunk_unlock();
}

/* Offer an extent for which there is room, and put it into the tree. */
static bool keep(struct chunk_extent *extent, enum chunk_type type)
{
	bool good;

	if (chunk_state.options.poison)
		poison(extent);
	if (!offer(extent)) {
		unclaim(extent->size);
		return false;
	}
	/* Pages that were decommitted and did not trap may have been written. */
	extent->type = extent->type == LIVE_COMMITTED ? contents(type) :
							KEPT_UNKNOWN;
	chunk_lock();
	good = !extent->owner || extent->live ||
	       chunk_reuse_add_borders(extent);
	if (good)
		keep_unusable(extent);
	else
		chunk_tree_unclaim(&kept->tree, extent->size);
	chunk_unlock();
	return good;
}

/* Keep a part of an extent of the device beyond the limit, without memory. */
static void keep_empty(struct chunk_extent *extent)
{
	void *addr = (void *)extent->addr;

	extent->type = chunk_os_purge(addr, extent->size) ? KEPT_UNKNOWN :
							    KEPT_ZERO;
	if (chunk_state.options.poison) {
		poison(extent);
		extent->type = KEPT_UNKNOWN;
	}
	chunk_offer_words(addr, extent->size, (uintptr_t)extent->owner);
	chunk_lock();
	chunk_annotate_unusable(addr, extent->size);
	chunk_reuse_insert_anyway(extent);
	chunk_unlock();
}

/**
 * chunk_reuse_end() - keep a deallocated extent, by whatever means that takes
 * @call:   the function of the API that gives it back
 * @extent: the extent, after REUSE_LATER
 * @type:   what the caller says it holds
 *
 * Context: lock not held.
 * Return: false if it is not kept and has to go back to its source.
 */
bool chunk_reuse_end(const char *call, struct chunk_extent *extent,
		     enum chunk_type type)
{
	bool part = is_part(extent);

	if (commit(extent)) {
		if (chunk_reuse_make_room(call, extent->size) && keep(extent, type))
			return true;
	} else if (part) {
		/* Its generation is lost, or it is out of memory: unusable. */
		return false;
	}
	if (!part)
		return false;
	keep_empty(extent);
	/* It may be the last part of its extent. */
	chunk_reuse_settle(call);
	return true;
}
