/* SPDX-License-Identifier: MIT */
/* The backing of chunks: small pages that are guarded, or huge pages. */
#ifndef CHUNK_BACKING_H
#define CHUNK_BACKING_H

#include <stddef.h>

#include "chunk.h"

void chunk_backing_tell_device(void);
void chunk_backing_start(void);
void chunk_backing_apply(void *addr, size_t size);
int chunk_backing_set(enum chunk_backing backing, size_t grow);

#endif /* CHUNK_BACKING_H */
