/* SPDX-License-Identifier: MIT */
/* Most machines: memory is welcome wherever the kernel maps it. */
#ifndef SYS_LINUX_LOW_H
#define SYS_LINUX_LOW_H

#define CHUNK_LOW_HINTS	.to = 0

#endif /* SYS_LINUX_LOW_H */
