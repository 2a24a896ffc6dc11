/* SPDX-License-Identifier: MIT */
/* The system calls of mozjemalloc's chunk layer on Linux, one for one. */
#ifndef MOZJEMALLOC_H
#define MOZJEMALLOC_H

#include <stdbool.h>
#include <stddef.h>

void *original_map(size_t size, size_t alignment);
void original_unmap(void *addr, size_t size);
bool original_decommit(void *addr, size_t size);
bool original_commit(void *addr, size_t size);

#endif /* MOZJEMALLOC_H */
