// SPDX-License-Identifier: MIT
/*
 * Counting. Instructions are the clock's nanoseconds, in a virtual machine with
 * -icount shift=0. The rest is counted in another run, since tracepoints that
 * are on are instructions too.
 */
#define _GNU_SOURCE
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <linux/perf_event.h>
#include <sys/ioctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "bench.h"

#define EVENTS	"/sys/kernel/tracing/events/"

const char *const figure_names[FIGURES] = {
	[INSTRUCTIONS] = "instructions",
	[FAULTS] = "faults",
	[CALLS] = "system calls",
	[WRITE_LOCKS] = "mmap_lock writes",
	[MAPPINGS] = "mappings",
};

struct figures figures;
static struct figures before;
static int calls = -1, locks = -1;

/**
 * check() - end the program where something went wrong
 * @what:   what it was, for perror()
 * @failed: did it?
 */
void check(const char *what, bool failed)
{
	if (!failed)
		return;
	perror(what);
	exit(1);
}

/* A counter of one of the kernel's tracepoints, for this process */
static int open_event(const char *name, const char *filter)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
	};
	char path[200];
	FILE *file;
	int fd;

	snprintf(path, sizeof(path), EVENTS "%s/id", name);
	file = fopen(path, "r");
	check(path, !file);
	check(path, fscanf(file, "%llu", &attr.config) != 1);
	fclose(file);
	fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);
	check(name, fd < 0);
	if (filter)
		check(filter, ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter));
	return fd;
}

static int64_t read_event(int fd)
{
	uint64_t value = 0;

	if (fd >= 0)
		check("perf", read(fd, &value, sizeof(value)) != sizeof(value));
	return value;
}

static int64_t mappings(void)
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

static int64_t faults(void)
{
	struct rusage usage;

	getrusage(RUSAGE_SELF, &usage);
	return usage.ru_minflt + usage.ru_majflt;
}

/* What it takes to look is left out as far as it can be. */
static struct figures look(bool first)
{
	struct figures f = { 0 };

	if (calls >= 0 && first)
		f.values[MAPPINGS] = mappings();
	f.values[FAULTS] = faults();
	f.values[WRITE_LOCKS] = read_event(locks);
	f.values[CALLS] = read_event(calls);
	f.values[INSTRUCTIONS] = now();
	return f;
}

/**
 * meter_prepare() - before anything is measured
 * @events: count what takes tracepoints; instructions are not to be trusted then
 */
void meter_prepare(bool events)
{
	if (!events)
		return;
	calls = open_event("raw_syscalls/sys_enter", NULL);
	locks = open_event("mmap_lock/mmap_lock_start_locking", "write==1");
	mappings();
}

/**
 * meter_start() - count from here
 */
void meter_start(void)
{
	before = look(true);
}

/**
 * meter_stop() - count until here; adds to figures
 * @operations: how many were done
 */
void meter_stop(uint64_t operations)
{
	int64_t end = now();
	struct figures after = look(false);

	after.values[INSTRUCTIONS] = end;
	/* What looking itself calls between the two reads of that counter */
	if (calls >= 0) {
		after.values[CALLS] -= 3;
		after.values[MAPPINGS] = mappings();
	}
	figures.operations += operations;
	for (int i = 0; i < FIGURES; i++)
		figures.values[i] += after.values[i] - before.values[i];
}
