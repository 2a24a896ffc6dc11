/* SPDX-License-Identifier: MIT */
/* The access of access_traps(), and the question that its handler of traps asks. */
#ifndef MEMORY_ACCESS_H
#define MEMORY_ACCESS_H

#include <stdbool.h>
#include <stdint.h>

#define NOT_BY_TSAN	__attribute__((no_sanitize("thread")))

/* An access that is meant to trap; its memory is poisoned. */
#define NOT_BY_ASAN	__attribute__((no_sanitize("address")))

void access_byte(char *addr, char *value, bool write);
bool access_trapped(uintptr_t addr);

#endif /* MEMORY_ACCESS_H */
