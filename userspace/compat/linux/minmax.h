/* SPDX-License-Identifier: MIT */
/* The kernel's min() for user space. */
#ifndef COMPAT_LINUX_MINMAX_H
#define COMPAT_LINUX_MINMAX_H

#include <stdint.h>

/**
 * compat_min() - compute the smaller of two numbers
 * @a: a number
 * @b: another
 *
 * Return: the smaller.
 */
static inline uintptr_t compat_min(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

/* The engine compares sizes and counts only, which are never negative. */
#define min(a, b)	compat_min((a), (b))

#endif /* COMPAT_LINUX_MINMAX_H */
