// SPDX-License-Identifier: MIT
/*
 * Measures every row by every way, and prints CSV: row, way, figure, value.
 *
 * Each measurement is a process of its own. Interrupts are what differs between
 * rounds, and they only ever add: the least of the rounds is the figure.
 */
#define _GNU_SOURCE
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static const struct way *const ways[] = {
	&way_original, &way_jemalloc, &way_mmap, &way_libchunk, &way_device,
};

#define WAYS	(sizeof(ways) / sizeof(*ways))

static const char usage[] =
	"Usage: bench [OPTION...] [ROW...]\n"
	"Measures what a chunk layer's operations cost. Prints CSV. Its\n"
	"instructions are true in a virtual machine that counts them: see\n"
	"\"make bench\".\n"
	"\n"
	"  -l, --list      the rows\n"
	"  -w, --way NAME  only this way of doing it\n"
	"  -h, --help      this text\n";

/* In the child: measure, and tell the parent. */
static void measure(const struct row *row, const struct way *way, bool events,
		    int out)
{
	if (!way->start())
		exit(2);
	meter_prepare(events);
	row->measure(way);
	check("pipe", write(out, &figures, sizeof(figures)) !=
		      sizeof(figures));
	exit(0);
}

/* By executing the program again, so that libchunk reads its options anew. */
static bool run(const struct row *row, const struct way *way, bool events,
		struct figures *result)
{
	char at[20], who[20], how[20], out[20];
	int ends[2], status;
	pid_t child;

	check("pipe", pipe(ends));
	child = fork();
	check("fork", child < 0);
	if (!child) {
		snprintf(at, sizeof(at), "%td", row - rows);
		for (size_t i = 0; i < WAYS; i++)
			if (ways[i] == way)
				snprintf(who, sizeof(who), "%zu", i);
		snprintf(how, sizeof(how), "%d", events);
		snprintf(out, sizeof(out), "%d", ends[1]);
		if (way->option)
			setenv("CHUNK_OPTIONS", way->option, 1);
		execl("/proc/self/exe", "bench", "--measure", at, who, how, out,
		      NULL);
		check("exec", true);
	}
	close(ends[1]);
	check(row->key, read(ends[0], result, sizeof(*result)) < 0);
	close(ends[0]);
	check("wait", waitpid(child, &status, 0) != child);
	return status == 0;
}

static void print(const struct row *row, const struct way *way,
		  enum figure figure, const struct figures *result)
{
	printf("%s,\"%s\",%s,%.4g\n", row->key, way->name, figure_names[figure],
	       (double)result->values[figure] / result->operations);
	fflush(stdout);
}

/* Returns whether it worked. */
static bool measure_row(const struct row *row, const struct way *way)
{
	struct figures best = { 0 }, result;

	for (int round = 0; round < row->rounds; round++) {
		if (!run(row, way, false, &result))
			return false;
		if (!round || result.values[INSTRUCTIONS] <
			      best.values[INSTRUCTIONS])
			best = result;
	}
	printf("%s,\"%s\",%s,%.0f\n", row->key, way->name,
	       figure_names[INSTRUCTIONS],
	       (double)best.values[INSTRUCTIONS] / best.operations);
	if (!run(row, way, true, &result))
		return false;
	for (int figure = FAULTS; figure < FIGURES; figure++)
		print(row, way, figure, &result);
	return true;
}

static bool wanted(const char *key, char **keys)
{
	if (!*keys)
		return true;
	for (; *keys; keys++)
		if (!strcmp(key, *keys))
			return true;
	return false;
}

static int measure_all(char **keys, const char *only)
{
	int status = 0;

	for (size_t i = 0; i < nr_rows; i++) {
		if (!wanted(rows[i].key, keys))
			continue;
		fprintf(stderr, "bench: %s\n", rows[i].title);
		for (size_t j = 0; j < WAYS; j++) {
			if (only && strcmp(only, ways[j]->name))
				continue;
			if (rows[i].can && !rows[i].can(ways[j]))
				continue;
			if (!measure_row(&rows[i], ways[j])) {
				fprintf(stderr, "bench: %s fails by %s\n",
					rows[i].key, ways[j]->name);
				status = 1;
			}
		}
	}
	return status;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "way", required_argument, NULL, 'w' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *only = NULL;
	int c;

	if (argc == 6 && !strcmp(argv[1], "--measure"))
		measure(&rows[atoi(argv[2])], ways[atoi(argv[3])],
			atoi(argv[4]), atoi(argv[5]));
	while ((c = getopt_long(argc, argv, "lw:h", options, NULL)) >= 0) {
		switch (c) {
		case 'l':
			for (size_t i = 0; i < nr_rows; i++)
				printf("%-14s %s\n", rows[i].key,
				       rows[i].title);
			return 0;
		case 'w':
			only = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			fputs(usage, stderr);
			return 2;
		}
	}
	return measure_all(argv + optind, only);
}
