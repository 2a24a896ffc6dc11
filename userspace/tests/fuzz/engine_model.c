// SPDX-License-Identifier: MIT
/* A model of the engine that tries every place: see engine_model.h. */
#include "engine_model.h"

/**
 * model_addr() - get the address of a chunk
 * @model: the chunks
 * @at:    index of the chunk
 */
uintptr_t model_addr(const struct model *model, size_t at)
{
	return (model->first + at) << CHUNK_TREE_SHIFT;
}

/**
 * model_is_free() - tell whether any chunk of a range is free
 * @model: the chunks
 * @at:    the first
 * @count: how many
 */
bool model_is_free(const struct model *model, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		if (model->chunks[i].owner)
			return true;
	return false;
}

/**
 * model_is_live() - tell whether any chunk of a range is live
 * @model: the chunks
 * @at:    the first
 * @count: how many
 */
bool model_is_live(const struct model *model, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		if (model->chunks[i].live)
			return true;
	return false;
}

/**
 * model_end() - find the end of the free extent that a chunk is in
 * @model: the chunks
 * @at:    index of the chunk
 *
 * Return: index of the chunk after the extent's last; @at if that is not free.
 */
size_t model_end(const struct model *model, size_t at)
{
	size_t end = at;

	while (end < SPACE && model->chunks[at].owner &&
	       model->chunks[end].owner == model->chunks[at].owner)
		end++;
	return end;
}

/**
 * model_start() - find the start of the free extent that a chunk is in
 * @model: the chunks
 * @at:    index of a free chunk
 */
size_t model_start(const struct model *model, size_t at)
{
	while (at && model->chunks[at - 1].owner == model->chunks[at].owner)
		at--;
	return at;
}

/**
 * model_run() - find the next free extent
 * @model: the chunks
 * @at:    index to start from; set to the extent's first chunk
 * @end:   set to the chunk after the extent's last
 *
 * Return: whether there is one.
 */
bool model_run(const struct model *model, size_t *at, size_t *end)
{
	for (; *at < SPACE; ++*at) {
		*end = model_end(model, *at);
		if (*end > *at)
			return true;
	}
	return false;
}

/**
 * model_put() - make chunks free, and one extent with their free neighbours
 * @model: the chunks
 * @at:    the first
 * @count: number of chunks
 * @owner: owner, from 1
 * @type:  type of the chunks
 */
void model_put(struct model *model, size_t at, size_t count, uint8_t owner,
	       uint8_t type)
{
	size_t start, end, i;

	for (i = at; i < at + count; i++) {
		model->chunks[i].owner = owner;
		model->chunks[i].type = type;
	}
	model->free += count;
	start = model_start(model, at);
	end = model_end(model, start);
	for (i = start; i < end; i++)
		if (model->chunks[i].type != type)
			type = RECYCLED_CHUNK;
	for (i = start; i < end; i++)
		model->chunks[i].type = type;
}

/**
 * model_clear() - make chunks no longer free
 * @model: the chunks
 * @at:    the first
 * @count: number of chunks
 */
void model_clear(struct model *model, size_t at, size_t count)
{
	for (size_t i = at; i < at + count; i++)
		model->chunks[i].owner = 0;
	model->free -= count;
}

/**
 * model_largest() - get the number of chunks of the largest free extent
 * @model: the chunks
 */
size_t model_largest(const struct model *model)
{
	size_t at, end, most = 0;

	for (at = 0; model_run(model, &at, &end); at = end)
		if (end - at > most)
			most = end - at;
	return most;
}

/* Tell whether an extent is one of those that chunk_tree_take() chooses from. */
static bool is_candidate(const struct model *model, size_t at, size_t end,
			 size_t count, size_t alignment)
{
	if (end - at < count)
		return false;
	return (model->first + at) % alignment == 0 ||
	       (count % alignment == 0 &&
		(model->first + end) % alignment == 0) ||
	       end - at >= count + alignment - 1;
}

/**
 * model_fit() - find the place that chunk_tree_take() must choose
 * @model:     the chunks
 * @count:     number of chunks that are wanted
 * @alignment: alignment, in chunks
 * @nodes:     set to the number of nodes that chunk_tree_take() needs
 *
 * Return: the first chunk, or SPACE if nothing fits.
 */
size_t model_fit(const struct model *model, size_t count, size_t alignment,
		 unsigned int *nodes)
{
	size_t best = SPACE, best_end = SPACE, at, end, lead;

	for (at = 0; model_run(model, &at, &end); at = end) {
		if (!is_candidate(model, at, end, count, alignment))
			continue;
		if (best == SPACE || end - at < best_end - best) {
			best = at;
			best_end = end;
		}
	}
	*nodes = 0;
	if (best == SPACE)
		return SPACE;
	lead = -(model->first + best) & (alignment - 1);
	*nodes = (lead > 0) + (best + lead + count < best_end);
	return best + lead;
}
