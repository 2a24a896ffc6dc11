/* SPDX-License-Identifier: MIT */
/* The kernel's error numbers for user space. */
#ifndef COMPAT_LINUX_ERRNO_H
#define COMPAT_LINUX_ERRNO_H

#ifdef __linux__
#include_next <linux/errno.h>
#else
#include <errno.h>
#endif

#endif /* COMPAT_LINUX_ERRNO_H */
