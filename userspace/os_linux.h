/* SPDX-License-Identifier: MIT */
/* System calls, past whatever may have replaced libc's functions. */
#ifndef OS_LINUX_H
#define OS_LINUX_H

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* A raw system call; the result, or a negative error number. */
#define sys(...)							\
	({								\
		long result_ = syscall(__VA_ARGS__);			\
		result_ == -1 ? -(long)errno : result_;			\
	})

long chunk_sys_mmap(void *addr, size_t size, int prot, int flags);
int chunk_sys_madvise(void *addr, size_t size, int advice);
int chunk_linux_none(void *addr, size_t size);
int chunk_linux_purge(void *addr, size_t size);
void chunk_linux_name(void *addr, size_t size, const char *name);

#endif /* OS_LINUX_H */
