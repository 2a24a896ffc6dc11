/* SPDX-License-Identifier: MIT */
/* The kernel's cmpxchg() for user space. */
#ifndef COMPAT_LINUX_ATOMIC_H
#define COMPAT_LINUX_ATOMIC_H

#define cmpxchg(pointer, old, new)					\
	__sync_val_compare_and_swap((pointer), (old), (new))

#endif /* COMPAT_LINUX_ATOMIC_H */
