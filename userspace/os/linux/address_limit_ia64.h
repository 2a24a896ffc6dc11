/* SPDX-License-Identifier: MIT */
/*
 * Itanium: a kernel that is told a low address goes on from there, so one hint is
 * enough; what it answers is looked at.
 */
#ifndef SYS_LINUX_LOW_H
#define SYS_LINUX_LOW_H

#define CHUNK_LOW_HINTS							\
	.from = 0x0000070000000000, .to = 0x0000800000000000, .step = 0

#endif /* SYS_LINUX_LOW_H */
