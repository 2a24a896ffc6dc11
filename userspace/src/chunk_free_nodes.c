// SPDX-License-Identifier: MIT
/* Free nodes: memory for struct chunk_extent. */
#include "chunk_base.h"
#include "chunk_free_nodes.h"
#include "chunk_state.h"

/**
 * chunk_free_nodes_take() - get a node for an extent
 *
 * Context: chunk_lock() held.
 * Return: a node whose contents mean nothing, or NULL when out of memory.
 */
struct chunk_extent *chunk_free_nodes_take(void)
{
	struct chunk_extent *extent =
		chunk_free_node_pop(&chunk_state.free_nodes);

	return extent ? extent : chunk_base_node(sizeof(*extent));
}

/**
 * chunk_free_nodes_prepare() - make sure that there are free nodes
 * @count: number of nodes
 *
 * Context: chunk_lock() held.
 * Return: false when out of memory; then there may be fewer.
 */
bool chunk_free_nodes_prepare(unsigned int count)
{
	struct chunk_extent *extent;

	for (extent = chunk_state.free_nodes; extent && count; count--)
		extent = extent->next;
	for (; count; count--) {
		extent = chunk_base_node(sizeof(*extent));
		if (!extent)
			return false;
		chunk_free_node_push(&chunk_state.free_nodes, extent);
	}
	return true;
}
