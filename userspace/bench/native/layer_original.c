// SPDX-License-Identifier: MIT
/*
 * The original: its system calls, and for whole traces its policy: best fit,
 * 128 MiB recycled, the tail beyond that unmapped. It uses libchunk's trees
 * here, and keeps no registry, which is in its favour.
 */
#include "../mozjemalloc.h"
#include "chunk_tree.h"
#include "layer.h"

#define RECYCLE_LIMIT	(128 * MIB)
#define NODES		4096

static struct chunk_tree tree;
static struct chunk_extent nodes[NODES];
static struct chunk_extent *free_nodes;

static bool start(void)
{
	chunk_tree_init(&tree, RECYCLE_LIMIT);
	for (size_t i = 0; i < NODES; i++)
		chunk_free_node_push(&free_nodes, &nodes[i]);
	return true;
}

static void *fresh(size_t size, size_t alignment)
{
	void *addr = original_map(size, alignment);

	if (!addr)
		fail("original: mmap");
	return addr;
}

static void decommit(void *addr, size_t size)
{
	if (!original_decommit(addr, size))
		fail("original: mmap(PROT_NONE)");
}

static void commit(void *addr, size_t size)
{
	if (!original_commit(addr, size))
		fail("original: mmap(MAP_FIXED)");
}

static void *alloc(size_t size, size_t alignment)
{
	struct chunk_extent *extent;
	void *addr;

	if (chunk_tree_take(&tree, size, alignment, &free_nodes, &extent))
		return fresh(size, alignment);
	addr = (void *)extent->addr;
	chunk_free_node_push(&free_nodes, extent);
	commit(addr, size);
	return addr;
}

static void dealloc(void *addr, size_t size)
{
	size_t room = chunk_tree_claim(&tree, size);
	struct chunk_extent *extent;

	if (room < size)
		original_unmap((char *)addr + room, size - room);
	if (!room)
		return;
	decommit(addr, room);
	extent = chunk_free_node_pop(&free_nodes);
	if (!extent)
		fail("original: too many free extents");
	extent->addr = (uintptr_t)addr;
	extent->size = room;
	extent->owner = NULL;
	extent->type = ZEROED_CHUNK;
	chunk_tree_insert(&tree, extent, &free_nodes);
}

static void clear(void)
{
	struct chunk_extent *extent;

	while ((extent = chunk_tree_first(&tree))) {
		chunk_tree_remove(&tree, extent);
		original_unmap((void *)extent->addr, extent->size);
		chunk_free_node_push(&free_nodes, extent);
	}
}

const struct layer layer_original = {
	.name = "original",
	.start = start,
	.fresh = fresh,
	.give = decommit,
	.take = commit,
	.decommit = decommit,
	.commit = commit,
	.alloc = alloc,
	.dealloc = dealloc,
	.clear = clear,
	.unmap = original_unmap,
};
