/* SPDX-License-Identifier: MIT */
/* jemalloc's mmap() and munmap(), answered with chunks. */
#ifndef MAPS_H
#define MAPS_H

#include <stdbool.h>
#include <stddef.h>

void maps_start(void);
void *maps_get(void *addr, size_t size, int prot, int flags);
bool maps_put(void *addr, size_t size, int (*unmap)(void *addr, size_t size),
	      int *result);

#endif /* MAPS_H */
