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

/* OfferVirtualMemory and ReclaimVirtualMemory, which some headers do not declare */
typedef DWORD WINAPI chunk_windows_offer(void *addr, SIZE_T size, int priority);
typedef DWORD WINAPI chunk_windows_reclaim(const void *addr, SIZE_T size);

/**
 * struct chunk_windows - calls of the system, or of a test
 * @alloc:   VirtualAlloc
 * @free:    VirtualFree
 * @alloc2:  VirtualAlloc2; may be NULL: this Windows is older than 10
 * @offer:   OfferVirtualMemory; may be NULL: this Windows is older than 8.1
 * @reclaim: ReclaimVirtualMemory; NULL if @offer is
 * @sleep:   Sleep
 */
struct chunk_windows {
	__typeof__(VirtualAlloc) *alloc;
	__typeof__(VirtualFree) *free;
	chunk_windows_alloc2 *alloc2;
	chunk_windows_offer *offer;
	chunk_windows_reclaim *reclaim;
	__typeof__(Sleep) *sleep;
};

extern struct chunk_windows chunk_windows;

#endif /* OS_WINDOWS_H */
