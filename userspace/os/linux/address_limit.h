/* SPDX-License-Identifier: MIT */
/*
 * The address limit of 47 bits: engines of scripting languages keep types in the
 * high 17 bits of pointers. Most kernels never map beyond it unless asked; on ia64 and
 * SPARC the search takes hints, as mozjemalloc has it. On arm64, where addresses have 48
 * bits, neither has a limit.
 */
#ifndef ADDRESS_LIMIT_H
#define ADDRESS_LIMIT_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* Bits of an address that may be set */
#define CHUNK_ADDRESS_BITS	47

/**
 * struct chunk_address_limit - search for addresses below the limit
 * @map:   maps memory near a hint, or anywhere if that is NULL; returns its
 *         address or a negative error number
 * @unmap: undoes @map
 * @from:  first hint
 * @to:    end of the last mapping at most; 0: this machine needs no search
 * @step:  bytes from one hint to the next; 0: only @from is tried
 * @next:  hint to try first: from @from up to it memory was found taken
 */
struct chunk_address_limit {
	long (*map)(void *hint, size_t size);
	void (*unmap)(void *addr, size_t size);
	uint64_t from;
	uint64_t to;
	size_t step;
	atomic_uintptr_t next;
};

long chunk_address_limit_map(struct chunk_address_limit *limit, size_t size);
bool chunk_address_limit_allows(const struct chunk_address_limit *limit,
				const void *addr, size_t size);

#endif /* ADDRESS_LIMIT_H */
