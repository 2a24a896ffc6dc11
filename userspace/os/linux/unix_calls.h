/* SPDX-License-Identifier: MIT */
/* Calls of the kernel. They return a negative error number. */
#ifndef UNIX_CALLS_H
#define UNIX_CALLS_H

#include <sys/mman.h>

#include "os_linux.h"

/* Flag for mappings that hold no memory: they are not charged. */
#define RESERVE_ONLY	MAP_NORESERVE

/* Map private anonymous memory; @flags are added. Return its address. */
static inline long unix_map(void *addr, size_t size, int prot, int flags)
{
	return chunk_sys_mmap(addr, size, prot,
			      MAP_PRIVATE | MAP_ANONYMOUS | flags);
}

static inline int unix_unmap(void *addr, size_t size)
{
	return sys(SYS_munmap, addr, size);
}

static inline int unix_sync(void *addr, size_t size, int flags)
{
	return sys(SYS_msync, addr, size, flags);
}

static inline long unix_write(int fd, const char *text, size_t length)
{
	return sys(SYS_write, fd, text, length);
}

#endif /* UNIX_CALLS_H */
