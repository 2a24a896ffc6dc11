/* SPDX-License-Identifier: MIT */
/*
 * System calls of Linux. They bypass the C library's functions, which a program may
 * have replaced.
 *
 * No other file asks which machine it is built for.
 */
#ifndef SYS_LINUX_H
#define SYS_LINUX_H

#include <errno.h>
#include <stddef.h>
#include <sys/syscall.h>
#include <unistd.h>

/* Make a system call. Return its result, or a negative error number. */
#define sys(...)							\
	({								\
		long result_ = syscall(__VA_ARGS__);			\
		result_ == -1 ? -(long)errno : result_;			\
	})

/*
 * chunk_abi_mmap() is mmap(2), with the offset in bytes. It returns the address, or a
 * negative error number. Android's headers for 64-bit Arm define a SYS_mmap2 that no 64-bit
 * kernel has, so the width decides, too.
 */
#if defined(__s390__)
#include "sys_linux_block.h"
#elif defined(__alpha__)
#include "sys_linux_libc.h"
#elif __SIZEOF_LONG__ == 4 && defined(SYS_mmap2)
#include "sys_linux_mmap2.h"
#else
#include "sys_linux_mmap.h"
#endif

/* CHUNK_ADDRESS_HINTS: initial members of struct chunk_address_limit */
#if defined(__sparc__) && defined(__arch64__)
#include "address_limit_sparc64.h"
#elif defined(__ia64__)
#include "address_limit_ia64.h"
#else
#include "address_limit_none.h"
#endif

/* Newer 32-bit machines only have the call that takes 64-bit times. */
#ifdef SYS_futex
#define SYS_FUTEX	SYS_futex
#else
#define SYS_FUTEX	SYS_futex_time64
#endif

#endif /* SYS_LINUX_H */
