/* SPDX-License-Identifier: MIT */
/*
 * Memory as the tests use it, and questions about it: does an access trap, does
 * it read as zero, how much memory is behind it, how is it mapped.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tap.h"

#define MIB	((size_t)1 << 20)
#define GIB	((size_t)1 << 30)

/* The smallest page of any processor, and room for the largest */
#define PAGE_LEAST	((size_t)4 << 10)
#define PAGE_ROOM	((size_t)64 << 10)

size_t page_size(void);

bool access_traps(char *addr, char *value, bool write);
bool read_traps(const void *addr);
bool write_traps(void *addr);
bool store_traps(void *addr, char value);

bool is_zero(const void *addr, size_t size);
void fill(void *addr, size_t size, uint64_t seed);
bool is_filled(const void *addr, size_t size, uint64_t seed);
void touch(void *addr, size_t size);

bool unmaps_parts(void);
void *foreign_mapping(size_t size);

bool residency_known(void);
size_t resident_bytes(const void *addr, size_t size);
void forbid_huge_pages(void);
unsigned long page_faults(void);

/* Check how much memory is behind a range, where that can be known. */
#define expect_resident(addr, size, bytes)				\
	do {								\
		if (residency_known())					\
			expect_equal(resident_bytes(addr, size), bytes); \
	} while (0)

size_t count_mappings(void);
bool mapping_name(const void *addr, char *name, size_t size);

void check_trap(const char *file, int line, void *addr, bool traps);
void check_trap_only(const char *file, int line, void *addr, size_t size);

/* Every access to the byte must trap. */
#define expect_trap(addr)	check_trap(__FILE__, __LINE__, addr, true)

/* The byte must be readable and writable; it keeps its value. */
#define expect_no_trap(addr)	check_trap(__FILE__, __LINE__, addr, false)

/* A range of whole pages must trap at both ends, and not one byte outside. */
#define expect_trap_only(addr, size)					\
	check_trap_only(__FILE__, __LINE__, addr, size)

#endif /* MEMORY_H */
