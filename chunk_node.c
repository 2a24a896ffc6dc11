// SPDX-License-Identifier: GPL-2.0-only
/*
 * Nodes: the structures that describe extents.
 */
#include <linux/slab.h>

#include "chunk_module.h"

/* Unused nodes that a context keeps rather than return them to the slab */
#define CHUNK_FREE_NODES	16

static struct kmem_cache *extent_cache;

/**
 * chunk_extent_cache_init() - make the cache of nodes
 *
 * Context: may sleep.
 * Return: 0 or -ENOMEM.
 */
int chunk_extent_cache_init(void)
{
	extent_cache = KMEM_CACHE(chunk_extent, SLAB_ACCOUNT);
	return extent_cache ? 0 : -ENOMEM;
}

/**
 * chunk_extent_cache_exit() - free the cache of nodes
 *
 * Context: may sleep; no context is left.
 */
void chunk_extent_cache_exit(void)
{
	kmem_cache_destroy(extent_cache);
}

/**
 * chunk_extent_new() - allocate a node
 * @context: the context that will use it
 *
 * Context: may sleep. Charged to the caller's memcg, and see chunk_charge.c.
 * Return: a node with no meaningful contents, or NULL.
 */
struct chunk_extent *chunk_extent_new(struct chunk_context *context)
{
	struct chunk_extent *extent = kmem_cache_alloc(extent_cache,
						       GFP_KERNEL);

	if (extent)
		chunk_charge(context->mm, sizeof(*extent));
	return extent;
}

/**
 * chunk_extent_free() - free a node
 * @context: the context that used it
 * @extent:  a node in no tree and not registered
 *
 * Context: any.
 */
void chunk_extent_free(struct chunk_context *context,
		       struct chunk_extent *extent)
{
	kmem_cache_free(extent_cache, extent);
	chunk_uncharge(context->mm, sizeof(*extent));
}

/**
 * chunk_nodes_free() - free a chain of nodes
 * @context:    the context that used them
 * @free_nodes: the chain, may be NULL: empty
 *
 * Context: any; better without a lock.
 */
void chunk_nodes_free(struct chunk_context *context,
		      struct chunk_extent *free_nodes)
{
	struct chunk_extent *extent;

	while ((extent = chunk_free_node_pop(&free_nodes)))
		chunk_extent_free(context, extent);
}

/**
 * chunk_nodes_keep() - keep a few unused nodes for later
 * @context:    the context
 * @free_nodes: the chain; the caller frees the rest of it after unlocking
 *
 * Context: context->lock held.
 */
void chunk_nodes_keep(struct chunk_context *context,
		      struct chunk_extent **free_nodes)
{
	struct chunk_extent *extent;
	int n = 0;

	if (!*free_nodes)
		return;
	for (extent = context->free_nodes; extent; extent = extent->next)
		n++;
	while (n++ < CHUNK_FREE_NODES &&
	       (extent = chunk_free_node_pop(free_nodes)))
		chunk_free_node_push(&context->free_nodes, extent);
}

/**
 * chunk_nodes_refill() - give a context free nodes to split extents with
 * @context: the context
 *
 * No operation needs more than two, but more at once are cheaper.
 *
 * Context: may sleep; no lock held.
 * Return: 0 or -ENOMEM.
 */
int chunk_nodes_refill(struct chunk_context *context)
{
	struct chunk_extent *free_nodes = NULL;
	void *nodes[CHUNK_FREE_NODES];
	int i;

	/* Allocates all of them or none. */
	if (!kmem_cache_alloc_bulk(extent_cache, GFP_KERNEL, CHUNK_FREE_NODES,
				   nodes))
		return -ENOMEM;
	chunk_charge(context->mm, sizeof(*free_nodes) * CHUNK_FREE_NODES);
	for (i = 0; i < CHUNK_FREE_NODES; i++)
		chunk_free_node_push(&free_nodes, nodes[i]);
	spin_lock(&context->lock);
	chunk_nodes_keep(context, &free_nodes);
	spin_unlock(&context->lock);
	chunk_nodes_free(context, free_nodes);
	return 0;
}
