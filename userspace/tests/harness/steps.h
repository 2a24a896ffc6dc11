/* SPDX-License-Identifier: MIT */
/* Single steps: SIGTRAP at each instruction. On other processors there are none. */
#ifndef STEPS_H
#define STEPS_H

#ifdef __x86_64__
#define HAS_STEPS	1

/**
 * steps_begin() - let the processor trap at each instruction until steps_end()
 */
static inline void steps_begin(void)
{
	__asm__ volatile("pushfq; orl $0x100, (%%rsp); popfq" : : : "memory", "cc");
}

/**
 * steps_end() - end what steps_begin() began
 */
static inline void steps_end(void)
{
	__asm__ volatile("pushfq; andl $~0x100, (%%rsp); popfq" : : : "memory", "cc");
}
#endif

#endif /* STEPS_H */
