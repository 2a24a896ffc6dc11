/* SPDX-License-Identifier: MIT */
/*
 * mmap on s390: one pointer to a block of its six arguments, each a long.
 *
 * It is so on 64-bit machines to this day. A system call of s390 took no more
 * than five arguments when mmap was made; six pass now, but call 90 has stayed
 * sys_old_mmap for 64-bit programs (arch/s390/kernel/syscalls/syscall.tbl), and
 * the GNU C library still makes the block (its s390/mmap_internal.h). Six plain
 * arguments fail with EFAULT. The block's last is in bytes. Programs of 31 bits
 * have mmap2 as well, with the same block.
 */
#ifndef SYS_LINUX_ABI_H
#define SYS_LINUX_ABI_H

static inline long chunk_abi_mmap(void *addr, size_t size, int prot, int flags)
{
	unsigned long block[6] = {
		(unsigned long)addr, size, prot, flags, -1UL, 0,
	};

	return sys(SYS_mmap, block);
}

#endif /* SYS_LINUX_ABI_H */
