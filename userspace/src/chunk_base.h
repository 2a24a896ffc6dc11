/* SPDX-License-Identifier: MIT */
/* Memory for libchunk's own bookkeeping. */
#ifndef CHUNK_BASE_H
#define CHUNK_BASE_H

#include <stddef.h>

void *chunk_base_node(size_t size);
void chunk_base_reset(void);

#endif /* CHUNK_BASE_H */
