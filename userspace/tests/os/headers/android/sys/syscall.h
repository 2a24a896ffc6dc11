/* SPDX-License-Identifier: MIT */
/* Like Android's headers for 64-bit Arm, define a call that the kernel lacks. */
#include_next <sys/syscall.h>

#ifdef SYS_mmap2
#error "this machine has mmap2, and is not what is tested here"
#endif
#define SYS_mmap2	9999
