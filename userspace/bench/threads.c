// SPDX-License-Identifier: MIT
/*
 * Two threads, of which one touches fresh pages and one gives chunks back and
 * takes them again: does one wait for the other? With two processors
 * instructions cannot be counted, so the figures are rates, and not checked.
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

/* Run both threads or one of them, for some seconds. */
static void run(bool faulting, bool recycling, uint64_t counts[2])
{
	pthread_t threads[2];

	counts[0] = 0;
	counts[1] = 0;
	atomic_store(&stop, false);
	if (faulting)
		check("pthread_create", pthread_create(&threads[0], NULL, fault,
						       &counts[0]));
	if (recycling)
		check("pthread_create", pthread_create(&threads[1], NULL,
						       recycle, &counts[1]));
	sleep(SECONDS);
	atomic_store(&stop, true);
	if (faulting)
		pthread_join(threads[0], NULL);
	if (recycling)
		pthread_join(threads[1], NULL);
}

static void print(const char *figure, double value)
{
	printf("two-threads,%s,%s,%.4g\n", way->key, figure, value);
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

/**
 * threads_run() - measure the threads, and print CSV
 * @with: the way
 *
 * Return: the exit status.
 */
int threads_run(const struct way *with)
{
	uint64_t alone[2], ignored[2], both[2];
	double faults[ROUNDS], recycles[ROUNDS];
	int missed, writers, waits;

	way = with;
	if (!way->start())
		return 2;
	no_huge_pages();
	for (int i = 0; i < ROUNDS; i++) {
		run(true, false, alone);
		run(false, true, ignored);
		alone[1] = ignored[1];
		run(true, true, both);
		faults[i] = (double)both[0] / alone[0];
		recycles[i] = (double)both[1] / alone[1];
	}
	print("faults_ratio", median(faults));
	print("recycles_ratio", median(recycles));

	/* Once more, watched: count faults that do not get the lock at once. */
	missed = event_open("mmap_lock/mmap_lock_acquire_returned",
			    "write==0 && success==0");
	writers = event_open("mmap_lock/mmap_lock_acquire_returned",
			     "write==1 && success==1");
	waits = event_open("lock/contention_begin", "flags==2 || flags==4");
	run(true, true, both);
	print("fault_lock_misses_per_1000", 1000.0 * event_read(missed) /
					    both[0]);
	print("write_locks_per_recycle", (double)event_read(writers) / both[1]);
	print("lock_waits_per_1000_recycles", 1000.0 * event_read(waits) /
					      both[1]);
	return 0;
}
