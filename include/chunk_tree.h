/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Free extents: best fit by size, coalescing by address.
 *
 * Host-neutral: the same source is built into chunk.ko, into the KUnit module
 * and into libchunk, which offers the few kernel headers used here under
 * userspace/compat/. Nothing in here allocates, sleeps, locks or knows what
 * backs an address. The caller supplies the nodes and holds one lock over every
 * call on the same tree.
 */
#ifndef CHUNK_TREE_H
#define CHUNK_TREE_H

#include <linux/rbtree.h>
#include <linux/types.h>

#include "chunk_type.h"

/* A chunk: every address, size and alignment is a multiple of it. */
#define CHUNK_TREE_SHIFT	20
#define CHUNK_TREE_UNIT		((size_t)1 << CHUNK_TREE_SHIFT)

/**
 * struct chunk_reach - how well the ends of extents are aligned
 * @start: log2 of the largest power of two that divides the start address
 * @end:   the same for the end address
 *
 * Kept for each subtree of the size tree as the maximum over its extents, so
 * that the smallest extent with an aligned end is found in logarithmic time.
 */
struct chunk_reach {
	u8 start;
	u8 end;
};

/**
 * struct chunk_extent - a run of address space
 * @by_addr: link in the address tree, while the extent is free
 * @decommitted: for the caller, while the extent is live: number of its
 *           decommitted pages
 * @by_size: link in the size tree, while the extent is free
 * @next:    link in a chain of free nodes
 * @addr:    first byte, a multiple of CHUNK_TREE_UNIT
 * @size:    bytes, a non-zero multiple of CHUNK_TREE_UNIT
 * @owner:   owner of the address space (a mapping, a region); extents of
 *           different owners never coalesce
 * @reach:   maximum alignment of the ends in this node's size subtree
 * @live:    for the caller: registered in full, so that it may be given back
 * @sparse:  for the caller, while the extent is not free: it has decommitted parts
 *           that the caller has no record of
 * @type:    known contents
 */
struct chunk_extent {
	union {
		struct rb_node by_addr;
		unsigned long decommitted;
	};
	union {
		struct rb_node by_size;
		struct chunk_extent *next;
	};
	uintptr_t addr;
	size_t size;
	void *owner;
	struct chunk_reach reach;
	bool live;
	bool sparse;
	enum chunk_type type;
};

/**
 * struct chunk_tree - free extents, ordered twice
 * @by_addr: by address
 * @by_size: by size, then address; augmented with struct chunk_reach
 * @bytes:   bytes in the trees; may be read without the lock
 * @claimed: claimed quota: bytes to be inserted soon
 * @limit:   the most bytes that no claim may make both together exceed
 */
struct chunk_tree {
	struct rb_root by_addr;
	struct rb_root by_size;
	size_t bytes;
	size_t claimed;
	size_t limit;
};

void chunk_tree_init(struct chunk_tree *tree, size_t limit);

size_t chunk_tree_claim(struct chunk_tree *tree, size_t size);
void chunk_tree_unclaim(struct chunk_tree *tree, size_t size);

int chunk_tree_insert(struct chunk_tree *tree, struct chunk_extent *extent,
		      struct chunk_extent **free_nodes);
int chunk_tree_take(struct chunk_tree *tree, size_t size, size_t alignment,
		    struct chunk_extent **free_nodes, struct chunk_extent **out);
int chunk_tree_evict(struct chunk_tree *tree, struct chunk_extent **free_nodes,
		     struct chunk_extent **out);
void chunk_tree_remove(struct chunk_tree *tree, struct chunk_extent *extent);

struct chunk_extent *chunk_tree_find(const struct chunk_tree *tree,
				     uintptr_t addr);
struct chunk_extent *chunk_tree_seek(const struct chunk_tree *tree,
				     uintptr_t addr);
struct chunk_extent *chunk_tree_first(const struct chunk_tree *tree);
struct chunk_extent *chunk_tree_next(const struct chunk_extent *extent);

/**
 * chunk_free_node_push() - push a node onto a chain of free nodes
 * @free_nodes: the chain
 * @extent: a node in no tree
 *
 * Context: any; nobody else uses the chain.
 */
static inline void chunk_free_node_push(struct chunk_extent **free_nodes,
					struct chunk_extent *extent)
{
	extent->next = *free_nodes;
	*free_nodes = extent;
}

/**
 * chunk_free_node_pop() - pop a node off a chain of free nodes
 * @free_nodes: the chain
 *
 * Context: any; nobody else uses the chain.
 * Return: a node with no meaningful contents, or NULL if the chain is empty.
 */
static inline struct chunk_extent *
chunk_free_node_pop(struct chunk_extent **free_nodes)
{
	struct chunk_extent *extent = *free_nodes;

	if (extent)
		*free_nodes = extent->next;
	return extent;
}

#endif /* CHUNK_TREE_H */
