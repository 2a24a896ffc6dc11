/* SPDX-License-Identifier: MIT */
/* Waiting for memory, on systems where more of it may come. */
#ifndef CHUNK_STALL_H
#define CHUNK_STALL_H

#include "chunk.h"

/* As the original: so often, after so many milliseconds each time. */
#define CHUNK_STALL_ATTEMPTS	10
#define CHUNK_STALL_DELAY_MS	50

/* Neither can be more. */
#define CHUNK_STALL_MOST	0xffffU

/**
 * typedef chunk_stall_sleep - wait
 * @ms: milliseconds
 */
typedef void chunk_stall_sleep(unsigned int ms);

/**
 * typedef chunk_stall_try - do what failed for lack of memory
 * @arg: whatever it needs
 *
 * Return: 0; -ENOMEM if it is worth trying again; or another negative error
 * number.
 */
typedef int chunk_stall_try(void *arg);

void chunk_stall_start(const struct chunk_stall *stall);
int chunk_stall_retry(chunk_stall_sleep *sleep, chunk_stall_try *again,
		      void *arg);

#endif /* CHUNK_STALL_H */
