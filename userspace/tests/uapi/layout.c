// SPDX-License-Identifier: MIT
/*
 * The layout of the device's structures. It must be the same for programs of 32 and of
 * 64 bits, since the kernel takes both for the same (compat_ptr_ioctl()): this file is
 * compiled for each, and one that differs does not compile. i386 aligns __u64 to 4 bytes.
 */
#include <stddef.h>

#include <linux/chunk.h>

#define SIZE(type, size)						\
	_Static_assert(sizeof(struct chunk_ioc_##type) == (size), #type)

#define AT(type, field, offset)						\
	_Static_assert(offsetof(struct chunk_ioc_##type, field) == (offset), \
		       #type "." #field)

SIZE(info, 32);
AT(info, abi, 4);
AT(info, caps, 8);
AT(info, chunk_size, 16);
AT(info, page_size, 20);
AT(info, max_recycle_limit, 24);

SIZE(configure, 24);
AT(configure, flags, 4);
AT(configure, backing, 8);
AT(configure, pad, 12);
AT(configure, grow, 16);

SIZE(alloc, 32);
AT(alloc, flags, 4);
AT(alloc, length, 8);
AT(alloc, alignment, 16);
AT(alloc, addr, 24);

SIZE(dealloc, 24);
AT(dealloc, type, 4);
AT(dealloc, addr, 8);
AT(dealloc, length, 16);

SIZE(range, 24);
AT(range, flags, 4);
AT(range, addr, 8);
AT(range, length, 16);

SIZE(lookup, 40);
AT(lookup, flags, 4);
AT(lookup, addr, 8);
AT(lookup, length, 16);
AT(lookup, state, 24);
AT(lookup, type, 28);
AT(lookup, end, CHUNK_LOOKUP_SIZE_1);

SIZE(limit, 16);
AT(limit, flags, 4);
AT(limit, limit, 8);

SIZE(stats, 152);
AT(stats, flags, 4);
AT(stats, mapped_bytes, 8);
AT(stats, traps, 112);
AT(stats, offered_bytes, CHUNK_STATS_SIZE_1);
AT(stats, takes, 144);

SIZE(op, 32);
AT(op, length, 8);
AT(op, alignment, 16);
AT(op, type, 24);
AT(op, error, 28);

SIZE(batch, 32);
AT(batch, what, 4);
AT(batch, flags, 8);
AT(batch, count, 12);
AT(batch, ops, 16);
AT(batch, done, 24);
AT(batch, pad, 28);
