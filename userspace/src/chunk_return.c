// SPDX-License-Identifier: MIT
/* Giving extents back: to the device, to the recycled ones or to the system. */
#include <errno.h>

#include "chunk.h"
#include "chunk_check.h"
#include "chunk_explain.h"
#include "chunk_give_back.h"
#include "chunk_internal.h"
#include "chunk_probe.h"
#include "chunk_state.h"

/**
 * chunk_check_dealloc() - end the process if this cannot be an extent
 * @call:  the function of the API that is given it
 * @chunk: its first byte
 * @size:  bytes
 * @type:  what it held
 *
 * Context: lock not held.
 */
void chunk_check_dealloc(const struct chunk_call *call, void *chunk,
			 size_t size, enum chunk_type type)
{
	if (!size || size % CHUNK_TREE_UNIT ||
	    (uintptr_t)chunk % CHUNK_TREE_UNIT)
		chunk_die(call, chunk, size,
			  "address or size is no multiple of 1 MiB");
	if ((unsigned int)type > RECYCLED_CHUNK)
		chunk_die(call, chunk, size, "there is no such type of chunk");
	chunk_enter();
	chunk_check_zeroed(call, chunk, size, type);
}

/* Take an extent out of the registry. Context: chunk_lock() held. */
static inline struct chunk_extent *unlist(const struct chunk_call *call,
					  void *chunk, size_t size)
{
	struct chunk_extent *extent;
	const char *why;

	extent = chunk_registry_remove(chunk, size, &why);
	if (!extent) {
		chunk_unlock();
		chunk_die(call, chunk, size, why);
	}
	return extent;
}

/* Give the node back, or claim room for the extent. Context: chunk_lock() held. */
static inline void leave(struct chunk_leaving *leaving)
{
	leaving->generation = (uintptr_t)leaving->extent->owner;
	leaving->room = 0;
	if (leaving->generation)
		chunk_free_node_push(&chunk_state.free_nodes, leaving->extent);
	else
		leaving->room = chunk_recycle_claim(leaving->extent->size);
}

/*
 * chunk_return_begin() where extents are kept with their contents. Not inline: callers
 * who keep nothing would save registers for it.
 */
static __attribute__((noinline)) void
begin_kept(const struct chunk_call *call, void *chunk, size_t size,
	   enum chunk_type type, struct chunk_leaving *leaving)
{
	leaving->extent = unlist(call, chunk, size);
	leaving->generation = LEAVING_KEPT;
	leaving->fate = chunk_reuse_begin(leaving->extent, type);
	if (leaving->fate == REUSE_LEAVES)
		leave(leaving);
}

/**
 * chunk_return_begin() - take an extent out of the registry
 * @call:    the function of the API that gives it back
 * @chunk:   its first byte, checked
 * @size:    bytes, checked
 * @type:    what it held, checked
 * @leaving: filled, for chunk_return_end()
 *
 * Ends the process if there is no such extent.
 *
 * Context: chunk_lock() held.
 */
void chunk_return_begin(const struct chunk_call *call, void *chunk, size_t size,
			enum chunk_type type, struct chunk_leaving *leaving)
{
	if (unlikely(chunk_state.kept.active)) {
		begin_kept(call, chunk, size, type, leaving);
		return;
	}
	leaving->extent = unlist(call, chunk, size);
	leave(leaving);
}

static inline void send(const char *call, void *chunk, size_t size,
			enum chunk_type type, struct chunk_leaving *leaving)
{
	if (leaving->generation)
		chunk_give_back(call, chunk, size, type, leaving->generation);
	else
		chunk_recycle_dealloc(leaving->extent, leaving->room);
}

/*
 * chunk_return_end() for an extent that may be kept with its contents. Not inline: see
 * begin_kept().
 */
static __attribute__((noinline)) void
end_kept(const char *call, void *chunk, size_t size, enum chunk_type type,
	 struct chunk_leaving *leaving)
{
	if (leaving->fate == REUSE_DONE ||
	    chunk_reuse_end(call, leaving->extent, type)) {
		chunk_probe_offer(chunk, size, true);
		chunk_probe_dealloc(chunk, size, size, 0);
		return;
	}
	chunk_lock();
	leave(leaving);
	chunk_unlock();
	send(call, chunk, size, type, leaving);
}

/**
 * chunk_return_end() - give the address space of an extent back to its source
 * @call:    the function of the API that gives it back
 * @chunk:   its first byte
 * @size:    bytes
 * @type:    what it held
 * @leaving: from chunk_return_begin()
 *
 * Context: lock not held.
 */
void chunk_return_end(const char *call, void *chunk, size_t size,
		      enum chunk_type type, struct chunk_leaving *leaving)
{
	if (unlikely(leaving->generation == LEAVING_KEPT))
		end_kept(call, chunk, size, type, leaving);
	else
		send(call, chunk, size, type, leaving);
}

/**
 * chunk_dealloc() - give an extent back
 * @chunk: what chunk_alloc() returned
 * @size:  the size it was asked for
 * @type:  what it held: see chunk.h for what that changes
 *
 * Keeps as much of it for reuse as the limit allows.
 */
void chunk_dealloc(void *chunk, size_t size, enum chunk_type type)
{
	const struct chunk_call *call = CHUNK_CALL("chunk_dealloc");
	struct chunk_leaving leaving;
	int saved = errno;

	chunk_check_dealloc(call, chunk, size, type);
	chunk_explain_note(call->name, chunk, size);
	chunk_lock();
	chunk_return_begin(call, chunk, size, type, &leaving);
	chunk_unlock();
	chunk_return_end(call->name, chunk, size, type, &leaving);
	errno = saved;
}
