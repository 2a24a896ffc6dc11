/* SPDX-License-Identifier: MIT */
/* Parts of chunks that are in nobody's hands. */
#ifndef PIECES_H
#define PIECES_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

bool pieces_put(void *addr, size_t size);
bool pieces_complete(void *addr, size_t size);
void pieces_keep(void *addr, size_t size);
void *pieces_take(void *addr, size_t size, size_t alignment);
uint64_t pieces_bytes(void);
uint64_t pieces_lost(void);

#endif /* PIECES_H */
