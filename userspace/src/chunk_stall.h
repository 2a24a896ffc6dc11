/* SPDX-License-Identifier: MIT */
/* Waiting for memory, on systems where more of it may come. */
#ifndef CHUNK_STALL_H
#define CHUNK_STALL_H

#include "chunk.h"

/* As mozjemalloc: attempts, and milliseconds before each of them */
#define CHUNK_STALL_ATTEMPTS	10
#define CHUNK_STALL_DELAY_MS	50

/* The most that either number can be */
#define CHUNK_STALL_MOST	0xffffU

/**
 * typedef chunk_stall_sleep - wait
 * @ms: milliseconds
 */
typedef void chunk_stall_sleep(unsigned int ms);

/**
 * typedef chunk_stall_try - repeat an operation that failed for lack of memory
 * @arg: the caller's argument of chunk_stall_retry()
 *
 * Return: 0; -ENOMEM if another attempt may help; or another negative error
 * number.
 */
typedef int chunk_stall_try(void *arg);

void chunk_stall_start(const struct chunk_stall *stall);
void chunk_stall_set_child(bool child);
struct chunk_stall chunk_stall_now(void);
int chunk_stall_retry(chunk_stall_sleep *sleep, chunk_stall_try *again,
		      void *arg);

#endif /* CHUNK_STALL_H */
