/* SPDX-License-Identifier: MIT */
/*
 * Itanium: the kernel searches upwards from a hint, so one hint is enough. The
 * result is checked.
 */
#ifndef ADDRESS_LIMIT_HINTS_H
#define ADDRESS_LIMIT_HINTS_H

#define CHUNK_ADDRESS_HINTS						\
	.from = 0x0000070000000000, .to = 0x0000800000000000, .step = 0

#endif /* ADDRESS_LIMIT_HINTS_H */
