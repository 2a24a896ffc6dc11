/* SPDX-License-Identifier: MIT */
/*
 * What the tests do to memory and ask about it: does an access trap, does it
 * read as zero, is there memory behind it, what is mapped.
 */
#ifndef MEMORY_H
#define MEMORY_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "tap.h"

#define MIB	((size_t)1 << 20)
#define GIB	((size_t)1 << 30)

size_t page_size(void);

bool read_traps(const void *addr);
bool write_traps(void *addr);

bool is_zero(const void *addr, size_t size);
void fill(void *addr, size_t size, uint64_t seed);
bool is_filled(const void *addr, size_t size, uint64_t seed);
void touch(void *addr, size_t size);

size_t resident_bytes(const void *addr, size_t size);

size_t count_mappings(void);
bool mapping_name(const void *addr, char *name, size_t size);

/* Whether every access to the byte traps, and that it was this byte's page. */
#define expect_trap(addr)						\
do {									\
	expect(read_traps(addr));					\
	expect(write_traps(addr));					\
} while (0)

/* Whether the byte can be read and written; it keeps its value. */
#define expect_no_trap(addr)						\
do {									\
	expect(!read_traps(addr));					\
	expect(!write_traps(addr));					\
} while (0)

/* A range of whole pages traps at both ends, and not one byte outside. */
#define expect_trap_only(addr, size)					\
do {									\
	char *trap_p = (char *)(addr);					\
	size_t trap_n = (size);						\
									\
	expect_trap(trap_p);						\
	expect_trap(trap_p + trap_n - 1);				\
	expect_no_trap(trap_p - 1);					\
	expect_no_trap(trap_p + trap_n);				\
} while (0)

#endif /* MEMORY_H */
