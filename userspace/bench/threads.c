// SPDX-License-Identifier: MIT
/*
 * Two threads, of which one touches fresh pages and one gives chunks back and
 * takes them again: does one wait for the other? Then two that offer chunks and
 * take them back. With two processors instructions cannot be counted, so the
 * figures are rates, and not checked.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "bench.h"
#include "events.h"

#define EXTENTS	64
#define SECONDS	1
#define ROUNDS	7
#define REGION	(4 * MIB)

typedef void *worker(void *count);

static atomic_bool stop;
static const struct way *way;

static void pin(int cpu)
{
	cpu_set_t set;

	CPU_ZERO(&set);
	CPU_SET(cpu, &set);
	check("sched_setaffinity", sched_setaffinity(0, sizeof(set), &set));
}

/* Use the same memory over and over: touched pages are given back by madvise. */
static void *fault(void *count)
{
	char *memory = way->fresh(REGION, MIB);

	pin(0);
	check("fresh", !memory);
	while (!atomic_load(&stop)) {
		touch(memory, REGION);
		*(uint64_t *)count += REGION / PAGE;
		madvise(memory, REGION, MADV_DONTNEED);
	}
	return NULL;
}

static void *recycle(void *count)
{
	void *chunks[2 * EXTENTS];

	pin(1);
	for (size_t i = 0; i < 2 * EXTENTS; i++)
		chunks[i] = way->fresh(MIB, MIB);
	while (!atomic_load(&stop)) {
		for (size_t i = 0; i < 2 * EXTENTS; i += 2)
			check("give", !way->give(chunks[i], MIB));
		for (size_t i = 0; i < 2 * EXTENTS; i += 2)
			chunks[i] = way->take(chunks[i], MIB);
		*(uint64_t *)count += EXTENTS;
	}
	return NULL;
}

/* Where the layer frees nothing by itself, the chunks stay the same. */
static void *offer_one(void *chunk)
{
	const struct offers *offers = way->offers;

	if (offers->dealloc) {
		offers->dealloc(chunk, MIB);
		chunk = offers->alloc(MIB, false);
		check("alloc", !chunk);
	} else {
		offers->offer(chunk, MIB);
		offers->take(chunk, MIB);
	}
	touch(chunk, PAGE);
	return chunk;
}

static void *get_one(void)
{
	void *chunk = way->offers->alloc ? way->offers->alloc(MIB, false) :
					   way->fresh(MIB, MIB);

	check("alloc", !chunk);
	return chunk;
}

static void *offer_and_take(void *count)
{
	void *chunks[EXTENTS];

	for (size_t i = 0; i < EXTENTS; i++)
		chunks[i] = get_one();
	while (!atomic_load(&stop)) {
		for (size_t i = 0; i < EXTENTS; i++)
			chunks[i] = offer_one(chunks[i]);
		*(uint64_t *)count += EXTENTS;
	}
	return NULL;
}

static void *offer_first(void *count)
{
	pin(0);
	return offer_and_take(count);
}

static void *offer_second(void *count)
{
	pin(1);
	return offer_and_take(count);
}

/* Run one or two threads, for some seconds; NULL: no such thread. */
static void run(worker *first, worker *second, uint64_t counts[2])
{
	worker *const workers[2] = { first, second };
	pthread_t threads[2];

	counts[0] = 0;
	counts[1] = 0;
	atomic_store(&stop, false);
	for (int i = 0; i < 2; i++)
		if (workers[i])
			check("pthread_create",
			      pthread_create(&threads[i], NULL, workers[i],
					     &counts[i]));
	sleep(SECONDS);
	atomic_store(&stop, true);
	for (int i = 0; i < 2; i++)
		if (workers[i])
			pthread_join(threads[i], NULL);
}

static void print(const char *row, const char *figure, double value)
{
	printf("%s,%s,%s,%.4g\n", row, way->key, figure, value);
}

static int compare(const void *a, const void *b)
{
	double x = *(const double *)a, y = *(const double *)b;

	return (x > y) - (x < y);
}

/* In a round the threads may by chance be in step, or out of it, all the time. */
static double median(double values[ROUNDS])
{
	qsort(values, ROUNDS, sizeof(*values), compare);
	return values[ROUNDS / 2];
}

static void measure_recycling(void)
{
	uint64_t alone[2], ignored[2], both[2];
	double faults[ROUNDS], recycles[ROUNDS];
	int missed, writers, waits;

	for (int i = 0; i < ROUNDS; i++) {
		run(fault, NULL, alone);
		run(NULL, recycle, ignored);
		alone[1] = ignored[1];
		run(fault, recycle, both);
		faults[i] = (double)both[0] / alone[0];
		recycles[i] = (double)both[1] / alone[1];
	}
	print("two-threads", "faults_ratio", median(faults));
	print("two-threads", "recycles_ratio", median(recycles));

	/* Once more, watched: count faults that do not get the lock at once. */
	missed = event_open("mmap_lock/mmap_lock_acquire_returned",
			    "write==0 && success==0");
	writers = event_open("mmap_lock/mmap_lock_acquire_returned",
			     "write==1 && success==1");
	waits = event_open("lock/contention_begin", "flags==2 || flags==4");
	run(fault, recycle, both);
	print("two-threads", "fault_lock_misses_per_1000",
	      1000.0 * event_read(missed) / both[0]);
	print("two-threads", "write_locks_per_recycle",
	      (double)event_read(writers) / both[1]);
	print("two-threads", "lock_waits_per_1000_recycles",
	      1000.0 * event_read(waits) / both[1]);
}

static void measure_offering(void)
{
	uint64_t alone[2], both[2];
	double takes[ROUNDS];
	int calls, locks;

	for (int i = 0; i < ROUNDS; i++) {
		run(offer_first, NULL, alone);
		run(offer_first, offer_second, both);
		takes[i] = (double)(both[0] + both[1]) / (2 * alone[0]);
	}
	print("two-offering", "takes_ratio", median(takes));

	/* Once more, watched. The threads' own start and end is some 40 calls. */
	calls = event_open("raw_syscalls/sys_enter", NULL);
	locks = event_open("mmap_lock/mmap_lock_acquire_returned", NULL);
	run(offer_first, offer_second, both);
	print("two-offering", "calls_per_1000",
	      1000.0 * event_read(calls) / (both[0] + both[1]));
	print("two-offering", "locks_per_1000",
	      1000.0 * event_read(locks) / (both[0] + both[1]));
}

/**
 * threads_run() - measure the threads, and print CSV
 * @with: the way
 *
 * Return: the exit status.
 */
int threads_run(const struct way *with)
{
	way = with;
	if (!way->start())
		return 2;
	no_huge_pages();
	measure_recycling();
	if (!way->offers || !way->offers->discards)
		return 0;
	check("offering", !way->offers->start());
	measure_offering();
	return 0;
}
