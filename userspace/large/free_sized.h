/* SPDX-License-Identifier: MIT */
/* Functions of C23 that older headers of the C library lack */
#ifndef FREE_SIZED_H
#define FREE_SIZED_H

#include <stddef.h>

void free_sized(void *p, size_t size);
void free_aligned_sized(void *p, size_t alignment, size_t size);

#endif /* FREE_SIZED_H */
