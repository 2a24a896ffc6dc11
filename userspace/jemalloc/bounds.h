/* SPDX-License-Identifier: MIT */
/* First byte and size of the extents that the adapter has allocated. */
#ifndef BOUNDS_H
#define BOUNDS_H

#include <stdbool.h>
#include <stddef.h>

#include "unit.h"

void bounds_note(void *start, size_t size);
void bounds_drop(void *start, size_t size);
bool bounds_find(const void *addr, void **start, size_t *size);

#endif /* BOUNDS_H */
