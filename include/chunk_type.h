/* SPDX-License-Identifier: GPL-2.0-only OR MIT */
/*
 * Known contents of an extent.
 *
 * Shared by the module, the engine and libchunk; the values are part of the
 * device's ABI (see include/uapi/linux/chunk.h) and never change.
 */
#ifndef CHUNK_TYPE_H
#define CHUNK_TYPE_H

/**
 * enum chunk_type - known contents of an extent
 * @UNKNOWN_CHUNK:  contents unknown
 * @ZEROED_CHUNK:   known to read as zero
 * @ARENA_CHUNK:    held an arena's runs
 * @HUGE_CHUNK:     held a single huge allocation
 * @RECYCLED_CHUNK: the result of coalescing extents of different types
 */
enum chunk_type {
	UNKNOWN_CHUNK,
	ZEROED_CHUNK,
	ARENA_CHUNK,
	HUGE_CHUNK,
	RECYCLED_CHUNK
};

#endif /* CHUNK_TYPE_H */
