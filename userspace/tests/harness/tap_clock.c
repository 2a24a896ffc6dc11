// SPDX-License-Identifier: MIT
/*
 * How long a case has run, of the time that it could have run: see tap.h.
 *
 * Where others want the processors too, a case that hangs and one that is slow
 * take equally long by the clock on the wall. So a limit counts what the case
 * had of the processors: of each second its share, if they were divided equally
 * among all that could run. A case that sleeps is counted as if it ran, or one
 * that sleeps for ever would never be at its limit.
 *
 * A virtual machine does not know how much of the processors it has itself. The
 * file that TAP_CLOCK names tells what it has had since its start, in
 * milliseconds: see tools/vm.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "tap_system.h"

/* A case is not left with less, however many others there are. */
#define LEAST_SHARE	0.02

/* The text of a file, or of its beginning; false if it cannot be read. */
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

/* Seconds of the clock on the wall */
static double wall(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/* How many threads could run, those that do included; this one is left out. */
static unsigned long runnable(void)
{
	unsigned long count;
	char text[128];

	if (!read_file("/proc/loadavg", text, sizeof(text)) ||
	    sscanf(text, "%*s %*s %*s %lu", &count) != 1 || !count)
		return 0;
	return count - 1;
}

/* What each of them gets of a processor, from 0 to 1 */
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

/* Seconds that this virtual machine has had; false if that is not known. */
static bool had(double *seconds)
{
	const char *path = getenv("TAP_CLOCK");
	char text[64];

	if (!path || !read_file(path, text, sizeof(text)))
		return false;
	*seconds = strtod(text, NULL) / 1000;
	return true;
}

/* The part of @passed, seconds on the wall, that the case had */
static double counted(struct tap_clock *clock, double passed)
{
	double now, before = clock->had;

	if (!had(&now))
		return passed * share();
	clock->had = now;
	return now > before ? (now - before) * share() : 0;
}

/**
 * tap_clock_start() - a case begins
 * @clock: to be started
 */
void tap_clock_start(struct tap_clock *clock)
{
	*clock = (struct tap_clock) { .last = wall() };
	if (!had(&clock->had))
		clock->had = 0;
}

/**
 * tap_clock_tick() - look how long the case has run
 * @clock: started; to be called about every second
 */
void tap_clock_tick(struct tap_clock *clock)
{
	double now = wall();
	double passed = now - clock->last;

	clock->last = now;
	clock->passed += passed;
	clock->own += counted(clock, passed);
}
