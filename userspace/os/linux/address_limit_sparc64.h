/* SPDX-License-Identifier: MIT */
/*
 * 64-bit SPARC: the kernel maps from the top, beyond the address limit, and takes a
 * hint only if that place is free. So hints are tried one after another.
 */
#ifndef ADDRESS_LIMIT_HINTS_H
#define ADDRESS_LIMIT_HINTS_H

#define CHUNK_ADDRESS_HINTS						\
	.from = 0x0000070000000000, .to = 0x0000800000000000, .step = 1 << 20

#endif /* ADDRESS_LIMIT_HINTS_H */
