/* SPDX-License-Identifier: MIT */
/* Memory that libchunk has mapped for its caller and that is no chunk. */
#ifndef CHUNK_KNOWN_H
#define CHUNK_KNOWN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

void chunk_known_add(uintptr_t addr, size_t size);
void chunk_known_remove(uintptr_t addr, size_t size);
bool chunk_known_has(uintptr_t addr, size_t size);
void chunk_known_reset(void);

#endif /* CHUNK_KNOWN_H */
