// SPDX-License-Identifier: MIT
/* Abilities of systems and emulators that cases depend on: see common.h. */
#include <stdlib.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "common.h"

static void map_beyond(void *arg)
{
	int resource = *(int *)arg;
	struct rlimit limit;

	expect(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = MIB;
	expect(setrlimit(resource, &limit) == 0);
	if (mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		_exit(1);
}

/**
 * need_limit() - skip the case unless this system obeys a resource limit
 * @resource: RLIMIT_AS or RLIMIT_DATA
 *
 * Emulators of programs accept limits and obey none, which would hit themselves.
 */
void need_limit(int resource)
{
	struct tap_outcome outcome;

	tap_child(&outcome, map_beyond, &resource);
	if (outcome.status)
		tap_skip("mmap goes beyond RLIMIT_%s here",
			 resource == RLIMIT_AS ? "AS" : "DATA");
}

/**
 * emulator_survives() - tell whether a function without libchunk ends well
 * @run: the function, to be run in a child
 * @arg: passed to @run
 *
 * Return: false if it does not end with 0 under an emulator.
 */
bool emulator_survives(void (*run)(void *), void *arg)
{
	struct tap_outcome outcome;

	if (!getenv("TAP_UNDER"))
		return true;
	tap_child(&outcome, run, arg);
	return !outcome.status;
}

/**
 * need_no_mappings() - skip the case unless a process may use up all mappings
 *
 * An emulator dies when its own next mapping fails, in the midst of the case.
 */
void need_no_mappings(void)
{
	if (getenv("TAP_UNDER"))
		tap_skip("the emulator needs mappings of its own");
}
