// SPDX-License-Identifier: MIT
/*
 * The engine, chunk_tree.c and chunk_radix.c, runs the steps of an input
 * against a model. Each step is a byte that selects the operation, and bytes of
 * arguments.
 */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "chunk_base.h"
#include "chunk_radix.h"
#include "chunk_tree_check.h"
#include "chunk_tree_model.h"
#include "engine.h"

#define NODES	(2 * MODEL_CHUNKS)
#define ARENA	(4 << 20)

#define must(condition)							\
do {									\
	if (!(condition)) {						\
		fprintf(stderr, "engine: %s:%d: not so: %s\n",		\
			__FILE__, __LINE__, #condition);		\
		abort();						\
	}								\
} while (0)

static struct chunk_tree tree;
static struct chunk_radix radix;
static struct chunk_extent nodes[NODES];
static struct chunk_extent *free_nodes;
static struct model model;

/* The extent that each chunk is registered for; may be NULL: none */
static struct chunk_extent *live[MODEL_CHUNKS];
static char owners[3];

/* The rest of the input */
static const uint8_t *input;
static size_t left;

static unsigned int below(unsigned int end)
{
	if (!left)
		return 0;
	left--;
	return *input++ % end;
}

/* Memory of the registry: zeroed, with a limited number of nodes */
static _Alignas(64) char arena[ARENA];
static size_t arena_used;
static unsigned int budget;

/**
 * chunk_base_node() - allocate memory for a node of the registry
 * @size: bytes
 *
 * Return: zeroed memory, or NULL if the input demands a failure.
 */
void *chunk_base_node(size_t size)
{
	size_t at = arena_used;

	if (!budget || at + size > sizeof(arena))
		return NULL;
	budget--;
	arena_used += (size + 63) & ~(size_t)63;
	return arena + at;
}

static size_t count_chain(const struct chunk_extent *chain)
{
	size_t count = 0;

	for (; chain; chain = chain->next)
		count++;
	return count;
}

/*
 * Choose an address where windows of the registry meet, or at an end of the
 * address space.
 */
static uintptr_t first_chunk(void)
{
	static const uint64_t firsts[] = {
		1, 4096 - MODEL_CHUNKS / 2, 4096 * 64 - MODEL_CHUNKS / 3, 0x7f0000000,
		UINT64_MAX,
	};
	uint64_t first = firsts[below(sizeof(firsts) / sizeof(*firsts))];
	uintptr_t most = (UINTPTR_MAX >> CHUNK_TREE_SHIFT) + 1 - MODEL_CHUNKS;

	return first < most ? first : most;
}

static void reset(void)
{
	memset(arena, 0, arena_used);
	arena_used = 0;
	memset(&model, 0, sizeof(model));
	memset(live, 0, sizeof(live));
	model.first = first_chunk();
	chunk_tree_init(&tree, SIZE_MAX);
	chunk_radix_init(&radix);
	free_nodes = NULL;
	for (size_t i = 0; i < NODES; i++)
		chunk_free_node_push(&free_nodes, &nodes[i]);
}

static struct chunk_extent *new_extent(size_t at, size_t count)
{
	struct chunk_extent *extent = chunk_free_node_pop(&free_nodes);

	must(extent);
	extent->addr = model_addr(&model, at);
	extent->size = count * CHUNK_TREE_UNIT;
	extent->live = false;
	return extent;
}

/* Make an extent free, as far as the limit allows. */
static void release(size_t at, size_t count, unsigned int owner,
		    unsigned int type)
{
	size_t used = model.free * CHUNK_TREE_UNIT, room = 0;
	struct chunk_extent *extent;
	int err;

	if (tree.limit > used)
		room = (tree.limit - used) >> CHUNK_TREE_SHIFT;
	room = room < count ? room : count;
	must(chunk_tree_claim(&tree, count * CHUNK_TREE_UNIT) ==
	     room * CHUNK_TREE_UNIT);
	if (!room)
		return;
	extent = new_extent(at, room);
	extent->owner = &owners[owner];
	extent->type = type;
	err = chunk_tree_insert(&tree, extent, &free_nodes);
	if (model_is_free(&model, at, room)) {
		must(err == -EEXIST);
		chunk_tree_unclaim(&tree, room * CHUNK_TREE_UNIT);
		chunk_free_node_push(&free_nodes, extent);
		return;
	}
	must(!err);
	model_put(&model, at, room, owner, type);
}

static bool is_live(size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		if (live[i])
			return true;
	return false;
}

static void put(void)
{
	size_t count = 1 + below(24);
	size_t at = below(MODEL_CHUNKS - count + 1);
	unsigned int owner = 1 + !below(6);
	unsigned int type = below(RECYCLED_CHUNK + 1);

	if (!is_live(at, count))
		release(at, count, owner, type);
}

/* Register an extent, if there is memory for that. */
static bool enlist(struct chunk_extent *extent, size_t at, size_t count)
{
	int err;

	budget = below(4) ? 64 : below(4);
	err = chunk_radix_store(&radix, extent, 0);
	budget = 0;
	must(!err || err == -ENOMEM);
	for (size_t i = at; i < at + count; i++) {
		live[i] = err ? NULL : extent;
		must(chunk_radix_lookup(&radix, model_addr(&model, i)) ==
		     live[i]);
	}
	return !err;
}

static void take(void)
{
	size_t count = 1 + below(20), alignment = (size_t)1 << below(7);
	unsigned int given = below(4);
	size_t need;
	size_t at = model_fit(&model, count, alignment, &need);
	struct chunk_extent *few = NULL, *out = NULL;
	int err;

	for (unsigned int i = 0; i < given; i++)
		chunk_free_node_push(&few, chunk_free_node_pop(&free_nodes));
	err = chunk_tree_take(&tree, count * CHUNK_TREE_UNIT,
			      alignment * CHUNK_TREE_UNIT, &few, &out);
	must(count_chain(few) == (err ? given : given - need));
	while (few)
		chunk_free_node_push(&free_nodes, chunk_free_node_pop(&few));
	must(err == (at == MODEL_CHUNKS ? -ENOENT : given < need ? -ENOMEM : 0));
	if (err)
		return;
	must(out->addr == model_addr(&model, at));
	must(out->size == count * CHUNK_TREE_UNIT && !out->live);
	must(out->owner == &owners[model.owner[at]]);
	must(out->type == model.type[at]);
	model_clear(&model, at, count);
	if (!enlist(out, at, count))
		chunk_free_node_push(&free_nodes, out);
}

static void give_back(void)
{
	size_t at = below(MODEL_CHUNKS), start = at, count;
	uintptr_t inside = model_addr(&model, at) + below(256) * 4096;
	struct chunk_extent *extent = chunk_radix_lookup(&radix, inside);
	bool keep = below(4);

	must(extent == live[at]);
	if (!extent)
		return;
	while (start && live[start - 1] == extent)
		start--;
	count = extent->size >> CHUNK_TREE_SHIFT;
	must(extent->addr == model_addr(&model, start));
	chunk_radix_erase(&radix, extent->addr, extent->size);
	for (size_t i = start; i < start + count; i++) {
		live[i] = NULL;
		must(!chunk_radix_lookup(&radix, model_addr(&model, i)));
	}
	chunk_free_node_push(&free_nodes, extent);
	if (keep)
		release(start, count, 1 + below(2), below(RECYCLED_CHUNK + 1));
}

/* Evict one extent if the limit is exceeded. Return false if it is not. */
static bool evict(void)
{
	size_t bytes = model.free * CHUNK_TREE_UNIT, most, count, at;
	struct chunk_extent *out = NULL;
	int err = chunk_tree_evict(&tree, &free_nodes, &out);

	must(err == (bytes <= tree.limit ? -ENOENT : 0));
	if (err)
		return false;
	most = model_largest(&model);
	count = (bytes - tree.limit + CHUNK_TREE_UNIT - 1) >> CHUNK_TREE_SHIFT;
	count = count < most ? count : most;
	must(out->size == count * CHUNK_TREE_UNIT);
	at = (out->addr >> CHUNK_TREE_SHIFT) - model.first;
	must(model.owner[at] && model_end(&model, at) == at + count);
	must(at + count - model_start(&model, at) == most);
	model_clear(&model, at, count);
	chunk_free_node_push(&free_nodes, out);
	return true;
}

static void limit(void)
{
	tree.limit = (below(MODEL_CHUNKS) * CHUNK_TREE_UNIT) + below(3) * 4096;
	while (evict())
		;
	if (below(4))
		tree.limit = SIZE_MAX;
}

static void take_out(void)
{
	size_t at = below(MODEL_CHUNKS), end;
	uintptr_t addr = model_addr(&model, at) + below(256) * 4096;
	struct chunk_extent *extent = chunk_tree_find(&tree, addr);
	struct chunk_extent *seen = chunk_tree_seek(&tree, addr);

	must(!extent == !model.owner[at]);
	if (!model_next(&model, &at, &end)) {
		must(!seen);
		return;
	}
	at = model_start(&model, at);
	must(seen && seen->addr == model_addr(&model, at));
	must(seen->size == (end - at) * CHUNK_TREE_UNIT);
	if (!extent)
		return;
	must(extent == seen);
	chunk_tree_remove(&tree, extent);
	chunk_free_node_push(&free_nodes, extent);
	model_clear(&model, at, end - at);
}

static void look(void)
{
	size_t from = below(MODEL_CHUNKS), to = from + below(MODEL_CHUNKS - from), at = from;
	struct chunk_extent *next =
		chunk_radix_next(&radix, model_addr(&model, from),
				 model_addr(&model, to));

	while (at < to && !live[at])
		at++;
	must(next == live[at]);
	next = chunk_radix_next(&radix, 0, UINTPTR_MAX);
	for (at = 0; at < MODEL_CHUNKS - 1 && !live[at];)
		at++;
	must(next == live[at]);
}

/* Compare the engine with the model, entirely. */
static void compare(void)
{
	struct chunk_extent *extent = chunk_tree_first(&tree);
	size_t count = 0, registered = 0, at, end;
	const char *problem = chunk_tree_problem(&tree);

	if (problem)
		fprintf(stderr, "engine: %s\n", problem);
	must(!problem);
	for (at = 0; model_next(&model, &at, &end); at = end) {
		must(extent && extent->addr == model_addr(&model, at));
		must(extent->size == (end - at) * CHUNK_TREE_UNIT);
		must(extent->owner == &owners[model.owner[at]]);
		must(extent->type == model.type[at]);
		extent = chunk_tree_next(extent);
		count++;
	}
	must(!extent);
	must(tree.bytes == model.free * CHUNK_TREE_UNIT && !tree.claimed);
	for (at = 0; at < MODEL_CHUNKS; at++)
		registered += live[at] && (!at || live[at - 1] != live[at]);
	must(count + registered + count_chain(free_nodes) == NODES);
}

/**
 * LLVMFuzzerTestOneInput() - run the steps of an input
 * @data: bytes of the input
 * @size: number of bytes
 *
 * Return: 0; a failed check aborts.
 */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	static void (*const steps[])(void) = {
		put, put, take, take, give_back, take_out, look, limit,
	};

	input = data;
	left = size;
	reset();
	while (left) {
		steps[below(sizeof(steps) / sizeof(*steps))]();
		compare();
	}
	return 0;
}
