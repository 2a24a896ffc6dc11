/* SPDX-License-Identifier: MIT */
/*
 * mmap on Alpha is the C library's function, since its syscall() could not pass a
 * sixth argument. So a program that replaces mmap() is called.
 */
#ifndef SYS_LINUX_ABI_H
#define SYS_LINUX_ABI_H

#include <sys/mman.h>

static inline long chunk_abi_mmap(void *addr, size_t size, int prot, int flags,
				  int fd, unsigned long long offset)
{
	void *got = mmap(addr, size, prot, flags, fd, offset);

	return got == MAP_FAILED ? -(long)errno : (long)got;
}

#endif /* SYS_LINUX_ABI_H */
