/* SPDX-License-Identifier: MIT */
/* Calls of Windows that tests can replace */
#ifndef OS_WINDOWS_H
#define OS_WINDOWS_H

#include <windows.h>

/* VirtualAlloc2, which headers for MinGW declare only for some libraries */
typedef void *WINAPI
chunk_windows_alloc2(HANDLE process, void *addr, SIZE_T size, ULONG type,
		     ULONG protection,
		     struct MEM_EXTENDED_PARAMETER *parameters, ULONG count);

/**
 * struct chunk_windows - calls of the system, or of a test
 * @alloc:  VirtualAlloc
 * @free:   VirtualFree
 * @alloc2: VirtualAlloc2; may be NULL: this Windows is older than 10
 * @sleep:  Sleep
 */
struct chunk_windows {
	__typeof__(VirtualAlloc) *alloc;
	__typeof__(VirtualFree) *free;
	chunk_windows_alloc2 *alloc2;
	__typeof__(Sleep) *sleep;
};

extern struct chunk_windows chunk_windows;

#endif /* OS_WINDOWS_H */
