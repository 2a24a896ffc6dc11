// SPDX-License-Identifier: MIT
/*
 * The time that a case has run, out of the time that it could have run: see
 * tap.h.
 *
 * By the wall clock, a case that hangs looks like one that is slow because
 * others want the processors, too. So a limit counts the case's share of each
 * second, if the processors were divided equally among all threads that could
 * run. A case that sleeps is counted as running, or one that sleeps for ever
 * would never end.
 *
 * A virtual machine does not know its own share of the processors. The file that
 * TAP_CLOCK names has the time that it had them since its start, in milliseconds:
 * see tools/vm.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tap_system.h"

/* The least share that a case is granted, however many other threads there are */
#define LEAST_SHARE	0.02

/* Read the text of a file, or its beginning. Return false if that fails. */
static bool read_file(const char *path, char *text, size_t size)
{
	int fd = open(path, O_RDONLY | O_CLOEXEC);
	ssize_t got;

	if (fd < 0)
		return false;
	got = read(fd, text, size - 1);
	close(fd);
	text[got > 0 ? got : 0] = '\0';
	return got > 0;
}

/* Get the time of the wall clock, in seconds. */
static double wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* Count the threads that could run, running ones included, this one left out. */
static unsigned long runnable(void)
{
	unsigned long count;
	char text[128];

	if (!read_file("/proc/loadavg", text, sizeof(text)) ||
	    sscanf(text, "%*s %*s %*s %lu", &count) != 1 || !count)
		return 0;
	return count - 1;
}

/* Get the share of a processor that each of those threads has, from 0 to 1. */
static double share(void)
{
	double least = LEAST_SHARE, each;
	unsigned long count = runnable();
	long processors = sysconf(_SC_NPROCESSORS_ONLN);

	if (processors < 1 || count <= (unsigned long)processors)
		return 1;
	each = (double)processors / count;
	return each > least ? each : least;
}

/* Get the seconds that this virtual machine has had. Return false if unknown. */
static bool had(double *seconds)
{
	const char *path = getenv("TAP_CLOCK");
	char text[64];

	if (!path || !read_file(path, text, sizeof(text)))
		return false;
	*seconds = strtod(text, NULL) / 1000;
	return true;
}

/* Get the part of @passed, in seconds of the wall clock, that the case had. */
static double counted(struct tap_clock *clock, double passed)
{
	double now, before = clock->had;

	if (!had(&now))
		return passed * share();
	clock->had = now;
	return now > before ? (now - before) * share() : 0;
}

/**
 * tap_clock_start() - start the clock of a case
 * @clock: the clock
 */
void tap_clock_start(struct tap_clock *clock)
{
	*clock = (struct tap_clock) { .last = wall() };
	if (!had(&clock->had))
		clock->had = 0;
}

/**
 * tap_clock_tick() - update the clock of a case
 * @clock: the clock, which was started
 *
 * To be called about every second.
 */
void tap_clock_tick(struct tap_clock *clock)
{
	double now = wall();
	double passed = now - clock->last;

	clock->last = now;
	clock->passed += passed;
	clock->own += counted(clock, passed);
}
