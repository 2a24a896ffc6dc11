/* SPDX-License-Identifier: MIT */
/* The lock over chunk_state, and setting libchunk up before it is first taken. */
#ifndef CHUNK_LOCK_H
#define CHUNK_LOCK_H

#include <stdbool.h>

void chunk_enter(void);
void chunk_lock(void);
bool chunk_lock_try(void);
void chunk_unlock(void);

#endif /* CHUNK_LOCK_H */
