// SPDX-License-Identifier: MIT
/* Getting extents: from the device, from the recycled ones or from the system. */
#include <errno.h>
#include <limits.h>

#include "chunk.h"
#include "chunk_guard.h"
#include "chunk_internal.h"
#include "chunk_probe.h"
#include "chunk_state.h"

/* Too large for the address space, whatever is given back before? */
static bool is_hopeless(size_t size, size_t alignment)
{
	const size_t most = PTRDIFF_MAX >> (sizeof(size_t) > 4 ? 17 : 0);

	return size > most || alignment > most;
}

/* Say once, when the device refuses memory, why it may be short of it. */
static void say_if_charged(void)
{
	static atomic_bool said;
	struct chunk_device_stats stats;
	struct chunk_line line = { 0 };

	if (!chunk_os_caps.charges_on_map || chunk_device_stats(&stats) ||
	    !stats.decommitted_bytes || atomic_exchange(&said, true))
		return;
	chunk_line_text(&line,
			"libchunk: out of memory, and under vm.overcommit_memory=2 what is decommitted counts; backend:mmap gives it back");
	chunk_line_write(&line);
}

/* Returns -ENODEV if the generation is lost. */
static int alloc_generation(uintptr_t generation, size_t size, size_t alignment,
			    enum chunk_birth birth, void **out)
{
	bool listed;
	int err;

	err = chunk_device_alloc(size, alignment, birth, out);
	if (err == -ENODEV)
		chunk_device_lost(generation);
	else if (err == -ENOMEM && !is_hopeless(size, alignment))
		say_if_charged();
	if (err)
		return err;
	chunk_lock();
	listed = chunk_registry_add(*out, size, generation);
	chunk_unlock();
	if (listed)
		return 0;
	chunk_device_dealloc(*out, size, ZEROED_CHUNK);
	return -ENOMEM;
}

/* Returns -ENODEV if there is no device. */
static int alloc_device(size_t size, size_t alignment, enum chunk_birth birth,
			void **out)
{
	uintptr_t generation;
	int err = -ENODEV;
	unsigned int tries;

	/* After a loss the device is opened again. */
	for (tries = 0; err == -ENODEV && tries < CHUNK_DEVICE_TRIES; tries++) {
		generation = chunk_device_generation();
		if (!generation)
			break;
		err = alloc_generation(generation, size, alignment, birth, out);
	}
	return err;
}

/**
 * chunk_make_room() - release kept extents that may be in the way
 * @size:      bytes that the system refused
 * @alignment: bytes
 *
 * Context: lock not held.
 * Return: true if another attempt may succeed.
 */
bool chunk_make_room(size_t size, size_t alignment)
{
	bool any = false;

	if (is_hopeless(size, alignment))
		return false;
	/* The device may recycle these. */
	if (chunk_has_kept())
		any = chunk_reuse_release("chunk_alloc");
	return chunk_recycle_release() || any;
}

/* Register a fresh extent; without memory for that it is unmapped. */
static void *enlist(const char *call, void *addr, size_t size, bool sparse)
{
	bool listed;

	chunk_lock();
	listed = chunk_registry_add(addr, size, 0);
	if (listed && sparse)
		chunk_registry_set_sparse(addr);
	chunk_unlock();
	if (listed)
		return addr;
	chunk_recycle_unmap(call, addr, size);
	return NULL;
}

static void *alloc_fresh(size_t size, size_t alignment)
{
	void *addr = chunk_map_fresh(size, alignment);

	return addr ? enlist("chunk_alloc", addr, size, false) : NULL;
}

/* For systems that cannot map decommitted memory in one step */
static void *alloc_and_decommit(size_t size, size_t alignment)
{
	void *addr = alloc_fresh(size, alignment);

	if (addr)
		chunk_decommit_range(addr, size);
	return addr;
}

static void *alloc_decommitted(size_t size, size_t alignment)
{
	void *addr;
	int err = -EOPNOTSUPP;

	if (chunk_os_caps.can_reserve)
		err = chunk_os_reserve(size, alignment, &addr);
	if (err == -ENOMEM && chunk_make_room(size, alignment))
		err = chunk_os_reserve(size, alignment, &addr);
	if (err == -EOPNOTSUPP)
		return alloc_and_decommit(size, alignment);
	chunk_probe_grow(err ? NULL : addr, size, err);
	if (err)
		return NULL;
	chunk_guard_split();
	return enlist("chunk_alloc_decommitted", addr, size, true);
}

/* Get an extent as it comes, recycled if possible. */
static void *alloc_committed(size_t size, size_t alignment)
{
	bool none;
	void *addr = chunk_recycle_alloc(size, alignment, &none);

	/* As likely as not; the way without a system call is to have no jump. */
	if (unlikely(addr)) {
		chunk_probe_alloc(addr, size, alignment, false, true, 0);
		return addr;
	}
	addr = alloc_fresh(size, alignment);
	/* If a recycled extent fits, address space is not what is short. */
	if (!addr && none && chunk_make_room(size, alignment))
		addr = alloc_fresh(size, alignment);
	if (addr)
		chunk_probe_alloc(addr, size, alignment, false, false, 0);
	else
		chunk_probe_alloc(NULL, size, alignment, false, false, -ENOMEM);
	return addr;
}

static void *alloc_mapped(size_t size, size_t alignment, enum chunk_birth birth)
{
	void *addr;

	if (birth == BORN_DECOMMITTED) {
		addr = alloc_decommitted(size, alignment);
		chunk_probe_alloc(addr, size, alignment, true, false,
				  addr ? 0 : -ENOMEM);
		return addr;
	}
	addr = alloc_committed(size, alignment);
	if (!addr || birth != BORN_PRESENT || chunk_populate_range(addr, size))
		return addr;
	chunk_dealloc(addr, size, UNKNOWN_CHUNK);
	return NULL;
}

/**
 * chunk_is_possible() - can any address space hold such an extent?
 * @size:      bytes
 * @alignment: bytes
 *
 * Return: true if so; then rounding up cannot wrap around.
 */
bool chunk_is_possible(size_t size, size_t alignment)
{
	return size <= PTRDIFF_MAX && alignment <= PTRDIFF_MAX;
}

/* Get an extent that is kept with its contents; NULL if none fits. */
static void *obtain_kept(size_t size, size_t alignment, enum chunk_birth birth,
			 bool *zero)
{
	const struct chunk_call *call = CHUNK_CALL("chunk_alloc_populated");
	void *addr;

	/* There is no use in memory that is decommitted first. */
	if (birth == BORN_DECOMMITTED)
		return NULL;
	addr = chunk_reuse_alloc(size, alignment, zero);
	if (addr)
		chunk_probe_alloc(addr, size, alignment, false, true, 0);
	if (!addr || birth != BORN_PRESENT ||
	    !chunk_commit_checked(call, addr, size, true))
		return addr;
	chunk_dealloc(addr, size, UNKNOWN_CHUNK);
	return NULL;
}

/**
 * chunk_obtain() - get an extent, not for bookkeeping, that is not kept yet
 * @size:      bytes, checked
 * @alignment: bytes, checked
 * @birth:     the state to hand it out in
 *
 * Context: chunk_enter() done, lock not held.
 * Return: memory that reads as zero once it is committed, or NULL.
 */
void *chunk_obtain(size_t size, size_t alignment, enum chunk_birth birth)
{
	void *addr;
	int err;

	if (!chunk_is_possible(size, alignment))
		return NULL;
	err = alloc_device(size, alignment, birth, &addr);
	if (!err)
		return addr;
	if (err != -ENODEV || chunk_state.options.backend == BACKEND_DEVICE)
		return NULL;
	return alloc_mapped(size, alignment, birth);
}

/**
 * chunk_obtain_any() - get an extent, not for bookkeeping, while some are kept
 * @size:      bytes, checked
 * @alignment: bytes, checked
 * @birth:     the state to hand it out in
 * @zero:      it must read as zero once it is committed; set: whether it does
 *
 * Context: chunk_enter() done, lock not held.
 * Return: the extent, or NULL.
 */
void *chunk_obtain_any(size_t size, size_t alignment, enum chunk_birth birth,
		       bool *zero)
{
	void *addr;

	if (!chunk_is_possible(size, alignment))
		return NULL;
	addr = obtain_kept(size, alignment, birth, zero);
	if (addr)
		return addr;
	*zero = true;
	/* Memory that is merely kept must not make it fail. */
	while (!(addr = chunk_obtain(size, alignment, birth)) &&
	       chunk_has_kept() && chunk_make_room(size, alignment))
		;
	return addr;
}

static bool is_power_of_2(size_t n)
{
	return n && !(n & (n - 1));
}

/**
 * chunk_check_alloc() - end the process if there can be no such extent
 * @call:      the function of the API that is asked for it
 * @size:      bytes
 * @alignment: bytes
 */
void chunk_check_alloc(const struct chunk_call *call, size_t size,
		       size_t alignment)
{
	if (!size || size % CHUNK_TREE_UNIT)
		chunk_die_numbers(call, size, alignment,
				  "the size is no multiple of 1 MiB");
	if (!is_power_of_2(alignment) || alignment % CHUNK_TREE_UNIT)
		chunk_die_numbers(call, size, alignment,
				  "the alignment is no power of two from 1 MiB");
}
