// SPDX-License-Identifier: GPL-2.0-only
/*
 * Handing extents out and taking them back.
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

#include "chunk_module.h"

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
	chunk_region_open(extent->owner, extent->addr, extent->size);
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
		chunk_nodes_keep(context, &spares);
	}
	spin_unlock(&context->lock);
	chunk_nodes_free(spares);
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
	struct vm_area_struct *vma;
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

	if (chunk_check_mapped(context, extent->addr, extent->size, true,
			       &vma)) {
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
	chunk_nodes_free(spares);
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
			err = chunk_nodes_refill(context);
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
		chunk_nodes_free(spares);
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
		chunk_context_retire(context, extent);
		chunk_region_close(extent->owner, addr, size);
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
	chunk_nodes_keep(context, &spares);
	spin_unlock(&context->lock);
	chunk_nodes_free(spares);
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
	struct vm_area_struct *vma;
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
	stale = chunk_check_mapped(context, addr, size, true, &vma);
	chunk_zap(context, addr, size, vma);
	err = dealloc_end(context, extent, &room, stale);
	mmap_read_unlock(context->mm);
	chunk_region_put(region);
	if (!err && room < size)
		give_back(context, addr + room);
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
	chunk_nodes_free(spares);
	return 0;
}
