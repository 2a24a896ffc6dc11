/* SPDX-License-Identifier: MIT */
/* Functions of the mmap backend that the device's code uses, too. */
#ifndef OS_LINUX_H
#define OS_LINUX_H

#include <stdbool.h>
#include <stddef.h>

#include "sys_linux.h"

long chunk_sys_mmap(void *addr, size_t size, int prot, int flags);
int chunk_sys_madvise(void *addr, size_t size, int advice);
int chunk_linux_unguard(void *addr, size_t size);
int chunk_linux_purge(void *addr, size_t size);
int chunk_linux_device(void);
void chunk_linux_name(void *addr, size_t size, const char *name);

#endif /* OS_LINUX_H */
