// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of live chunks: ranges, neighbours, sparse and dense, readers.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/slab.h>

#include "chunk_fail.h"
#include "chunk_kunit.h"
#include "chunk_radix.h"
#include "chunk_tree.h"

#define UNIT	CHUNK_TREE_UNIT
#define TOP	(UINTPTR_MAX / UNIT)
#define SPACE	20000
#define ROUNDS	3000
#define SPARSE	64
#define ORIGINS	6

/* A window of the registry's indices: see chunk_radix.c. */
#define WINDOW	4096UL

static int radix_test_init(struct kunit *test)
{
	struct chunk_radix *radix = kunit_kzalloc(test, sizeof(*radix),
						  GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, radix);
	chunk_radix_init(radix);
	test->priv = radix;
	return 0;
}

static struct chunk_radix *radix_of(struct kunit *test)
{
	return test->priv;
}

static void radix_test_exit(struct kunit *test)
{
	if (test->priv)
		chunk_radix_destroy(test->priv);
}

static struct chunk_extent *extent_at(struct kunit *test, unsigned long at,
				      unsigned long count)
{
	struct chunk_extent *extent = kunit_kzalloc(test, sizeof(*extent),
						    GFP_KERNEL);

	KUNIT_ASSERT_NOT_NULL(test, extent);
	extent->addr = at * UNIT;
	extent->size = count * UNIT;
	return extent;
}

static struct chunk_extent *enlist(struct kunit *test, unsigned long at,
				   unsigned long count)
{
	struct chunk_extent *extent = extent_at(test, at, count);

	KUNIT_ASSERT_EQ(test, 0, chunk_radix_store(test->priv, extent,
						   GFP_KERNEL));
	return extent;
}

static void delist(struct kunit *test, struct chunk_extent *extent)
{
	chunk_radix_erase(test->priv, extent->addr, extent->size);
}

static struct chunk_extent *at(struct kunit *test, unsigned long chunk)
{
	return chunk_radix_lookup(test->priv, chunk * UNIT);
}

/* An extent is found by its own bytes, and not by its neighbours'. */
static void expect_exactly(struct kunit *test, struct chunk_extent *extent)
{
	uintptr_t last = extent->addr + (extent->size - 1);
	uintptr_t middle = extent->addr + extent->size / 2;

	KUNIT_EXPECT_PTR_EQ(test, extent,
			    chunk_radix_lookup(test->priv, extent->addr));
	KUNIT_EXPECT_PTR_EQ(test, extent,
			    chunk_radix_lookup(test->priv, middle));
	KUNIT_EXPECT_PTR_EQ(test, extent,
			    chunk_radix_lookup(test->priv, last));
	if (extent->addr)
		KUNIT_EXPECT_NULL(test, chunk_radix_lookup(test->priv,
							   extent->addr - 1));
	if (last != UINTPTR_MAX)
		KUNIT_EXPECT_NULL(test, chunk_radix_lookup(test->priv,
							   last + 1));
}

static void empty(struct kunit *test)
{
	KUNIT_EXPECT_NULL(test, at(test, 0));
	KUNIT_EXPECT_NULL(test, at(test, 12345));
	KUNIT_EXPECT_NULL(test, at(test, TOP));
	KUNIT_EXPECT_NULL(test, chunk_radix_next(test->priv, 0, UINTPTR_MAX));
	chunk_radix_erase(test->priv, 0, UNIT);
	chunk_radix_erase(test->priv, 77 * UNIT, 1000 * UNIT);
}

/* The store is refused, and changes nothing. */
static void refuse(struct kunit *test, unsigned long at, unsigned long count)
{
	KUNIT_EXPECT_EQ(test, -EEXIST,
			chunk_radix_store(test->priv, extent_at(test, at, count),
					  GFP_KERNEL));
}

/* Stores replace no registered chunk, not even part of a multi-index entry. */
static void taken(struct kunit *test)
{
	struct chunk_extent *large = enlist(test, 64, 3 * 64);
	struct chunk_extent *one = enlist(test, 5000, 1);
	struct chunk_extent *ones[] = {
		extent_at(test, 300, 1), extent_at(test, 100, 1),
		extent_at(test, 301, 1),
	};

	refuse(test, 64, 1);
	refuse(test, 100, 1);
	refuse(test, 255, 1);
	refuse(test, 0, 65);
	refuse(test, 100, 64);
	refuse(test, 255, 5000);
	refuse(test, 5000, 1);
	refuse(test, 4096, 4096);
	KUNIT_EXPECT_EQ(test, 1, chunk_radix_store_ones(test->priv, ones,
							ARRAY_SIZE(ones),
							GFP_NOWAIT));
	expect_exactly(test, large);
	expect_exactly(test, one);
	expect_exactly(test, ones[0]);
	KUNIT_EXPECT_NULL(test, at(test, 301));
	delist(test, large);
	delist(test, one);
	delist(test, ones[0]);
	KUNIT_EXPECT_NULL(test, chunk_radix_next(test->priv, 0, UINTPTR_MAX));
}

/* The first and the last chunk of the address space, in either order */
static void extremes(struct kunit *test)
{
	struct chunk_extent *low = enlist(test, 0, 1);
	struct chunk_extent *high = enlist(test, TOP, 1);

	expect_exactly(test, low);
	expect_exactly(test, high);
	KUNIT_EXPECT_PTR_EQ(test, high, chunk_radix_next(test->priv, UNIT,
							 UINTPTR_MAX));
	delist(test, low);
	KUNIT_EXPECT_NULL(test, at(test, 0));
	expect_exactly(test, high);
	delist(test, high);
	KUNIT_EXPECT_NULL(test, at(test, TOP));
}

static void extremes_reversed(struct kunit *test)
{
	struct chunk_extent *high = enlist(test, TOP - 4, 5);
	struct chunk_extent *low = enlist(test, 0, 5);

	expect_exactly(test, low);
	expect_exactly(test, high);
	KUNIT_EXPECT_PTR_EQ(test, low, chunk_radix_next(test->priv, 0,
							UINTPTR_MAX));
}

static void dense(struct kunit *test)
{
	struct chunk_extent *extents[100];
	int i;

	for (i = 0; i < ARRAY_SIZE(extents); i++)
		extents[i] = enlist(test, 5000 + i, 1);
	for (i = 0; i < ARRAY_SIZE(extents); i++)
		KUNIT_EXPECT_PTR_EQ(test, at(test, 5000 + i), extents[i]);
	for (i = 0; i < ARRAY_SIZE(extents); i += 2)
		delist(test, extents[i]);
	for (i = 0; i < ARRAY_SIZE(extents); i++)
		KUNIT_EXPECT_PTR_EQ(test, at(test, 5000 + i),
				    i % 2 ? extents[i] : NULL);
}

static void sparse(struct kunit *test)
{
	struct chunk_extent *extents[40];
	int i;

	for (i = 0; i < ARRAY_SIZE(extents); i++)
		extents[i] = enlist(test, (1UL << i) + i, 1);
	for (i = 0; i < ARRAY_SIZE(extents); i++)
		KUNIT_EXPECT_PTR_EQ(test, at(test, (1UL << i) + i), extents[i]);
	for (i = 0; i < ARRAY_SIZE(extents); i++)
		delist(test, extents[i]);
	KUNIT_EXPECT_NULL(test, chunk_radix_next(test->priv, 0, UINTPTR_MAX));
}

/* Sizes up to a million chunks, at starts that suit them and at others */
static void ranges(struct kunit *test)
{
	static const unsigned long starts[] = {
		0, 1, 63, 64, 65, 4095, 4096, 4097, 0x7f0000, 0x7f0000 - 1,
		0x7f1234, 1UL << 30,
	};
	unsigned long count;
	int i;

	for (count = 1; count <= 1UL << 20; count *= 2) {
		for (i = 0; i < ARRAY_SIZE(starts); i++) {
			struct chunk_extent *extent = enlist(test, starts[i],
							     count);

			expect_exactly(test, extent);
			delist(test, extent);
			KUNIT_EXPECT_NULL(test, at(test, starts[i]));
			KUNIT_EXPECT_NULL(test, at(test, starts[i] + count -
						   1));
			if (count == 1)
				continue;
			extent = enlist(test, starts[i], count - 1);
			expect_exactly(test, extent);
			delist(test, extent);
			cond_resched();
		}
	}
}

/* The same up to the last chunk of the address space */
static void ranges_at_the_top(struct kunit *test)
{
	unsigned long count;

	for (count = 1; count <= 1UL << 20; count *= 2) {
		struct chunk_extent *extent = enlist(test, TOP - count + 1,
						     count);

		expect_exactly(test, extent);
		delist(test, extent);
		extent = enlist(test, TOP - count, count);
		expect_exactly(test, extent);
		delist(test, extent);
		cond_resched();
	}
	KUNIT_EXPECT_TRUE(test, xa_empty(&radix_of(test)->chunks));
}

/* Indices are relative to the first chunk: as high as the tree can get */
static void far_from_the_first(struct kunit *test)
{
	struct chunk_extent *low = enlist(test, WINDOW - 1, 2);
	struct chunk_extent *high = enlist(test, TOP - WINDOW, WINDOW + 1);
	struct chunk_extent *half = enlist(test, TOP / 2, 2);

	expect_exactly(test, low);
	expect_exactly(test, half);
	expect_exactly(test, high);
	KUNIT_EXPECT_PTR_EQ(test, half,
			    chunk_radix_next(test->priv, low->addr + low->size,
					     UINTPTR_MAX));
	KUNIT_EXPECT_PTR_EQ(test, high,
			    chunk_radix_next(test->priv,
					     half->addr + half->size,
					     UINTPTR_MAX));
	KUNIT_EXPECT_PTR_EQ(test, high,
			    chunk_radix_next(test->priv, UINTPTR_MAX,
					     UINTPTR_MAX));
	KUNIT_EXPECT_NULL(test, chunk_radix_next(test->priv,
						 half->addr + half->size,
						 high->addr - 1));
}

/*
 * A lookup that saw the registry empty continues after the first store has
 * finished: it must find nothing, least of all at another address.
 */
static void seen_empty(struct kunit *test)
{
	struct chunk_extent *extent = enlist(test, 5 * WINDOW + 7, 1);
	struct chunk_radix *radix = radix_of(test);
	unsigned long origin = radix->origin;

	radix->origin = 0;
	KUNIT_EXPECT_NULL(test, at(test, 7));
	KUNIT_EXPECT_NULL(test, chunk_radix_next(radix, 0, WINDOW * UNIT));
	radix->origin = origin;
	expect_exactly(test, extent);
}

static void destroyed(struct kunit *test)
{
	struct chunk_radix *radix = radix_of(test);
	unsigned long i;

	for (i = 1; i < TOP; i *= 4)
		enlist(test, i, 3);
	KUNIT_EXPECT_FALSE(test, xa_empty(&radix->chunks));
	chunk_radix_destroy(radix);
	/* kmemleak finds nodes that this leaks. */
	KUNIT_EXPECT_TRUE(test, xa_empty(&radix->chunks));
	chunk_radix_init(radix);
	enlist(test, 77, 7);
}

static void erase_leaves_neighbours(struct kunit *test)
{
	unsigned long size;

	for (size = 1; size < 200; size += 7) {
		struct chunk_extent *low = enlist(test, WINDOW - size, size);
		struct chunk_extent *middle = enlist(test, WINDOW, size);
		struct chunk_extent *high = enlist(test, WINDOW + size, size);

		delist(test, middle);
		KUNIT_EXPECT_PTR_EQ(test, at(test, WINDOW - 1), low);
		KUNIT_EXPECT_NULL(test, at(test, WINDOW));
		KUNIT_EXPECT_NULL(test, at(test, WINDOW + size - 1));
		KUNIT_EXPECT_PTR_EQ(test, at(test, WINDOW + size), high);
		delist(test, low);
		delist(test, high);
	}
}

static void expect_none(struct kunit *test, unsigned long from,
			unsigned long count)
{
	unsigned long i;

	KUNIT_EXPECT_NULL(test, chunk_radix_next(test->priv, from * UNIT,
						 (from + count) * UNIT - 1));
	for (i = 0; i < count; i++)
		if (at(test, from + i))
			break;
	KUNIT_EXPECT_EQ(test, i, count);
}

/*
 * Store a range while memory runs out later each time. Returns the number of
 * times that it did.
 */
static unsigned int run_out(struct kunit *test, unsigned long from,
			    unsigned long count)
{
	struct chunk_extent *extent = extent_at(test, from, count);
	unsigned int nth;
	int err;

	for (nth = 1; nth < 1000; nth++) {
		chunk_fail_from(nth);
		err = chunk_radix_store(test->priv, extent, GFP_KERNEL);
		chunk_fail_end();
		if (!err)
			break;
		KUNIT_EXPECT_EQ(test, err, -ENOMEM);
		expect_none(test, from, count);
	}
	KUNIT_EXPECT_PTR_EQ(test, at(test, from), extent);
	KUNIT_EXPECT_PTR_EQ(test, at(test, from + count - 1), extent);
	delist(test, extent);
	expect_none(test, from, count);
	return nth - 1;
}

/* Without memory nothing is registered, wherever it ran out. */
static void no_memory(struct kunit *test)
{
	struct chunk_extent *low, *high;

	if (!chunk_fail_ready())
		kunit_skip(test, "failslab is not prepared: see kunit/run");
	KUNIT_EXPECT_GT(test, run_out(test, 7, 1), 0U);
	low = enlist(test, 3, 4);
	high = enlist(test, 7 + 100000, 1);
	KUNIT_EXPECT_GT(test, run_out(test, 4090, 10), 1U);
	KUNIT_EXPECT_GT(test, run_out(test, 100, 5000), 1U);
	/* All existing nodes have room: no memory is needed. */
	KUNIT_EXPECT_EQ(test, run_out(test, 7, 100000), 0U);
	KUNIT_EXPECT_GT(test, run_out(test, TOP - 70, 70), 2U);
	expect_exactly(test, low);
	expect_exactly(test, high);
}

#define ONES	200

/* Many chunks in one node, then leaps from node to node, and back again */
static struct chunk_extent **make_ones(struct kunit *test)
{
	struct chunk_extent **extents;
	unsigned long chunk = 1000;
	int i;

	extents = kunit_kcalloc(test, ONES, sizeof(*extents), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, extents);
	for (i = 0; i < ONES; i++) {
		extents[i] = extent_at(test, chunk, 1);
		chunk += i < 60 ? 1 : i % 3 ? 2 : 1UL << (i % 20);
		if (i == 150)
			chunk = 5;
	}
	return extents;
}

static void many_ones(struct kunit *test)
{
	struct chunk_extent **extents = make_ones(test);
	unsigned long from;
	int i;

	KUNIT_ASSERT_EQ(test, (unsigned int)ONES,
			chunk_radix_store_ones(test->priv, extents, ONES,
					       GFP_NOWAIT));
	for (i = 0; i < ONES; i++) {
		from = extents[i]->addr / UNIT;
		KUNIT_EXPECT_PTR_EQ(test, at(test, from), extents[i]);
	}
	KUNIT_EXPECT_NULL(test, at(test, 999));
	KUNIT_EXPECT_NULL(test, at(test, 4));
	for (i = 0; i < ONES; i++)
		delist(test, extents[i]);
	KUNIT_EXPECT_TRUE(test, xa_empty(&radix_of(test)->chunks));
}

/* Extents before memory ran out are registered, and no others. */
static void ones_without_memory(struct kunit *test)
{
	struct chunk_extent **extents;
	unsigned int nth, done = 0, i;

	if (!chunk_fail_ready())
		kunit_skip(test, "failslab is not prepared: see kunit/run");
	extents = make_ones(test);
	for (nth = 1; nth < 1000 && done < ONES; nth++) {
		chunk_fail_from(nth);
		done = chunk_radix_store_ones(test->priv, extents, ONES,
					      GFP_NOWAIT | __GFP_NOWARN);
		chunk_fail_end();
		for (i = 0; i < ONES; i++)
			KUNIT_EXPECT_PTR_EQ(test, i < done ? extents[i] : NULL,
					    at(test, extents[i]->addr / UNIT));
		for (i = 0; i < done; i++)
			delist(test, extents[i]);
	}
	KUNIT_EXPECT_EQ(test, done, (unsigned int)ONES);
	KUNIT_EXPECT_GT(test, nth, 3U);
	KUNIT_EXPECT_TRUE(test, xa_empty(&radix_of(test)->chunks));
}

static struct chunk_extent *model_next(struct chunk_extent **model,
				       unsigned long from, unsigned long to)
{
	for (; from <= to; from++)
		if (model[from])
			return model[from];
	return NULL;
}

static void random_step(struct kunit *test, struct rnd_state *rnd,
			struct chunk_extent **model)
{
	unsigned long from = prandom_u32_state(rnd) % SPACE;
	unsigned long to = from + prandom_u32_state(rnd) % (SPACE - from);
	struct chunk_extent *extent = model_next(model, from, to);
	unsigned long count, i;

	KUNIT_ASSERT_PTR_EQ(test, extent,
			    chunk_radix_next(test->priv, from * UNIT,
					     to * UNIT + UNIT - 1));
	if (extent && prandom_u32_state(rnd) % 2) {
		delist(test, extent);
		for (i = 0; i < extent->size / UNIT; i++)
			model[extent->addr / UNIT + i] = NULL;
		kunit_kfree(test, extent);
		return;
	}
	count = 1 + prandom_u32_state(rnd) %
		(1U << prandom_u32_state(rnd) % 13);
	if (from + count > SPACE || model_next(model, from, from + count - 1))
		return;
	extent = enlist(test, from, count);
	for (i = 0; i < count; i++)
		model[from + i] = extent;
}

static void random_against_model(struct kunit *test)
{
	struct chunk_extent **model;
	struct rnd_state rnd;
	unsigned long i;

	model = kunit_kcalloc(test, SPACE, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	chunk_kunit_seed(test, &rnd);
	for (i = 0; i < ROUNDS; i++) {
		random_step(test, &rnd, model);
		cond_resched();
	}
	for (i = 0; i < SPACE; i++)
		KUNIT_ASSERT_PTR_EQ(test, at(test, i), model[i]);
	for (i = 0; i < SPACE; i++)
		if (model[i] && model[i]->addr == i * UNIT)
			delist(test, model[i]);
	KUNIT_EXPECT_TRUE(test, xa_empty(&radix_of(test)->chunks));
}

/**
 * struct sparse - extents anywhere in the address space
 * @rnd:     the random numbers
 * @count:   number of extents
 * @extents: the extents, in no order
 */
struct sparse {
	struct rnd_state rnd;
	int count;
	struct chunk_extent *extents[SPARSE];
};

static unsigned long last_chunk(const struct chunk_extent *extent)
{
	return (extent->addr + (extent->size - 1)) / UNIT;
}

/* Numbers of any magnitude, most often those at which nodes end */
static unsigned long sparse_chunk(struct sparse *s)
{
	unsigned int bits = chunk_kunit_below(&s->rnd, fls64(TOP) + 1);
	unsigned long chunk = chunk_kunit_below(&s->rnd, 1ULL << bits);
	unsigned int low = 6 * chunk_kunit_below(&s->rnd, 8);

	switch (chunk_kunit_below(&s->rnd, 4)) {
	case 0:
		return chunk >> low << low;
	case 1:
		return ((chunk >> low << low) - 1) & TOP;
	case 2:
		if (s->count)
			return (last_chunk(s->extents[0]) + 1) & TOP;
		fallthrough;
	default:
		return chunk;
	}
}

static struct chunk_extent *sparse_next(const struct sparse *s,
					unsigned long from, unsigned long to)
{
	struct chunk_extent *first = NULL;
	int i;

	for (i = 0; i < s->count; i++) {
		struct chunk_extent *extent = s->extents[i];

		if (last_chunk(extent) >= from && extent->addr / UNIT <= to &&
		    (!first || extent->addr < first->addr))
			first = extent;
	}
	return first;
}

static void sparse_add(struct kunit *test, struct sparse *s)
{
	unsigned long from = sparse_chunk(s);
	unsigned long count = 1 + chunk_kunit_below(&s->rnd, 1UL <<
					chunk_kunit_below(&s->rnd, 18));

	count = min(count, TOP - from + 1);
	if (s->count < SPARSE && !sparse_next(s, from, from + count - 1))
		s->extents[s->count++] = enlist(test, from, count);
}

static void sparse_drop(struct kunit *test, struct sparse *s)
{
	int i = chunk_kunit_below(&s->rnd, s->count);
	struct chunk_extent *extent = s->extents[i];

	s->extents[i] = s->extents[--s->count];
	delist(test, extent);
	KUNIT_EXPECT_NULL(test, chunk_radix_lookup(test->priv, extent->addr));
	kunit_kfree(test, extent);
}

static void sparse_ask(struct kunit *test, struct sparse *s)
{
	unsigned long from = sparse_chunk(s);
	unsigned long to = sparse_chunk(s);

	if (from > to)
		swap(from, to);
	KUNIT_ASSERT_PTR_EQ_MSG(test, sparse_next(s, from, to),
				chunk_radix_next(test->priv, from * UNIT,
						 to * UNIT + UNIT - 1),
				"from %#lx to %#lx", from, to);
	KUNIT_ASSERT_PTR_EQ_MSG(test, sparse_next(s, from, from),
				at(test, from), "at %#lx", from);
}

/* Extents all over the address space, each time with another first chunk */
static void random_and_sparse(struct kunit *test)
{
	struct sparse *s = kunit_kzalloc(test, sizeof(*s), GFP_KERNEL);
	int i, round;

	KUNIT_ASSERT_NOT_NULL(test, s);
	chunk_kunit_seed(test, &s->rnd);
	for (i = 0; i < ORIGINS; i++) {
		for (round = 0; round < ROUNDS; round++) {
			if (!s->count || chunk_kunit_below(&s->rnd, 8) < 3)
				sparse_add(test, s);
			else if (chunk_kunit_below(&s->rnd, 4) == 0)
				sparse_drop(test, s);
			sparse_ask(test, s);
			cond_resched();
		}
		while (s->count)
			sparse_drop(test, s);
		KUNIT_EXPECT_TRUE(test, xa_empty(&radix_of(test)->chunks));
		chunk_radix_destroy(test->priv);
		chunk_radix_init(test->priv);
	}
}

#define READERS		3
#define STORES		1500
#define PATIENCE	(60 * HZ)

/**
 * struct readers - threads that look up while another stores and erases
 * @radix:  the registry
 * @extent: an extent that comes and goes
 * @stays:  an extent that stays
 * @wrong:  number of lookups that found another extent
 * @started: number of readers
 * @seen:   lookups of each reader that saw @extent
 */
struct readers {
	struct chunk_radix *radix;
	struct chunk_extent *extent;
	struct chunk_extent *stays;
	atomic_t wrong;
	atomic_t started;
	atomic_t seen[READERS];
};

static int read_always(void *data)
{
	struct readers *r = data;
	atomic_t *seen = &r->seen[atomic_inc_return(&r->started) - 1];
	uintptr_t offset = 0;

	while (!kthread_should_stop()) {
		struct chunk_extent *found;

		offset = (offset + 37 * UNIT) % r->extent->size;
		found = chunk_radix_lookup(r->radix, r->extent->addr + offset);
		if (found == r->extent)
			atomic_inc(seen);
		else if (found)
			atomic_inc(&r->wrong);
		if (chunk_radix_lookup(r->radix, r->stays->addr) != r->stays)
			atomic_inc(&r->wrong);
		cond_resched();
	}
	return 0;
}

/* The extent stays until every reader has seen it once more. */
static bool all_see(struct readers *r)
{
	unsigned long end = jiffies + PATIENCE;
	int before[READERS], i;

	for (i = 0; i < READERS; i++)
		before[i] = atomic_read(&r->seen[i]);
	for (i = 0; i < READERS; i++) {
		while (atomic_read(&r->seen[i]) == before[i]) {
			if (time_after(jiffies, end))
				return false;
			usleep_range(50, 100);
		}
	}
	return true;
}

static void store_and_erase(struct kunit *test, struct readers *r)
{
	int i;

	for (i = 0; i < STORES; i++) {
		KUNIT_EXPECT_EQ(test, 0, chunk_radix_store(r->radix, r->extent,
							   GFP_KERNEL));
		if (i % 64 == 0)
			KUNIT_EXPECT_TRUE(test, all_see(r));
		delist(test, r->extent);
		cond_resched();
	}
}

static void read_while(struct kunit *test, unsigned long count)
{
	struct task_struct *tasks[READERS];
	struct readers *r = kunit_kzalloc(test, sizeof(*r), GFP_KERNEL);
	int started;

	KUNIT_ASSERT_NOT_NULL(test, r);
	r->radix = test->priv;
	r->stays = enlist(test, 70, 3);
	r->extent = extent_at(test, 73, count);
	for (started = 0; started < READERS; started++) {
		tasks[started] = kthread_run(read_always, r, "chunk-reader");
		if (IS_ERR(tasks[started]))
			break;
	}
	KUNIT_EXPECT_EQ(test, started, READERS);
	if (started == READERS)
		store_and_erase(test, r);
	while (started--)
		kthread_stop(tasks[started]);
	KUNIT_EXPECT_EQ(test, atomic_read(&r->wrong), 0);
	delist(test, r->stays);
}

/* One chunk, a run within a node, several nodes, several windows */
static void concurrent_readers(struct kunit *test)
{
	read_while(test, 1);
	read_while(test, 20);
	read_while(test, 300);
	read_while(test, 9000);
}

static struct kunit_case radix_cases[] = {
	KUNIT_CASE(empty),
	KUNIT_CASE(taken),
	KUNIT_CASE(extremes),
	KUNIT_CASE(extremes_reversed),
	KUNIT_CASE(dense),
	KUNIT_CASE(sparse),
	KUNIT_CASE(ranges),
	KUNIT_CASE(ranges_at_the_top),
	KUNIT_CASE(far_from_the_first),
	KUNIT_CASE(seen_empty),
	KUNIT_CASE(destroyed),
	KUNIT_CASE(erase_leaves_neighbours),
	KUNIT_CASE(no_memory),
	KUNIT_CASE(many_ones),
	KUNIT_CASE(ones_without_memory),
	KUNIT_CASE(random_against_model),
	KUNIT_CASE(random_and_sparse),
	KUNIT_CASE(concurrent_readers),
	{}
};

static struct kunit_suite radix_suite = {
	.name = "chunk_radix",
	.init = radix_test_init,
	.exit = radix_test_exit,
	.test_cases = radix_cases,
};

kunit_test_suite(radix_suite);
