/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * What is true of every chunk_tree, whatever was done to it. Host-neutral, for
 * tests in the kernel and outside.
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
 * chunk_tree_problem() - look for anything that must not be
 * @tree: the tree
 *
 * Return: what is wrong, or NULL.
 */
static inline const char *chunk_tree_problem(const struct chunk_tree *tree)
{
	size_t count;
	const char *problem = check_addresses(tree, &count);

	return problem ? problem : check_sizes(tree, count);
}

#endif /* CHUNK_TREE_CHECK_H */
