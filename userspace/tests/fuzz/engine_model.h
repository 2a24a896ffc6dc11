/* SPDX-License-Identifier: MIT */
/*
 * A model of the engine: an array of chunks, of which every place is tried
 */
#ifndef ENGINE_MODEL_H
#define ENGINE_MODEL_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_tree.h"

#define SPACE	160

/**
 * struct chunk - state of a chunk
 * @owner: owner of the free extent that the chunk is in, from 1; 0: not free
 * @type:  type of that extent
 * @live:  the extent that the chunk is registered for, or NULL
 */
struct chunk {
	uint8_t owner;
	uint8_t type;
	struct chunk_extent *live;
};

/**
 * struct model - all chunks
 * @first:  number of the first chunk
 * @free:   number of free chunks
 * @chunks: state of each chunk
 */
struct model {
	uintptr_t first;
	size_t free;
	struct chunk chunks[SPACE];
};

uintptr_t model_addr(const struct model *model, size_t at);

bool model_is_free(const struct model *model, size_t at, size_t count);
bool model_is_live(const struct model *model, size_t at, size_t count);

void model_put(struct model *model, size_t at, size_t count, uint8_t owner,
	       uint8_t type);
void model_clear(struct model *model, size_t at, size_t count);
size_t model_end(const struct model *model, size_t at);
size_t model_start(const struct model *model, size_t at);
bool model_run(const struct model *model, size_t *at, size_t *end);
size_t model_largest(const struct model *model);
size_t model_fit(const struct model *model, size_t count, size_t alignment,
		 unsigned int *nodes);

#endif /* ENGINE_MODEL_H */
