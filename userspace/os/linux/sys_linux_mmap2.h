/* SPDX-License-Identifier: MIT */
/*
 * 32-bit machines have mmap2, whose offset is in units of 4096 bytes. SYS_mmap, if
 * they have it, takes a pointer to its arguments, or only small offsets.
 */
#ifndef SYS_LINUX_ABI_H
#define SYS_LINUX_ABI_H

static inline long chunk_abi_mmap(void *addr, size_t size, int prot, int flags,
				  int fd, unsigned long long offset)
{
	return sys(SYS_mmap2, addr, size, prot, flags, fd,
		   (unsigned long)(offset / 4096));
}

#endif /* SYS_LINUX_ABI_H */
