/* SPDX-License-Identifier: MIT */
/*
 * mmap on s390 takes a pointer to a block of six arguments, each a long.
 *
 * System calls of s390 once took five arguments at most. Six pass now, but call 90
 * has stayed sys_old_mmap for 64-bit programs, too (see the kernel's
 * arch/s390/kernel/syscalls/syscall.tbl and glibc's s390/mmap_internal.h). Six
 * plain arguments fail with EFAULT. The offset is in bytes. Programs of 31 bits
 * also have mmap2, with the same block.
 */
#ifndef SYS_LINUX_ABI_H
#define SYS_LINUX_ABI_H

static inline long chunk_abi_mmap(void *addr, size_t size, int prot, int flags,
				  int fd, unsigned long long offset)
{
	unsigned long block[6] = {
		(unsigned long)addr, size, prot, flags, fd, offset,
	};

	return sys(SYS_mmap, block);
}

#endif /* SYS_LINUX_ABI_H */
