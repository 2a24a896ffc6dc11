/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * A tree with a stock of nodes, for the suites that test trees. Positions and
 * sizes are in chunks.
 */
#ifndef CHUNK_TREE_FIXTURE_H
#define CHUNK_TREE_FIXTURE_H

#include <kunit/test.h>
#include <linux/slab.h>

#include "chunk_tree.h"
#include "chunk_tree_check.h"

#define UNIT	CHUNK_TREE_UNIT
#define NODES	256

/**
 * struct fixture - a tree and its stock of nodes
 * @tree:   the tree
 * @free_nodes: chain of unused nodes
 * @owners: owners for extents: those of different owners never coalesce
 * @nodes:  all nodes
 */
struct fixture {
	struct chunk_tree tree;
	struct chunk_extent *free_nodes;
	char owners[2];
	struct chunk_extent nodes[NODES];
};

static inline int fixture_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	chunk_tree_init(&f->tree, SIZE_MAX);
	for (i = 0; i < NODES; i++)
		chunk_free_node_push(&f->free_nodes, &f->nodes[i]);
	test->priv = f;
	return 0;
}

static inline size_t count_spares(const struct fixture *f)
{
	struct chunk_extent *extent;
	size_t count = 0;

	for (extent = f->free_nodes; extent; extent = extent->next)
		count++;
	return count;
}

static inline size_t count_extents(const struct fixture *f)
{
	struct chunk_extent *extent;
	size_t count = 0;

	for (extent = chunk_tree_first(&f->tree); extent;
	     extent = chunk_tree_next(extent))
		count++;
	return count;
}

/* No node is lost: each is in the tree, free, or @out of both. */
static inline void expect_no_node_lost(struct kunit *test, struct fixture *f,
				       size_t out)
{
	KUNIT_EXPECT_EQ(test, count_spares(f) + count_extents(f) + out,
			(size_t)NODES);
}

static inline void expect_sound(struct kunit *test, struct fixture *f)
{
	const char *problem = chunk_tree_problem(&f->tree);

	KUNIT_EXPECT_TRUE_MSG(test, !problem, "%s", problem);
}

/* Free the chunks [at, at + count), for which room is claimed already. */
static inline int put_claimed(struct fixture *f, size_t at, size_t count,
			      int owner, enum chunk_type type)
{
	struct chunk_extent *extent = chunk_free_node_pop(&f->free_nodes);
	int err;

	extent->addr = at * UNIT;
	extent->size = count * UNIT;
	extent->owner = &f->owners[owner];
	extent->live = false;
	extent->type = type;
	err = chunk_tree_insert(&f->tree, extent, &f->free_nodes);
	if (err)
		chunk_free_node_push(&f->free_nodes, extent);
	return err;
}

static inline int put_as(struct fixture *f, size_t at, size_t count, int owner,
			 enum chunk_type type)
{
	int err;

	chunk_tree_claim(&f->tree, count * UNIT);
	err = put_claimed(f, at, count, owner, type);
	if (err)
		chunk_tree_unclaim(&f->tree, count * UNIT);
	return err;
}

static inline int put(struct fixture *f, size_t at, size_t count)
{
	return put_as(f, at, count, 0, ZEROED_CHUNK);
}

/* Take chunks; returns the position of the first, or a negative error. */
static inline long take(struct fixture *f, size_t count, size_t alignment)
{
	struct chunk_extent *extent;
	int err = chunk_tree_take(&f->tree, count * UNIT, alignment * UNIT,
				  &f->free_nodes, &extent);
	long at;

	if (err)
		return err;
	at = extent->addr / UNIT;
	if (extent->size != count * UNIT)
		at = -EIO;
	chunk_free_node_push(&f->free_nodes, extent);
	return at;
}

static inline void remove_all(struct fixture *f)
{
	struct chunk_extent *extent;

	while ((extent = chunk_tree_first(&f->tree))) {
		chunk_tree_remove(&f->tree, extent);
		chunk_free_node_push(&f->free_nodes, extent);
	}
}

#endif /* CHUNK_TREE_FIXTURE_H */
