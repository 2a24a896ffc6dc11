/* SPDX-License-Identifier: MIT */
/* Guards: making memory trap by the cheapest means. */
#ifndef CHUNK_GUARD_H
#define CHUNK_GUARD_H

#include <stddef.h>

void chunk_guard_split(void);
int chunk_guard_widen(void *addr, size_t size);
int chunk_guard_pages(void *addr, size_t size);
int chunk_guard_extent(void *addr, size_t size);
int chunk_guard_undo(void *addr, size_t size);

#endif /* CHUNK_GUARD_H */
