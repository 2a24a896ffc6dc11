// SPDX-License-Identifier: MIT
/*
 * Counting. Instructions are the clock's nanoseconds, in a virtual machine with
 * -icount shift=0. Figures that need tracepoints are counted in another run,
 * since tracing takes instructions, too. In a third kind of run nothing is
 * counted, but a tracer outside is told when to watch.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/membarrier.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>

#include "bench.h"
#include "events.h"

const char *const figure_keys[FIGURES] = {
	[INSTRUCTIONS] = "instructions",
	[FAULTS] = "faults",
	[CALLS] = "syscalls",
	[WRITE_LOCKS] = "write_locks",
	[MAPPINGS] = "mappings",
	[COMPLETED] = "completed",
	[TRAPPING] = "trapping",
};

struct figures measured[ROWS];
size_t bench_page;

static bool counting_events;
static int calls = -1, locks = -1;
static int64_t before[FIGURES], overhead[FIGURES];

static const char *profile_directory;
static enum row profile_row = ROWS;
static bool profiling;
static uint64_t profiled;

/**
 * check() - end the program if something went wrong
 * @what:   name of the call, for perror()
 * @failed: whether the call has failed
 */
void check(const char *what, bool failed)
{
	if (!failed)
		return;
	perror(what);
	exit(1);
}

/**
 * touch() - write to each page
 * @at:   the first page
 * @size: bytes of all pages
 */
void touch(char *at, size_t size)
{
	/* Not read anew after each write, which the compiler takes for one to it */
	size_t page = PAGE;

	for (size_t i = 0; i < size; i += page)
		((volatile char *)at)[i] = 1;
}

/**
 * no_huge_pages() - turn huge pages off for the rest of this process
 *
 * prctl() is used, since madvise() would split mappings.
 */
void no_huge_pages(void)
{
	check("PR_SET_THP_DISABLE", prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0));
}

/**
 * traps() - tell whether reading a byte of this process would raise a signal
 * @addr: address of the byte
 */
bool traps(const void *addr)
{
	char byte;
	struct iovec here = { &byte, 1 }, there = { (void *)addr, 1 };

	return process_vm_readv(getpid(), &here, 1, &there, 1, 0) != 1;
}

static int64_t count_mappings(void)
{
	static char buffer[1 << 16];
	FILE *file = fopen("/proc/self/maps", "r");
	int64_t count = 0;
	size_t got;

	check("/proc/self/maps", !file);
	while ((got = fread(buffer, 1, sizeof(buffer), file)))
		for (size_t i = 0; i < got; i++)
			count += buffer[i] == '\n';
	fclose(file);
	return count;
}

static int64_t now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1000000000LL + t.tv_nsec;
}

static int64_t count_faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/*
 * The tracer begins at one function and ends at the other, by their addresses.
 * The compiler must neither inline the two nor merge them into one.
 */
static __attribute__((noinline, noclone)) void meter_watch(void)
{
	__asm__ volatile("nop" : : : "memory");
}

static __attribute__((noinline, noclone)) void meter_unwatch(void)
{
	__asm__ volatile("nop; nop" : : : "memory");
}

static void tell_tracer(const char *name, const char *answer)
{
	char path[500], wanted[500];
	FILE *file;

	snprintf(path, sizeof(path), "%s/%s", profile_directory, name);
	snprintf(wanted, sizeof(wanted), "%s/%s", profile_directory, answer);
	file = fopen(path, "w");
	check(path, !file);
	fclose(file);
	while (access(wanted, F_OK))
		usleep(100000);
}

/**
 * meter_prepare() - prepare counting, before anything is measured
 * @events: count figures that need tracepoints; instructions mean nothing then
 *
 * The cost of measuring itself is found by measuring nothing.
 */
void meter_prepare(bool events)
{
	/* Objects that earlier processes have left are freed after a grace period. */
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
	usleep(30000);
	counting_events = events;
	if (events) {
		calls = event_open("raw_syscalls/sys_enter", NULL);
		locks = event_open("mmap_lock/mmap_lock_acquire_returned",
				   "write==1 && success==1");
	}
	memset(overhead, 0, sizeof(overhead));
	for (int i = 0; i < 3; i++) {
		memset(measured, 0, sizeof(measured));
		meter_start(0);
		meter_stop(0, 1);
	}
	memcpy(overhead, measured[0].values, sizeof(overhead));
	memset(measured, 0, sizeof(measured));
}

/**
 * meter_profile() - have a row watched from outside, the first time it is run
 * @row:       the row
 * @directory: directory for the files that the tracer waits for
 */
void meter_profile(enum row row, const char *directory)
{
	profiling = true;
	profile_row = row;
	profile_directory = directory;
}

/**
 * meter_profiled() - get the number of operations that were watched
 */
uint64_t meter_profiled(void)
{
	return profiled;
}

/**
 * meter_scale() - scale the number of repetitions to the kind of run
 * @count: number of repetitions when measured
 *
 * Return: @count, or less if each instruction is watched.
 */
size_t meter_scale(size_t count)
{
	return profiling && count > 64 ? 64 : count;
}

/**
 * meter_start() - start to count operations of a row
 * @row: the row
 */
void meter_start(enum row row)
{
	if (row == profile_row) {
		tell_tracer("ready", "go");
		meter_watch();
		return;
	}
	if (counting_events) {
		before[MAPPINGS] = count_mappings();
		before[FAULTS] = count_faults();
		before[WRITE_LOCKS] = event_read(locks);
		before[CALLS] = event_read(calls);
	}
	before[INSTRUCTIONS] = now();
}

static void count(struct figures *f, enum figure kind, int64_t value)
{
	f->values[kind] += value - before[kind] - overhead[kind];
}

/**
 * meter_stop() - stop counting; a row measured more than once adds up
 * @row:        the row
 * @operations: number of operations that were done
 */
void meter_stop(enum row row, uint64_t operations)
{
	struct figures *f = &measured[row];

	if (row == profile_row) {
		meter_unwatch();
		profiled = operations;
		tell_tracer("done", "off");
		profile_row = ROWS;
		return;
	}
	count(f, INSTRUCTIONS, now());
	f->operations += operations;
	if (!counting_events)
		return;
	count(f, CALLS, event_read(calls));
	count(f, WRITE_LOCKS, event_read(locks));
	count(f, FAULTS, count_faults());
	count(f, MAPPINGS, count_mappings());
}

/**
 * meter_note() - add a figure that only the scenario knows
 * @row:    the row
 * @kind:   the kind of figure
 * @value:  the value
 */
void meter_note(enum row row, enum figure kind, int64_t value)
{
	measured[row].values[kind] = value;
}
