/* SPDX-License-Identifier: MIT */
#ifndef COMPAT_LINUX_BITOPS_H
#define COMPAT_LINUX_BITOPS_H

#include <stdint.h>

/* The lowest bit set of a word that is not 0. As wide as an address. */
static inline unsigned int __ffs(uintptr_t word)
{
	return __builtin_ctzll(word);
}

#endif /* COMPAT_LINUX_BITOPS_H */
