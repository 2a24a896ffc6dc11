/* SPDX-License-Identifier: MIT */
/* Fork detection: memory that a forked child finds zeroed. */
#ifndef CHUNK_PROCESS_H
#define CHUNK_PROCESS_H

#include <stdatomic.h>
#include <stdbool.h>

#include "chunk_mutex.h"

/**
 * struct chunk_process - state that a forked child must not inherit; zero at first
 * @lock:  protects chunk_state
 * @known: libchunk is set up in this process
 */
struct chunk_process {
	struct chunk_mutex lock;
	atomic_bool known;
};

/* Hidden, so that an access takes no detour by the global offset table */
#ifndef _WIN32
#pragma GCC visibility push(hidden)
#endif
extern struct chunk_process *_Atomic chunk_process;
extern struct chunk_process chunk_process_unwiped;
#ifndef _WIN32
#pragma GCC visibility pop
#endif

/**
 * chunk_process_get() - find the state of this process
 *
 * Context: any, signal handlers too.
 * Return: the state; NULL before the first chunk_process_make(). If it is
 * &chunk_process_unwiped it may still be the parent's: see chunk_process_wipe().
 */
static inline struct chunk_process *chunk_process_get(void)
{
	return atomic_load_explicit(&chunk_process, memory_order_acquire);
}

struct chunk_process *chunk_process_make(void);
void chunk_process_wipe(void);
bool chunk_process_is_wiped(void);

#endif /* CHUNK_PROCESS_H */
