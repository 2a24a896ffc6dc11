// SPDX-License-Identifier: MIT
/* Memory for bookkeeping on the fake operating system: see fake_memory.h. */
#include "chunk_base.h"
#include "chunk_free_nodes.h"
#include "chunk_state.h"
#include "common.h"
#include "fake_memory.h"
#include "fake_os.h"

/* Context: chunk_lock() held. */
static void leave(size_t bytes)
{
	fake.fail_from[FAKE_MAP] = fake.calls[FAKE_MAP] + 1;
	while (chunk_base_node(64))
		;
	if (!bytes)
		return;
	fake.fail_from[FAKE_MAP] = 0;
	expect(chunk_base_node(MIB - bytes));
	fake.fail_from[FAKE_MAP] = 1;
}

/**
 * leave_bytes() - leave libchunk so much memory for bookkeeping, and no more
 * @bytes: bytes, a multiple of 64
 */
void leave_bytes(size_t bytes)
{
	chunks_init();
	chunk_lock();
	leave(bytes);
	chunk_unlock();
}

/**
 * leave_nodes() - leave libchunk free nodes of extents and other memory, and no more
 * @count: number of nodes, four at most
 * @bytes: other memory in bytes, a multiple of 64
 */
void leave_nodes(unsigned int count, size_t bytes)
{
	struct chunk_extent *kept[4];

	chunks_init();
	chunk_lock();
	for (unsigned int i = 0; i < count; i++)
		kept[i] = chunk_free_nodes_take();
	chunk_state.free_nodes = NULL;
	leave(bytes);
	while (count)
		chunk_free_node_push(&chunk_state.free_nodes, kept[--count]);
	chunk_unlock();
}
