// SPDX-License-Identifier: MIT
/*
 * Windows, apart from memory: waiting, the environment, standard error, the end of
 * the process. No function here allocates or takes the loader's lock.
 */
#include <stdatomic.h>

#include "os.h"
#include "os_windows.h"

/* The system's limit for a variable, in characters */
#define OPTION_LENGTH	32767

/* WaitOnAddress() would have to be looked up; few threads ever wait. */
static SRWLOCK waiting = SRWLOCK_INIT;
static CONDITION_VARIABLE woken = CONDITION_VARIABLE_INIT;

void chunk_os_wait(atomic_uint *word, unsigned int value)
{
	DWORD before = GetLastError();

	AcquireSRWLockExclusive(&waiting);
	if (atomic_load(word) == value)
		SleepConditionVariableSRW(&woken, &waiting, INFINITE, 0);
	ReleaseSRWLockExclusive(&waiting);
	SetLastError(before);
}

/* Threads that wait on other words wake, too, and look again. */
void chunk_os_wake(atomic_uint *word)
{
	DWORD before = GetLastError();

	(void)word;
	/* A thread that has seen the old value sleeps once the lock is free. */
	AcquireSRWLockExclusive(&waiting);
	ReleaseSRWLockExclusive(&waiting);
	WakeAllConditionVariable(&woken);
	SetLastError(before);
}

/* The shortest time that Sleep() knows is a millisecond, or longer. */
void chunk_os_nap(void)
{
	DWORD before = GetLastError();

	Sleep(1);
	SetLastError(before);
}

const char *chunk_os_getenv(const char *name)
{
	static char value[OPTION_LENGTH + 1];
	DWORD before = GetLastError();
	DWORD length = GetEnvironmentVariableA(name, value, sizeof(value));

	SetLastError(before);
	return length && length < sizeof(value) ? value : NULL;
}

void chunk_os_print(const char *text, size_t length)
{
	DWORD before = GetLastError();
	HANDLE to = GetStdHandle(STD_ERROR_HANDLE);
	DWORD written;

	/* Without standard error there is nobody to tell. */
	while (to && to != INVALID_HANDLE_VALUE && length &&
	       WriteFile(to, text, length, &written, NULL) && written) {
		text += written;
		length -= written;
	}
	SetLastError(before);
}

/* The C library's abort() prints a message, or opens a window. */
void chunk_os_abort(void)
{
	RaiseFailFastException(NULL, NULL, 0);
	/* Only the compiler thinks that this is reached. */
	TerminateProcess(GetCurrentProcess(), STATUS_FATAL_APP_EXIT);
	__builtin_unreachable();
}
