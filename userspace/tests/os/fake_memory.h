/* SPDX-License-Identifier: MIT */
/* Limits on libchunk's memory for its own bookkeeping */
#ifndef FAKE_MEMORY_H
#define FAKE_MEMORY_H

#include <stddef.h>

void leave_bytes(size_t bytes);
void leave_nodes(unsigned int count, size_t bytes);

#endif /* FAKE_MEMORY_H */
