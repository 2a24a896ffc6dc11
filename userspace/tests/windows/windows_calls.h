/* SPDX-License-Identifier: MIT */
/*
 * VirtualAlloc, VirtualFree and Sleep of a test's own: they fail when they are
 * told to, note what they are asked for, and otherwise do the real thing, but
 * for sleeping.
 */
#ifndef WINDOWS_CALLS_H
#define WINDOWS_CALLS_H

#include <windows.h>

#include <stdbool.h>
#include <stddef.h>

/**
 * struct calls - what is to happen, and what happened
 * @fail_type:  allocations of this type fail: any of these bits, and no others
 * @fail_exact: this type exactly
 * @error:      with this error
 * @failures:   so many of them
 * @then:       and from then on, if not 0, with this error for ever
 * @thief:      how often a place that is released is taken at once
 * @alignment:  that of the places it takes
 * @asked:      allocations of @fail_type
 * @slept:      how often
 * @slept_ms:   how long together
 * @order:      what happened, in order: "a" asked, "s" slept
 * @reserved:   mappings made, less those released
 * @decommits:  VirtualFree(MEM_DECOMMIT)
 * @stolen:     places taken
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
