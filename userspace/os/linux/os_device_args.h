/* SPDX-License-Identifier: MIT */
/* Arguments of the device's ioctls, for libchunk and for the benchmark. */
#ifndef OS_DEVICE_ARGS_H
#define OS_DEVICE_ARGS_H

#include <stddef.h>
#include <stdint.h>

#include <linux/chunk.h>

/**
 * device_range_args() - fill in the argument of a COMMIT or a DECOMMIT
 * @flags: CHUNK_COMMIT_* or CHUNK_DECOMMIT_*
 * @addr:  first byte
 * @size:  bytes
 *
 * Return: the argument.
 */
static inline struct chunk_ioc_range device_range_args(unsigned int flags,
						       const void *addr,
						       size_t size)
{
	return (struct chunk_ioc_range) {
		.size = sizeof(struct chunk_ioc_range),
		.flags = flags,
		.addr = (uintptr_t)addr,
		.length = size,
	};
}

#endif /* OS_DEVICE_ARGS_H */
