/* SPDX-License-Identifier: MIT */
/* A lock that calls the system only when it has to wait, and nothing else. */
#ifndef CHUNK_MUTEX_H
#define CHUNK_MUTEX_H

#include <stdatomic.h>
#include <stdbool.h>

/**
 * struct chunk_mutex - a lock; zero bytes are a free one
 * @state: 0: free; 1: held; 2: held, and another thread may be waiting
 */
struct chunk_mutex {
	atomic_uint state;
};

bool chunk_mutex_try(struct chunk_mutex *mutex);
void chunk_mutex_lock(struct chunk_mutex *mutex);
void chunk_mutex_unlock(struct chunk_mutex *mutex);

#endif /* CHUNK_MUTEX_H */
