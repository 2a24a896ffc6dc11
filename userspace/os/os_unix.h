/* SPDX-License-Identifier: MIT */
/* Functions that all systems with mmap(2) share. */
#ifndef OS_UNIX_H
#define OS_UNIX_H

#include <stdbool.h>
#include <stddef.h>

/* Test if a call returned a negative error number instead of an address. */
static inline bool chunk_unix_failed(long addr)
{
	return addr < 0 && addr >= -4095;
}

int chunk_unix_reserve(size_t size, size_t alignment, void **out);

#endif /* OS_UNIX_H */
