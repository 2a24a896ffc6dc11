// SPDX-License-Identifier: GPL-2.0-only OR MIT
/*
 * Free extents: best fit by size, coalescing by address.
 *
 * Two red-black trees hold the same nodes. The address tree finds neighbours;
 * a node that grows, shrinks or moves within the gap between its neighbours
 * keeps its place there, so most operations touch only the size tree.
 *
 * The size tree is ordered by (size, address): its first extent that is large
 * enough is the best fit with the lowest address. For alignments above one
 * chunk, looking for size + alignment - one chunk always finds an extent that
 * can be aligned, but overlooks the smaller extent that happens to begin or to
 * end at a boundary. Each subtree therefore records the best alignment of the
 * starts and of the ends in it, and one descent finds the smallest such extent.
 */
#include <linux/bitops.h>
#include <linux/compiler.h>
#include <linux/errno.h>
#include <linux/rbtree_augmented.h>

#include "chunk_tree.h"

/* Reach of an end at the very top of the address space, which is address 0 */
#define REACH_ALL	255

#define entry_addr(node) rb_entry((node), struct chunk_extent, by_addr)
#define entry_size(node) rb_entry((node), struct chunk_extent, by_size)

static u8 extent_address_reach(uintptr_t addr)
{
	return addr ? __ffs(addr) : REACH_ALL;
}

static struct chunk_reach extent_own_reach(const struct chunk_extent *extent)
{
	struct chunk_reach reach = {
		.start = extent_address_reach(extent->addr),
		.end = extent_address_reach(extent->addr + extent->size),
	};

	return reach;
}

static void reach_widen(struct chunk_reach *reach, struct chunk_reach by)
{
	if (by.start > reach->start)
		reach->start = by.start;
	if (by.end > reach->end)
		reach->end = by.end;
}

static bool reach_compute(struct chunk_extent *extent, bool exit)
{
	struct chunk_reach reach = extent_own_reach(extent);
	struct rb_node *left = extent->by_size.rb_left;
	struct rb_node *right = extent->by_size.rb_right;

	if (left)
		reach_widen(&reach, entry_size(left)->reach);
	if (right)
		reach_widen(&reach, entry_size(right)->reach);
	if (exit && reach.start == extent->reach.start &&
	    reach.end == extent->reach.end)
		return true;
	extent->reach = reach;
	return false;
}

RB_DECLARE_CALLBACKS(static, reach_callbacks, struct chunk_extent, by_size,
		     reach, reach_compute);

/* Few extents are aligned so well that it matters far above them. */
static void tree_size_widen(struct rb_node *node, struct chunk_reach by)
{
	for (; node; node = rb_parent(node)) {
		struct chunk_reach *reach = &entry_size(node)->reach;

		if (reach->start >= by.start && reach->end >= by.end)
			return;
		reach_widen(reach, by);
	}
}

static bool size_less(const struct chunk_extent *a,
		      const struct chunk_extent *b)
{
	return a->size < b->size || (a->size == b->size && a->addr < b->addr);
}

/* Of two nodes that follow each other, one has no child on the side of the other. */
static void link_between(struct rb_node *node, struct rb_node *prev,
			 struct rb_node *next, struct rb_root *root)
{
	if (next && !next->rb_left)
		rb_link_node(node, next, &next->rb_left);
	else if (prev)
		rb_link_node(node, prev, &prev->rb_right);
	else
		rb_link_node(node, NULL, &root->rb_node);
}

static void tree_size_link(struct chunk_tree *tree, struct chunk_extent *extent,
			   struct rb_node *prev, struct rb_node *next)
{
	extent->reach = extent_own_reach(extent);
	link_between(&extent->by_size, prev, next, &tree->by_size);
	tree_size_widen(rb_parent(&extent->by_size), extent->reach);
	rb_insert_augmented(&extent->by_size, &tree->by_size,
			    &reach_callbacks);
}

static void tree_size_insert(struct chunk_tree *tree, struct chunk_extent *extent)
{
	struct rb_node *node = tree->by_size.rb_node;
	struct rb_node *prev = NULL, *next = NULL;

	while (node) {
		if (size_less(extent, entry_size(node))) {
			next = node;
			node = node->rb_left;
		} else {
			prev = node;
			node = node->rb_right;
		}
	}
	tree_size_link(tree, extent, prev, next);
}

static void tree_size_erase(struct chunk_tree *tree, struct chunk_extent *extent)
{
	rb_erase_augmented(&extent->by_size, &tree->by_size, &reach_callbacks);
}

static void tree_addr_erase(struct chunk_tree *tree, struct chunk_extent *extent)
{
	rb_erase(&extent->by_addr, &tree->by_addr);
}

/* Is the extent still in order by size after its key went up or down? */
static bool tree_size_in_order(struct chunk_extent *extent, bool up)
{
	struct rb_node *node = up ? rb_next(&extent->by_size) :
				    rb_prev(&extent->by_size);

	if (!node)
		return true;
	return up ? size_less(extent, entry_size(node)) :
		    size_less(entry_size(node), extent);
}

/*
 * Change the range of a free extent; its order by address must not change.
 * Often its order by size does not either, as with the rest of a large extent:
 * then the trees keep their shape.
 */
static void extent_resize(struct chunk_tree *tree, struct chunk_extent *extent,
			  uintptr_t addr, size_t size)
{
	bool up = size > extent->size ||
		  (size == extent->size && addr > extent->addr);

	extent->addr = addr;
	extent->size = size;
	if (tree_size_in_order(extent, up)) {
		reach_callbacks.propagate(&extent->by_size, NULL);
		return;
	}
	/* Erasing compares no keys, so the new key does no harm. */
	tree_size_erase(tree, extent);
	tree_size_insert(tree, extent);
}

/**
 * struct neighbours - the free extents on either side of an address
 * @prev: the last that starts at or before it, may be NULL: none
 * @next: the first that starts behind it, may be NULL: none
 */
struct neighbours {
	struct chunk_extent *prev;
	struct chunk_extent *next;
};

static struct neighbours tree_addr_find(const struct chunk_tree *tree,
					uintptr_t addr)
{
	struct rb_node *node = tree->by_addr.rb_node;
	struct neighbours found = { 0 };

	while (node) {
		struct chunk_extent *at = entry_addr(node);

		if (addr < at->addr) {
			found.next = at;
			node = node->rb_left;
		} else {
			found.prev = at;
			node = node->rb_right;
		}
	}
	return found;
}

static void tree_addr_link(struct chunk_tree *tree, struct chunk_extent *extent,
			   struct rb_node *prev, struct rb_node *next)
{
	link_between(&extent->by_addr, prev, next, &tree->by_addr);
	rb_insert_color(&extent->by_addr, &tree->by_addr);
}

/*
 * Insert an extent between its neighbours by address. Of extents of one size, those
 * that follow each other by address do so by size, too.
 */
static void tree_insert_between(struct chunk_tree *tree, struct chunk_extent *extent,
				struct neighbours between)
{
	struct chunk_extent *prev = between.prev, *next = between.next;

	tree_addr_link(tree, extent, prev ? &prev->by_addr : NULL,
		       next ? &next->by_addr : NULL);
	if (prev && prev->size == extent->size && !prev->by_size.rb_right)
		tree_size_link(tree, extent, &prev->by_size, NULL);
	else if (next && next->size == extent->size && !next->by_size.rb_left)
		tree_size_link(tree, extent, NULL, &next->by_size);
	else
		tree_size_insert(tree, extent);
}

static void extent_set(struct chunk_extent *extent, uintptr_t addr, size_t size,
		       const struct chunk_extent *like)
{
	extent->addr = addr;
	extent->size = size;
	extent->owner = like->owner;
	extent->live = false;
	extent->type = like->type;
}

/**
 * chunk_tree_init() - make an empty tree
 * @tree:  the tree
 * @limit: the most bytes that may be claimed for it
 *
 * Context: any; nobody else uses the tree yet, but for readers of its bytes.
 */
void chunk_tree_init(struct chunk_tree *tree, size_t limit)
{
	tree->by_addr = RB_ROOT;
	tree->by_size = RB_ROOT;
	WRITE_ONCE(tree->bytes, 0);
	tree->claimed = 0;
	tree->limit = limit;
}

/**
 * chunk_tree_claim() - claim room under the limit
 * @tree: the tree
 * @size: bytes wanted
 *
 * The room is taken at once, before the caller purges the memory and inserts
 * it, so that the limit holds exactly however many callers are at work. A
 * caller that drops the lock in between unclaims the room and claims it again
 * before inserting: the limit may have been lowered.
 *
 * Context: the tree's lock held.
 * Return: bytes granted, a multiple of the chunk size between 0 and @size. They
 * are used up by chunk_tree_insert() or given back by chunk_tree_unclaim().
 */
size_t chunk_tree_claim(struct chunk_tree *tree, size_t size)
{
	size_t used = tree->bytes + tree->claimed;
	size_t room = 0;

	if (used < tree->limit)
		room = (tree->limit - used) & ~(CHUNK_TREE_UNIT - 1);
	if (size > room)
		size = room;
	tree->claimed += size;
	return size;
}

/**
 * chunk_tree_unclaim() - give claimed room back unused
 * @tree: the tree
 * @size: bytes, no more than were claimed
 *
 * Context: the tree's lock held.
 */
void chunk_tree_unclaim(struct chunk_tree *tree, size_t size)
{
	tree->claimed -= size;
}

static void tree_add_bytes(struct chunk_tree *tree, size_t size)
{
	WRITE_ONCE(tree->bytes, tree->bytes + size);
}

static void tree_sub_bytes(struct chunk_tree *tree, size_t size)
{
	WRITE_ONCE(tree->bytes, tree->bytes - size);
}

static bool extent_mergeable(const struct chunk_extent *low,
			     const struct chunk_extent *high)
{
	return low && high && low->owner == high->owner &&
	       low->addr + low->size == high->addr;
}

static void extent_merge_type(struct chunk_extent *into,
			      const struct chunk_extent *from)
{
	if (into->type != from->type)
		into->type = RECYCLED_CHUNK;
}

/**
 * chunk_tree_insert() - add a free extent, coalescing it with its neighbours
 * @tree:   the tree
 * @extent: address, size, owner and type set, not live; in no tree; does not
 *          wrap around; its size claimed by chunk_tree_claim()
 * @free_nodes: chain that receives the nodes coalescing makes superfluous, which
 *          may include @extent itself
 *
 * Neighbours of the same owner become one extent; if their types differ it is
 * a RECYCLED_CHUNK.
 *
 * Context: the tree's lock held.
 * Return: 0, or -EEXIST if part of the range is in the tree already; then
 * nothing has changed and @extent is still the caller's.
 */
int chunk_tree_insert(struct chunk_tree *tree, struct chunk_extent *extent,
		      struct chunk_extent **free_nodes)
{
	struct neighbours found = tree_addr_find(tree, extent->addr);
	struct chunk_extent *prev = found.prev;
	struct chunk_extent *next = found.next;

	if (prev && extent->addr - prev->addr < prev->size)
		return -EEXIST;
	if (next && next->addr - extent->addr < extent->size)
		return -EEXIST;
	tree->claimed -= extent->size;
	tree_add_bytes(tree, extent->size);
	if (!extent_mergeable(extent, next))
		next = NULL;
	if (extent_mergeable(prev, extent)) {
		size_t size = prev->size + extent->size;

		extent_merge_type(prev, extent);
		chunk_free_node_push(free_nodes, extent);
		if (next) {
			size += next->size;
			extent_merge_type(prev, next);
			tree_size_erase(tree, next);
			tree_addr_erase(tree, next);
			chunk_free_node_push(free_nodes, next);
		}
		extent_resize(tree, prev, prev->addr, size);
	} else if (next) {
		extent_merge_type(next, extent);
		extent_resize(tree, next, extent->addr,
			      extent->size + next->size);
		chunk_free_node_push(free_nodes, extent);
	} else {
		tree_insert_between(tree, extent, found);
	}
	return 0;
}

/* The first extent in order of (size, address) that has at least @size bytes */
static struct chunk_extent *tree_size_lower_bound(const struct chunk_tree *tree,
						  size_t size)
{
	struct rb_node *node = tree->by_size.rb_node;
	struct chunk_extent *best = NULL;

	while (node) {
		struct chunk_extent *at = entry_size(node);

		if (at->size < size) {
			node = node->rb_right;
		} else {
			best = at;
			node = node->rb_left;
		}
	}
	return best;
}

/**
 * struct want - an alignment to look for
 * @log2:  log2 of the alignment
 * @ends:  an aligned end serves as well as an aligned start
 */
struct want {
	u8 log2;
	bool ends;
};

static bool extent_reaches(struct chunk_reach reach, struct want want)
{
	return reach.start >= want.log2 ||
	       (want.ends && reach.end >= want.log2);
}

static bool tree_subtree_reaches(const struct rb_node *node, struct want want)
{
	return node && extent_reaches(entry_size(node)->reach, want);
}

/* The first extent that reaches in a subtree that has one */
static struct chunk_extent *tree_subtree_first(struct rb_node *node,
					       struct want want)
{
	for (;;) {
		while (tree_subtree_reaches(node->rb_left, want))
			node = node->rb_left;
		if (extent_reaches(extent_own_reach(entry_size(node)), want))
			return entry_size(node);
		node = node->rb_right;
	}
}

/* The first extent that has @size bytes and an end aligned as wanted */
static struct chunk_extent *tree_size_lower_bound_aligned(struct chunk_tree *tree,
							  size_t size,
							  struct want want)
{
	struct rb_node *node = tree->by_size.rb_node;
	struct rb_node *best = NULL;

	/*
	 * Every node at which the descent turns left is large enough, with its
	 * right subtree; the last of them that reaches has the smallest fit.
	 */
	while (tree_subtree_reaches(node, want)) {
		struct chunk_extent *at = entry_size(node);

		if (at->size < size) {
			node = node->rb_right;
			continue;
		}
		/* The subtree first: its reach need not be computed. */
		if (tree_subtree_reaches(node->rb_right, want) ||
		    extent_reaches(extent_own_reach(at), want))
			best = node;
		node = node->rb_left;
	}
	if (!best)
		return NULL;
	if (extent_reaches(extent_own_reach(entry_size(best)), want))
		return entry_size(best);
	return tree_subtree_first(best->rb_right, want);
}

static struct chunk_extent *tree_best_fit(struct chunk_tree *tree, size_t size,
					  size_t alignment)
{
	struct chunk_extent *sure = NULL, *lucky;
	struct want want;
	size_t enough;

	if (alignment <= CHUNK_TREE_UNIT)
		return tree_size_lower_bound(tree, size);

	enough = size + alignment - CHUNK_TREE_UNIT;
	if (enough >= size)
		sure = tree_size_lower_bound(tree, enough);
	want.log2 = __ffs(alignment);
	want.ends = !(size & (alignment - 1));
	lucky = tree_size_lower_bound_aligned(tree, size, want);
	if (!lucky || (sure && size_less(sure, lucky)))
		return sure;
	return lucky;
}

/* Add an extent next to @beside, before or after it. */
static void tree_add_beside(struct chunk_tree *tree, struct chunk_extent *beside,
			    bool before, struct chunk_extent *extent)
{
	struct rb_node *at = &beside->by_addr;

	if (before)
		tree_addr_link(tree, extent, at->rb_left ? rb_prev(at) : NULL, at);
	else
		tree_addr_link(tree, extent, at, at->rb_right ? rb_next(at) : NULL);
	tree_size_insert(tree, extent);
}

/*
 * Cut [addr, addr + size) out of a free extent. The extent's own node stays
 * with the larger rest, whose place in the trees is more likely to stay the
 * same; if there is no rest it becomes the piece.
 */
static int tree_carve(struct chunk_tree *tree, struct chunk_extent *extent,
		      uintptr_t addr, size_t size, struct chunk_extent **free_nodes,
		      struct chunk_extent **out)
{
	uintptr_t start = extent->addr;
	size_t lead = addr - start;
	size_t trail = extent->size - lead - size;
	struct chunk_extent *piece = *free_nodes;
	struct chunk_extent *rest = NULL;

	if (!lead && !trail) {
		tree_size_erase(tree, extent);
		tree_addr_erase(tree, extent);
		*out = extent;
		return 0;
	}
	if (!piece || (lead && trail && !piece->next))
		return -ENOMEM;

	chunk_free_node_pop(free_nodes);
	extent_set(piece, addr, size, extent);
	if (lead && trail)
		rest = chunk_free_node_pop(free_nodes);
	if (lead > trail) {
		extent_resize(tree, extent, start, lead);
		if (rest) {
			extent_set(rest, addr + size, trail, extent);
			tree_add_beside(tree, extent, false, rest);
		}
	} else {
		extent_resize(tree, extent, addr + size, trail);
		if (rest) {
			extent_set(rest, start, lead, extent);
			tree_add_beside(tree, extent, true, rest);
		}
	}
	*out = piece;
	return 0;
}

/**
 * chunk_tree_take() - take the best fit for an aligned request
 * @tree:      the tree
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: a power of two, at least the chunk size
 * @free_nodes:    chain of unused nodes; at most two are taken from it
 * @out:       the extent, aligned, of exactly @size bytes, not live and in no
 *             tree
 *
 * The best fit is the smallest extent, and of equals the lowest, among those
 * that start at a multiple of @alignment, those that end at one when @size is
 * itself a multiple, and those so large that they must contain an aligned
 * range. It is carved at its lowest aligned address, and the rest on either
 * side stays in the tree. Time is logarithmic in the number of extents.
 *
 * Context: the tree's lock held.
 * Return: 0; -ENOENT if nothing fits; -ENOMEM if @free_nodes is too short, with
 * nothing changed.
 */
int chunk_tree_take(struct chunk_tree *tree, size_t size, size_t alignment,
		    struct chunk_extent **free_nodes, struct chunk_extent **out)
{
	struct chunk_extent *extent = tree_best_fit(tree, size, alignment);
	uintptr_t addr;
	int err;

	if (!extent)
		return -ENOENT;
	addr = (extent->addr + alignment - 1) & ~((uintptr_t)alignment - 1);
	err = tree_carve(tree, extent, addr, size, free_nodes, out);
	if (!err)
		tree_sub_bytes(tree, size);
	return err;
}

/**
 * chunk_tree_evict() - take an extent that exceeds the limit
 * @tree:   the tree
 * @free_nodes: chain of unused nodes; at most one is taken from it
 * @out:    an extent, in no tree
 *
 * Takes from the largest extent, since that costs the fewest calls, and no more
 * than exceeds the limit: the tail of the extent if the extent is larger. To be
 * repeated until it returns -ENOENT, after the limit was lowered.
 *
 * Context: the tree's lock held.
 * Return: 0; -ENOENT if nothing in the tree exceeds the limit; -ENOMEM if
 * @free_nodes is too short, with nothing changed.
 */
int chunk_tree_evict(struct chunk_tree *tree, struct chunk_extent **free_nodes,
		     struct chunk_extent **out)
{
	struct rb_node *last = rb_last(&tree->by_size);
	struct chunk_extent *extent;
	size_t excess;
	int err;

	if (!last || tree->bytes <= tree->limit)
		return -ENOENT;
	extent = entry_size(last);
	/* Rounded up without leaving the type: the limit may be SIZE_MAX - 1 */
	excess = ((tree->bytes - tree->limit - 1) | (CHUNK_TREE_UNIT - 1)) + 1;
	if (excess > extent->size)
		excess = extent->size;
	err = tree_carve(tree, extent, extent->addr + extent->size - excess, excess,
			 free_nodes, out);
	if (!err)
		tree_sub_bytes(tree, excess);
	return err;
}

/**
 * chunk_tree_remove() - remove an extent
 * @tree:   the tree
 * @extent: an extent in the tree
 *
 * Context: the tree's lock held.
 */
void chunk_tree_remove(struct chunk_tree *tree, struct chunk_extent *extent)
{
	tree_size_erase(tree, extent);
	tree_addr_erase(tree, extent);
	tree_sub_bytes(tree, extent->size);
}

/**
 * chunk_tree_seek() - find the first free extent at or after an address
 * @tree: the tree
 * @addr: any address
 *
 * Context: the tree's lock held.
 * Return: the extent, still in the tree, or NULL.
 */
struct chunk_extent *chunk_tree_seek(const struct chunk_tree *tree,
				     uintptr_t addr)
{
	struct rb_node *node = tree->by_addr.rb_node;
	struct chunk_extent *best = NULL;

	while (node) {
		struct chunk_extent *at = entry_addr(node);

		if (at->addr <= addr && addr - at->addr >= at->size) {
			node = node->rb_right;
		} else {
			best = at;
			node = node->rb_left;
		}
	}
	return best;
}

/**
 * chunk_tree_find() - find the free extent that contains an address
 * @tree: the tree
 * @addr: any address
 *
 * Context: the tree's lock held.
 * Return: the extent, still in the tree, or NULL.
 */
struct chunk_extent *chunk_tree_find(const struct chunk_tree *tree,
				     uintptr_t addr)
{
	struct chunk_extent *extent = chunk_tree_seek(tree, addr);

	return extent && extent->addr <= addr ? extent : NULL;
}

/**
 * chunk_tree_first() - find the free extent with the lowest address
 * @tree: the tree
 *
 * Context: the tree's lock held.
 * Return: the extent, still in the tree, or NULL.
 */
struct chunk_extent *chunk_tree_first(const struct chunk_tree *tree)
{
	struct rb_node *node = rb_first(&tree->by_addr);

	return node ? entry_addr(node) : NULL;
}

/**
 * chunk_tree_next() - find the next free extent in order of address
 * @extent: an extent in a tree
 *
 * Context: the tree's lock held.
 * Return: the extent, still in the tree, or NULL.
 */
struct chunk_extent *chunk_tree_next(const struct chunk_extent *extent)
{
	struct rb_node *node = rb_next(&extent->by_addr);

	return node ? entry_addr(node) : NULL;
}
