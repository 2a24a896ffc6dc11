/* SPDX-License-Identifier: MIT */
/* Free nodes: memory for struct chunk_extent. */
#ifndef CHUNK_FREE_NODES_H
#define CHUNK_FREE_NODES_H

#include <stdbool.h>

struct chunk_extent;

struct chunk_extent *chunk_free_nodes_take(void);
bool chunk_free_nodes_prepare(unsigned int count);

#endif /* CHUNK_FREE_NODES_H */
