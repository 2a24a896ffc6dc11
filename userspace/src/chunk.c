// SPDX-License-Identifier: MIT
/*
 * Chunks: handing them out and taking them back, by the device or without it.
 */
#include <errno.h>
#include <limits.h>

#include "chunk.h"
#include "chunk_base.h"
#include "chunk_check.h"
#include "chunk_backing.h"
#include "chunk_guard.h"
#include "chunk_internal.h"
#include "chunk_known.h"
#include "chunk_report.h"
#include "chunk_state.h"

#define UNIT	CHUNK_TREE_UNIT

static bool is_power_of_2(size_t n)
{
	return n && !(n & (n - 1));
}

/**
 * chunks_init() - set everything up
 *
 * Implied by every other function; safe to repeat, from any thread.
 */
void chunks_init(void)
{
	int saved = errno;

	chunk_enter();
	errno = saved;
}

/* So much nobody has room for, whatever is kept. */
static bool is_hopeless(size_t size, size_t alignment)
{
	const size_t most = PTRDIFF_MAX >> (sizeof(size_t) > 4 ? 17 : 0);

	return size > most || alignment > most;
}

/* -ENODEV if the context is lost */
static int alloc_generation(uintptr_t generation, size_t size, size_t alignment,
			    enum chunk_birth birth, void **out)
{
	bool listed;
	int err;

	err = chunk_device.alloc(size, alignment, birth, out);
	if (err == -ENODEV)
		chunk_device_lost(generation);
	else if (err == -ENOMEM && !is_hopeless(size, alignment))
		chunk_configure_charged();
	if (err)
		return err;
	chunk_lock();
	listed = chunk_registry_add(*out, size, generation);
	chunk_unlock();
	if (listed)
		return 0;
	chunk_device.dealloc(*out, size, ZEROED_CHUNK);
	return -ENOMEM;
}

/* -ENODEV if there is no device */
static int alloc_device(size_t size, size_t alignment, enum chunk_birth birth,
			void **out)
{
	uintptr_t generation;
	int err = -ENODEV;
	unsigned int tries;

	/* A context that was lost is opened again. */
	for (tries = 0; err == -ENODEV && tries < CHUNK_DEVICE_TRIES; tries++) {
		generation = chunk_device_generation();
		if (!generation)
			break;
		err = alloc_generation(generation, size, alignment, birth, out);
	}
	return err;
}

/* Can what is kept have been in the way of so much? Then it is not any more. */
static bool make_room(size_t size, size_t alignment)
{
	return !is_hopeless(size, alignment) && chunk_recycle_release();
}

static void *alloc_fresh(size_t size, size_t alignment)
{
	void *addr = chunk_map_fresh(size, alignment);
	bool listed;

	if (!addr)
		return NULL;
	chunk_lock();
	listed = chunk_registry_add(addr, size, 0);
	chunk_unlock();
	if (listed)
		return addr;
	chunk_recycle_unmap("chunk_alloc", addr, size);
	return NULL;
}

/* Where the system has nothing of the kind: committed, and then not */
static void *alloc_and_decommit(size_t size, size_t alignment)
{
	void *addr = alloc_fresh(size, alignment);

	if (addr)
		chunk_decommit_range(addr, size);
	return addr;
}

static void *alloc_reserved(size_t size, size_t alignment)
{
	void *addr;
	bool listed;
	int err = -ENODEV;

	if (chunk_os.reserve)
		err = chunk_os.reserve(size, alignment, &addr);
	if (err == -ENOMEM && make_room(size, alignment))
		err = chunk_os.reserve(size, alignment, &addr);
	if (err == -ENODEV)
		return alloc_and_decommit(size, alignment);
	if (err)
		return NULL;
	chunk_guard_split();
	chunk_lock();
	listed = chunk_registry_add(addr, size, 0);
	if (listed)
		chunk_registry_set_sparse(addr);
	chunk_unlock();
	if (listed)
		return addr;
	chunk_recycle_unmap("chunk_alloc_decommitted", addr, size);
	return NULL;
}

static void *alloc_mapped(size_t size, size_t alignment, enum chunk_birth birth)
{
	void *addr;
	bool none;

	if (birth == BORN_DECOMMITTED)
		return alloc_reserved(size, alignment);
	addr = chunk_recycle_alloc(size, alignment, &none);
	if (!addr)
		addr = alloc_fresh(size, alignment);
	/* Where one fits, room is not what is short. */
	if (!addr && none && make_room(size, alignment))
		addr = alloc_fresh(size, alignment);
	if (!addr || birth != BORN_PRESENT || chunk_populate_range(addr, size))
		return addr;
	chunk_dealloc(addr, size, UNKNOWN_CHUNK);
	return NULL;
}

/* Fits any address space, and nothing wraps around that is rounded up */
static bool is_possible(size_t size, size_t alignment)
{
	return size <= PTRDIFF_MAX && alignment <= PTRDIFF_MAX;
}

/**
 * chunk_alloc_live() - get an extent, not for bookkeeping
 * @size:      bytes, checked
 * @alignment: bytes, checked
 * @birth:     as what it is to be handed out
 *
 * Context: chunk_enter() done, lock not held.
 * Return: memory that reads as zero once it is committed, or NULL.
 */
void *chunk_alloc_live(size_t size, size_t alignment, enum chunk_birth birth)
{
	void *addr;
	int err;

	if (!is_possible(size, alignment))
		return NULL;
	err = alloc_device(size, alignment, birth, &addr);
	if (!err)
		return addr;
	if (err != -ENODEV ||
	    chunk_state.options.backend == BACKEND_DEVICE)
		return NULL;
	return alloc_mapped(size, alignment, birth);
}

static void *alloc_base(size_t size, size_t alignment)
{
	void *addr = NULL;

	if (is_possible(size, alignment))
		addr = chunk_map_aligned(size, alignment);
	if (!addr && make_room(size, alignment))
		addr = chunk_map_aligned(size, alignment);
	if (!addr)
		return NULL;
	chunk_known_add(addr, size);
	chunk_lock();
	chunk_count_base(size);
	chunk_state.counts.allocs++;
	chunk_unlock();
	return addr;
}

/**
 * chunk_check_alloc() - end the process if this is no extent to ask for
 * @call:      the function of the API that is asked
 * @size:      bytes
 * @alignment: bytes
 */
void chunk_check_alloc(const struct chunk_call *call, size_t size,
		       size_t alignment)
{
	if (!size || size % UNIT)
		chunk_die_numbers(call, size, alignment,
				  "the size is no multiple of 1 MiB");
	if (!is_power_of_2(alignment) || alignment % UNIT)
		chunk_die_numbers(call, size, alignment,
				  "the alignment is no power of two from 1 MiB");
}

/**
 * chunk_alloc() - get an extent
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @base:      for the caller's own bookkeeping: neither recycled nor registered
 *
 * Return: committed memory that reads as zero, or NULL with errno ENOMEM.
 */
void *chunk_alloc(size_t size, size_t alignment, bool base)
{
	int saved = errno;
	void *addr;

	chunk_check_alloc(CHUNK_CALL("chunk_alloc"), size, alignment);
	chunk_enter();
	addr = base ? alloc_base(size, alignment) :
		      chunk_alloc_live(size, alignment, BORN_COMMITTED);
	errno = addr ? saved : ENOMEM;
	return addr;
}

/**
 * chunk_alloc_populated() - get an extent that takes no page fault any more
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 *
 * For those who are about to write to all of it: cheaper than a fault each.
 *
 * Return: committed memory that reads as zero, all of its pages present, or NULL
 * with errno ENOMEM.
 */
void *chunk_alloc_populated(size_t size, size_t alignment)
{
	int saved = errno;
	void *addr;

	chunk_check_alloc(CHUNK_CALL("chunk_alloc_populated"), size,
			  alignment);
	chunk_enter();
	addr = chunk_alloc_live(size, alignment, BORN_PRESENT);
	errno = addr ? saved : ENOMEM;
	return addr;
}

/**
 * chunk_alloc_decommitted() - get an extent that holds no memory yet
 * @size:      bytes, a non-zero multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 *
 * For much address space of which little is used.
 *
 * Return: an extent that traps until it is committed, or NULL with errno ENOMEM.
 */
void *chunk_alloc_decommitted(size_t size, size_t alignment)
{
	int saved = errno;
	void *addr;

	chunk_check_alloc(CHUNK_CALL("chunk_alloc_decommitted"), size,
			  alignment);
	chunk_enter();
	addr = chunk_alloc_live(size, alignment, BORN_DECOMMITTED);
	errno = addr ? saved : ENOMEM;
	return addr;
}

/**
 * chunk_check_dealloc() - end the process if this cannot be an extent
 * @call:  the function of the API that is given it
 * @chunk: its first byte
 * @size:  bytes
 * @type:  what it held
 */
void chunk_check_dealloc(const struct chunk_call *call, void *chunk,
			 size_t size, enum chunk_type type)
{
	if (!size || size % UNIT || (uintptr_t)chunk % UNIT)
		chunk_die(call, chunk, size,
			  "address or size is no multiple of 1 MiB");
	if ((unsigned int)type > RECYCLED_CHUNK)
		chunk_die(call, chunk, size, "there is no such type of chunk");
	chunk_enter();
	chunk_check_zeroed(call, chunk, size, type);
}

/**
 * chunk_dealloc_begin() - make an extent live no more
 * @call:    the function of the API that does
 * @chunk:   its first byte, checked
 * @size:    bytes, checked
 * @leaving: filled, for chunk_dealloc_end()
 *
 * Ends the process if there is no such extent.
 *
 * Context: chunk_lock() held.
 */
void chunk_dealloc_begin(const struct chunk_call *call, void *chunk,
			 size_t size, struct chunk_leaving *leaving)
{
	leaving->extent = chunk_registry_remove(call, chunk, size);
	leaving->generation = (uintptr_t)leaving->extent->owner;
	leaving->room = 0;
	if (leaving->generation)
		chunk_free_node_push(&chunk_state.free_nodes, leaving->extent);
	else
		leaving->room = chunk_recycle_claim(size);
}

static void dealloc_device(const char *call, void *chunk, size_t size,
			   enum chunk_type type, uintptr_t generation)
{
	int err;

	if (generation == atomic_load_explicit(&chunk_state.generation,
					       memory_order_relaxed)) {
		err = chunk_device.dealloc(chunk, size, type);
		/* Somebody else has unmapped it: then it is gone already. */
		if (!err || err == -ESTALE)
			return;
		if (err == -ENODEV)
			chunk_device_lost(generation);
	}
	chunk_unmap_or_report(call, chunk, size);
}

/**
 * chunk_dealloc_end() - give the address space of an extent to whom it is due
 * @call:    the function of the API that does
 * @chunk:   its first byte
 * @size:    bytes
 * @type:    what it held
 * @leaving: from chunk_dealloc_begin()
 *
 * Context: lock not held.
 */
void chunk_dealloc_end(const char *call, void *chunk, size_t size,
		       enum chunk_type type, struct chunk_leaving *leaving)
{
	if (leaving->generation)
		dealloc_device(call, chunk, size, type, leaving->generation);
	else
		chunk_recycle_dealloc(leaving->extent, leaving->room);
}

/**
 * chunk_dealloc() - give an extent back
 * @chunk: what chunk_alloc() returned
 * @size:  the size it was asked for
 * @type:  what it held
 *
 * Keeps as much of it for reuse as the limit allows.
 */
void chunk_dealloc(void *chunk, size_t size, enum chunk_type type)
{
	const struct chunk_call *call = CHUNK_CALL("chunk_dealloc");
	struct chunk_leaving leaving;
	int saved = errno;

	chunk_check_dealloc(call, chunk, size, type);
	chunk_lock();
	chunk_dealloc_begin(call, chunk, size, &leaving);
	chunk_unlock();
	chunk_dealloc_end(call->name, chunk, size, type, &leaving);
	errno = saved;
}

/**
 * chunk_backend() - where chunks come from
 *
 * Return: "device", or what the system's own way is called.
 */
const char *chunk_backend(void)
{
	int saved = errno;
	bool device;

	chunk_enter();
	device = chunk_device_generation();
	errno = saved;
	return device ? "device" : chunk_os.name;
}
