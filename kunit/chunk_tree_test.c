// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trees of free extents: fit, carving, coalescing, limit.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "chunk_tree.h"
#include "chunk_tree_check.h"

static u64 seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Repeats the random tests of a run that printed this");

#define UNIT		CHUNK_TREE_UNIT
#define NODES		256
#define ROUNDS		20000
#define SPACE		192

/* Extents of different owners never coalesce. */
static char owners[2];

/**
 * struct fixture - a tree, and where its nodes come from
 * @tree:   the tree
 * @spares: nodes in no use
 * @nodes:  all of them
 */
struct fixture {
	struct chunk_tree tree;
	struct chunk_extent *spares;
	struct chunk_extent nodes[NODES];
};

static int tree_test_init(struct kunit *test)
{
	struct fixture *f = kunit_kzalloc(test, sizeof(*f), GFP_KERNEL);
	int i;

	KUNIT_ASSERT_NOT_NULL(test, f);
	chunk_tree_init(&f->tree, SIZE_MAX);
	for (i = 0; i < NODES; i++)
		chunk_spare_push(&f->spares, &f->nodes[i]);
	test->priv = f;
	return 0;
}

static void expect_sound(struct kunit *test, struct fixture *f)
{
	const char *problem = chunk_tree_problem(&f->tree);

	KUNIT_EXPECT_TRUE_MSG(test, !problem, "%s", problem);
}

static size_t count_spares(struct fixture *f)
{
	struct chunk_extent *extent;
	size_t count = 0;

	for (extent = f->spares; extent; extent = extent->next)
		count++;
	return count;
}

static size_t count_extents(struct fixture *f)
{
	struct chunk_extent *extent;
	size_t count = 0;

	for (extent = chunk_tree_first(&f->tree); extent;
	     extent = chunk_tree_next(extent))
		count++;
	return count;
}

/* Every node is somewhere: in the tree, spare, or @out of it. */
static void expect_no_node_lost(struct kunit *test, struct fixture *f,
				size_t out)
{
	KUNIT_EXPECT_EQ(test, count_spares(f) + count_extents(f) + out,
			(size_t)NODES);
}

/* Free the chunks [at, at + count). */
static int put_as(struct fixture *f, size_t at, size_t count, void *owner,
		  enum chunk_type type)
{
	struct chunk_extent *extent = chunk_spare_pop(&f->spares);
	int err;

	extent->addr = at * UNIT;
	extent->size = count * UNIT;
	extent->owner = owner;
	extent->type = type;
	chunk_tree_reserve(&f->tree, extent->size);
	err = chunk_tree_insert(&f->tree, extent, &f->spares);
	if (err) {
		chunk_tree_unreserve(&f->tree, extent->size);
		chunk_spare_push(&f->spares, extent);
	}
	return err;
}

static int put(struct fixture *f, size_t at, size_t count)
{
	return put_as(f, at, count, &owners[0], ZEROED_CHUNK);
}

/* Take chunks; the index of the first, or a negative error. */
static long take(struct fixture *f, size_t count, size_t alignment)
{
	struct chunk_extent *extent;
	int err = chunk_tree_take(&f->tree, count * UNIT, alignment * UNIT,
				  &f->spares, &extent);
	long at;

	if (err)
		return err;
	at = extent->addr / UNIT;
	if (extent->size != count * UNIT)
		at = -EIO;
	chunk_spare_push(&f->spares, extent);
	return at;
}

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

/* An exact fit is the extent itself: it takes no node. */
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

/* What is carved and what remains inherit owner and type. */
static void carve_keeps_kind(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *extent;

	put_as(f, 5, 9, &owners[1], ARENA_CHUNK);
	KUNIT_ASSERT_EQ(test, 0, chunk_tree_take(&f->tree, 4 * UNIT, 4 * UNIT,
						 &f->spares, &extent));
	KUNIT_EXPECT_PTR_EQ(test, extent->owner, (void *)&owners[1]);
	KUNIT_EXPECT_EQ(test, extent->type, ARENA_CHUNK);
	for (extent = chunk_tree_first(&f->tree); extent;
	     extent = chunk_tree_next(extent)) {
		KUNIT_EXPECT_PTR_EQ(test, extent->owner, (void *)&owners[1]);
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

	put_as(f, 10, 2, &owners[0], ZEROED_CHUNK);
	put_as(f, 14, 2, &owners[0], ZEROED_CHUNK);
	put_as(f, 12, 2, &owners[1], ZEROED_CHUNK);
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
			put_as(f, 10, 1, &owners[0], a);
			put_as(f, 12, 1, &owners[0], a);
			put_as(f, 11, 1, &owners[0], b);
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

	/* The original asks for 7 chunks to be sure of 4 aligned to 4. */
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
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, 3 * UNIT),
			3 * UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, 3 * UNIT),
			2 * UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, UNIT), (size_t)0);
	chunk_tree_unreserve(&f->tree, UNIT);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, 2 * UNIT), UNIT);
	chunk_tree_unreserve(&f->tree, 5 * UNIT);
	put(f, 10, 4);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 4 * UNIT);
	KUNIT_EXPECT_EQ(test, f->tree.promised, (size_t)0);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, 3 * UNIT), UNIT);
	chunk_tree_unreserve(&f->tree, UNIT);
	KUNIT_EXPECT_EQ(test, take(f, 2, 1), 10L);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, SIZE_MAX),
			3 * UNIT);
}

static void limit_extremes(struct kunit *test)
{
	struct fixture *f = test->priv;

	chunk_tree_init(&f->tree, 0);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, UNIT), (size_t)0);
	chunk_tree_init(&f->tree, UNIT - 1);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, UNIT), (size_t)0);
	chunk_tree_init(&f->tree, SIZE_MAX);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, SIZE_MAX - UNIT + 1),
			SIZE_MAX - UNIT + 1);
	KUNIT_EXPECT_EQ(test, chunk_tree_reserve(&f->tree, UNIT), (size_t)0);
}

static void evict_what_is_over(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *out;

	put(f, 10, 2);
	put(f, 20, 8);
	put(f, 40, 5);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->spares, &out));
	f->tree.limit = 12 * UNIT - 1;
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->spares, &out));
	/* The tail of the largest, rounded up to chunks. */
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 24UL);
	KUNIT_EXPECT_EQ(test, out->size / UNIT, (size_t)4);
	KUNIT_EXPECT_EQ(test, f->tree.bytes, 11 * UNIT);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->spares, &out));
	f->tree.limit = 0;
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->spares, &out));
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 40UL);
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->spares, &out));
	KUNIT_EXPECT_EQ(test, out->addr / UNIT, 20UL);
	KUNIT_ASSERT_EQ(test, 0,
			chunk_tree_evict(&f->tree, &f->spares, &out));
	KUNIT_EXPECT_EQ(test, f->tree.bytes, (size_t)0);
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_evict(&f->tree, &f->spares, &out));
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
					2 * UNIT, &f->spares, &out));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, half, half, &f->spares,
					&out));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, SIZE_MAX - UNIT + 1, UNIT,
					&f->spares, &out));
	KUNIT_EXPECT_EQ(test, -ENOENT,
			chunk_tree_take(&f->tree, UNIT, half, &f->spares,
					&out));
	expect_extent(test, f, 8, 8);
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
	KUNIT_EXPECT_EQ(test, put(f, top, 1), -EEXIST);
	KUNIT_EXPECT_EQ(test, take(f, 4, 4), 0L);
	/* Its end is aligned to anything. */
	KUNIT_EXPECT_EQ(test, take(f, 2, 2), (long)(top - 3));
	KUNIT_EXPECT_EQ(test, take(f, 2, 2), (long)(top - 1));
	KUNIT_EXPECT_EQ(test, f->tree.bytes, (size_t)0);
}

/**
 * struct shape - everything that can be seen of a tree
 * @count:   extents
 * @bytes:   of the tree
 * @promised: of the tree
 * @spares:  nodes in no use
 * @extents: in order of address
 */
struct shape {
	size_t count;
	size_t bytes;
	size_t promised;
	size_t spares;
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
	shape->bytes = f->tree.bytes;
	shape->promised = f->tree.promised;
	shape->spares = count_spares(f);
	return shape;
}

static void expect_shape(struct kunit *test, struct fixture *f,
			 const struct shape *before)
{
	struct shape *now = shape_of(test, f);

	expect_sound(test, f);
	/* The nodes too: links, owners, types and all. */
	KUNIT_EXPECT_EQ(test, memcmp(now, before, sizeof(*now)), 0);
}

static void too_few_nodes(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct chunk_extent *few = NULL, *out, node;
	struct shape *before;

	put(f, 5, 9);
	put(f, 30, 3);
	before = shape_of(test, f);
	/* A trail takes one node, lead and trail take two. */
	KUNIT_EXPECT_EQ(test, -ENOMEM, chunk_tree_take(&f->tree, UNIT, UNIT,
						       &few, &out));
	KUNIT_EXPECT_EQ(test, -ENOMEM, chunk_tree_take(&f->tree, 4 * UNIT,
						       4 * UNIT, &few, &out));
	chunk_spare_push(&few, &node);
	KUNIT_EXPECT_EQ(test, -ENOMEM, chunk_tree_take(&f->tree, 4 * UNIT,
						       4 * UNIT, &few, &out));
	KUNIT_EXPECT_PTR_EQ(test, few, &node);
	f->tree.limit = 11 * UNIT;
	few = NULL;
	KUNIT_EXPECT_EQ(test, -ENOMEM,
			chunk_tree_evict(&f->tree, &few, &out));
	expect_shape(test, f, before);
}

static void overlaps_are_refused(struct kunit *test)
{
	struct fixture *f = test->priv;
	struct shape *before;
	size_t at, count;

	put(f, 10, 4);
	put_as(f, 14, 2, &owners[1], ZEROED_CHUNK);
	put(f, 20, 1);
	before = shape_of(test, f);
	for (at = 1; at < 24; at++) {
		for (count = 1; at + count < 24; count++) {
			bool over = (at < 16 && at + count > 10) ||
				    (at <= 20 && at + count > 20);

			if (!over)
				continue;
			KUNIT_EXPECT_EQ(test, put(f, at, count), -EEXIST);
		}
	}
	expect_shape(test, f, before);
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

/* Free the pieces in this order, take every size at every alignment. */
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
			while (chunk_tree_first(&f->tree)) {
				struct chunk_extent *extent =
					chunk_tree_first(&f->tree);

				chunk_tree_remove(&f->tree, extent);
				chunk_spare_push(&f->spares, extent);
			}
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

/**
 * struct model - free chunks, one by one
 * @owner: of each: 0 if it is not free, else 1 or 2
 */
struct model {
	u8 owner[SPACE];
};

/* The run of free chunks of one owner at @at; 0 if that is not free */
static size_t model_run(const struct model *model, size_t at)
{
	size_t end = at;

	while (end < SPACE && model->owner[at] &&
	       model->owner[end] == model->owner[at])
		end++;
	return end - at;
}

/* What the kernel-doc of chunk_tree_take() says, by trying everything. */
static long model_take(struct model *model, size_t count, size_t align)
{
	size_t best = SIZE_MAX, best_at = 0, at, run, first;

	for (at = 0; at < SPACE; at += run ? run : 1) {
		bool candidate;

		run = model_run(model, at);
		candidate = run >= count &&
			    (at % align == 0 ||
			     (count % align == 0 && (at + run) % align == 0) ||
			     run >= count + align - 1);
		if (candidate && run < best) {
			best = run;
			best_at = at;
		}
	}
	if (best == SIZE_MAX)
		return -ENOENT;
	first = roundup(best_at, align);
	memset(model->owner + first, 0, count);
	return first;
}

static bool model_put(struct model *model, size_t at, size_t count, u8 owner)
{
	size_t i;

	for (i = at; i < at + count; i++)
		if (model->owner[i])
			return false;
	memset(model->owner + at, owner, count);
	return true;
}

static bool model_agrees(const struct model *model, struct fixture *f)
{
	size_t at, run, count = 0;

	for (at = 0; at < SPACE; at += run ? run : 1) {
		struct chunk_extent *extent;

		run = model_run(model, at);
		if (!run)
			continue;
		count++;
		extent = chunk_tree_find(&f->tree, at * UNIT);
		if (!extent || extent->addr != at * UNIT ||
		    extent->size != run * UNIT ||
		    extent->owner != &owners[model->owner[at] - 1])
			return false;
	}
	return count == count_extents(f);
}

static void random_step(struct kunit *test, struct rnd_state *rnd,
			struct model *model, size_t round)
{
	struct fixture *f = test->priv;
	u32 r = prandom_u32_state(rnd);
	size_t count = 1 + (r >> 8) % 6;
	const char *problem;

	if (r & 1) {
		size_t at = (r >> 16) % (SPACE - count);
		u8 owner = 1 + !(r & 0xe);
		bool good = model_put(model, at, count, owner);

		KUNIT_ASSERT_EQ_MSG(test, put_as(f, at, count,
						 &owners[owner - 1],
						 ZEROED_CHUNK),
				    good ? 0 : -EEXIST, "round %zu", round);
	} else {
		size_t align = (size_t)1 << (r >> 1) % 5;

		KUNIT_ASSERT_EQ_MSG(test, take(f, count, align),
				    model_take(model, count, align),
				    "round %zu: %zu at %zu", round, count,
				    align);
	}
	problem = chunk_tree_problem(&f->tree);
	KUNIT_ASSERT_TRUE_MSG(test, !problem, "round %zu: %s", round, problem);
	KUNIT_ASSERT_TRUE_MSG(test, model_agrees(model, f), "round %zu", round);
}

static void random_against_model(struct kunit *test)
{
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	u64 used = seed ? seed : get_random_u64();
	struct rnd_state rnd;
	size_t round;

	KUNIT_ASSERT_NOT_NULL(test, model);
	kunit_info(test, "seed=%llu repeats this", used);
	prandom_seed_state(&rnd, used);
	for (round = 0; round < ROUNDS; round++) {
		random_step(test, &rnd, model, round);
		cond_resched();
	}
	expect_no_node_lost(test, test->priv, 0);
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
	KUNIT_CASE(limit_extremes),
	KUNIT_CASE(evict_what_is_over),
	KUNIT_CASE(wrap_around),
	KUNIT_CASE(ends_of_address_space),
	KUNIT_CASE(too_few_nodes),
	KUNIT_CASE(overlaps_are_refused),
	KUNIT_CASE(find_and_walk),
	KUNIT_CASE(every_order),
	KUNIT_CASE(random_against_model),
	{}
};

static struct kunit_suite tree_suite = {
	.name = "chunk_tree",
	.init = tree_test_init,
	.test_cases = tree_cases,
};

kunit_test_suite(tree_suite);

MODULE_DESCRIPTION("KUnit tests of chunk.ko and its engine");
MODULE_AUTHOR("The chunkmod authors");
MODULE_LICENSE("GPL");
