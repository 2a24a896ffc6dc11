// SPDX-License-Identifier: MIT
/* Counters of the kernel's tracepoints. */
#include <linux/perf_event.h>
#include <stdio.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bench.h"
#include "events.h"

#define EVENTS	"/sys/kernel/tracing/events/"

static unsigned long long find_event(const char *name)
{
	unsigned long long id;
	char path[200];
	FILE *file;

	snprintf(path, sizeof(path), EVENTS "%s/id", name);
	file = fopen(path, "r");
	check(path, !file);
	check(path, fscanf(file, "%llu", &id) != 1);
	fclose(file);
	return id;
}

/**
 * event_open() - start to count a tracepoint
 * @name:   subsystem and name
 * @filter: filter of the events to count; NULL: all
 *
 * Threads started from now on are counted, too. A failure ends the process.
 *
 * Return: the counter, for event_read().
 */
int event_open(const char *name, const char *filter)
{
	struct perf_event_attr attr = {
		.type = PERF_TYPE_TRACEPOINT,
		.size = sizeof(attr),
		.config = find_event(name),
		.inherit = 1,
	};
	int fd = syscall(SYS_perf_event_open, &attr, 0, -1, -1, 0);

	check(name, fd < 0);
	if (filter)
		check(filter, ioctl(fd, PERF_EVENT_IOC_SET_FILTER, filter));
	return fd;
}

/**
 * event_read() - read the counter of a tracepoint
 * @event: from event_open()
 */
int64_t event_read(int event)
{
	uint64_t value;

	check("perf", read(event, &value, sizeof(value)) != sizeof(value));
	return value;
}
