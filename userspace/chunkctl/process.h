/* SPDX-License-Identifier: MIT */
/* A process, and its contexts of the device, as /proc shows them. */
#ifndef PROCESS_H
#define PROCESS_H

#include <stdbool.h>
#include <stddef.h>

/* Lines of /proc/PID/fdinfo/FD: chunk(4) describes them. */
enum counter {
	MAPPED,
	LIVE,
	EXTENTS,
	DECOMMITTED,
	RECYCLED,
	LIMIT,
	RETAINED,
	REGIONS,
	ALLOCS,
	ALLOCS_RECYCLED,
	DEALLOCS,
	COMMITS,
	DECOMMITS,
	TRAPS,
	OFFERED,
	DISCARDED,
	DISCARDS,
	TAKES,
	COUNTERS,
};

extern const char *const counter_names[COUNTERS];
bool counter_is_gauge(enum counter counter);

/**
 * struct counters - values of the counters
 * @of: by enum counter
 */
struct counters {
	unsigned long long of[COUNTERS];
};

/**
 * struct context - an open file of the device
 * @fd:        one of its descriptors
 * @inherited: it is the parent's: useless for this process
 * @counters:  its counters
 */
struct context {
	int fd;
	bool inherited;
	struct counters counters;
};

/**
 * struct process - a process
 * @pid:      its number
 * @dir:      /proc/PID, open: still the same process if the number is used again; -1 in
 *            lists of processes
 * @comm:     its name, made plain
 * @contexts: its open files of the device
 * @nr:       number of them
 * @own:      of these, its own ones
 * @sum:      counters of its own ones, added up
 */
struct process {
	int pid;
	int dir;
	char comm[64];
	struct context *contexts;
	size_t nr;
	size_t own;
	struct counters sum;
};

/**
 * struct processes - all processes that have contexts of their own
 * @of:        the processes, those with the most live memory first
 * @nr:        number of them
 * @forbidden: number of processes that could not be looked at
 */
struct processes {
	struct process *of;
	size_t nr;
	size_t forbidden;
};

int process_open(struct process *process, int pid);
int process_read(struct process *process);
void process_close(struct process *process);
void process_need(struct process *process, int pid);
size_t process_mappings(const struct process *process);
unsigned long long mapping_limit(void);

struct processes processes_read(void);
void processes_free(struct processes *processes);

#endif /* PROCESS_H */
