// SPDX-License-Identifier: MIT
/* Setting libchunk up by calls: the start, the backing, waiting for memory. */
#include <errno.h>

#include "chunk.h"
#include "chunk_backing.h"
#include "chunk_generation.h"
#include "chunk_report.h"
#include "chunk_stall.h"
#include "chunk_state.h"

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

/**
 * chunk_configure() - choose the backing of all chunks
 * @backing: the backing
 * @grow:    bytes of address space for the device to map at a time, a multiple
 *           of the chunk size; 0: as the device likes
 *
 * To be called before the first chunk of the process. Without the device libchunk
 * asks the system for huge pages, which it may grant or not.
 *
 * Return: true; or false with errno EBUSY if there was a chunk before, or
 * EOPNOTSUPP if the device or the system has no such backing. Then nothing has
 * changed.
 */
bool chunk_configure(enum chunk_backing backing, size_t grow)
{
	const struct chunk_call *call = CHUNK_CALL("chunk_configure");
	int saved = errno;
	int err;

	if ((unsigned int)backing > HUGE_BACKING)
		chunk_die_numbers(call, backing, grow,
				  "there is no such backing");
	if (grow % CHUNK_TREE_UNIT || grow > PTRDIFF_MAX)
		chunk_die_numbers(call, backing, grow,
				  "the growth is no multiple of 1 MiB");
	chunk_enter();
	chunk_device_generation();
	chunk_lock();
	err = chunk_backing_set(backing, grow);
	chunk_unlock();
	errno = err ? -err : saved;
	return !err;
}

/**
 * chunk_get_stall() - read how this process waits for memory
 * @stall: filled; zeros on systems where it does not wait
 *
 * Return: true on systems where waiting helps.
 */
bool chunk_get_stall(struct chunk_stall *stall)
{
	int saved = errno;

	chunk_enter();
	*stall = (struct chunk_stall){ 0 };
	if (chunk_os_caps.waits_for_memory)
		*stall = chunk_stall_now();
	errno = saved;
	return chunk_os_caps.waits_for_memory;
}

/**
 * chunk_set_stall() - choose how to wait for memory
 * @stall: how the main process of a program waits; numbers above 65535 count as
 *         65535
 *
 * Return: true on systems where waiting helps; on others nothing has changed.
 */
bool chunk_set_stall(const struct chunk_stall *stall)
{
	int saved = errno;

	chunk_enter();
	if (chunk_os_caps.waits_for_memory)
		chunk_stall_start(stall);
	errno = saved;
	return chunk_os_caps.waits_for_memory;
}

/**
 * chunk_set_child() - say whether this is a child process of a program
 * @child: true in a child process, which waits for memory half as often
 */
void chunk_set_child(bool child)
{
	chunk_stall_set_child(child);
}
