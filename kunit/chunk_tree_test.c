// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trees of free extents: fit, carving, coalescing, limit.
 */
#include "chunk_tree_fixture.h"

static void expect_extent(struct kunit *test, struct fixture *f, size_t at,
			  size_t count)
{
	struct chunk_extent *extent = chunk_tree_find(&f->tree, at * UNIT);

	KUNIT_ASSERT_NOT_NULL(test, extent);
	KUNIT_EXPECT_EQ(test, extent->addr / UNIT, at);
	KUNIT_EXPECT_EQ(test, extent->size / UNIT, count);
}

static void empty(struct kunit *test)
{
	struct fixture *f = test->priv;

	KUNIT_EXPECT_EQ(test, take(f, 1, 1), (long)-ENOENT);
	KUNIT_EXPECT_NULL(test, chunk_tree_first(&f->tree));
	KUNIT_EXPECT_NULL(test, chunk_tree_find(&f->tree, UNIT));
	KUNIT_EXPECT_NULL(test, chunk_tree_seek(&f->tree, 0));
	expect_sound(test, f);
}

static void exact_fit(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 10, 3);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), 10L);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, (size_t)0);
	KUNIT_EXPECT_NULL(test, chunk_tree_first(&f->tree));
	expect_no_node_lost(test, f, 0);
}

/* An exact fit needs no node: the extent's own goes with it. */
static void exact_fit_takes_no_node(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *none = NULL, *extent;

	put(f, 10, 3);
	KUNIT_EXPECT_EQ(test, 0, chunk_tree_take(&f->tree, 3 * UNIT, UNIT,
						 &none, &extent));
	KUNIT_EXPECT_EQ(test, extent->addr / UNIT, 10UL);
}

static void best_fit_order(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 10, 7);
	put(f, 20, 3);
	put(f, 30, 5);
	put(f, 40, 2);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), 20L);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), 30L);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), 10L);
	KUNIT_EXPECT_EQ(test, take(f, 4, 1), 13L);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), (long)-ENOENT);
	KUNIT_EXPECT_EQ(test, take(f, 1, 1), 33L);
	KUNIT_EXPECT_EQ(test, take(f, 1, 1), 34L);
	KUNIT_EXPECT_EQ(test, take(f, 2, 1), 40L);
	expect_sound(test, f);
	expect_no_node_lost(test, f, 0);
}

static void lowest_of_equals(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 30, 4);
	put(f, 10, 4);
	put(f, 20, 4);
	KUNIT_EXPECT_EQ(test, take(f, 4, 1), 10L);
	KUNIT_EXPECT_EQ(test, take(f, 2, 1), 20L);
	KUNIT_EXPECT_EQ(test, take(f, 4, 1), 30L);
}

static void carve_trail(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 8, 8);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), 8L);
	expect_extent(test, f, 11, 5);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)1);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 5 * UNIT);
	expect_sound(test, f);
}

static void carve_lead(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 5, 7);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 8L);
	expect_extent(test, f, 5, 3);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)1);
	expect_sound(test, f);
}

static void carve_both(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 5, 9);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 8L);
	expect_extent(test, f, 5, 3);
	expect_extent(test, f, 12, 2);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)2);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 5 * UNIT);
	expect_sound(test, f);
	expect_no_node_lost(test, f, 0);
}

/* The carved extent and the rest inherit owner and type. */
static void carve_keeps_kind(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *extent;

	put_as(f, 5, 9, 1, ARENA_CHUNK);
	KUNIT_ASSERT_EQ(test, 0, chunk_tree_take(&f->tree, 4 * UNIT, 4 * UNIT,
						 &f->free_nodes, &extent));
	KUNIT_EXPECT_PTR_EQ(test, extent->owner, (void *)&f->owners[1]);
	KUNIT_EXPECT_EQ(test, extent->type, ARENA_CHUNK);
	for (extent = chunk_tree_first(&f->tree); extent;
	     extent = chunk_tree_next(extent)) {
		KUNIT_EXPECT_PTR_EQ(test, extent->owner, (void *)&f->owners[1]);
		KUNIT_EXPECT_EQ(test, extent->type, ARENA_CHUNK);
	}
}

static void coalesce_forward(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 12, 3);
	put(f, 10, 2);
	expect_extent(test, f, 10, 5);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)1);
	expect_sound(test, f);
	expect_no_node_lost(test, f, 0);
}

static void coalesce_backward(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 10, 2);
	put(f, 12, 3);
	expect_extent(test, f, 10, 5);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)1);
	expect_sound(test, f);
	expect_no_node_lost(test, f, 0);
}

static void coalesce_both(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 10, 2);
	put(f, 15, 4);
	put(f, 12, 3);
	expect_extent(test, f, 10, 9);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)1);
	expect_sound(test, f);
	expect_no_node_lost(test, f, 0);
}

static void coalesce_none(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 10, 2);
	put(f, 16, 4);
	put(f, 13, 2);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)3);
	expect_sound(test, f);
}

static void coalesce_not_across_owners(struct kunit *test)
{
	struct fixture *f = test->priv;

	put_as(f, 10, 2, 0, ZEROED_CHUNK);
	put_as(f, 14, 2, 0, ZEROED_CHUNK);
	put_as(f, 12, 2, 1, ZEROED_CHUNK);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)3);
	KUNIT_EXPECT_EQ(test, take(f, 3, 1), (long)-ENOENT);
	expect_sound(test, f);
}

static void types(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *extent;
	int a, b;

	for (a = UNKNOWN_CHUNK; a <= RECYCLED_CHUNK; a++) {
		for (b = UNKNOWN_CHUNK; b <= RECYCLED_CHUNK; b++) {
			put_as(f, 10, 1, 0, a);
			put_as(f, 12, 1, 0, a);
			put_as(f, 11, 1, 0, b);
			extent = chunk_tree_first(&f->tree);
			KUNIT_EXPECT_EQ(test, extent->type,
					a == b ? a : RECYCLED_CHUNK);
			KUNIT_EXPECT_EQ(test, take(f, 3, 1), 10L);
		}
	}
}

static void aligned_start(struct kunit *test)
{
	struct fixture *f = test->priv;

	/* mozjemalloc asks for 7 chunks to be sure of 4 aligned to 4. */
	put(f, 8, 4);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 8L);
	put(f, 9, 4);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), (long)-ENOENT);
	put(f, 20, 1);
	KUNIT_EXPECT_EQ(test, take(f, 1, 4), 20L);
}

static void aligned_end(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 7, 5);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 8L);
	expect_extent(test, f, 7, 1);
	/* Five chunks that end at a multiple of 4 do not begin at one. */
	put(f, 15, 5);
	KUNIT_EXPECT_EQ(test, take(f, 5, 4), (long)-ENOENT);
}

static void aligned_for_sure(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 5, 7);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 8L);
	put(f, 33, 34);
	KUNIT_EXPECT_EQ(test, take(f, 3, 32), 64L);
}

static void aligned_smallest(struct kunit *test)
{
	struct fixture *f = test->priv;

	put(f, 33, 8);	/* for sure */
	put(f, 64, 5);	/* starts right */
	put(f, 82, 5);	/* ends nowhere right */
	put(f, 106, 6);	/* ends right */
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 64L);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 108L);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 36L);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), (long)-ENOENT);
	expect_sound(test, f);
}

static void limit_is_exact(struct kunit *test)
{
	struct fixture *f = test->priv;

	chunk_tree_init(&f->tree, 5 * UNIT + 12345);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, 3 * UNIT),
			3 * UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, 3 * UNIT),
			2 * UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, UNIT), (size_t)0);
	chunk_tree_unclaim(&f->tree, UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, 2 * UNIT), UNIT);
	chunk_tree_unclaim(&f->tree, 5 * UNIT);
	put(f, 10, 4);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 4 * UNIT);
	KUNIT_EXPECT_EQ(test, f->tree.claimed, (size_t)0);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, 3 * UNIT), UNIT);
	chunk_tree_unclaim(&f->tree, UNIT);
	KUNIT_EXPECT_EQ(test, take(f, 2, 1), 10L);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, SIZE_MAX),
			3 * UNIT);
}

/* Claimed quota counts, and may exceed a limit that was lowered since. */
static void limit_lowered(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *out;

	put(f, 10, 4);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, 3 * UNIT),
			3 * UNIT);
	f->tree.limit = 5 * UNIT + 1;
	/* The trees hold no more than that. */
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, UNIT), (size_t)0);
	/* Claimed again, as after dropping the lock, it is less. */
	chunk_tree_unclaim(&f->tree, 3 * UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, 3 * UNIT), UNIT);
	KUNIT_EXPECT_EQ(test, f->tree.claimed, UNIT);
	KUNIT_EXPECT_EQ(test, put_claimed(f, 20, 1, 0, ZEROED_CHUNK), 0);
	KUNIT_EXPECT_EQ(test, f->tree.claimed, (size_t)0);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 5 * UNIT);
	/* Less than a chunk over the limit is a chunk over it. */
	f->tree.limit = 5 * UNIT - 1;
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 13UL);
	KUNIT_EXPECT_EQ(test, out->size, UNIT);
	expect_sound(test, f);
}

static void limit_extremes(struct kunit *test)
{
	struct fixture *f = test->priv;

	chunk_tree_init(&f->tree, 0);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, UNIT), (size_t)0);
	chunk_tree_init(&f->tree, UNIT - 1);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, UNIT), (size_t)0);
	chunk_tree_init(&f->tree, SIZE_MAX);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, SIZE_MAX - UNIT + 1),
			SIZE_MAX - UNIT + 1);
	KUNIT_EXPECT_EQ(test, chunk_tree_claim(&f->tree, UNIT), (size_t)0);
}

static void evict_what_is_over(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *out;

	put(f, 10, 2);
	put(f, 20, 8);
	put(f, 40, 5);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	f->tree.limit = 12 * UNIT - 1;
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	/* The tail of the largest, rounded up to chunks. */
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 24UL);
	KUNIT_EXPECT_EQ(test, out->size / UNIT, (size_t)4);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 11 * UNIT);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	f->tree.limit = 0;
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 40UL);
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 20UL);
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, f->tree.bytes, (size_t)0);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->free_nodes, &out));
	expect_sound(test, f);
}

static void wrap_around(struct kunit *test)
{
	struct fixture *f = test->priv;
	size_t half = SIZE_MAX / 2 + 1;
	struct chunk_extent *out;

	put(f, 8, 8);
	/* Sums of size and alignment that wrap to something small. */
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, SIZE_MAX - UNIT + 1,
					2 * UNIT, &f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, half, half, &f->free_nodes,
					&out));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, SIZE_MAX - UNIT + 1, UNIT,
					&f->free_nodes, &out));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, UNIT, half, &f->free_nodes,
					&out));
	expect_extent(test, f, 8, 8);
}

/* All chunks but the first: sums of that size and an alignment wrap. */
static void huge_extents(struct kunit *test)
{
	struct fixture *f = test->priv;
	size_t all = SIZE_MAX / UNIT + 1, half = all / 2;

	KUNIT_ASSERT_EQ(test, 0, put(f, 1, all - 1));
	KUNIT_EXPECT_EQ(test, f->tree.bytes, SIZE_MAX - UNIT + 1);
	KUNIT_EXPECT_EQ(test, put(f, all - 1, 1), -EEXIST);
	/* No size is larger, but its end, which is address 0, is aligned. */
	KUNIT_EXPECT_EQ(test, take(f, half, half), (long)half);
	expect_extent(test, f, 1, half - 1);
	expect_sound(test, f);
	KUNIT_EXPECT_EQ(test, take(f, half, half), (long)-ENOENT);
	KUNIT_EXPECT_EQ(test, take(f, 1, half), (long)-ENOENT);
	KUNIT_EXPECT_EQ(test, take(f, half / 2, half / 2), (long)half / 2);
	expect_extent(test, f, 1, half / 2 - 1);
	KUNIT_EXPECT_EQ(test, put(f, half / 2, all - half / 2), 0);
	expect_extent(test, f, 1, all - 1);
	KUNIT_EXPECT_EQ(test, take(f, all - 1, 1), 1L);
	expect_no_node_lost(test, f, 0);
}

/* At the very top, where the end of an extent is address 0, and the bottom. */
static void ends_of_address_space(struct kunit *test)
{
	struct fixture *f = test->priv;
	size_t top = SIZE_MAX / UNIT;

	put(f, top - 3, 3);
	put(f, top, 1);
	put(f, 0, 2);
	put(f, 2, 2);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)2);
	expect_extent(test, f, top - 3, 4);
	expect_extent(test, f, 0, 4);
	expect_sound(test, f);
	KUNIT_EXPECT_PTR_EQ(test, chunk_tree_find(&f->tree, UINTPTR_MAX),
			    chunk_tree_seek(&f->tree, 4 * UNIT));
	KUNIT_EXPECT_NULL(test, chunk_tree_find(&f->tree, 4 * UNIT));
	KUNIT_EXPECT_PTR_EQ(test, chunk_tree_find(&f->tree, 0),
			    chunk_tree_first(&f->tree));
	KUNIT_EXPECT_EQ(test, put(f, top, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 0L);
	/* Its end, address 0, is aligned to anything. */
	KUNIT_EXPECT_EQ(test, take(f, 2, 2), (long)(top - 3));
	KUNIT_EXPECT_EQ(test, take(f, 2, 2), (long)(top - 1));
	KUNIT_EXPECT_EQ(test, f->tree.bytes, (size_t)0);
}

/**
 * struct shape - the visible state of a tree
 * @tree:       the tree with its roots
 * @count:      number of extents
 * @free_nodes: chain of unused nodes
 * @extents:    the extents in order of address
 */
struct shape {
	struct chunk_tree tree;
	size_t count;
	size_t free_nodes;
	struct chunk_extent extents[NODES];
};

static struct shape *shape_of(struct kunit *test, struct fixture *f)
{
	struct shape *shape = kunit_kzalloc(test, sizeof(*shape), GFP_KERNEL);
	struct chunk_extent *extent;

	KUNIT_ASSERT_NOT_NULL(test, shape);
	for (extent = chunk_tree_first(&f->tree); extent;
	     extent = chunk_tree_next(extent))
		shape->extents[shape->count++] = *extent;
	shape->tree = f->tree;
	shape->free_nodes = count_spares(f);
	return shape;
}

static void expect_shape(struct kunit *test, struct fixture *f,
			 const struct shape *before)
{
	struct shape *now = shape_of(test, f);

	expect_sound(test, f);
	/* The nodes too: links, owners, types and all. */
	KUNIT_EXPECT_EQ(test, memcmp(now, before, sizeof(*now)), 0);
	kunit_kfree(test, now);
}

/* With too few nodes for the cut nothing changes, neither does @few. */
static void expect_too_few(struct kunit *test, size_t count, size_t alignment,
			   struct chunk_extent *few)
{
	struct fixture *f = test->priv;
	struct shape *before = shape_of(test, f);
	struct chunk_extent *left = few;
	struct chunk_extent *out = NULL;

	KUNIT_EXPECT_EQ(test, -ENOMEM,
			chunk_tree_take(&f->tree, count * UNIT,
					alignment * UNIT, &left, &out));
	KUNIT_EXPECT_NULL(test, out);
	KUNIT_EXPECT_PTR_EQ(test, left, few);
	expect_shape(test, f, before);
}

static void too_few_nodes(struct kunit *test)
{
	struct chunk_extent node = { .next = NULL };
	struct fixture *f = test->priv;

	put(f, 5, 9);
	put(f, 34, 6);
	/* A trail or a lead takes one node, both together take two. */
	expect_too_few(test, 7, 1, NULL);
	expect_too_few(test, 4, 4, NULL);
	expect_too_few(test, 5, 4, NULL);
	expect_too_few(test, 5, 4, &node);
}

static void too_few_nodes_to_evict(struct kunit *test)
{
	struct chunk_extent *none = NULL, *out = NULL;
	struct fixture *f = test->priv;
	struct shape *before;

	put(f, 5, 9);
	put(f, 30, 3);
	f->tree.limit = 11 * UNIT;
	before = shape_of(test, f);
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			chunk_tree_evict(&f->tree, &none, &out));
	KUNIT_EXPECT_NULL(test, out);
	expect_shape(test, f, before);
	/* To evict all of the largest takes no node. */
	f->tree.limit = 3 * UNIT;
	KUNIT_EXPECT_EQ(test, 0, chunk_tree_evict(&f->tree, &none, &out));
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 5UL);
}

/* Ranges that contain, lie within, begin in and end in a free extent */
static void overlaps_are_refused(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct shape *before;
	size_t at, count;

	put(f, 10, 4);
	put_as(f, 14, 2, 1, ZEROED_CHUNK);
	put(f, 20, 1);
	before = shape_of(test, f);
	for (at = 1; at < 24; at++) {
		for (count = 1; at + count < 24; count++) {
			bool over = (at < 16 && at + count > 10) ||
				    (at <= 20 && at + count > 20);

			if (!over)
				continue;
			KUNIT_EXPECT_EQ(test, put(f, at, count), -EEXIST);
			expect_shape(test, f, before);
		}
	}
}

/* An extent carved into a node that held a live extent is not live. */
static void carved_is_not_live(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *extent;

	for (extent = f->free_nodes; extent; extent = extent->next)
		extent->live = true;
	put(f, 5, 9);
	KUNIT_ASSERT_EQ(test, 0, chunk_tree_take(&f->tree, 4 * UNIT, 4 * UNIT,
						 &f->free_nodes, &extent));
	KUNIT_EXPECT_FALSE(test, extent->live);
	for (extent = chunk_tree_first(&f->tree); extent;
	     extent = chunk_tree_next(extent))
		KUNIT_EXPECT_FALSE(test, extent->live);
}

static void find_and_walk(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *extent;

	put(f, 10, 2);
	put(f, 20, 3);
	extent = chunk_tree_first(&f->tree);
	KUNIT_EXPECT_EQ(test, extent->addr / UNIT, 10UL);
	KUNIT_EXPECT_PTR_EQ(test, chunk_tree_find(&f->tree, 12 * UNIT - 1),
			    extent);
	KUNIT_EXPECT_PTR_EQ(test, chunk_tree_seek(&f->tree, 0), extent);
	KUNIT_EXPECT_PTR_EQ(test, chunk_tree_seek(&f->tree, 11 * UNIT + 5),
			    extent);
	KUNIT_EXPECT_NULL(test, chunk_tree_find(&f->tree, 10 * UNIT - 1));
	KUNIT_EXPECT_NULL(test, chunk_tree_find(&f->tree, 12 * UNIT));
	extent = chunk_tree_next(extent);
	KUNIT_EXPECT_EQ(test, extent->addr / UNIT, 20UL);
	KUNIT_EXPECT_PTR_EQ(test, chunk_tree_seek(&f->tree, 12 * UNIT), extent);
	KUNIT_EXPECT_NULL(test, chunk_tree_seek(&f->tree, 23 * UNIT));
	KUNIT_EXPECT_NULL(test, chunk_tree_next(extent));
	chunk_tree_remove(&f->tree, extent);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 2 * UNIT);
	KUNIT_EXPECT_EQ(test, count_extents(f), (size_t)1);
	expect_sound(test, f);
}

#define PIECES		6
#define MOST		12
#define ALIGNMENTS	4

static const u8 piece_sizes[PIECES] = { 1, 2, 1, 3, 4, 1 };

/* Free the pieces in this order, then take every size at every alignment. */
static void run_order(struct kunit *test, const u8 *order, size_t *runs)
{
	struct fixture *f = test->priv;
	size_t starts[PIECES], at = 3, count, shift, i;

	for (i = 0; i < PIECES; i++) {
		starts[i] = at;
		at += piece_sizes[i];
	}
	for (count = 1; count <= MOST; count++) {
		for (shift = 0; shift < ALIGNMENTS; shift++) {
			size_t align = (size_t)1 << shift;
			size_t first = ALIGN(3, align);
			bool fits = count <= 12 - (align - 1);
			long got;

			for (i = 0; i < PIECES; i++)
				put(f, starts[order[i]], piece_sizes[order[i]]);
			if (count_extents(f) != 1 ||
			    chunk_tree_problem(&f->tree))
				KUNIT_FAIL(test, "%*ph does not coalesce",
					   PIECES, order);
			/* [3, 15) neither starts nor ends aligned, but to 1. */
			got = take(f, count, align);
			if (got != (fits ? (long)first : -ENOENT))
				KUNIT_FAIL(test, "%*ph: %zu at %zu: %ld",
					   PIECES, order, count, align, got);
			if (chunk_tree_problem(&f->tree))
				KUNIT_FAIL(test, "%*ph: %zu at %zu: %s",
					   PIECES, order, count, align,
					   chunk_tree_problem(&f->tree));
			remove_all(f);
			(*runs)++;
		}
	}
}

static void permute(struct kunit *test, u8 *order, size_t done, size_t *runs)
{
	size_t i;

	if (done == PIECES) {
		run_order(test, order, runs);
		return;
	}
	for (i = done; i < PIECES; i++) {
		swap(order[done], order[i]);
		permute(test, order, done + 1, runs);
		swap(order[done], order[i]);
	}
}

static void every_order(struct kunit *test)
{
	struct fixture *f = test->priv;
	u8 order[PIECES];
	size_t runs = 0, orders = 1, i;

	for (i = 0; i < PIECES; i++) {
		order[i] = i;
		orders *= i + 1;
	}
	permute(test, order, 0, &runs);
	KUNIT_EXPECT_EQ(test, runs, orders * MOST * ALIGNMENTS);
	expect_no_node_lost(test, f, 0);
}

static struct kunit_case tree_cases[] = {
	KUNIT_CASE(empty),
	KUNIT_CASE(exact_fit),
	KUNIT_CASE(exact_fit_takes_no_node),
	KUNIT_CASE(best_fit_order),
	KUNIT_CASE(lowest_of_equals),
	KUNIT_CASE(carve_trail),
	KUNIT_CASE(carve_lead),
	KUNIT_CASE(carve_both),
	KUNIT_CASE(carve_keeps_kind),
	KUNIT_CASE(coalesce_forward),
	KUNIT_CASE(coalesce_backward),
	KUNIT_CASE(coalesce_both),
	KUNIT_CASE(coalesce_none),
	KUNIT_CASE(coalesce_not_across_owners),
	KUNIT_CASE(types),
	KUNIT_CASE(aligned_start),
	KUNIT_CASE(aligned_end),
	KUNIT_CASE(aligned_for_sure),
	KUNIT_CASE(aligned_smallest),
	KUNIT_CASE(limit_is_exact),
	KUNIT_CASE(limit_lowered),
	KUNIT_CASE(limit_extremes),
	KUNIT_CASE(evict_what_is_over),
	KUNIT_CASE(wrap_around),
	KUNIT_CASE(huge_extents),
	KUNIT_CASE(ends_of_address_space),
	KUNIT_CASE(too_few_nodes),
	KUNIT_CASE(too_few_nodes_to_evict),
	KUNIT_CASE(carved_is_not_live),
	KUNIT_CASE(overlaps_are_refused),
	KUNIT_CASE(find_and_walk),
	KUNIT_CASE(every_order),
	{}
};

static struct kunit_suite tree_suite = {
	.name = "chunk_tree",
	.init = fixture_init,
	.test_cases = tree_cases,
};

kunit_test_suite(tree_suite);
