/* SPDX-License-Identifier: MIT */
/* The system calls of mozjemalloc's chunk layer on Linux, one for one. */
#ifndef ORIGINAL_H
#define ORIGINAL_H

#include <stddef.h>

void *original_map(size_t size, size_t alignment);
void original_unmap(void *addr, size_t size);
void original_decommit(void *addr, size_t size);
void original_commit(void *addr, size_t size);

#endif /* ORIGINAL_H */
