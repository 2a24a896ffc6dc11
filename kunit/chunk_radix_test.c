// SPDX-License-Identifier: GPL-2.0-only
/*
 * The registry of live chunks: ranges, neighbours, sparse and dense, readers.
 */
#include <kunit/test.h>
#include <linux/delay.h>
#include <linux/kthread.h>
#include <linux/prandom.h>
#include <linux/random.h>
#include <linux/slab.h>

#include "chunk_radix.h"
#include "chunk_tree.h"

#define UNIT	CHUNK_TREE_UNIT
#define TOP	(UINTPTR_MAX / UNIT)
#define SPACE	20000
#define ROUNDS	3000
#define READERS	3

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

/* Found by its first and last byte and some between, not by its neighbours' */
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

/* Every size to a million chunks, at starts that suit it and that do not */
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

/* Without memory nothing is registered, wherever it ran out. */
static void no_memory(struct kunit *test)
{
	struct chunk_radix *radix = test->priv;
	struct chunk_extent *extent = extent_at(test, 4090, 10);
	unsigned long i;
	int err;

	/* No allocation at all is allowed: not even from the reserves. */
	err = chunk_radix_store(radix, extent, __GFP_NOWARN | __GFP_NOMEMALLOC);
	if (err)
		KUNIT_EXPECT_EQ(test, err, -ENOMEM);
	for (i = 0; err && i < 10; i++)
		KUNIT_EXPECT_NULL(test, at(test, 4090 + i));
	if (!err)
		delist(test, extent);
	KUNIT_EXPECT_EQ(test, 0, chunk_radix_store(radix, extent, GFP_KERNEL));
	expect_exactly(test, extent);
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
	u64 seed = get_random_u64();
	struct rnd_state rnd;
	unsigned long i;

	model = kunit_kcalloc(test, SPACE, sizeof(*model), GFP_KERNEL);
	KUNIT_ASSERT_NOT_NULL(test, model);
	kunit_info(test, "seed=%llu", seed);
	prandom_seed_state(&rnd, seed);
	for (i = 0; i < ROUNDS; i++) {
		random_step(test, &rnd, model);
		cond_resched();
	}
	for (i = 0; i < SPACE; i++)
		KUNIT_ASSERT_PTR_EQ(test, at(test, i), model[i]);
}

/**
 * struct readers - threads that look up while another stores and erases
 * @radix:  the registry
 * @extent: what comes and goes
 * @stays:  what is always there
 * @wrong:  lookups that saw neither nothing nor the right extent
 * @seen:   lookups that saw @extent
 */
struct readers {
	struct chunk_radix *radix;
	struct chunk_extent *extent;
	struct chunk_extent *stays;
	atomic_t wrong;
	atomic_t seen;
};

static int read_always(void *data)
{
	struct readers *r = data;
	uintptr_t offset = 0;

	while (!kthread_should_stop()) {
		struct chunk_extent *found;

		offset = (offset + 37 * UNIT) % r->extent->size;
		found = chunk_radix_lookup(r->radix, r->extent->addr + offset);
		if (found == r->extent)
			atomic_inc(&r->seen);
		else if (found)
			atomic_inc(&r->wrong);
		if (chunk_radix_lookup(r->radix, r->stays->addr) != r->stays)
			atomic_inc(&r->wrong);
		cond_resched();
	}
	return 0;
}

static void concurrent_readers(struct kunit *test)
{
	struct task_struct *tasks[READERS];
	struct readers r = {
		.radix = test->priv,
		.stays = enlist(test, 70, 3),
		.extent = extent_at(test, 73, 5000),
	};
	int i, started;

	for (started = 0; started < READERS; started++) {
		tasks[started] = kthread_run(read_always, &r, "chunk-reader");
		if (IS_ERR(tasks[started]))
			break;
	}
	KUNIT_EXPECT_EQ(test, started, READERS);
	for (i = 0; i < 2000; i++) {
		if (chunk_radix_store(r.radix, r.extent, GFP_KERNEL))
			atomic_inc(&r.wrong);
		if (i % 16 == 0)
			usleep_range(50, 100);
		delist(test, r.extent);
		cond_resched();
	}
	while (started--)
		kthread_stop(tasks[started]);
	KUNIT_EXPECT_EQ(test, atomic_read(&r.wrong), 0);
	KUNIT_EXPECT_GT(test, atomic_read(&r.seen), 0);
}

static struct kunit_case radix_cases[] = {
	KUNIT_CASE(empty),
	KUNIT_CASE(extremes),
	KUNIT_CASE(extremes_reversed),
	KUNIT_CASE(dense),
	KUNIT_CASE(sparse),
	KUNIT_CASE(ranges),
	KUNIT_CASE(erase_leaves_neighbours),
	KUNIT_CASE(no_memory),
	KUNIT_CASE(random_against_model),
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
