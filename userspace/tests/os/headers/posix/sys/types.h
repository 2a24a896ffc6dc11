/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
#ifndef POSIX_TYPES_H
#define POSIX_TYPES_H

#include <stddef.h>

typedef long ssize_t;
typedef long off_t;
typedef int pid_t;

#endif /* POSIX_TYPES_H */
