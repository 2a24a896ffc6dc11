/* SPDX-License-Identifier: MIT */
/*
 * 64-bit SPARC: the kernel maps from the top, where the high 17 bits are set, so
 * lower places are named one after another until one is free.
 */
#ifndef SYS_LINUX_LOW_H
#define SYS_LINUX_LOW_H

#define CHUNK_LOW_HINTS							\
	.from = 0x0000070000000000, .to = 0x0000800000000000, .step = 1 << 20

#endif /* SYS_LINUX_LOW_H */
