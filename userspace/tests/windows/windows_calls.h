/* SPDX-License-Identifier: MIT */
/*
 * Replacements of VirtualAlloc, VirtualFree and Sleep. They fail on demand, count
 * calls, and call the system's, except that they never sleep.
 */
#ifndef WINDOWS_CALLS_H
#define WINDOWS_CALLS_H

#include <windows.h>

#include <stdbool.h>
#include <stddef.h>

/**
 * struct calls - failures to come, and counters
 * @fail_type:  types of allocation that fail, any of these bits
 * @fail_exact: exact type of allocation that fails; 0: see @fail_type
 * @error:      error of a failure
 * @failures:   number of failures to come
 * @then:       error of all calls after them; 0: they succeed
 * @thief:      number of released places to take at once
 * @alignment:  alignment of the places to take, in bytes
 * @asked:      number of allocations that @fail_type or @fail_exact selects
 * @slept:      number of calls of Sleep
 * @slept_ms:   their milliseconds, added up
 * @order:      the calls in order: "a" an allocation, "s" a sleep
 * @reserved:   number of mappings made, less those released
 * @decommits:  number of calls of VirtualFree(MEM_DECOMMIT)
 * @stolen:     number of places taken
 */
struct calls {
	DWORD fail_type;
	DWORD fail_exact;
	DWORD error;
	unsigned int failures;
	DWORD then;
	unsigned int thief;
	size_t alignment;
	unsigned int asked;
	unsigned int slept;
	unsigned int slept_ms;
	char order[64];
	int reserved;
	unsigned int decommits;
	unsigned int stolen;
};

extern struct calls calls;

bool calls_take_over(bool alloc2);
void calls_fail(DWORD type, DWORD error, unsigned int failures);

#endif /* WINDOWS_CALLS_H */
