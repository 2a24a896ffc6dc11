/* SPDX-License-Identifier: MIT */
#ifndef COMPAT_LINUX_MINMAX_H
#define COMPAT_LINUX_MINMAX_H

#include <stdint.h>

static inline uintptr_t compat_min(uintptr_t a, uintptr_t b)
{
	return a < b ? a : b;
}

/* The engine compares nothing but sizes and counts. */
#define min(a, b)	compat_min((a), (b))

#endif /* COMPAT_LINUX_MINMAX_H */
