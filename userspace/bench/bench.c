// SPDX-License-Identifier: MIT
/*
 * Measures every row in every way, and prints CSV: row, way, figure, value.
 *
 * Each round of a scenario is a process of its own, so that it finds no
 * mappings or free extents of another round; the median of all rounds counts.
 */
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

#define MOST_ROUNDS	9
#define HOLDER		(MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE)

static const struct way *const ways[] = {
	&way_original, &way_jemalloc, &way_mmap, &way_guarded, &way_huge,
	&way_ioctl,
};

#define WAYS	(sizeof(ways) / sizeof(*ways))

static const struct scenario *const scenarios[] = {
	chunk_scenarios, extent_scenarios, page_scenarios, touch_scenarios,
	batch_scenarios, arena_scenarios, offer_scenarios,
};

#define LISTS	(sizeof(scenarios) / sizeof(*scenarios))

static const char usage[] =
	"Usage: bench [OPTION...] [ROW...]\n"
	"Measures the cost of a chunk layer's operations, and prints CSV. Figures\n"
	"of instructions are true only in a virtual machine that counts them: see\n"
	"\"make bench\".\n"
	"\n"
	"  -l, --list           list the rows and the ways\n"
	"  -w, --way WAY        measure only this way\n"
	"  -i, --instructions   leave out figures that need tracepoints\n"
	"  -t, --threads        measure two threads instead, one of which faults\n"
	"  -p, --profile DIR    run one ROW in one WAY for a tracer: see run --help\n"
	"  -h, --help           this text\n";

/**
 * struct task - task of a child, which is in its arguments
 * @scenario: scenario to run
 * @way:      way to run it in
 * @events:   count the figures that need tracepoints
 */
struct task {
	const struct scenario *scenario;
	const struct way *way;
	bool events;
};

static const struct scenario *find_scenario(enum row row)
{
	for (size_t i = 0; i < LISTS; i++)
		for (const struct scenario *s = scenarios[i]; s->run; s++)
			if (s->first <= row && row <= s->last)
				return s;
	return NULL;
}

static const struct way *find_way(const char *key)
{
	for (size_t i = 0; i < WAYS; i++)
		if (!strcmp(ways[i]->key, key))
			return ways[i];
	fprintf(stderr, "bench: no way %s (see --list)\n", key);
	exit(2);
}

static enum row find_row(const char *key)
{
	for (int row = 0; row < ROWS; row++)
		if (!strcmp(rows[row].key, key))
			return row;
	fprintf(stderr, "bench: no row %s (see --list)\n", key);
	exit(2);
}

/*
 * The best case for all ways that map: new mappings go below one another, and
 * earlier ones are aligned. So fill the holes that libraries leave, and start
 * at a multiple of 4 MiB.
 */
static void settle(void)
{
	uintptr_t at;

	for (int i = 0; i < 64; i++)
		check("mmap", mmap(NULL, MIB, PROT_NONE, HOLDER, -1, 0) ==
			      MAP_FAILED);
	at = (uintptr_t)mmap(NULL, 4 * MIB, PROT_NONE, HOLDER, -1, 0);
	check("munmap", munmap((void *)at, 4 * MIB));
	at &= ~(4 * MIB - 1);
	check("mmap", mmap((void *)at, 4 * MIB, PROT_NONE, HOLDER, -1, 0) !=
		      (void *)at);
}

/* In the child: measure, and send the results to the parent. */
static int be_child(char **argv)
{
	const struct way *way = find_way(argv[2]);

	settle();
	if (!way->start())
		return 2;
	meter_prepare(atoi(argv[3]));
	find_scenario(find_row(argv[1]))->run(way);
	check("pipe", write(atoi(argv[4]), measured, sizeof(measured)) !=
		      sizeof(measured));
	return 0;
}

static void exec_self(const struct way *way, char **argv)
{
	if (way->option)
		check("setenv", setenv("CHUNK_OPTIONS", way->option, 1));
	execv("/proc/self/exe", argv);
	check("exec", true);
}

static void exec_child(const struct task *task, int out)
{
	char events[2] = { '0' + task->events }, fd[20];
	char *argv[] = {
		"--measure", (char *)rows[task->scenario->first].key,
		(char *)task->way->key, events, fd, NULL,
	};

	snprintf(fd, sizeof(fd), "%d", out);
	exec_self(task->way, argv);
}

/*
 * Execute the program again, so that libchunk reads its options anew. Return
 * the child's status.
 */
static int run(const struct task *task, struct figures result[ROWS])
{
	size_t size = sizeof(measured), got = 0;
	int ends[2], status;
	ssize_t some;
	pid_t child;

	check("pipe", pipe(ends));
	child = fork();
	check("fork", child < 0);
	if (!child)
		exec_child(task, ends[1]);
	close(ends[1]);
	while ((some = read(ends[0], (char *)result + got, size - got)) > 0)
		got += some;
	close(ends[0]);
	check("wait", waitpid(child, &status, 0) != child);
	if (WIFEXITED(status) && WEXITSTATUS(status))
		return WEXITSTATUS(status);
	return status || got != size;
}

static double per_operation(const struct figures *f, enum figure figure)
{
	return (double)f->values[figure] / f->operations;
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

static void print(const struct task *task, enum row row, enum figure figure,
		  double value)
{
	printf("%s,%s,%s,%.6g\n", rows[row].key, task->way->key,
	       figure_keys[figure], value);
	fflush(stdout);
}

static void print_median(const struct task *task, enum row row, int rounds,
			 struct figures results[][ROWS])
{
	double values[MOST_ROUNDS];

	for (int i = 0; i < rounds; i++)
		values[i] = per_operation(&results[i][row], INSTRUCTIONS);
	qsort(values, rounds, sizeof(*values), compare);
	print(task, row, INSTRUCTIONS, values[rounds / 2]);
	if (!rows[row].total)
		return;
	print(task, row, COMPLETED, results[0][row].values[COMPLETED]);
	print(task, row, TRAPPING, results[0][row].values[TRAPPING]);
}

static void print_events(const struct task *task, enum row row,
			 const struct figures *f)
{
	for (enum figure figure = FAULTS; figure < MAPPINGS; figure++)
		print(task, row, figure, per_operation(f, figure));
	print(task, row, MAPPINGS, rows[row].total ?
				   f->values[MAPPINGS] :
				   per_operation(f, MAPPINGS));
}

/* Measure one task. Return whether it worked. */
static bool measure(struct task task, bool events)
{
	static struct figures results[MOST_ROUNDS][ROWS];
	const struct scenario *s = task.scenario;
	int status;

	for (int round = 0; round < s->rounds; round++) {
		status = run(&task, results[round]);
		if (status)
			return status == 2;
	}
	for (enum row row = s->first; row <= s->last; row++)
		if (results[0][row].operations)
			print_median(&task, row, s->rounds, results);
	if (!events)
		return true;
	task.events = true;
	if (run(&task, results[0]))
		return false;
	for (enum row row = s->first; row <= s->last; row++)
		if (results[0][row].operations)
			print_events(&task, row, &results[0][row]);
	return true;
}

static bool wanted(const struct scenario *s, char **keys)
{
	if (!*keys)
		return true;
	for (; *keys; keys++)
		if (find_scenario(find_row(*keys)) == s)
			return true;
	return false;
}

/* Measure a list of scenarios. Return whether all of it worked. */
static bool measure_list(const struct scenario *s, char **keys,
			 const struct way *only, bool events)
{
	bool good = true;

	for (; s->run; s++) {
		if (!wanted(s, keys))
			continue;
		for (size_t i = 0; i < WAYS; i++) {
			struct task task = { s, ways[i], false };

			if ((only && only != ways[i]) ||
			    (s->can && !s->can(ways[i])))
				continue;
			fprintf(stderr, "bench: %s: %s\n", rows[s->first].key,
				ways[i]->title);
			if (measure(task, events))
				continue;
			fprintf(stderr, "bench: error: %s fails: %s\n",
				ways[i]->title, rows[s->first].key);
			good = false;
		}
	}
	return good;
}

static int list(void)
{
	for (int row = 0; row < ROWS; row++)
		printf("row,%s,%s\n", rows[row].key, rows[row].title);
	for (size_t i = 0; i < WAYS; i++)
		printf("way,%s,%s\n", ways[i]->key, ways[i]->title);
	return 0;
}

/* Run a row that is watched from outside, without counting. */
static int profile(const char *key, const struct way *way,
		   const char *directory)
{
	enum row row = find_row(key);
	const struct scenario *s = find_scenario(row);
	FILE *file;
	char path[500];

	if ((s->can && !s->can(way)) || !way->start()) {
		fprintf(stderr, "bench: %s has no %s\n", way->title, key);
		return 2;
	}
	meter_profile(row, directory);
	s->run(way);
	snprintf(path, sizeof(path), "%s/operations", directory);
	file = fopen(path, "w");
	check(path, !file);
	fprintf(file, "%llu\n", (unsigned long long)meter_profiled());
	fclose(file);
	return 0;
}

/* libchunk reads its options at its start, so execute the program again with them. */
static void set_options(const struct way *way, char **argv)
{
	const char *options = getenv("CHUNK_OPTIONS");

	if (way->option && (!options || strcmp(options, way->option)))
		exec_self(way, argv);
}

/**
 * struct request - arguments of the program
 * @way:     the only way to measure, or NULL for all
 * @profile: directory shared with a tracer, or NULL
 * @list:    list rows and ways
 * @threads: measure two threads instead
 * @events:  count the figures that need tracepoints, too
 */
struct request {
	const struct way *way;
	const char *profile;
	bool list;
	bool threads;
	bool events;
};

static void parse(int argc, char **argv, struct request *request)
{
	static const struct option options[] = {
		{ "list", no_argument, NULL, 'l' },
		{ "way", required_argument, NULL, 'w' },
		{ "instructions", no_argument, NULL, 'i' },
		{ "threads", no_argument, NULL, 't' },
		{ "profile", required_argument, NULL, 'p' },
		{ "help", no_argument, NULL, 'h' },
		{ 0 },
	};
	int c;

	while ((c = getopt_long(argc, argv, "lw:itp:h", options, NULL)) >= 0) {
		switch (c) {
		case 'l':
			request->list = true;
			break;
		case 'w':
			request->way = find_way(optarg);
			break;
		case 'i':
			request->events = false;
			break;
		case 't':
			request->threads = true;
			break;
		case 'p':
			request->profile = optarg;
			break;
		case 'h':
			fputs(usage, stdout);
			exit(0);
		default:
			fputs(usage, stderr);
			exit(2);
		}
	}
}

int main(int argc, char **argv)
{
	struct request request = { .events = true };
	bool good = true;

	bench_page = sysconf(_SC_PAGESIZE);
	if (argc == 5 && !strcmp(argv[0], "--measure"))
		return be_child(argv);
	parse(argc, argv, &request);
	if (request.list)
		return list();
	if (request.threads || request.profile) {
		if (!request.way || (request.profile && optind + 1 != argc)) {
			fputs(usage, stderr);
			return 2;
		}
		set_options(request.way, argv);
		return request.threads ? threads_run(request.way) :
		       profile(argv[optind], request.way, request.profile);
	}
	for (size_t i = 0; i < LISTS; i++)
		good &= measure_list(scenarios[i], argv + optind, request.way,
				     request.events);
	return !good;
}
