// SPDX-License-Identifier: GPL-2.0-only
/*
 * Contexts: which extents are live, recycled or in reserve, and how they get
 * from one to the other.
 *
 * An extent that is given back is in no tree and not in the registry until its
 * memory is freed, so that nobody can be handed it before. Its node travels
 * with it: neither giving back nor an exact fit allocates anything.
 *
 * The recycle limit bounds what is kept for reuse. What is given back beyond it
 * is unmapped where that splits no mapping, that is at the edge of one; in the
 * middle it goes in reserve, which holds address space but no memory, until its
 * neighbours have gone too. So freeing never costs a mapping.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* How many unused nodes a context keeps rather than return them to the slab. */
#define CHUNK_SPARES	4

/* How many extents are forgotten before others get the lock. */
#define CHUNK_FORGET_BATCH	256

static struct kmem_cache *extent_cache;

/**
 * chunk_extent_cache_init() - make the cache of nodes
 *
 * Return: 0 or -ENOMEM.
 */
int chunk_extent_cache_init(void)
{
	extent_cache = KMEM_CACHE(chunk_extent, SLAB_ACCOUNT);
	return extent_cache ? 0 : -ENOMEM;
}

/**
 * chunk_extent_cache_exit() - free the cache of nodes
 */
void chunk_extent_cache_exit(void)
{
	kmem_cache_destroy(extent_cache);
}

/**
 * chunk_extent_new() - allocate a node
 *
 * Context: may sleep. Charged to the caller's memcg.
 * Return: a node with no meaningful contents, or NULL.
 */
struct chunk_extent *chunk_extent_new(void)
{
	return kmem_cache_alloc(extent_cache, GFP_KERNEL);
}

/**
 * chunk_extent_free() - free a node
 * @extent: a node in no tree and not registered
 */
void chunk_extent_free(struct chunk_extent *extent)
{
	kmem_cache_free(extent_cache, extent);
}

static void free_spares(struct chunk_extent *spares)
{
	struct chunk_extent *extent;

	while ((extent = chunk_spare_pop(&spares)))
		chunk_extent_free(extent);
}

/* Keep a few of @spares; the caller frees the rest after unlocking. */
static void keep_spares(struct chunk_context *context,
			struct chunk_extent **spares)
{
	struct chunk_extent *extent;
	int n = 0;

	for (extent = context->spares; extent; extent = extent->next)
		n++;
	while (n++ < CHUNK_SPARES && (extent = chunk_spare_pop(spares)))
		chunk_spare_push(&context->spares, extent);
}

/* Two nodes are the most that any operation needs. */
static int refill_spares(struct chunk_context *context)
{
	struct chunk_extent *one = chunk_extent_new();
	struct chunk_extent *two = chunk_extent_new();
	struct chunk_extent *spares = NULL;

	if (one)
		chunk_spare_push(&spares, one);
	if (two)
		chunk_spare_push(&spares, two);
	if (!one || !two) {
		free_spares(spares);
		return -ENOMEM;
	}
	spin_lock(&context->lock);
	keep_spares(context, &spares);
	spin_unlock(&context->lock);
	free_spares(spares);
	return 0;
}

/**
 * chunk_context_new() - make the context of an open file
 * @mm: the opener's address space
 *
 * Context: may sleep. Charged to the caller's memcg.
 * Return: a context with no regions, or NULL without memory.
 */
struct chunk_context *chunk_context_new(struct mm_struct *mm)
{
	struct chunk_context *context = kzalloc(sizeof(*context),
						GFP_KERNEL_ACCOUNT);

	if (!context)
		return NULL;
	mutex_init(&context->map_lock);
	spin_lock_init(&context->lock);
	chunk_tree_init(&context->recycled, chunk_max_recycle_limit());
	context->recycled.limit = min_t(size_t, CHUNK_RECYCLE_LIMIT,
					context->recycled.limit);
	chunk_tree_init(&context->reserve, SIZE_MAX);
	chunk_radix_init(&context->live);
	INIT_LIST_HEAD(&context->regions);
	context->grow = chunk_default_grow();
	mmgrab(mm);
	context->mm = mm;
	return context;
}

/**
 * chunk_context_free() - end of an open file
 * @context: nobody else's any more
 *
 * No VMA is left, since each pins the file, and with the last VMA of a region
 * its extents were forgotten.
 *
 * Context: may sleep; perhaps in another address space than the opener's.
 */
void chunk_context_free(struct chunk_context *context)
{
	WARN_ON_ONCE(!list_empty(&context->regions) || context->mapped);
	chunk_radix_destroy(&context->live);
	free_spares(context->spares);
	mmdrop(context->mm);
	kfree(context);
}

/* A live extent is live no longer; it is in no tree yet. */
static void retire(struct chunk_context *context, struct chunk_extent *extent)
{
	lockdep_assert_held(&context->lock);
	chunk_radix_erase(&context->live, extent->addr, extent->size);
	extent->live = false;
	context->live_bytes -= extent->size;
	context->live_extents--;
	context->decommitted -= chunk_region_count(extent->owner, extent->addr,
						   extent->size);
}

/* Forgets live extents, up to a number; whether there may be more */
static bool forget_live(struct chunk_context *context, unsigned long start,
			unsigned long last, struct chunk_region *owner,
			struct chunk_extent **spares, int *budget)
{
	struct chunk_extent *extent;
	unsigned long end;

	while ((extent = chunk_radix_next(&context->live, start, last))) {
		if (!(*budget)--)
			return true;
		end = extent->addr + (extent->size - 1);
		if (!owner || extent->owner == owner) {
			retire(context, extent);
			context->mapped -= extent->size;
			chunk_spare_push(spares, extent);
		}
		if (end >= last)
			break;
		start = end + 1;
	}
	return false;
}

static bool forget_free(struct chunk_context *context, struct chunk_tree *tree,
			unsigned long start, unsigned long last,
			struct chunk_region *owner,
			struct chunk_extent **spares, int *budget)
{
	struct chunk_extent *extent = chunk_tree_seek(tree, start);
	struct chunk_extent *next;

	for (; extent && extent->addr <= last; extent = next) {
		if (!(*budget)--)
			return true;
		next = chunk_tree_next(extent);
		if (owner && extent->owner != owner)
			continue;
		chunk_tree_remove(tree, extent);
		context->mapped -= extent->size;
		chunk_spare_push(spares, extent);
	}
	return false;
}

/**
 * chunk_context_forget() - drop extents whose mapping is gone
 * @context: the context
 * @start:   first byte of the range
 * @last:    last byte of the range
 * @owner:   only extents of this region, or NULL for all
 *
 * Every extent that overlaps the range goes as a whole.
 *
 * Context: may sleep; mmap_lock held by whoever removed the mapping.
 */
void chunk_context_forget(struct chunk_context *context, unsigned long start,
			  unsigned long last, struct chunk_region *owner)
{
	struct chunk_extent *spares;
	bool more;

	do {
		int budget = CHUNK_FORGET_BATCH;

		spares = NULL;
		spin_lock(&context->lock);
		more = forget_live(context, start, last, owner, &spares,
				   &budget) ||
		       forget_free(context, &context->recycled, start, last,
				   owner, &spares, &budget) ||
		       forget_free(context, &context->reserve, start, last,
				   owner, &spares, &budget);
		spin_unlock(&context->lock);
		/* Others' extents used the budget up: nothing more to find. */
		if (!spares)
			more = false;
		free_spares(spares);
		cond_resched();
	} while (more);
}

static void forget_one(struct chunk_context *context,
		       struct chunk_extent *extent)
{
	spin_lock(&context->lock);
	context->mapped -= extent->size;
	spin_unlock(&context->lock);
	chunk_extent_free(extent);
}

/* Put a free extent where room was reserved for it. */
static void tree_put(struct chunk_context *context, struct chunk_tree *tree,
		     struct chunk_extent *extent, struct chunk_extent **spares)
{
	lockdep_assert_held(&context->lock);
	/* Address space belongs to one extent at a time. */
	if (WARN_ON_ONCE(chunk_tree_insert(tree, extent, spares))) {
		chunk_tree_unreserve(tree, extent->size);
		context->mapped -= extent->size;
		chunk_spare_push(spares, extent);
	}
}

static void reserve_put(struct chunk_context *context,
			struct chunk_extent *extent,
			struct chunk_extent **spares)
{
	chunk_tree_reserve(&context->reserve, extent->size);
	tree_put(context, &context->reserve, extent, spares);
}

/* Put an extent back that was taken and could not be used. */
static void untake(struct chunk_context *context, struct chunk_extent *extent,
		   bool recycled, struct chunk_extent **spares)
{
	size_t size = extent->size;
	size_t room;

	if (recycled) {
		room = chunk_tree_reserve(&context->recycled, size);
		if (room == size) {
			tree_put(context, &context->recycled, extent, spares);
			return;
		}
		/* Others have filled the room meanwhile. */
		chunk_tree_unreserve(&context->recycled, room);
	}
	reserve_put(context, extent, spares);
}

/*
 * What is kept for reuse first, then what is mapped ahead. -ENOBUFS: there are
 * too few spare nodes.
 */
static int take(struct chunk_context *context, unsigned long size,
		unsigned long alignment, struct chunk_extent **out,
		bool *recycled)
{
	int err;

	lockdep_assert_held(&context->lock);
	err = chunk_tree_take(&context->recycled, size, alignment,
			      &context->spares, out);
	*recycled = err != -ENOENT;
	if (err == -ENOENT)
		err = chunk_tree_take(&context->reserve, size, alignment,
				      &context->spares, out);
	return err == -ENOMEM ? -ENOBUFS : err;
}

/* A registered extent goes to the caller. */
static void publish(struct chunk_context *context, struct chunk_extent *extent,
		    bool recycled)
{
	lockdep_assert_held(&context->lock);
	chunk_region_commit(extent->owner, extent->addr, extent->size);
	extent->type = ZEROED_CHUNK;
	extent->live = true;
	context->live_bytes += extent->size;
	context->live_extents++;
	context->counts.allocs++;
	if (recycled)
		context->counts.allocs_recycled++;
}

/* -EAGAIN: this takes more than can be done under the spinlock. */
static int alloc_fast(struct chunk_context *context, unsigned long size,
		      unsigned long alignment, unsigned long *addr)
{
	struct chunk_extent *spares = NULL;
	struct chunk_extent *extent;
	struct chunk_region *region;
	bool recycled;
	int err;

	spin_lock(&context->lock);
	err = take(context, size, alignment, &extent, &recycled);
	if (!err) {
		region = extent->owner;
		if (region->holed ||
		    chunk_radix_store(&context->live, extent,
				      GFP_NOWAIT | __GFP_NOWARN)) {
			untake(context, extent, recycled, &spares);
			err = -EAGAIN;
		} else {
			publish(context, extent, recycled);
			*addr = extent->addr;
		}
		keep_spares(context, &spares);
	}
	spin_unlock(&context->lock);
	free_spares(spares);
	return err;
}

/*
 * The same where the user unmapped something, or memory is short. mmap_lock
 * keeps the address space as it is between looking and registering.
 */
static int alloc_slow(struct chunk_context *context, unsigned long size,
		      unsigned long alignment, unsigned long *addr)
{
	struct chunk_extent *spares = NULL;
	struct chunk_extent *extent;
	struct chunk_region *region;
	bool recycled;
	int err;

	spin_lock(&context->lock);
	err = take(context, size, alignment, &extent, &recycled);
	if (!err) {
		region = extent->owner;
		chunk_region_get(region);
	}
	spin_unlock(&context->lock);
	if (err)
		return err;

	if (chunk_check_mapped(context, extent->addr, extent->size, true)) {
		forget_one(context, extent);
		chunk_region_put(region);
		return -EAGAIN;
	}
	err = chunk_radix_store(&context->live, extent, GFP_KERNEL);
	spin_lock(&context->lock);
	if (err) {
		untake(context, extent, recycled, &spares);
	} else {
		publish(context, extent, recycled);
		*addr = extent->addr;
	}
	spin_unlock(&context->lock);
	free_spares(spares);
	chunk_region_put(region);
	return err;
}

static int alloc_any(struct chunk_context *context, unsigned long size,
		     unsigned long alignment, unsigned long *addr)
{
	int err = alloc_fast(context, size, alignment, addr);

	while (err == -EAGAIN) {
		if (mmap_read_lock_killable(context->mm))
			return -EINTR;
		err = alloc_slow(context, size, alignment, addr);
		mmap_read_unlock(context->mm);
	}
	return err;
}

/* Map more, unless somebody did since @grown was read. */
static int grow(struct chunk_context *context, struct file *file,
		unsigned long size, unsigned long alignment,
		unsigned long grown)
{
	int err = 0;

	if (mutex_lock_killable(&context->map_lock))
		return -EINTR;
	if (context->grown == grown)
		err = chunk_map_grow(context, file, size, alignment);
	mutex_unlock(&context->map_lock);
	return err;
}

/**
 * chunk_alloc() - hand out an extent
 * @context:   the context, of current->mm
 * @file:      its file
 * @size:      bytes, a non-zero multiple of CHUNK_SIZE
 * @alignment: bytes, a power of two, at least CHUNK_SIZE
 * @addr:      set to the first byte of a live, committed, zero extent
 *
 * Context: may sleep; no lock held.
 * Return: 0, -ENOMEM or -EINTR.
 */
int chunk_alloc(struct chunk_context *context, struct file *file,
		unsigned long size, unsigned long alignment,
		unsigned long *addr)
{
	for (;;) {
		unsigned long grown = READ_ONCE(context->grown);
		int err = alloc_any(context, size, alignment, addr);

		if (err == -ENOBUFS)
			err = refill_spares(context);
		else if (err == -ENOENT)
			err = grow(context, file, size, alignment, grown);
		else
			return err;
		if (err)
			return err;
		if (fatal_signal_pending(current))
			return -EINTR;
	}
}

/* Unmap the reserved extent at @addr if that splits no mapping. */
static void give_back(struct chunk_context *context, unsigned long addr)
{
	struct chunk_extent *spares = NULL;
	struct chunk_extent *extent;
	struct chunk_region *region;

	/* On a fatal signal the whole address space is about to go. */
	if (mutex_lock_killable(&context->map_lock))
		return;
	mmap_read_lock(context->mm);
	spin_lock(&context->lock);
	extent = chunk_tree_find(&context->reserve, addr);
	if (extent && chunk_at_edge(extent->addr, extent->size)) {
		chunk_tree_remove(&context->reserve, extent);
		region = extent->owner;
		chunk_region_get(region);
	} else {
		extent = NULL;
	}
	spin_unlock(&context->lock);
	mmap_read_unlock(context->mm);
	if (!extent)
		goto unlock;

	if (chunk_unmap(context, extent->addr, extent->size)) {
		forget_one(context, extent);
	} else {
		spin_lock(&context->lock);
		reserve_put(context, extent, &spares);
		spin_unlock(&context->lock);
		free_spares(spares);
	}
	chunk_region_put(region);
unlock:
	mutex_unlock(&context->map_lock);
}

/*
 * Find and retire the live extent that is given back, and reserve room for as
 * much of it as the limit allows. The caller holds a reference on its region.
 */
static struct chunk_extent *dealloc_begin(struct chunk_context *context,
					  unsigned long addr,
					  unsigned long size, size_t *room)
{
	struct chunk_extent *extent;

	spin_lock(&context->lock);
	extent = chunk_radix_lookup(&context->live, addr);
	if (!extent || !extent->live) {
		extent = ERR_PTR(-ENOENT);
	} else if (extent->addr != addr || extent->size != size) {
		extent = ERR_PTR(-EINVAL);
	} else {
		chunk_region_get(extent->owner);
		retire(context, extent);
		chunk_region_decommit(extent->owner, addr, size);
		*room = chunk_tree_reserve(&context->recycled, size);
		context->counts.deallocs++;
	}
	spin_unlock(&context->lock);
	return extent;
}

/*
 * Put a free extent into the trees: @room bytes, which are reserved, to be
 * recycled, and the rest in reserve. A cut takes a node from @spares; without
 * one all of it goes in reserve. Returns what is recycled.
 */
static size_t divide(struct chunk_context *context, struct chunk_extent *extent,
		     size_t room, struct chunk_extent **spares)
{
	struct chunk_extent *rest = NULL;

	/* The limit may have been lowered since. */
	chunk_tree_unreserve(&context->recycled, room);
	room = chunk_tree_reserve(&context->recycled, room);
	if (room == extent->size) {
		tree_put(context, &context->recycled, extent, spares);
		return room;
	}
	if (room)
		rest = chunk_spare_pop(spares);
	if (!rest) {
		chunk_tree_unreserve(&context->recycled, room);
		reserve_put(context, extent, spares);
		return 0;
	}
	*rest = *extent;
	rest->addr += room;
	rest->size -= room;
	extent->size = room;
	tree_put(context, &context->recycled, extent, spares);
	reserve_put(context, rest, spares);
	return room;
}

/*
 * A retired extent, whose memory is free, becomes available, or is forgotten
 * if its mapping is gone: -ESTALE. @room is what is recycled of it.
 */
static int dealloc_end(struct chunk_context *context,
		       struct chunk_extent *extent, size_t *room, bool stale)
{
	struct chunk_region *region = extent->owner;
	struct chunk_extent *spares = NULL;
	struct chunk_extent *rest = NULL;

	if (*room && *room < extent->size)
		rest = chunk_extent_new();
	if (rest)
		chunk_spare_push(&spares, rest);
	spin_lock(&context->lock);
	stale |= !region->vmas;
	if (stale) {
		chunk_tree_unreserve(&context->recycled, *room);
		context->mapped -= extent->size;
		chunk_spare_push(&spares, extent);
	} else {
		*room = divide(context, extent, *room, &spares);
	}
	keep_spares(context, &spares);
	spin_unlock(&context->lock);
	free_spares(spares);
	return stale ? -ESTALE : 0;
}

/**
 * chunk_dealloc() - take an extent back
 * @context: the context, of current->mm
 * @addr:    first byte of a live extent
 * @size:    its size in bytes
 *
 * Frees its memory. Keeps as much of it for reuse as the limit allows.
 *
 * Context: may sleep; no lock held.
 * Return: 0; -ENOENT if nothing is live at @addr; -EINVAL if it is not that
 * extent; -ESTALE if the extent was not mapped any more, and is forgotten;
 * -EINTR after a fatal signal.
 */
int chunk_dealloc(struct chunk_context *context, unsigned long addr,
		  unsigned long size)
{
	struct chunk_extent *extent;
	struct chunk_region *region;
	size_t room = 0;
	bool stale;
	int err;

	if (mmap_read_lock_killable(context->mm))
		return -EINTR;
	extent = dealloc_begin(context, addr, size, &room);
	if (IS_ERR(extent)) {
		mmap_read_unlock(context->mm);
		return PTR_ERR(extent);
	}
	region = extent->owner;
	chunk_fault_wait();
	stale = chunk_check_mapped(context, addr, size, true);
	chunk_zap(context, addr, size);
	err = dealloc_end(context, extent, &room, stale);
	mmap_read_unlock(context->mm);
	chunk_region_put(region);
	if (!err && room < size)
		give_back(context, addr + room);
	return err;
}

/**
 * struct need - what a change of state lacks
 * @region: has no page bitmap at @at; a reference is held
 * @at:     an address in it
 * @holed:  a region in the range was tampered with: look at the mappings first
 */
struct need {
	struct chunk_region *region;
	unsigned long at;
	bool holed;
};

/* The live extent at @from, and how much of [@from, @end) it covers */
static struct chunk_extent *live_part(struct chunk_context *context,
				      unsigned long from, unsigned long end,
				      unsigned long *part)
{
	struct chunk_extent *extent = chunk_radix_lookup(&context->live, from);

	lockdep_assert_held(&context->lock);
	if (!extent || !extent->live)
		return NULL;
	*part = min(end, extent->addr + extent->size) - from;
	return extent;
}

/* Is the range live, and is all there that a commit or decommit of it needs? */
static int range_check(struct chunk_context *context, unsigned long addr,
		       unsigned long end, bool commit, struct need *need)
{
	struct chunk_extent *extent;
	struct chunk_region *region;
	unsigned long from, part;

	need->holed = false;
	for (from = addr; from < end; from += part) {
		extent = live_part(context, from, end, &part);
		if (!extent)
			return -ENOENT;
		region = extent->owner;
		need->holed |= region->holed;
	}
	for (from = addr; from < end; from += part) {
		extent = live_part(context, from, end, &part);
		region = extent->owner;
		if (chunk_region_wants_leaf(region, commit, from, part,
					    &need->at)) {
			chunk_region_get(region);
			need->region = region;
			return -EAGAIN;
		}
	}
	return 0;
}

static int fill_need(struct need *need)
{
	int err = chunk_region_add_leaf(need->region, need->at);

	chunk_region_put(need->region);
	return err;
}

static void range_commit(struct chunk_context *context, unsigned long addr,
			 unsigned long end)
{
	struct chunk_extent *extent;
	unsigned long from, part;

	for (from = addr; from < end; from += part) {
		extent = live_part(context, from, end, &part);
		context->decommitted -=
			chunk_region_commit(extent->owner, from, part);
	}
	context->counts.commits++;
}

static void range_decommit(struct chunk_context *context, unsigned long addr,
			   unsigned long end)
{
	struct chunk_extent *extent;
	unsigned long from, part;

	for (from = addr; from < end; from += part) {
		extent = live_part(context, from, end, &part);
		context->decommitted +=
			chunk_region_decommit(extent->owner, from, part);
	}
	context->counts.decommits++;
}

/**
 * chunk_commit() - make pages of live extents accessible
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 *
 * Context: may sleep; no lock held.
 * Return: 0; -ENOENT if part of the range is not live; -ESTALE if part of it
 * is not mapped any more; -ENOMEM; -EINTR after a fatal signal.
 */
int chunk_commit(struct chunk_context *context, unsigned long addr,
		 unsigned long size)
{
	unsigned long end = addr + size;
	bool locked = false;
	int stale = 0, err;
	struct need need;

	for (;;) {
		spin_lock(&context->lock);
		err = range_check(context, addr, end, true, &need);
		if (!err && need.holed && locked)
			err = stale;
		if (!err && (!need.holed || locked))
			range_commit(context, addr, end);
		spin_unlock(&context->lock);
		if (err == -EAGAIN) {
			err = fill_need(&need);
			if (err)
				break;
		} else if (!err && need.holed && !locked) {
			if (mmap_read_lock_killable(context->mm))
				return -EINTR;
			locked = true;
			stale = chunk_check_mapped(context, addr, size, true);
		} else {
			break;
		}
	}
	if (locked)
		mmap_read_unlock(context->mm);
	return err;
}

/**
 * chunk_decommit() - make pages of live extents trap, and free their memory
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @locked:  also where they are mlocked
 *
 * Context: may sleep; no lock held.
 * Return: 0; -ENOENT if part of the range is not live; -ESTALE if part of it
 * is not mapped any more; -EINVAL if part of it is mlocked and may not be;
 * -ENOMEM; -EINTR after a fatal signal.
 */
int chunk_decommit(struct chunk_context *context, unsigned long addr,
		   unsigned long size, bool locked)
{
	unsigned long end = addr + size;
	struct need need;
	int mapped, err;

	if (mmap_read_lock_killable(context->mm))
		return -EINTR;
	mapped = chunk_check_mapped(context, addr, size, locked);
	do {
		spin_lock(&context->lock);
		err = range_check(context, addr, end, false, &need);
		if (!err)
			err = mapped;
		if (!err)
			range_decommit(context, addr, end);
		spin_unlock(&context->lock);
	} while (err == -EAGAIN && !(err = fill_need(&need)));
	if (!err) {
		chunk_fault_wait();
		chunk_zap(context, addr, size);
	}
	mmap_read_unlock(context->mm);
	return err;
}

/**
 * chunk_recycle_limit() - how much may be kept for reuse
 * @context: the context
 *
 * Return: bytes.
 */
unsigned long chunk_recycle_limit(struct chunk_context *context)
{
	return READ_ONCE(context->recycled.limit);
}

/**
 * chunk_set_limit() - change how much may be kept for reuse
 * @context: the context, of current->mm
 * @limit:   bytes
 *
 * What is kept beyond it is released.
 *
 * Context: may sleep; no lock held.
 * Return: 0, or -ENOMEM with nothing changed.
 */
int chunk_set_limit(struct chunk_context *context, unsigned long limit)
{
	/* Only the last extent released may have to be cut. */
	struct chunk_extent *spares = chunk_extent_new();
	struct chunk_extent *extent;
	unsigned long addr;

	if (!spares)
		return -ENOMEM;
	spares->next = NULL;
	spin_lock(&context->lock);
	WRITE_ONCE(context->recycled.limit, limit);
	while (!chunk_tree_evict(&context->recycled, &spares, &extent)) {
		addr = extent->addr;
		reserve_put(context, extent, &spares);
		spin_unlock(&context->lock);
		give_back(context, addr);
		spin_lock(&context->lock);
	}
	spin_unlock(&context->lock);
	free_spares(spares);
	return 0;
}

/**
 * chunk_context_lookup() - what is at an address?
 * @context: the context
 * @lookup:  addr in; addr, length, state and type out
 *
 * Context: takes context->lock.
 */
void chunk_context_lookup(struct chunk_context *context,
			  struct chunk_ioc_lookup *lookup)
{
	unsigned long addr = lookup->addr;
	struct chunk_extent *extent;

	lookup->length = 0;
	lookup->state = 0;
	lookup->type = CHUNK_TYPE_UNKNOWN;
	if (addr != lookup->addr)
		return;
	spin_lock(&context->lock);
	extent = chunk_radix_lookup(&context->live, addr);
	if (extent && extent->live) {
		lookup->state = CHUNK_STATE_LIVE;
	} else {
		extent = chunk_tree_find(&context->recycled, addr);
		if (extent)
			lookup->state = CHUNK_STATE_RECYCLED;
		else
			extent = chunk_tree_find(&context->reserve, addr);
	}
	if (extent && chunk_region_decommitted(extent->owner, addr))
		lookup->state |= CHUNK_STATE_DECOMMITTED;
	if (lookup->state & (CHUNK_STATE_LIVE | CHUNK_STATE_RECYCLED)) {
		lookup->addr = extent->addr;
		lookup->length = extent->size;
		lookup->type = extent->type;
	}
	spin_unlock(&context->lock);
}

/**
 * chunk_context_stats() - counters of a context
 * @context: the context
 * @stats:   filled
 *
 * Context: takes context->lock.
 */
void chunk_context_stats(struct chunk_context *context,
			 struct chunk_ioc_stats *stats)
{
	spin_lock(&context->lock);
	*stats = (struct chunk_ioc_stats) {
		.size = sizeof(*stats),
		.mapped_bytes = context->mapped,
		.live_bytes = context->live_bytes,
		.live_extents = context->live_extents,
		.decommitted_bytes = (u64)context->decommitted * PAGE_SIZE,
		.recycled_bytes = context->recycled.bytes,
		.recycle_limit = context->recycled.limit,
		.reserved_bytes = context->reserve.bytes,
		.regions = context->nr_regions,
		.allocs = context->counts.allocs,
		.allocs_recycled = context->counts.allocs_recycled,
		.deallocs = context->counts.deallocs,
		.commits = context->counts.commits,
		.decommits = context->counts.decommits,
		.traps = atomic_long_read(&context->traps),
	};
	spin_unlock(&context->lock);
}
