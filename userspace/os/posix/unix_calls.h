/* SPDX-License-Identifier: MIT */
/* Calls of the system, by the C library. They return a negative error number. */
#ifndef UNIX_CALLS_H
#define UNIX_CALLS_H

#include <errno.h>
#include <stddef.h>
#include <sys/mman.h>
#include <unistd.h>

/* Flag for mappings that hold no memory; some systems neither have nor need it */
#ifdef MAP_NORESERVE
#define RESERVE_ONLY	MAP_NORESERVE
#else
#define RESERVE_ONLY	0
#endif

/* Map private anonymous memory; @flags are added. Return its address. */
static inline long unix_map(void *addr, size_t size, int prot, int flags)
{
	void *got = mmap(addr, size, prot, MAP_PRIVATE | MAP_ANON | flags, -1, 0);

	return got == MAP_FAILED ? -(long)errno : (long)got;
}

static inline int unix_unmap(void *addr, size_t size)
{
	return munmap(addr, size) ? -errno : 0;
}

static inline int unix_sync(void *addr, size_t size, int flags)
{
	return msync(addr, size, flags) ? -errno : 0;
}

static inline long unix_write(int fd, const char *text, size_t length)
{
	long written = write(fd, text, length);

	return written < 0 ? -(long)errno : written;
}

#endif /* UNIX_CALLS_H */
