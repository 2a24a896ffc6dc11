// SPDX-License-Identifier: MIT
/*
 * Cases of a test program on Windows, where nothing forks: see tap.h.
 *
 * The program executes itself anew for each case, whose number is in its
 * environment. A child of a case runs that case once more up to the call that
 * makes the child, so cases must be deterministic up to there. The child reads
 * from memory that it shares with the case how earlier children have ended.
 */
#include <windows.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap_system.h"

/* Variables that name the case to run, its child to be, and the pipe for a reason */
#define VARIABLE_CASE	"TAP_WINDOWS_CASE"
#define VARIABLE_CHILD	"TAP_WINDOWS_CHILD"
#define VARIABLE_REASON	"TAP_WINDOWS_REASON"
#define VARIABLE_SHARED	"TAP_WINDOWS_SHARED"

/* Status of a process that RaiseFailFastException() has ended */
#define FAIL_FAST	0xc0000602

/* Number of the case's child that this process is, from 1; 0: none */
static unsigned long child_wanted;
static unsigned long children;

/* Results of the children of the case */
#define MOST_CHILDREN	64
static struct tap_outcome *ended;

static unsigned long long number_of(const char *variable)
{
	char text[32];
	DWORD length = GetEnvironmentVariableA(variable, text, sizeof(text));

	return length && length < sizeof(text) ? strtoull(text, NULL, 10) : 0;
}

static void set_number(const char *variable, unsigned long long number)
{
	char text[32];

	snprintf(text, sizeof(text), "%llu", number);
	if (!SetEnvironmentVariableA(variable, text))
		abort();
}

/* Map the memory that a case shares with its children. */
static void share(void)
{
	SECURITY_ATTRIBUTES inherited = {
		.nLength = sizeof(inherited), .bInheritHandle = TRUE,
	};
	HANDLE shared = (HANDLE)(uintptr_t)number_of(VARIABLE_SHARED);

	if (!child_wanted) {
		shared = CreateFileMappingA(INVALID_HANDLE_VALUE, &inherited,
					    PAGE_READWRITE, 0,
					    MOST_CHILDREN * sizeof(*ended),
					    NULL);
		set_number(VARIABLE_SHARED, (uintptr_t)shared);
	}
	ended = MapViewOfFile(shared, FILE_MAP_ALL_ACCESS, 0, 0, 0);
	if (!ended)
		abort();
}

/**
 * tap_system_write() - write a line to where results go
 * @line:   a line
 * @length: characters
 */
void tap_system_write(const char *line, size_t length)
{
	DWORD written;

	/* A child on its way to its own function does not print again. */
	if (children < child_wanted)
		return;
	if (!WriteFile(GetStdHandle(STD_OUTPUT_HANDLE), line, length, &written,
		       NULL))
		abort();
}

/**
 * tap_system_reason() - tell the parent why this case is skipped
 * @reason: the reason
 * @length: characters
 */
void tap_system_reason(const char *reason, size_t length)
{
	HANDLE to = (HANDLE)(uintptr_t)number_of(VARIABLE_REASON);
	DWORD written;

	if (!WriteFile(to, reason, length, &written, NULL))
		tap_system_exit(TAP_FAILED);
}

/**
 * tap_system_exit() - end the process at once
 * @status: its exit status
 */
void tap_system_exit(int status)
{
	TerminateProcess(GetCurrentProcess(), status);
	abort();
}

/**
 * tap_system_start() - prepare the process, before anything else
 * @suite: the test program
 *
 * Does not return in a process that is to run a case.
 */
void tap_system_start(const struct tap_suite *suite)
{
	size_t number = number_of(VARIABLE_CASE);

	/* Cases trap and abort on purpose: no dialogue may come up. */
	SetErrorMode(SEM_FAILCRITICALERRORS | SEM_NOGPFAULTERRORBOX);
	if (!number || number > suite->count)
		return;
	child_wanted = number_of(VARIABLE_CHILD);
	share();
	suite->cases[number - 1].run();
	tap_system_exit(0);
}

/* Make a pipe of which only the end for writing is inherited. */
static void make_pipe(HANDLE *from, HANDLE *to)
{
	if (!CreatePipe(from, to, NULL, 0) ||
	    !SetHandleInformation(*to, HANDLE_FLAG_INHERIT,
				  HANDLE_FLAG_INHERIT))
		abort();
}

/* Read as much as there is room for, and drop the rest. */
static size_t read_all(HANDLE from, char *text, size_t room)
{
	size_t used = 0;
	char spare[256];
	DWORD got;

	for (;;) {
		bool full = used == room;

		if (!ReadFile(from, full ? spare : text + used,
			      full ? sizeof(spare) : room - used, &got, NULL) ||
		    !got)
			break;
		if (!full)
			used += got;
	}
	CloseHandle(from);
	return used;
}

/* Start a program, or this one. NULL handles stand for those of this process. */
static HANDLE start(char *command, char *environment, HANDLE out, HANDLE err)
{
	STARTUPINFOA info = {
		.cb = sizeof(info),
		.dwFlags = STARTF_USESTDHANDLES,
		.hStdInput = GetStdHandle(STD_INPUT_HANDLE),
		.hStdOutput = out ? out : GetStdHandle(STD_OUTPUT_HANDLE),
		.hStdError = err ? err : GetStdHandle(STD_ERROR_HANDLE),
	};
	PROCESS_INFORMATION process;
	char path[MAX_PATH];

	if (!GetModuleFileNameA(NULL, path, sizeof(path)) ||
	    !CreateProcessA(command ? NULL : path, command, NULL, NULL, TRUE, 0,
			    environment, NULL, &info, &process)) {
		tap_note("CreateProcess: error %lu", GetLastError());
		tap_system_exit(TAP_FAILED);
	}
	CloseHandle(process.hThread);
	return process.hProcess;
}

static DWORD exit_code(HANDLE process)
{
	DWORD code = TAP_FAILED;

	GetExitCodeProcess(process, &code);
	CloseHandle(process);
	return code;
}

/**
 * tap_system_run() - run a case in a process of its own
 * @suite:  the test program
 * @index:  which of its cases
 * @reason: receives the reason if the case is skipped, TAP_REASON bytes at most
 *
 * Return: its exit status, or TAP_DIED.
 */
int tap_system_run(const struct tap_suite *suite, size_t index, char *reason)
{
	HANDLE process, from, to;
	bool hung;
	DWORD code;

	(void)suite;
	make_pipe(&from, &to);
	set_number(VARIABLE_CASE, index + 1);
	set_number(VARIABLE_CHILD, 0);
	set_number(VARIABLE_REASON, (uintptr_t)to);
	process = start(NULL, NULL, NULL, NULL);
	CloseHandle(to);
	hung = WaitForSingleObject(process, tap_timeout() * 1000) ==
	       WAIT_TIMEOUT;
	if (hung)
		TerminateProcess(process, TAP_FAILED);
	WaitForSingleObject(process, INFINITE);
	code = exit_code(process);
	if (hung) {
		tap_note("out of time: the limit is %u s (TAP_TIMEOUT)",
			 tap_timeout());
		return TAP_DIED;
	}
	if (code == TAP_SKIPPED) {
		reason[read_all(from, reason, TAP_REASON - 1)] = '\0';
		return TAP_SKIPPED;
	}
	CloseHandle(from);
	if (code == 0 || code == TAP_FAILED)
		return code;
	tap_note("ended with status %#lx", code);
	return TAP_DIED;
}

static void collect(struct tap_outcome *outcome, HANDLE process, HANDLE from)
{
	size_t used = 0, kept = 0;

	used = read_all(from, outcome->text, sizeof(outcome->text) - 1);
	WaitForSingleObject(process, INFINITE);
	outcome->status = exit_code(process);
	outcome->lines = 0;
	/* The C library puts a carriage return before the end of each line. */
	for (size_t i = 0; i < used; i++) {
		outcome->lines += outcome->text[i] == '\n';
		if (outcome->text[i] != '\r')
			outcome->text[kept++] = outcome->text[i];
	}
	outcome->text[kept] = '\0';
}

/**
 * tap_child() - run a function in a child that may die
 * @outcome: receives how it ended and what it wrote to standard error
 * @run:     what to run; the process exits with 0 when it returns
 * @arg:     argument of @run
 */
void tap_child(struct tap_outcome *outcome, void (*run)(void *), void *arg)
{
	HANDLE process, from, to;

	expect(++children < MOST_CHILDREN);
	if (children == child_wanted) {
		run(arg);
		tap_system_exit(0);
	}
	if (children < child_wanted) {
		*outcome = ended[children];
		return;
	}
	make_pipe(&from, &to);
	set_number(VARIABLE_CHILD, children);
	process = start(NULL, NULL, NULL, to);
	CloseHandle(to);
	collect(outcome, process, from);
	ended[children] = *outcome;
}

/**
 * tap_aborted() - tell whether a child has called abort()
 * @outcome: how it ended
 */
bool tap_aborted(const struct tap_outcome *outcome)
{
	return (DWORD)outcome->status == FAIL_FAST;
}

/**
 * tap_sibling() - find a program that was built together with this one
 * @name: its name
 * @path: receives its path
 * @size: bytes there
 */
void tap_sibling(const char *name, char *path, size_t size)
{
	DWORD length = GetModuleFileNameA(NULL, path, size);
	char *end;

	expect(length && length < size);
	end = strrchr(path, '\\') + 1;
	expect(end + strlen(name) + 4 < path + size);
	strcpy(end, name);
	strcat(end, ".exe");
}

/**
 * tap_setenv() - set a variable of the environment
 * @name:  its name
 * @value: its value
 */
void tap_setenv(const char *name, const char *value)
{
	expect(SetEnvironmentVariableA(name, value));
}

/* Join strings, with @between between them and @end at the end. */
static void join(char *text, size_t size, char *const words[], char between)
{
	size_t used = 0;

	for (; *words; words++) {
		size_t length = strlen(*words);

		expect(used + length + 2 < size);
		memcpy(text + used, *words, length);
		used += length;
		text[used++] = between;
	}
	text[used ? used - 1 : 0] = '\0';
	text[used] = '\0';
}

/**
 * tap_exec() - run a program in a child
 * @outcome:     receives how it ended and what it wrote, to standard output too
 * @argv:        the program's path and arguments, without blanks
 * @environment: its environment
 */
void tap_exec(struct tap_outcome *outcome, char *const argv[],
	      char *const environment[])
{
	static char command[2 * MAX_PATH], block[4096];
	HANDLE process, from, to;

	join(command, sizeof(command), argv, ' ');
	join(block, sizeof(block), environment, '\0');
	make_pipe(&from, &to);
	process = start(command, block, to, to);
	CloseHandle(to);
	collect(outcome, process, from);
}
