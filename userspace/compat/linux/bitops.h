/* SPDX-License-Identifier: MIT */
/* The kernel's bit operations for user space. */
#ifndef COMPAT_LINUX_BITOPS_H
#define COMPAT_LINUX_BITOPS_H

#include <stdint.h>

/**
 * __ffs() - find the lowest bit set
 * @word: not 0; as wide as an address, which a long is not on Windows
 *
 * Return: its number, from 0.
 */
static inline unsigned int __ffs(uintptr_t word)
{
	return __builtin_ctzll(word);
}

#endif /* COMPAT_LINUX_BITOPS_H */
