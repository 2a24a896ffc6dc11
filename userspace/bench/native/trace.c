// SPDX-License-Identifier: MIT
/* Reading a trace. Its contents are checked: the file may be anybody's. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "layer.h"
#include "trace.h"

#define MAX_EVENTS	1000000
#define MAX_SIZE	((size_t)1 << 36)
#define MAX_ALIGNMENT	((size_t)1 << 30)

struct event *trace;
size_t trace_length;
size_t trace_extents;

static struct event *live;

static bool power_of_2(size_t n)
{
	return n && !(n & (n - 1));
}

static bool parse_alloc(const char *line, struct event *event)
{
	size_t number, size, alignment;

	if (sscanf(line, "a %zu %zu %zu", &number, &size, &alignment) != 3 ||
	    number != trace_extents || !size || size > MAX_SIZE ||
	    !power_of_2(alignment) || alignment > MAX_ALIGNMENT)
		return false;
	*event = (struct event) {
		.number = number,
		.size = (size + MIB - 1) & ~(MIB - 1),
		.alignment = alignment < MIB ? MIB : alignment,
		.alloc = true,
	};
	live[trace_extents++] = *event;
	return true;
}

static bool parse_free(const char *line, struct event *event)
{
	size_t number;

	if (sscanf(line, "f %zu", &number) != 1 || number >= trace_extents ||
	    !live[number].alloc)
		return false;
	*event = live[number];
	event->alloc = false;
	live[number].alloc = false;
	return true;
}

/**
 * trace_read() - read a trace
 * @path: a file that record.c wrote
 *
 * Return: whether it could be read and is valid; prints a message if not.
 */
bool trace_read(const char *path)
{
	FILE *file = fopen(path, "r");
	bool good = true;
	char line[200];
	size_t at = 0;

	if (!file) {
		perror(path);
		return false;
	}
	trace = calloc(MAX_EVENTS, sizeof(*trace));
	live = calloc(MAX_EVENTS, sizeof(*live));
	if (!trace || !live)
		fail("no memory for the trace");
	while (good && fgets(line, sizeof(line), file)) {
		struct event *event = &trace[trace_length];

		at++;
		if (*line == '#')
			continue;
		good = trace_length < MAX_EVENTS &&
		       (*line == 'a' ? parse_alloc(line, event) :
				       parse_free(line, event));
		trace_length++;
	}
	good = good && trace_length;
	if (!good)
		fprintf(stderr, "%s: line %zu is no event of a trace\n", path,
			at);
	free(live);
	fclose(file);
	return good;
}
