/* SPDX-License-Identifier: MIT */
/* Chunks and their numbers, for the adapters' tables */
#ifndef UNIT_H
#define UNIT_H

#include <stddef.h>

/* Size of a chunk in bytes: see chunk.h */
#define UNIT	((size_t)1 << 20)

/*
 * Bits of a chunk's number: addresses of 48 bits, as Linux has them on arm64, or of 32.
 * Some processors have more, which no table has: there, the system gives none unasked, or
 * the adapters do without the tables.
 */
#define NUMBER_BITS	(sizeof(void *) == 8 ? 28 : 12)

#endif /* UNIT_H */
