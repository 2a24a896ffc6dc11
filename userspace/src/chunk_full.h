/* SPDX-License-Identifier: MIT */
/* Chunks of which every page was present when they were last looked at. */
#ifndef CHUNK_FULL_H
#define CHUNK_FULL_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "chunk_tree.h"

/* 4 GiB of address space; chunks that share an entry displace each other. */
#define CHUNK_FULL_ENTRIES	4096

/* Hidden, as in chunk_process.h */
#ifndef _WIN32
#pragma GCC visibility push(hidden)
#endif
extern atomic_uint chunk_full_tags[CHUNK_FULL_ENTRIES];
#ifndef _WIN32
#pragma GCC visibility pop
#endif

static inline atomic_uint *chunk_full_entry(uintptr_t chunk)
{
	return &chunk_full_tags[(chunk >> CHUNK_TREE_SHIFT) %
				CHUNK_FULL_ENTRIES];
}

/* Entries of no chunk are 0. No tag is: it has all bits of the highest addresses. */
static inline unsigned int chunk_full_tag(uintptr_t chunk)
{
	return (chunk >> CHUNK_TREE_SHIFT) / CHUNK_FULL_ENTRIES + 1;
}

/**
 * chunk_full_get() - guess whether every page of a chunk is present
 * @chunk: its first byte
 *
 * Context: any; takes no lock.
 * Return: true if it was when somebody looked.
 */
static inline bool chunk_full_get(uintptr_t chunk)
{
	return atomic_load_explicit(chunk_full_entry(chunk),
				    memory_order_relaxed) ==
	       chunk_full_tag(chunk);
}

/**
 * chunk_full_set() - note whether every page of a chunk is present
 * @chunk: its first byte
 * @full:  whether it is
 *
 * Context: any; takes no lock.
 */
static inline void chunk_full_set(uintptr_t chunk, bool full)
{
	if (full)
		atomic_store_explicit(chunk_full_entry(chunk),
				      chunk_full_tag(chunk),
				      memory_order_relaxed);
	else if (chunk_full_get(chunk))
		atomic_store_explicit(chunk_full_entry(chunk), 0,
				      memory_order_relaxed);
}

#endif /* CHUNK_FULL_H */
