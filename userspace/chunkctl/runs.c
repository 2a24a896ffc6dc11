// SPDX-License-Identifier: MIT
/*
 * The address space that a process has from the device, or from libchunk without it.
 *
 * /proc/PID/maps has the mappings of the device, and those of libchunk by their
 * names. Which part of the device's is live, only debugfs tells, and that to root.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "runs.h"
#include "text.h"

#define EXTENTS	"/sys/kernel/debug/chunk/extents"

const char *const state_names[STATES] = {
	"live", "decommitted", "offered", "recycled", "retained", "unknown",
};

static void add(struct runs *runs, unsigned long long start,
		unsigned long long end, enum state state)
{
	if (start >= end)
		return;
	/* By doubling: there may be millions. */
	if (!(runs->nr & (runs->nr - 1)))
		runs->of = take_more(runs->of, sizeof(*runs->of) *
				     (runs->nr ? 2 * runs->nr : 1));
	runs->of[runs->nr++] = (struct run){ start, end, state };
}

static int by_address(const void *a, const void *b)
{
	const struct run *p = a, *q = b;

	return p->start < q->start ? -1 : p->start > q->start;
}

static void sort(struct runs *runs)
{
	if (runs->nr)
		qsort(runs->of, runs->nr, sizeof(*runs->of), by_address);
}

static void read_debugfs(struct runs *runs, int pid)
{
	FILE *file = fopen(EXTENTS, "re");
	char line[256], name[16];
	unsigned long long start, end;
	int owner;

	if (!file)
		return;
	runs->debugfs = true;
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%*u %d %llx-%llx %15s", &owner, &start, &end,
			   name) != 4 || owner != pid)
			continue;
		for (enum state state = 0; state < STATES; state++) {
			if (!strcmp(name, state_names[state]))
				add(runs, start, end, state);
		}
	}
	fclose(file);
}

/**
 * struct known - runs that debugfs had, by address
 * @nr:   their number: the first ones
 * @next: the first that is not below the mappings that were looked at, by address, too
 */
struct known {
	size_t nr;
	size_t next;
};

/* Add the parts of a mapping of the device that debugfs did not have. */
static void add_rest(struct runs *runs, struct known *known,
		     unsigned long long start, unsigned long long end)
{
	while (known->next < known->nr && runs->of[known->next].end <= start)
		known->next++;
	for (size_t i = known->next; i < known->nr; i++) {
		struct run run = runs->of[i];

		if (run.start >= end)
			break;
		add(runs, start, run.start, IS_UNKNOWN);
		if (run.end > start)
			start = run.end;
	}
	add(runs, start, end, IS_UNKNOWN);
}

/* Is this a mapping of chunks? Words are shared. */
static bool is_device(const char *name, const char *mode)
{
	const char *last = strrchr(name, '/');

	return *name == '/' && last && !strncmp(last, "/chunk", 6) &&
	       (!last[6] || last[6] == ' ') && mode[3] == 'p';
}

static void add_mapping(struct runs *runs, struct known *known, const char *line)
{
	char mode[8], device[16], name[256] = "";
	unsigned long long start, end;

	if (sscanf(line, "%llx-%llx %7s %*x %15s %*u %255[^\n]", &start, &end, mode,
		   device, name) < 4)
		return;
	if (!strcmp(name, "[anon:chunk]"))
		add(runs, start, end, IS_LIVE);
	else if (!strcmp(name, "[anon:chunk-decommitted]"))
		add(runs, start, end, IS_DECOMMITTED);
	/* A node of devtmpfs or tmpfs; a file of that name on a disk is another. */
	else if (is_device(name, mode) && !strncmp(device, "00:", 3))
		add_rest(runs, known, start, end);
}

/**
 * runs_read() - find the address space of a process
 * @runs:    filled; @of is to be freed
 * @process: the process
 *
 * Return: 0 or a negative error number.
 */
int runs_read(struct runs *runs, const struct process *process)
{
	char *maps = read_whole(process->dir, "maps");
	struct known known = { 0 };

	*runs = (struct runs){ 0 };
	if (!maps)
		return -errno;
	read_debugfs(runs, process->pid);
	sort(runs);
	known.nr = runs->nr;
	for (const char *line = *maps ? maps : NULL; line; line = next_line(line))
		add_mapping(runs, &known, line);
	free(maps);
	sort(runs);
	return 0;
}
