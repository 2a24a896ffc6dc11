/* SPDX-License-Identifier: MIT */
/* Device generations: each opening of the device begins one. */
#ifndef CHUNK_GENERATION_H
#define CHUNK_GENERATION_H

#include <stdint.h>

#include "chunk_reason.h"

/* chunk_generation.c: begin and end, under the lock */
int chunk_generation_begin(void);
void chunk_generation_end(enum chunk_reason why);

/* chunk_reopen.c: use and loss, without it */
uintptr_t chunk_device_generation(void);
void chunk_device_lost(uintptr_t generation);

#endif /* CHUNK_GENERATION_H */
