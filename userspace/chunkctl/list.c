// SPDX-License-Identifier: MIT
/* Tables of all processes on the device: their memory, and what they do. */
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "chunkctl.h"
#include "process.h"
#include "text.h"

/* A table that is repeated is painted over the one before. */
static void begin_screen(const struct request *request)
{
	if (request->watch && isatty(STDOUT_FILENO))
		printf("\033[H\033[J");
}

static void say_forbidden(const struct processes *all)
{
	fflush(stdout);
	if (all->forbidden && isatty(STDERR_FILENO))
		fprintf(stderr, "%zu processes of other users were not looked at\n",
			all->forbidden);
}

static void print_row(const struct process *process)
{
	static const enum counter columns[] = {
		MAPPED, LIVE, DECOMMITTED, OFFERED, RECYCLED, RETAINED,
	};
	char text[16];

	printf("%7d %-15.15s %4zu", process->pid, process->comm, process->own);
	for (size_t i = 0; i < sizeof(columns) / sizeof(*columns); i++)
		printf(" %8s", human(process->sum.of[columns[i]], text, sizeof(text)));
	printf(" %10llu %8llu\n", process->sum.of[ALLOCS], process->sum.of[TRAPS]);
}

static void list_text(const struct processes *all)
{
	printf("%7s %-15s %4s %8s %8s %8s %8s %8s %8s %10s %8s\n", "PID", "NAME",
	       "OPEN", "MAPPED", "LIVE", "DECOMM", "OFFERED", "RECYCLED", "RETAINED",
	       "ALLOCS", "TRAPS");
	for (size_t i = 0; i < all->nr; i++)
		print_row(&all->of[i]);
}

static void list_json(const struct processes *all)
{
	putchar('[');
	for (size_t i = 0; i < all->nr; i++) {
		printf("%s{\"pid\":%d,\"comm\":", i ? ",\n" : "", all->of[i].pid);
		print_json(all->of[i].comm);
		printf(",\"contexts\":%zu", all->of[i].own);
		for (size_t j = 0; j < COUNTERS; j++)
			printf(",\"%s\":%llu", counter_names[j],
			       all->of[i].sum.of[j]);
		putchar('}');
	}
	puts("]");
}

/* For the textfile collector of node_exporter; a total is a counter's last word. */
static void list_prometheus(const struct processes *all)
{
	for (size_t j = 0; j < COUNTERS; j++) {
		bool gauge = counter_is_gauge(j);
		const char *end = gauge ? "" : "_total";

		printf("# HELP chunk_%s%s chunk-%s of /proc/PID/fdinfo, see chunk(4)\n",
		       counter_names[j], end, counter_names[j]);
		printf("# TYPE chunk_%s%s %s\n", counter_names[j], end,
		       gauge ? "gauge" : "counter");
		for (size_t i = 0; i < all->nr; i++) {
			printf("chunk_%s%s{pid=\"%d\",comm=\"", counter_names[j], end,
			       all->of[i].pid);
			print_label(all->of[i].comm);
			printf("\"} %llu\n", all->of[i].sum.of[j]);
		}
	}
}

static void list_once(const struct request *request)
{
	struct processes all = processes_read();

	begin_screen(request);
	if (request->form == FORM_JSON)
		list_json(&all);
	else if (request->form == FORM_PROMETHEUS)
		list_prometheus(&all);
	else
		list_text(&all);
	say_forbidden(&all);
	processes_free(&all);
}

/**
 * list() - print a table of the memory of all processes on the device
 * @request: the command line
 *
 * Return: the status.
 */
int list(const struct request *request)
{
	list_once(request);
	for (unsigned long i = 1; request->watch && i != request->times; i++) {
		sleep(request->seconds);
		list_once(request);
	}
	return STATUS_OK;
}

static const struct process *same_process(const struct processes *all, int pid)
{
	for (size_t i = 0; i < all->nr; i++) {
		if (all->of[i].pid == pid)
			return &all->of[i];
	}
	return NULL;
}

/* A process may have closed a context, whose counts are gone then. */
static double rate(const struct process *now, const struct process *before,
		   enum counter counter, double seconds)
{
	unsigned long long a = before->sum.of[counter], b = now->sum.of[counter];

	return b > a ? (b - a) / seconds : 0;
}

static const enum counter rates[] = {
	ALLOCS, ALLOCS_RECYCLED, DEALLOCS, COMMITS, DECOMMITS, TRAPS, DISCARDS,
	TAKES,
};

#define RATES	(sizeof(rates) / sizeof(*rates))

static void top_row(const struct process *now, const struct process *before,
		    double seconds)
{
	char text[16];

	printf("%7d %-15.15s %8s", now->pid, now->comm,
	       human(now->sum.of[LIVE], text, sizeof(text)));
	for (size_t i = 0; i < RATES; i++)
		printf(" %9.0f", rate(now, before, rates[i], seconds));
	putchar('\n');
}

static void top_json_row(const struct process *now, const struct process *before,
			 double seconds, bool first)
{
	printf("%s{\"pid\":%d,\"comm\":", first ? "" : ",\n", now->pid);
	print_json(now->comm);
	for (size_t i = 0; i < RATES; i++)
		printf(",\"%s_per_second\":%.1f", counter_names[rates[i]],
		       rate(now, before, rates[i], seconds));
	putchar('}');
}

static void top_once(const struct request *request, const struct processes *now,
		     const struct processes *before, double seconds)
{
	bool json = request->form == FORM_JSON, first = true;

	begin_screen(request);
	if (json)
		putchar('[');
	else
		printf("%7s %-15s %8s %9s %9s %9s %9s %9s %9s %9s %9s\n", "PID",
		       "NAME", "LIVE", "ALLOC/s", "REUSE/s", "DEALLOC/s", "COMMIT/s",
		       "DECOMM/s", "TRAP/s", "DISCARD/s", "TAKE/s");
	for (size_t i = 0; i < now->nr; i++) {
		const struct process *old = same_process(before, now->of[i].pid);

		if (!old)
			continue;
		if (json)
			top_json_row(&now->of[i], old, seconds, first);
		else
			top_row(&now->of[i], old, seconds);
		first = false;
	}
	if (json)
		puts("]");
	say_forbidden(now);
}

static double now_in_seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return now.tv_sec + now.tv_nsec / 1e9;
}

/**
 * top() - print what all processes on the device do in a second
 * @request: the command line
 *
 * Return: the status.
 */
int top(const struct request *request)
{
	double at = now_in_seconds(), then;
	struct processes before = processes_read(), now;

	for (unsigned long i = 0; !i || i != request->times; i++) {
		sleep(request->seconds);
		then = at;
		at = now_in_seconds();
		now = processes_read();
		top_once(request, &now, &before, at - then);
		processes_free(&before);
		before = now;
	}
	processes_free(&before);
	return STATUS_OK;
}
