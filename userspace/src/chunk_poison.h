/* SPDX-License-Identifier: MIT */
/* Poison: contents that show writes to memory that is not in use. */
#ifndef CHUNK_POISON_H
#define CHUNK_POISON_H

#include <stdbool.h>
#include <stddef.h>

void chunk_poison(void *addr, size_t size);
void chunk_poison_check(const char *call, const void *addr, size_t size,
			bool discarded);

#endif /* CHUNK_POISON_H */
