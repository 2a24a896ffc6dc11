// SPDX-License-Identifier: MIT
/*
 * Fork detection: memory that a forked child finds zeroed.
 *
 * Handlers of pthread_atfork() would have to take libchunk's lock in the same
 * order, relative to the allocator's locks, as the allocator does itself; nobody
 * controls that order. So there are none. The lock lies in a page that the kernel
 * wipes in a child (MADV_WIPEONFORK). The child thus finds the lock free, and the
 * mark that libchunk is set up is missing.
 *
 * Where the system wipes no pages, each call compares the number of the process,
 * and the first call of a child does the wiping.
 */
#include "chunk_process.h"
#include "os.h"

struct chunk_process *_Atomic chunk_process;
struct chunk_process chunk_process_unwiped;

/*
 * The owner of chunk_process_unwiped: twice the number of the process, and one
 * more while a thread is wiping it.
 */
static atomic_uint unwiped_owner;

/**
 * chunk_process_wipe() - zero chunk_process_unwiped in a child
 *
 * Several threads of a child may call this at the same time.
 *
 * Context: any thread; the lock is not held.
 */
void chunk_process_wipe(void)
{
	unsigned int me, owner;

	me = 2 * chunk_os_pid();
	if (!me)
		return;
	while ((owner = atomic_load_explicit(&unwiped_owner,
					     memory_order_acquire)) != me) {
		if (owner == me + 1 ||
		    !atomic_compare_exchange_weak(&unwiped_owner, &owner,
						  me + 1))
			continue;
		atomic_store_explicit(&chunk_process_unwiped.lock.state, 0,
				      memory_order_relaxed);
		atomic_store_explicit(&chunk_process_unwiped.known, false,
				      memory_order_relaxed);
		atomic_store_explicit(&unwiped_owner, me, memory_order_release);
	}
}

/**
 * chunk_process_is_wiped() - test if chunk_process_unwiped is this process' own
 *
 * Context: any, signal handlers too.
 * Return: false in a child that has not called chunk_process_wipe() yet.
 */
bool chunk_process_is_wiped(void)
{
	return atomic_load_explicit(&unwiped_owner, memory_order_acquire) ==
	       2 * chunk_os_pid();
}

/**
 * chunk_process_make() - make the state that a child finds zeroed
 *
 * Context: any thread, several at the same time.
 * Return: the state: the same for all threads. It is &chunk_process_unwiped where
 * the system wipes no pages.
 */
struct chunk_process *chunk_process_make(void)
{
	struct chunk_process *none = NULL;
	struct chunk_process *p;
	size_t size;

	p = chunk_os_map_wiped(&size);
	if (!p)
		p = &chunk_process_unwiped;
	if (atomic_compare_exchange_strong(&chunk_process, &none, p))
		return p;
	/* Another thread was faster. */
	if (p != &chunk_process_unwiped)
		chunk_os_unmap(p, size);
	return none;
}
