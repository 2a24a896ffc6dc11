/* SPDX-License-Identifier: MIT */
/*
 * mmap on 32-bit machines: mmap2, whose last argument is in units of 4096 bytes.
 * Their SYS_mmap, where there is one, takes a pointer or cannot reach far.
 */
#ifndef SYS_LINUX_ABI_H
#define SYS_LINUX_ABI_H

static inline long chunk_abi_mmap(void *addr, size_t size, int prot, int flags)
{
	return sys(SYS_mmap2, addr, size, prot, flags, -1, 0L);
}

#endif /* SYS_LINUX_ABI_H */
