/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Invariants of every chunk_tree. Host-neutral, for tests in the kernel and
 * outside.
 */
#ifndef CHUNK_TREE_CHECK_H
#define CHUNK_TREE_CHECK_H

#include <linux/bitops.h>
#include <linux/rbtree.h>

#include "chunk_tree.h"

static inline u8 check_reach_of(uintptr_t addr)
{
	return addr ? __ffs(addr) : 255;
}

static inline struct chunk_extent *check_by_size(struct rb_node *node)
{
	return node ? rb_entry(node, struct chunk_extent, by_size) : NULL;
}

static inline bool check_node_reach(struct chunk_extent *extent)
{
	struct chunk_extent *left = check_by_size(extent->by_size.rb_left);
	struct chunk_extent *right = check_by_size(extent->by_size.rb_right);
	u8 start = check_reach_of(extent->addr);
	u8 end = check_reach_of(extent->addr + extent->size);

	if (left && left->reach.start > start)
		start = left->reach.start;
	if (right && right->reach.start > start)
		start = right->reach.start;
	if (left && left->reach.end > end)
		end = left->reach.end;
	if (right && right->reach.end > end)
		end = right->reach.end;
	return extent->reach.start == start && extent->reach.end == end;
}

/* Number of nodes from the root to this one */
static inline size_t check_depth(const struct rb_node *node)
{
	size_t depth = 0;

	for (; node; node = rb_parent(node))
		depth++;
	return depth;
}

/* The links up and down agree, and no path is longer than colours allow. */
static inline const char *check_shape(const struct rb_root *root, size_t count)
{
	struct rb_node *node;
	size_t most = 0;

	while (most < sizeof(count) * 8 && (count + 1) >> most)
		most++;
	most *= 2;
	if (root->rb_node && rb_parent(root->rb_node))
		return "the root is below another node";
	for (node = rb_first(root); node; node = rb_next(node)) {
		if ((node->rb_left && rb_parent(node->rb_left) != node) ||
		    (node->rb_right && rb_parent(node->rb_right) != node))
			return "a child does not know its parent";
		if (check_depth(node) > most)
			return "a tree is out of balance";
	}
	return NULL;
}

static inline const char *check_addresses(const struct chunk_tree *tree,
					  size_t *count)
{
	struct chunk_extent *extent, *prev = NULL;
	size_t bytes = 0;

	*count = 0;
	for (extent = chunk_tree_first(tree); extent;
	     extent = chunk_tree_next(extent)) {
		if (!extent->size || extent->size % CHUNK_TREE_UNIT ||
		    extent->addr % CHUNK_TREE_UNIT)
			return "an extent is no whole number of chunks";
		if (extent->addr + (extent->size - 1) < extent->addr)
			return "an extent wraps around";
		if (prev && extent->addr - prev->addr < prev->size)
			return "extents overlap or are out of order";
		if (prev && extent->addr == prev->addr + prev->size &&
		    extent->owner == prev->owner)
			return "neighbours were not coalesced";
		if (chunk_tree_find(tree, extent->addr) != extent ||
		    chunk_tree_find(tree, extent->addr + extent->size - 1) !=
		    extent)
			return "an extent is not found by its addresses";
		bytes += extent->size;
		(*count)++;
		prev = extent;
	}
	return bytes == tree->bytes ? NULL : "the bytes do not add up";
}

static inline const char *check_sizes(const struct chunk_tree *tree,
				      size_t count)
{
	struct chunk_extent *extent, *prev = NULL;
	struct rb_node *node;

	for (node = rb_first(&tree->by_size); node; node = rb_next(node)) {
		extent = check_by_size(node);
		if (prev && (prev->size > extent->size ||
			     (prev->size == extent->size &&
			      prev->addr >= extent->addr)))
			return "the size tree is out of order";
		if (chunk_tree_find(tree, extent->addr) != extent)
			return "an extent is in the size tree only";
		if (!check_node_reach(extent))
			return "a subtree's reach is wrong";
		if (!count--)
			return "the size tree has more extents";
		prev = extent;
	}
	return count ? "the size tree has fewer extents" : NULL;
}

/**
 * chunk_tree_problem() - check the invariants of a tree
 * @tree: the tree
 *
 * Context: the tree's lock held.
 * Return: a text that names the violation, or NULL.
 */
static inline const char *chunk_tree_problem(const struct chunk_tree *tree)
{
	size_t count;
	const char *problem = check_addresses(tree, &count);

	if (!problem)
		problem = check_sizes(tree, count);
	if (!problem)
		problem = check_shape(&tree->by_addr, count);
	if (!problem)
		problem = check_shape(&tree->by_size, count);
	return problem;
}

#endif /* CHUNK_TREE_CHECK_H */
