/* SPDX-License-Identifier: MIT */
/* Memory from libchunk */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>

/* Both are set by memory_start(). */
extern size_t memory_page;
extern size_t memory_keep;

void memory_start(void);
void *memory_alloc(size_t size, size_t alignment, bool *zero);
void memory_dealloc(void *extent, size_t size);
void memory_offer(void *extent, size_t size);
bool memory_take(void *extent, size_t size);

#endif /* MEMORY_H */
