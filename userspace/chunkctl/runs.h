/* SPDX-License-Identifier: MIT */
/* The address space that a process has from the device, or from libchunk without it. */
#ifndef RUNS_H
#define RUNS_H

#include <stdbool.h>
#include <stddef.h>

#include "process.h"

/**
 * enum state - what an address is
 * @IS_LIVE:        in a live extent, and readable. Without the device also what
 *                  libchunk keeps with its contents
 * @IS_DECOMMITTED: traps. Without the device also what libchunk keeps
 * @IS_OFFERED:     live, and the kernel may discard it
 * @IS_RECYCLED:    kept for reuse
 * @IS_RETAINED:    address space without memory
 * @IS_UNKNOWN:     the device's: who may not read debugfs learns no more
 * @STATES:         number of states
 */
enum state {
	IS_LIVE,
	IS_DECOMMITTED,
	IS_OFFERED,
	IS_RECYCLED,
	IS_RETAINED,
	IS_UNKNOWN,
	STATES,
};

extern const char *const state_names[STATES];

/**
 * struct run - addresses of one state
 * @start: first byte
 * @end:   byte after them
 * @state: their state
 */
struct run {
	unsigned long long start;
	unsigned long long end;
	enum state state;
};

/**
 * struct runs - all of a process, by address
 * @of:      the runs
 * @nr:      number of them
 * @debugfs: it could be read: nothing is IS_UNKNOWN but what the process inherited
 */
struct runs {
	struct run *of;
	size_t nr;
	bool debugfs;
};

int runs_read(struct runs *runs, const struct process *process);

#endif /* RUNS_H */
