/* SPDX-License-Identifier: MIT */
/* Leaving libchunk so much memory for its own bookkeeping, and no more. */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include <stddef.h>

void leave_bytes(size_t bytes);
void leave_nodes(unsigned int count, size_t bytes);

#endif /* FAKE_MEMORY_H */
