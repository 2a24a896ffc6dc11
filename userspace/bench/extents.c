// SPDX-License-Identifier: MIT
/* Scenarios: chunks are given back and taken among many free extents. */
#include "bench.h"

#define FEW	1000UL
#define MANY	1000000UL
#define SINGLES	2000UL
#define TOUCHED	64

static char *chunks[2 * (MANY + SINGLES) + BATCH];

static void get(const struct way *way, size_t count)
{
	for (size_t i = 0; i < count; i++) {
		chunks[i] = way->fresh(MIB, MIB);
		check("fresh", !chunks[i]);
	}
}

/* The second extent of each pair is free, the first keeps it from merging. */
static void free_extents(const struct way *way, size_t count)
{
	get(way, 2 * (count + SINGLES));
	for (size_t i = 0; i < count; i++)
		check("give", !way->give(chunks[2 * i + 1], MIB));
}

static void measure(const struct way *way, size_t count, enum row dealloc,
		    enum row recycle, enum row touched)
{
	char **singles = chunks + 2 * count;

	no_huge_pages();
	free_extents(way, count);
	meter_start(dealloc);
	for (size_t i = 0; i < SINGLES; i++)
		check("give", !way->give(singles[2 * i + 1], MIB));
	meter_stop(dealloc, SINGLES);
	meter_start(recycle);
	for (size_t i = 0; i < SINGLES; i++)
		check("take", !way->take(singles[2 * i + 1], MIB));
	meter_stop(recycle, SINGLES);

	for (size_t i = 0; i < TOUCHED; i++)
		touch(singles[2 * i], MIB);
	meter_start(touched);
	for (size_t i = 0; i < TOUCHED; i++)
		check("give", !way->give(singles[2 * i], MIB));
	meter_stop(touched, TOUCHED);
}

static void run_few(const struct way *way)
{
	measure(way, FEW, DEALLOC_1E3, RECYCLE_1E3, DEALLOC_TOUCHED_1E3);
}

static void run_many(const struct way *way)
{
	measure(way, MANY, DEALLOC_1E6, RECYCLE_1E6, DEALLOC_TOUCHED_1E6);
}

/* Other ways run out of mappings at some thirty thousand extents. */
static bool can_many(const struct way *way)
{
	return way->module;
}

const struct scenario extent_scenarios[] = {
	{ DEALLOC_1E3, DEALLOC_TOUCHED_1E3, 5, NULL, run_few },
	{ DEALLOC_1E6, DEALLOC_TOUCHED_1E6, 1, can_many, run_many },
	{ 0 },
};
