/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * A model of the trees of free extents: an array of chunks, and the best fit that
 * the kernel-doc of chunk_tree.c specifies, found by trying every place.
 * Host-neutral, for tests in the kernel and outside.
 */
#ifndef CHUNK_TREE_MODEL_H
#define CHUNK_TREE_MODEL_H

#include <linux/types.h>

#include "chunk_tree.h"

#define MODEL_CHUNKS	192

/**
 * struct model - all chunks
 * @first: number of the first chunk
 * @free:  number of free chunks
 * @owner: for each chunk the owner of the free extent that it is in, from 1; 0: not
 *         free
 * @type:  type of that extent
 */
struct model {
	uintptr_t first;
	size_t free;
	u8 owner[MODEL_CHUNKS];
	u8 type[MODEL_CHUNKS];
};

/* The address of a chunk */
static inline uintptr_t model_addr(const struct model *model, size_t at)
{
	return (model->first + at) << CHUNK_TREE_SHIFT;
}

/* Is any chunk of a range free? */
static inline bool model_is_free(const struct model *model, size_t at,
				 size_t count)
{
	size_t i;

	for (i = at; i < at + count; i++)
		if (model->owner[i])
			return true;
	return false;
}

/* The chunk after the free extent that @at is in; @at if it is not free */
static inline size_t model_end(const struct model *model, size_t at)
{
	size_t end = at;

	while (end < MODEL_CHUNKS && model->owner[at] &&
	       model->owner[end] == model->owner[at])
		end++;
	return end;
}

/* The first chunk of the free extent that @at is in */
static inline size_t model_start(const struct model *model, size_t at)
{
	while (at && model->owner[at - 1] == model->owner[at])
		at--;
	return at;
}

/* Find the next free extent from *@at on; false if there is none. */
static inline bool model_next(const struct model *model, size_t *at,
			      size_t *end)
{
	for (; *at < MODEL_CHUNKS; (*at)++) {
		*end = model_end(model, *at);
		if (*end > *at)
			return true;
	}
	return false;
}

/* Make chunks free, and one extent with their free neighbours. */
static inline void model_put(struct model *model, size_t at, size_t count,
			     u8 owner, u8 type)
{
	size_t start, end, i;

	for (i = at; i < at + count; i++) {
		model->owner[i] = owner;
		model->type[i] = type;
	}
	model->free += count;
	start = model_start(model, at);
	end = model_end(model, start);
	for (i = start; i < end; i++)
		if (model->type[i] != type)
			type = RECYCLED_CHUNK;
	for (i = start; i < end; i++)
		model->type[i] = type;
}

/* Make chunks no longer free. */
static inline void model_clear(struct model *model, size_t at, size_t count)
{
	size_t i;

	for (i = at; i < at + count; i++)
		model->owner[i] = 0;
	model->free -= count;
}

/* Number of chunks of the largest free extent */
static inline size_t model_largest(const struct model *model)
{
	size_t at, end, most = 0;

	for (at = 0; model_next(model, &at, &end); at = end)
		if (end - at > most)
			most = end - at;
	return most;
}

/* May chunk_tree_take() choose this extent? */
static inline bool model_is_candidate(const struct model *model, size_t at,
				      size_t end, size_t count, size_t align)
{
	if (end - at < count)
		return false;
	return (model->first + at) % align == 0 ||
	       (count % align == 0 && (model->first + end) % align == 0) ||
	       end - at >= count + align - 1;
}

/*
 * The chunk that chunk_tree_take() must choose, or MODEL_CHUNKS if nothing fits;
 * *@nodes is the number of nodes that it needs.
 */
static inline size_t model_fit(const struct model *model, size_t count,
			       size_t align, size_t *nodes)
{
	size_t best = MODEL_CHUNKS, best_end = MODEL_CHUNKS, at, end, lead;

	*nodes = 0;
	for (at = 0; model_next(model, &at, &end); at = end) {
		if (!model_is_candidate(model, at, end, count, align))
			continue;
		if (best == MODEL_CHUNKS || end - at < best_end - best) {
			best = at;
			best_end = end;
		}
	}
	if (best == MODEL_CHUNKS)
		return MODEL_CHUNKS;
	lead = -(model->first + best) & (align - 1);
	*nodes = (lead > 0) + (best + lead + count < best_end);
	return best + lead;
}

#endif /* CHUNK_TREE_MODEL_H */
