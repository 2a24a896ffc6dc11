// SPDX-License-Identifier: MIT
/*
 * Waiting for memory. Windows promises no more memory than it has, and lets the
 * page file grow when that runs out: who waits a little may get what was refused.
 */
#include <errno.h>
#include <stdatomic.h>

#include "chunk.h"
#include "chunk_stall.h"
#include "chunk_state.h"

/*
 * Attempts in the upper half, milliseconds in the lower: one word, which is read
 * while the lock is held or not. Set at the start.
 */
static atomic_uint packed;
static atomic_bool in_child;

static unsigned int at_most(unsigned int number)
{
	return number < CHUNK_STALL_MOST ? number : CHUNK_STALL_MOST;
}

/* A child makes way for the program's main process. */
static struct chunk_stall stall_now(void)
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
 * chunk_stall_start() - set how memory is waited for
 * @stall: in the main process
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
 * chunk_stall_retry() - wait and try again, as often as is set
 * @sleep: how to wait
 * @again: what to try
 * @arg:   passed to @again
 *
 * Waits first each time: what is asked for was refused only now.
 *
 * Context: any; the lock may be held, for then others need memory as well.
 * Return: what the last try did, -ENOMEM without any.
 */
int chunk_stall_retry(chunk_stall_sleep *sleep, chunk_stall_try *again,
		      void *arg)
{
	struct chunk_stall stall = stall_now();
	int err = -ENOMEM;

	for (; stall.attempts && err == -ENOMEM; stall.attempts--) {
		sleep(stall.delay_ms);
		err = again(arg);
	}
	return err;
}

/**
 * chunk_get_stall() - how is memory waited for in this process?
 * @stall: filled; zeros where it is not
 *
 * Return: whether this system is one where waiting helps.
 */
bool chunk_get_stall(struct chunk_stall *stall)
{
	int saved = errno;

	chunk_enter();
	*stall = (struct chunk_stall) { 0 };
	if (chunk_os_caps.waits_for_memory)
		*stall = stall_now();
	errno = saved;
	return chunk_os_caps.waits_for_memory;
}

/**
 * chunk_set_stall() - set how memory is waited for
 * @stall: in the main process; what exceeds 65535 counts as that
 *
 * Return: whether this system is one where waiting helps; nothing is set where
 * it does not.
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
 * chunk_set_child() - say that this is a child process, or that it is not
 * @child: in a child process memory is waited for half as often
 */
void chunk_set_child(bool child)
{
	atomic_store_explicit(&in_child, child, memory_order_relaxed);
}
