// SPDX-License-Identifier: MIT
/* Memory as a test sees it, by exceptions and queries: see memory.h. */
#include <windows.h>

#include <psapi.h>
#include <stdatomic.h>

#include "memory.h"
#include "memory_access.h"

#ifdef _WIN64
#define PROGRAM_COUNTER	Rip
#define STACK_POINTER	Rsp
#else
#define PROGRAM_COUNTER	Eip
#define STACK_POINTER	Esp
#endif

/* Where this thread goes on after a trap */
static __thread void *trapped[5];

/**
 * page_size() - get the size of a page, in bytes
 *
 * Return: the size that the system has at run time.
 */
size_t page_size(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwPageSize;
}

/* The longjmp is not done by the handler: exceptions must be handled to their end. */
static void landed(void)
{
	__builtin_longjmp(trapped, 1);
}

static LONG WINAPI on_trap(struct _EXCEPTION_POINTERS *exception)
{
	EXCEPTION_RECORD *record = exception->ExceptionRecord;
	CONTEXT *context = exception->ContextRecord;

	if (record->ExceptionCode != EXCEPTION_ACCESS_VIOLATION ||
	    !access_trapped(record->ExceptionInformation[1]))
		return EXCEPTION_CONTINUE_SEARCH;
	/* Continue as if landed() had been called, with the stack aligned for a call. */
	context->PROGRAM_COUNTER = (uintptr_t)landed;
	context->STACK_POINTER = ((context->STACK_POINTER - 512) &
				  ~(uintptr_t)15) - sizeof(void *);
	return EXCEPTION_CONTINUE_EXECUTION;
}

/**
 * access_traps() - tell whether accessing a byte raises an access violation
 * @addr:  the byte
 * @value: as of access_byte()
 * @write: write, without reading
 */
bool __attribute__((noinline)) access_traps(char *addr, char *value,
					    bool write)
{
	static atomic_bool handled;

	if (!atomic_exchange(&handled, true))
		expect(AddVectoredExceptionHandler(1, on_trap));
	if (__builtin_setjmp(trapped))
		return true;
	access_byte(addr, value, write);
	return false;
}

/**
 * unmaps_parts() - tell whether parts of mappings can be unmapped
 */
bool unmaps_parts(void)
{
	return false;
}

/**
 * foreign_mapping() - map memory that libchunk does not know
 * @size: bytes
 */
void *foreign_mapping(size_t size)
{
	void *addr = VirtualAlloc(NULL, size, MEM_RESERVE | MEM_COMMIT,
				  PAGE_READWRITE);

	expect(addr);
	return addr;
}

/**
 * residency_known() - tell whether resident_bytes() can be trusted
 */
bool residency_known(void)
{
	return true;
}

/**
 * resident_bytes() - get the amount of memory behind a range
 * @addr: first byte, page-aligned
 * @size: bytes
 *
 * Return: bytes in pages of the working set.
 */
size_t resident_bytes(const void *addr, size_t size)
{
	PSAPI_WORKING_SET_EX_INFORMATION pages[256];
	const char *at = addr, *end = at + size;
	size_t page = page_size(), found = 0;

	while (at != end) {
		size_t count = 0;

		for (; count < TAP_COUNT(pages) && at != end; at += page)
			pages[count++].VirtualAddress = (void *)(uintptr_t)at;
		expect(K32QueryWorkingSetEx(GetCurrentProcess(), pages,
					    count * sizeof(*pages)));
		while (count--)
			found += pages[count].VirtualAttributes.Valid;
	}
	return found * page;
}

/**
 * forbid_huge_pages() - keep the system from making huge pages: Windows makes none
 */
void forbid_huge_pages(void)
{
}

/**
 * page_faults() - count the page faults of this process
 *
 * Return: their number; 0 on Wine, which counts none.
 */
unsigned long page_faults(void)
{
	PROCESS_MEMORY_COUNTERS counters;

	expect(K32GetProcessMemoryInfo(GetCurrentProcess(), &counters,
				       sizeof(counters)));
	return counters.PageFaultCount;
}
