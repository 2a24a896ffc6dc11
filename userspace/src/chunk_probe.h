/* SPDX-License-Identifier: MIT */
/*
 * USDT probes of provider "libchunk": the events that the module's tracepoints have
 * (chunk_trace.h), where libchunk does the work and the module sees nothing of it.
 * docs/tracing.md has the same list. Names and arguments are for people, and may change
 * with the library.
 *
 * The Makefile chooses a probe.h: where <sys/sdt.h> is missing, nothing is compiled in.
 * A probe belongs where its arguments are at hand, so that it costs one nop.
 */
#ifndef CHUNK_PROBE_H
#define CHUNK_PROBE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "probe.h"

#define chunk_probe static inline __attribute__((always_inline)) void

/**
 * chunk_probe_alloc() - an allocation has ended
 * @addr:        first byte, or NULL
 * @size:        bytes
 * @alignment:   bytes
 * @decommitted: handed out decommitted
 * @recycled:    served from extents that were given back
 * @err:         0 or a negative error number
 */
chunk_probe chunk_probe_alloc(const void *addr, size_t size, size_t alignment,
			      bool decommitted, bool recycled, int err)
{
	PROBE6(alloc, addr, size, alignment, decommitted, recycled, err);
}

/**
 * chunk_probe_dealloc() - a deallocation has ended
 * @addr:     first byte
 * @size:     bytes
 * @recycled: bytes kept for reuse
 * @err:      0
 */
chunk_probe chunk_probe_dealloc(const void *addr, size_t size, size_t recycled,
				int err)
{
	PROBE4(dealloc, addr, size, recycled, err);
}

/**
 * chunk_probe_commit() - pages were committed
 * @addr: first byte
 * @size: bytes, from one source
 * @err:  0 or a negative error number
 */
chunk_probe chunk_probe_commit(const void *addr, size_t size, int err)
{
	PROBE3(commit, addr, size, err);
}

/**
 * chunk_probe_decommit() - pages were decommitted
 * @addr: first byte
 * @size: bytes, from one source
 * @err:  0, or -ENOMEM: their memory is freed, and they do not trap
 */
chunk_probe chunk_probe_decommit(const void *addr, size_t size, int err)
{
	PROBE3(decommit, addr, size, err);
}

/**
 * chunk_probe_recycle_hit() - a recycled extent was found for an allocation
 * @addr: first byte
 * @size: bytes
 */
chunk_probe chunk_probe_recycle_hit(const void *addr, size_t size)
{
	PROBE2(recycle_hit, addr, size);
}

/**
 * chunk_probe_recycle_miss() - no recycled extent was found for an allocation
 * @size:      bytes
 * @alignment: bytes
 */
chunk_probe chunk_probe_recycle_miss(size_t size, size_t alignment)
{
	PROBE2(recycle_miss, size, alignment);
}

/**
 * chunk_probe_coalesce() - a recycled extent became part of a larger one
 * @addr:      first byte of the extent
 * @size:      bytes
 * @into:      first byte of the larger one
 * @into_size: bytes
 */
chunk_probe chunk_probe_coalesce(uintptr_t addr, size_t size, uintptr_t into,
				 size_t into_size)
{
	PROBE4(coalesce, addr, size, into, into_size);
}

/**
 * chunk_probe_grow() - address space for chunks was mapped
 * @addr: first byte, or NULL
 * @size: bytes, those of premapped chunks included
 * @err:  0 or -ENOMEM
 */
chunk_probe chunk_probe_grow(const void *addr, size_t size, int err)
{
	PROBE3(grow, addr, size, err);
}

/**
 * chunk_probe_trim() - free address space was returned to the system
 * @addr: first byte
 * @size: bytes
 * @err:  0, or a negative error number if the system did not take it
 */
chunk_probe chunk_probe_trim(const void *addr, size_t size, int err)
{
	PROBE3(trim, addr, size, err);
}

/**
 * chunk_probe_trap() - explain:on has learnt of an access that trapped
 * @addr: the address
 */
chunk_probe chunk_probe_trap(uintptr_t addr)
{
	PROBE1(trap, addr);
}

/**
 * chunk_probe_offer() - memory was offered
 * @addr: first byte
 * @size: bytes
 * @kept: it was deallocated, and is kept with its contents for the next allocation
 */
chunk_probe chunk_probe_offer(const void *addr, size_t size, bool kept)
{
	PROBE3(offer, addr, size, kept);
}

/**
 * chunk_probe_take() - an allocation took memory that was kept as offered
 * @addr:     first byte
 * @size:     bytes
 * @contents: enum chunk_contents: what became of its contents
 */
chunk_probe chunk_probe_take(const void *addr, size_t size, int contents)
{
	PROBE3(take, addr, size, contents);
}

/**
 * chunk_probe_reclaim() - chunk_reclaim() has taken offered memory back
 * @addr:   first byte
 * @size:   bytes
 * @intact: all contents are; else all of it reads as zero
 */
chunk_probe chunk_probe_reclaim(const void *addr, size_t size, bool intact)
{
	PROBE3(reclaim, addr, size, intact);
}

#undef chunk_probe

#endif /* CHUNK_PROBE_H */
