/* SPDX-License-Identifier: MIT */
/* Most machines: the kernel maps below the address limit by itself. */
#ifndef ADDRESS_LIMIT_HINTS_H
#define ADDRESS_LIMIT_HINTS_H

#define CHUNK_ADDRESS_HINTS	.to = 0

#endif /* ADDRESS_LIMIT_HINTS_H */
