// SPDX-License-Identifier: MIT
/*
 * A lock of one word.
 *
 * A mutex of the C library will not do: profilers put their own functions in front
 * of pthread_mutex_lock(), and these call malloc. Nor need zeroed memory be a free
 * mutex, as a forked child must find it.
 */
#include "chunk_mutex.h"
#include "os.h"

/*
 * Looks at the lock before waiting, some 3 instructions each: as many as the longest
 * holders take that make no system call. Waiting and waking costs several times that.
 */
#define SPINS	512

/**
 * chunk_mutex_try() - take a lock if it is free
 * @mutex: the lock
 *
 * Context: any, signal handlers too.
 * Return: true if it was.
 */
bool chunk_mutex_try(struct chunk_mutex *mutex)
{
	unsigned int free = 0;

	return atomic_compare_exchange_strong_explicit(&mutex->state, &free, 1,
						       memory_order_acquire,
						       memory_order_relaxed);
}

/**
 * chunk_mutex_lock() - take a lock
 * @mutex: the lock, not held by this thread
 *
 * Context: not a signal handler.
 */
void chunk_mutex_lock(struct chunk_mutex *mutex)
{
	int spins;

	if (chunk_mutex_try(mutex))
		return;
	for (spins = 0; spins < SPINS; spins++) {
		if (!atomic_load_explicit(&mutex->state,
					  memory_order_relaxed) &&
		    chunk_mutex_try(mutex))
			return;
	}
	while (atomic_exchange_explicit(&mutex->state, 2,
					memory_order_acquire))
		chunk_os_wait(&mutex->state, 2);
}

/**
 * chunk_mutex_unlock() - release a lock
 * @mutex: the lock, held by this thread
 *
 * Context: any.
 */
void chunk_mutex_unlock(struct chunk_mutex *mutex)
{
	if (atomic_exchange_explicit(&mutex->state, 0,
				     memory_order_release) == 2)
		chunk_os_wake(&mutex->state);
}
