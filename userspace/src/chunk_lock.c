// SPDX-License-Identifier: MIT
/*
 * The lock over chunk_state, and setting libchunk up before it is first taken.
 *
 * The first call of all and the first call of a forked child look the same: no
 * mark says that libchunk is set up in this process (chunk_process.c). If another
 * thread held the lock when the process forked, the child finds the mark of its
 * work, and gives up whatever may be half changed.
 */
#include "chunk_lock.h"
#include "chunk_process.h"
#include "chunk_start.h"
#include "os.h"

/* Is chunk_state set up? Is somebody changing it? A child inherits both. */
static atomic_bool started;
static atomic_bool busy;

/* A child forked at any point must not find the work without its mark. */
static void busy_set(bool is)
{
	atomic_store_explicit(&busy, is, memory_order_release);
	atomic_signal_fence(memory_order_seq_cst);
}

/* Set libchunk up, unless another thread of this process has just done so. */
static void process_start(struct chunk_process *p)
{
	bool cut_short;

	chunk_mutex_lock(&p->lock);
	if (!atomic_load_explicit(&p->known, memory_order_relaxed)) {
		cut_short = atomic_load_explicit(&busy, memory_order_relaxed);
		if (atomic_load_explicit(&started, memory_order_relaxed))
			chunk_start_child(cut_short);
		else
			chunk_start();
		atomic_store_explicit(&started, true, memory_order_release);
		busy_set(false);
		atomic_store_explicit(&p->known, true, memory_order_release);
	}
	chunk_mutex_unlock(&p->lock);
}

/**
 * chunk_enter() - set libchunk up in this process, unless it is
 *
 * Context: at the beginning of every function of the API that changes anything.
 * The lock is not held.
 */
void chunk_enter(void)
{
	struct chunk_process *p = chunk_process_get();

	if (!p)
		p = chunk_process_make();
	if (p == &chunk_process_unwiped)
		chunk_process_wipe();
	if (!atomic_load_explicit(&p->known, memory_order_acquire))
		process_start(p);
}

/**
 * chunk_lock() - take the lock over chunk_state
 *
 * The holder maps nothing but base chunks, and calls nothing of the caller's.
 *
 * Context: not a signal handler; the lock is not held by this thread.
 */
void chunk_lock(void)
{
	/* A child must see what the fork cut short before it changes anything. */
	chunk_enter();
	chunk_mutex_lock(&chunk_process_get()->lock);
	busy_set(true);
}

/**
 * chunk_lock_try() - take the lock over chunk_state if it is free
 *
 * Context: any, signal handlers too.
 * Return: true if the lock was free and libchunk is set up in this process.
 */
bool chunk_lock_try(void)
{
	struct chunk_process *p = chunk_process_get();

	/* A child may not have wiped chunk_process_unwiped yet. */
	if (!p || (p == &chunk_process_unwiped && !chunk_process_is_wiped()) ||
	    !atomic_load_explicit(&p->known, memory_order_acquire) ||
	    !chunk_mutex_try(&p->lock))
		return false;
	busy_set(true);
	return true;
}

/**
 * chunk_unlock() - release the lock over chunk_state
 *
 * Context: the lock is held by this thread.
 */
void chunk_unlock(void)
{
	busy_set(false);
	chunk_mutex_unlock(&chunk_process_get()->lock);
}
