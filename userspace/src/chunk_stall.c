// SPDX-License-Identifier: MIT
/*
 * Waiting for memory. Windows promises no more memory than it has, and enlarges
 * the page file when that runs out: a request that was refused may be granted a
 * little later.
 */
#include <errno.h>
#include <stdatomic.h>

#include "chunk_stall.h"

/*
 * Attempts in the upper half, milliseconds in the lower: one word, since it is
 * read with the lock held and without. Set at the start.
 */
static atomic_uint packed;
static atomic_bool in_child;

static unsigned int at_most(unsigned int number)
{
	return number < CHUNK_STALL_MOST ? number : CHUNK_STALL_MOST;
}

/**
 * chunk_stall_now() - read how this process waits for memory
 *
 * Context: any.
 * Return: attempts and delay. In a child process, which is to leave memory to the
 * main process of its program, half the attempts.
 */
struct chunk_stall chunk_stall_now(void)
{
	unsigned int both = atomic_load_explicit(&packed, memory_order_relaxed);
	struct chunk_stall stall = {
		.attempts = both >> 16,
		.delay_ms = both & CHUNK_STALL_MOST,
	};

	if (atomic_load_explicit(&in_child, memory_order_relaxed))
		stall.attempts /= 2;
	return stall;
}

/**
 * chunk_stall_start() - choose how to wait for memory
 * @stall: how the main process of a program waits
 *
 * Context: any; chunk_enter() need not be done.
 */
void chunk_stall_start(const struct chunk_stall *stall)
{
	atomic_store_explicit(&packed, at_most(stall->attempts) << 16 |
				       at_most(stall->delay_ms),
			      memory_order_relaxed);
}

/**
 * chunk_stall_set_child() - say whether this is a child process of a program
 * @child: true in a child process
 *
 * Context: any; chunk_enter() need not be done.
 */
void chunk_stall_set_child(bool child)
{
	atomic_store_explicit(&in_child, child, memory_order_relaxed);
}

/**
 * chunk_stall_retry() - wait and try again, until it succeeds or attempts run out
 * @sleep: waits
 * @again: tries
 * @arg:   argument of @again
 *
 * Waits before the first attempt: the caller was refused a moment ago.
 *
 * Context: any. The lock may be held: other threads need memory as well then.
 * Return: the result of the last attempt; -ENOMEM if there was none.
 */
int chunk_stall_retry(chunk_stall_sleep *sleep, chunk_stall_try *again,
		      void *arg)
{
	struct chunk_stall stall = chunk_stall_now();
	int err = -ENOMEM;

	for (; stall.attempts && err == -ENOMEM; stall.attempts--) {
		sleep(stall.delay_ms);
		err = again(arg);
	}
	return err;
}
