/* SPDX-License-Identifier: MIT */
/*
 * Addresses whose high 17 bits are clear, on machines whose kernel hands out
 * others: engines of scripting languages keep types in those bits.
 */
#ifndef OS_LOW_H
#define OS_LOW_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* The bits of an address that may be set. */
#define CHUNK_LOW_BITS	47

/**
 * struct chunk_low - how low addresses are found
 * @map:   map memory near a hint, or anywhere if that is NULL; its address, or a
 *         negative error number
 * @unmap: undo that
 * @from:  the first hint
 * @to:    no mapping reaches beyond; 0: there is no rule here
 * @step:  from one hint to the next; 0: there is only the one
 * @next:  where to go on looking: @from is full up to there, or was
 */
struct chunk_low {
	long (*map)(void *hint, size_t size);
	void (*unmap)(void *addr, size_t size);
	uint64_t from;
	uint64_t to;
	size_t step;
	atomic_uintptr_t next;
};

long chunk_low_map(struct chunk_low *low, size_t size);
bool chunk_low_holds(const struct chunk_low *low, const void *addr,
		     size_t size);

#endif /* OS_LOW_H */
