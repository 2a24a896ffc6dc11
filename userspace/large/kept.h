/* SPDX-License-Identifier: MIT */
/* Freed blocks that are kept, offered, with their guards */
#ifndef KEPT_H
#define KEPT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "table.h"

/**
 * struct wish - a block to be allocated
 * @size:      bytes
 * @alignment: bytes, a power of two
 * @extent:    bytes of an extent that surely has room for it
 */
struct wish {
	size_t size;
	size_t alignment;
	size_t extent;
};

size_t wish_start(const struct wish *wish, const char *extent);
size_t wish_guard(const struct wish *wish, const char *extent);

bool kept_take(const struct wish *wish, struct block *block);
bool kept_wants(const struct block *block);
bool kept_put(const struct block *block, void (*drop)(struct block *));
bool kept_flush(void (*drop)(struct block *));

#endif /* KEPT_H */
