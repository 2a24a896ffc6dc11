/* SPDX-License-Identifier: MIT */
/*
 * Only the declarations of POSIX, and madvise(), which macOS, FreeBSD and NetBSD
 * have besides: for building, not for running.
 */
#include <sys/types.h>

#define PROT_NONE	0
#define PROT_READ	1
#define PROT_WRITE	2
#define MAP_PRIVATE	2
#define MAP_FIXED	0x10
#define MAP_ANON	0x1000
#define MS_ASYNC	1
#define MAP_FAILED	((void *)-1)
#define MADV_DONTNEED	4
#ifdef __APPLE__
#define MADV_FREE_REUSABLE	7
#define MADV_FREE_REUSE		8
#elif defined(__FreeBSD__)
#define MADV_FREE	5
#endif

void *mmap(void *addr, size_t size, int prot, int flags, int fd, off_t at);
int munmap(void *addr, size_t size);
int msync(void *addr, size_t size, int flags);
int mprotect(void *addr, size_t size, int prot);
int madvise(void *addr, size_t size, int advice);
