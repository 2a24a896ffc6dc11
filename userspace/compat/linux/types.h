/* SPDX-License-Identifier: MIT */
/*
 * The kernel's types, as far as the engine uses them, for user space.
 *
 * Linux has a header of this name for programs, which other system headers include;
 * it is included, too.
 */
#ifndef COMPAT_LINUX_TYPES_H
#define COMPAT_LINUX_TYPES_H

#ifdef __linux__
#include_next <linux/types.h>
#endif

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

typedef uint8_t u8;
typedef unsigned int gfp_t;

#endif /* COMPAT_LINUX_TYPES_H */
