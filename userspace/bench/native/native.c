// SPDX-License-Identifier: MIT
/*
 * Time that libchunk takes on this machine, without the module, compared with
 * the system calls of the original: by the wall clock, in one process, in
 * rounds that take turns. Other processes run on any machine, so the result is
 * the ratio within a round, and its spread over the rounds.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/utsname.h>
#include <sys/wait.h>
#include <unistd.h>

#include "operations.h"
#include "trace.h"

#define MAX_ROUNDS	100000

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

static const struct layer *const layers[] = {
	&layer_original, &layer_libchunk, &layer_jemalloc,
};

#define LAYERS	(sizeof(layers) / sizeof(*layers))

/* Options of all tables, unless CHUNK_OPTIONS selects others */
static const char *const option_sets[] = {
	"backend:mmap", "backend:mmap,guard:off",
};

static const char usage[] =
	"Usage: native [OPTION...]\n"
	"Measures libchunk's mmap way against the system calls of the original,\n"
	"and prints Markdown: nanoseconds for each operation (medians), and the\n"
	"ratio libchunk / original, as the median of all rounds and as quartiles.\n"
	"Progress goes to stderr. CHUNK_OPTIONS selects libchunk's options; without\n"
	"it there are two tables, the second with guard:off.\n"
	"\n"
	"  -r, --rounds N    number of rounds (200)\n"
	"  -t, --trace FILE  trace of the recorder to replay; without it there are\n"
	"                    no mixed operations\n"
	"  -h, --help        this text\n"
	"\n"
	"Exits with 0 if all was measured, whatever the result, 1 if a call failed,\n"
	"2 for bad arguments.\n";

static double *times[LAYERS];
static double *ratios;

/**
 * fail() - end the program because something went wrong
 * @what: name of the call
 */
void fail(const char *what)
{
	perror(what);
	exit(1);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* Get a quantile of sorted numbers; @part is between 0 and 1. */
static double quantile(const double *sorted, size_t count, double part)
{
	return sorted[(size_t)(part * (count - 1) + 0.5)];
}

static double median(double *numbers, size_t count)
{
	qsort(numbers, count, sizeof(*numbers), compare);
	return quantile(numbers, count, 0.5);
}

/* Measure all layers, and in the next round in the opposite order. */
static void measure_round(const struct operation *operation, size_t round)
{
	for (size_t i = 0; i < LAYERS; i++) {
		size_t which = round % 2 ? LAYERS - 1 - i : i;

		if (operation->can(layers[which]))
			times[which][round] = operation->measure(layers[which]);
	}
}

static void print_row(const struct operation *operation, size_t rounds)
{
	for (size_t i = 0; i < rounds; i++)
		ratios[i] = times[1][i] / times[0][i];
	qsort(ratios, rounds, sizeof(*ratios), compare);
	printf("| %s |", operation->title);
	for (size_t i = 0; i < LAYERS; i++) {
		if (operation->can(layers[i]))
			printf(" %.0f |", median(times[i], rounds));
		else
			printf(" |");
	}
	printf(" %.2f | %.2f-%.2f |\n", quantile(ratios, rounds, 0.5),
	       quantile(ratios, rounds, 0.25), quantile(ratios, rounds, 0.75));
	fflush(stdout);
}

static void measure(const struct operation *operation, size_t rounds)
{
	rounds = (rounds + operation->every - 1) / operation->every;
	if (!operation->can(&layer_original))
		return;
	fprintf(stderr, "bench-native: %s, %zu rounds\n", operation->title,
		rounds);
	/* The first round does not count: it brings in all memory and code. */
	for (size_t round = 0; round < 2; round++)
		measure_round(operation, 0);
	for (size_t round = 0; round < rounds; round++)
		measure_round(operation, round);
	print_row(operation, rounds);
}

static const char *guards(void)
{
	void *page = mmap(NULL, 4096, PROT_READ, MAP_PRIVATE | MAP_ANONYMOUS,
			  -1, 0);
	bool have;

	if (page == MAP_FAILED)
		fail("mmap");
	have = !madvise(page, 4096, MADV_GUARD_INSTALL);
	munmap(page, 4096);
	return have ? "MADV_GUARD_INSTALL" : "no MADV_GUARD_INSTALL";
}

static void print_head(size_t rounds)
{
	struct utsname name;

	uname(&name);
	printf("Linux %s with %s, CHUNK_OPTIONS=%s, %zu rounds\n\n",
	       name.release, guards(), getenv("CHUNK_OPTIONS"), rounds);
	printf("| ns for each |");
	for (size_t i = 0; i < LAYERS; i++)
		printf(" %s |", layers[i]->name);
	printf(" ratio | quartiles |\n| --- |");
	for (size_t i = 0; i < LAYERS + 2; i++)
		printf(" ---: |");
	printf("\n");
}

static void measure_all(size_t rounds)
{
	ratios = calloc(rounds, sizeof(*ratios));
	if (!ratios)
		fail("no memory for results");
	for (size_t i = 0; i < LAYERS; i++) {
		times[i] = calloc(rounds, sizeof(*times[i]));
		if (!times[i])
			fail("no memory for results");
		if (!layers[i]->start()) {
			fprintf(stderr, "bench-native: there is no %s here\n",
				layers[i]->name);
			exit(1);
		}
	}
	print_head(rounds);
	for (size_t i = 0; i < nr_operations; i++)
		measure(&operations[i], rounds);
	printf("\n");
}

/* Run in another process: libchunk reads its options once. */
static int run_with(const char *options, char **argv)
{
	int status;
	pid_t child;

	fflush(stdout);
	child = fork();
	if (child < 0)
		fail("fork");
	if (!child) {
		setenv("CHUNK_OPTIONS", options, 1);
		execv("/proc/self/exe", argv);
		fail("exec");
	}
	if (waitpid(child, &status, 0) != child)
		fail("wait");
	return status ? 1 : 0;
}

static int run_all(char **argv)
{
	int status = 0;

	for (size_t i = 0; i < sizeof(option_sets) / sizeof(*option_sets); i++)
		status |= run_with(option_sets[i], argv);
	return status;
}

static int bad(const char *what)
{
	fprintf(stderr, "bench-native: %s\n\n%s", what, usage);
	return 2;
}

int main(int argc, char **argv)
{
	static const struct option options[] = {
		{ "rounds", required_argument, NULL, 'r' },
		{ "trace", required_argument, NULL, 't' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	const char *path = NULL;
	size_t rounds = 200;
	char *end;
	int c;

	while ((c = getopt_long(argc, argv, "r:t:h", options, NULL)) >= 0) {
		switch (c) {
		case 'r':
			rounds = strtoul(optarg, &end, 10);
			if (*end || !rounds || rounds > MAX_ROUNDS)
				return bad("--rounds: from 1 to 100000");
			break;
		case 't':
			path = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			return 0;
		default:
			return bad("bad arguments");
		}
	}
	if (optind < argc)
		return bad("only options are taken");
	if (!getenv("CHUNK_OPTIONS"))
		return run_all(argv);
	if (path && !trace_read(path))
		return 1;
	measure_all(rounds);
	return 0;
}
