/* SPDX-License-Identifier: MIT */
/* mmap on most machines takes six arguments, with the offset in bytes. */
#ifndef SYS_LINUX_ABI_H
#define SYS_LINUX_ABI_H

static inline long chunk_abi_mmap(void *addr, size_t size, int prot, int flags,
				  int fd, unsigned long long offset)
{
	return sys(SYS_mmap, addr, size, prot, flags, fd, offset);
}

#endif /* SYS_LINUX_ABI_H */
