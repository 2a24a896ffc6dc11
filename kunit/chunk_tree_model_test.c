// SPDX-License-Identifier: GPL-2.0-only
/*
 * The trees of free extents against a model: it keeps chunks one by one, and
 * finds the best fit that the kernel-doc of chunk_tree.c specifies by trying
 * everything.
 */
#include <kunit/test.h>
#include <linux/log2.h>
#include <linux/sched.h>

#include "chunk_kunit.h"
#include "chunk_tree_fixture.h"
#include "chunk_tree_model.h"

#define ROUNDS		10000

/* Chunks of the exhaustive test, which tries every set of free chunks */
#define WINDOW		9
#define ALIGNMENTS	4

static bool extent_agrees(const struct model *model, struct fixture *f,
			  size_t at, size_t end)
{
	struct chunk_extent *extent =
		chunk_tree_find(&f->tree, (model->first + at) * UNIT);
	size_t i;

	if (!extent || extent->addr != (model->first + at) * UNIT ||
	    extent->size != (end - at) * UNIT ||
	    extent->owner != &f->owners[model->owner[at] - 1])
		return false;
	for (i = at; i < end; i++)
		if (model->type[i] != extent->type)
			return false;
	return true;
}

static const char *disagreement(const struct model *model, struct fixture *f)
{
	const char *problem = chunk_tree_problem(&f->tree);
	size_t at, end, count = 0;

	if (problem)
		return problem;
	for (at = 0; model_next(model, &at, &end); at = end) {
		count++;
		if (!extent_agrees(model, f, at, end))
			return "an extent is not what it should be";
	}
	if (count != count_extents(f))
		return "there are extents that should not be";
	if (model->free * UNIT != f->tree.bytes || f->tree.claimed)
		return "the bytes are not what they should be";
	if (count + count_spares(f) != NODES)
		return "nodes were lost";
	return NULL;
}

/**
 * struct run - a random run
 * @rnd:   the random numbers
 * @model: the expected state
 * @f:     the actual state
 */
struct run {
	struct rnd_state rnd;
	struct model model;
	struct fixture *f;
};

static u32 below(struct run *run, u32 end)
{
	return chunk_kunit_below(&run->rnd, end);
}

/* Free as many of some chunks as the limit allows; some may be free already. */
static bool put_step(struct run *run)
{
	struct chunk_tree *tree = &run->f->tree;
	struct model *model = &run->model;
	size_t count = 1 + below(run, 6);
	size_t at = below(run, MODEL_CHUNKS - count + 1);
	int owner = !below(run, 8);
	enum chunk_type type = below(run, 2) ? ZEROED_CHUNK :
					       below(run, RECYCLED_CHUNK + 1);
	size_t room = 0, granted;
	int err;

	if (model->free * UNIT < tree->limit)
		room = (tree->limit - model->free * UNIT) / UNIT;
	granted = chunk_tree_claim(tree, count * UNIT);
	if (granted != min(room, count) * UNIT || tree->claimed != granted)
		return false;
	if (!granted)
		return true;
	count = granted / UNIT;
	err = put_claimed(run->f, model->first + at, count, owner, type);
	if (model_is_free(model, at, count)) {
		chunk_tree_unclaim(tree, granted);
		return err == -EEXIST;
	}
	model_put(model, at, count, 1 + owner, type);
	return !err;
}

/* Take some chunks, with a random number of free nodes. */
static bool take_step(struct run *run)
{
	struct model *model = &run->model;
	struct chunk_extent *few = NULL, *out = NULL;
	size_t count = 1 + below(run, 6);
	size_t align = (size_t)1 << below(run, 6);
	size_t given = below(run, 4), nodes, i;
	size_t at = model_fit(model, count, align, &nodes);
	int err;

	for (i = 0; i < given; i++)
		chunk_free_node_push(&few, chunk_free_node_pop(&run->f->free_nodes));
	err = chunk_tree_take(&run->f->tree, count * UNIT, align * UNIT, &few,
			      &out);
	for (i = 0; few; i++)
		chunk_free_node_push(&run->f->free_nodes, chunk_free_node_pop(&few));
	if (at == MODEL_CHUNKS)
		return err == -ENOENT && i == given;
	if (given < nodes)
		return err == -ENOMEM && i == given;
	if (err || i != given - nodes || out->size != count * UNIT ||
	    out->addr != (model->first + at) * UNIT ||
	    out->owner != &run->f->owners[model->owner[at] - 1] ||
	    out->type != model->type[at])
		return false;
	model_clear(model, at, count);
	chunk_free_node_push(&run->f->free_nodes, out);
	return true;
}

/* Lower or raise the limit, and evict an extent that exceeds it. */
static bool limit_step(struct run *run)
{
	struct chunk_tree *tree = &run->f->tree;
	struct model *model = &run->model;
	struct chunk_extent *out = NULL;
	size_t over, count, at;
	int err;

	/* Not a number of chunks, so that it has to be rounded. */
	tree->limit = chunk_kunit_below(&run->rnd, MODEL_CHUNKS / 2 * UNIT);
	err = chunk_tree_evict(tree, &run->f->free_nodes, &out);
	if (model->free * UNIT <= tree->limit)
		return err == -ENOENT;
	over = DIV_ROUND_UP(model->free * UNIT - tree->limit, UNIT);
	count = min(over, model_largest(model));
	if (err || out->size != count * UNIT)
		return false;
	at = out->addr / UNIT - model->first;
	/* The tail of one of the largest */
	if (!model->owner[at] || model_end(model, at) != at + count ||
	    at + count - model_start(model, at) != model_largest(model))
		return false;
	model_clear(model, at, count);
	chunk_free_node_push(&run->f->free_nodes, out);
	tree->limit = SIZE_MAX;
	return true;
}

static bool remove_step(struct run *run)
{
	struct model *model = &run->model;
	size_t at = below(run, MODEL_CHUNKS);
	uintptr_t addr = (model->first + at) * UNIT + below(run, UNIT);
	struct chunk_extent *extent = chunk_tree_find(&run->f->tree, addr);
	struct chunk_extent *seen = chunk_tree_seek(&run->f->tree, addr);
	size_t end;

	if (!extent != !model->owner[at])
		return false;
	if (!model_next(model, &at, &end))
		return !seen;
	at = model_start(model, at);
	if (!seen || seen->addr != (model->first + at) * UNIT)
		return false;
	if (extent) {
		chunk_tree_remove(&run->f->tree, extent);
		chunk_free_node_push(&run->f->free_nodes, extent);
		model_clear(model, at, end - at);
	}
	return true;
}

static void random_run(struct kunit *test, size_t base)
{
	static bool (* const steps[])(struct run *run) = {
		put_step, put_step, put_step, put_step,
		take_step, take_step, take_step, take_step,
		limit_step, remove_step,
	};
	struct run *run = kunit_kzalloc(test, sizeof(*run), GFP_KERNEL);
	size_t round;

	KUNIT_ASSERT_NOT_NULL(test, run);
	run->f = test->priv;
	run->model.first = base;
	chunk_kunit_seed(test, &run->rnd);
	for (round = 0; round < ROUNDS; round++) {
		u32 step = below(run, ARRAY_SIZE(steps));
		const char *problem;

		KUNIT_ASSERT_TRUE_MSG(test, steps[step](run),
				      "round %zu, step %u went wrong", round,
				      step);
		problem = disagreement(&run->model, run->f);
		KUNIT_ASSERT_TRUE_MSG(test, !problem, "round %zu, step %u: %s",
				      round, step, problem);
		cond_resched();
	}
}

/* From the first chunk of the address space on, which is aligned to anything */
static void random_at_the_bottom(struct kunit *test)
{
	random_run(test, 0);
}

static void random_in_the_middle(struct kunit *test)
{
	random_run(test, 0x7f1234567);
}

/* Up to the last chunk, whose end is address 0 */
static void random_at_the_top(struct kunit *test)
{
	random_run(test, SIZE_MAX / UNIT + 1 - MODEL_CHUNKS);
}

/* Put the chunks whose bits are set, then take. */
static void try_set(struct kunit *test, struct model *model, unsigned int set,
		    size_t count, size_t align)
{
	struct fixture *f = test->priv;
	size_t at, end, fit, nodes;
	const char *problem;
	long got;

	memset(model->owner, 0, sizeof(model->owner));
	model->free = 0;
	for (at = 0; at < WINDOW; at++)
		if (set >> at & 1)
			model_put(model, at, 1, 1, ZEROED_CHUNK);
	for (at = 0; model_next(model, &at, &end); at = end)
		put(f, model->first + at, end - at);
	fit = model_fit(model, count, align, &nodes);
	got = take(f, count, align);
	KUNIT_ASSERT_EQ_MSG(test, got, fit == MODEL_CHUNKS ? (long)-ENOENT :
						      (long)(model->first + fit),
			    "%zu at %zu of set %#x", count, align, set);
	if (fit != MODEL_CHUNKS)
		model_clear(model, fit, count);
	problem = disagreement(model, f);
	KUNIT_ASSERT_TRUE_MSG(test, !problem, "%zu at %zu of set %#x: %s",
			      count, align, set, problem);
	remove_all(f);
}

/* Every set of free chunks, every size, every alignment */
static void every_set(struct kunit *test)
{
	static const size_t bases[] = { 0, 5, SIZE_MAX / UNIT + 1 - WINDOW };
	struct model *model = kunit_kzalloc(test, sizeof(*model), GFP_KERNEL);
	size_t runs = 0, count, shift, i;
	unsigned int set;

	KUNIT_ASSERT_NOT_NULL(test, model);
	for (i = 0; i < ARRAY_SIZE(bases); i++) {
		model->first = bases[i];
		for (set = 0; set < 1U << WINDOW; set++) {
			for (count = 1; count <= WINDOW; count++) {
				for (shift = 0; shift < ALIGNMENTS; shift++) {
					try_set(test, model, set, count,
						(size_t)1 << shift);
					runs++;
				}
			}
			cond_resched();
		}
	}
	KUNIT_EXPECT_EQ(test, runs, (ARRAY_SIZE(bases) << WINDOW) * WINDOW *
				    ALIGNMENTS);
}

static struct kunit_case model_cases[] = {
	KUNIT_CASE(every_set),
	KUNIT_CASE(random_at_the_bottom),
	KUNIT_CASE(random_in_the_middle),
	KUNIT_CASE(random_at_the_top),
	{}
};

static struct kunit_suite model_suite = {
	.name = "chunk_tree_model",
	.init = fixture_init,
	.test_cases = model_cases,
};

kunit_test_suite(model_suite);
