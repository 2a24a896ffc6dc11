// SPDX-License-Identifier: MIT
/* Calls of the system that fail on demand: see windows_calls.h. */
#include <stdatomic.h>
#include <stdbool.h>
#include <string.h>

#include "os_windows.h"
#include "windows_calls.h"

struct calls calls;

static struct chunk_windows real;

static void log_step(char step)
{
	size_t length = strlen(calls.order);

	if (length < sizeof(calls.order) - 1)
		calls.order[length] = step;
}

static bool refused(DWORD type)
{
	DWORD error = calls.error;

	if (calls.fail_exact ? type != calls.fail_exact :
			       !(type & calls.fail_type))
		return false;
	calls.asked++;
	log_step('a');
	if (calls.failures)
		calls.failures--;
	else if (calls.then)
		error = calls.then;
	else
		return false;
	SetLastError(error);
	return true;
}

static void *WINAPI calls_alloc(void *addr, SIZE_T size, DWORD type,
				DWORD protection)
{
	void *got;

	if (refused(type))
		return NULL;
	got = real.alloc(addr, size, type, protection);
	calls.reserved += got && (type & MEM_RESERVE);
	return got;
}

static void *WINAPI calls_alloc2(HANDLE process, void *addr, SIZE_T size,
				 ULONG type, ULONG protection,
				 struct MEM_EXTENDED_PARAMETER *parameters,
				 ULONG count)
{
	void *got;

	if (refused(type))
		return NULL;
	got = real.alloc2(process, addr, size, type, protection, parameters,
			  count);
	calls.reserved += got && (type & MEM_RESERVE);
	return got;
}

/* Take every aligned place of a range for good, as another thread might. */
static void steal(uintptr_t from, size_t size)
{
	uintptr_t at = from & ~(calls.alignment - 1);

	calls.thief--;
	for (; at < from + size; at += calls.alignment)
		calls.stolen += !!VirtualAlloc((void *)at, 1, MEM_RESERVE,
					       PAGE_NOACCESS);
}

static BOOL WINAPI calls_free(void *addr, SIZE_T size, DWORD type)
{
	MEMORY_BASIC_INFORMATION info = { 0 };
	BOOL done;

	VirtualQuery(addr, &info, sizeof(info));
	done = real.free(addr, size, type);
	calls.decommits += type == MEM_DECOMMIT;
	if (type != MEM_RELEASE || !done)
		return done;
	calls.reserved--;
	if (calls.thief)
		steal((uintptr_t)addr, info.RegionSize);
	return done;
}

static void WINAPI calls_sleep(DWORD ms)
{
	calls.slept++;
	calls.slept_ms += ms;
	log_step('s');
}

/**
 * calls_take_over() - replace the system's calls
 * @alloc2: whether there is a VirtualAlloc2, if the system has it
 *
 * Return: whether there is.
 */
bool calls_take_over(bool alloc2)
{
	if (!real.alloc)
		real = chunk_windows;
	chunk_windows.alloc = calls_alloc;
	chunk_windows.free = calls_free;
	chunk_windows.sleep = calls_sleep;
	chunk_windows.alloc2 = alloc2 && real.alloc2 ? calls_alloc2 : NULL;
	return chunk_windows.alloc2;
}

/**
 * calls_fail() - let allocations fail, and reset counters
 * @type:     types of allocation that fail
 * @error:    their error
 * @failures: number of failures
 */
void calls_fail(DWORD type, DWORD error, unsigned int failures)
{
	int reserved = calls.reserved;

	calls = (struct calls) {
		.fail_type = type,
		.error = error,
		.failures = failures,
		.reserved = reserved,
	};
}
