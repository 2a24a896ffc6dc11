// SPDX-License-Identifier: MIT
/* Scenarios: whole chunks, fresh, given back and taken again. */
#include <sys/mman.h>

#include "bench.h"

/*
 * There are so many that the kernel frees, after a grace period, the objects of
 * the operations meanwhile: with fewer, chance decides which frees are counted.
 */
#define CHUNKS	8000
#define ALIGNED	1000
#define TOUCHED	32
#define BIG	256

static char *chunks[CHUNKS];

static void get(const struct way *way, size_t count, size_t size,
		size_t alignment)
{
	for (size_t i = 0; i < count; i++)
		chunks[i] = way->fresh(size, alignment);
	for (size_t i = 0; i < count; i++)
		check("fresh", !chunks[i]);
}

/* Every second chunk is given back, so that neither mappings nor extents merge. */
static void give(const struct way *way, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i += 2)
		check("give", !way->give(chunks[i], size));
}

static void run_fresh(const struct way *way)
{
	size_t count = meter_scale(CHUNKS);

	meter_start(FRESH);
	get(way, count, MIB, MIB);
	meter_stop(FRESH, count);
}

static void run_untouched(const struct way *way)
{
	size_t count = meter_scale(CHUNKS);

	get(way, count, MIB, MIB);
	meter_start(DEALLOC);
	give(way, count, MIB);
	meter_stop(DEALLOC, count / 2);
	meter_start(RECYCLE);
	for (size_t i = 0; i < count; i += 2)
		chunks[i] = way->take(chunks[i], MIB);
	meter_stop(RECYCLE, count / 2);
}

static void run_aligned(const struct way *way)
{
	size_t count = meter_scale(ALIGNED);

	meter_start(FRESH_4M);
	get(way, count, MIB, 4 * MIB);
	meter_stop(FRESH_4M, count);
}

static void run_big(const struct way *way)
{
	size_t count = meter_scale(BIG);

	meter_start(FRESH_64M);
	get(way, count, 64 * MIB, MIB);
	meter_stop(FRESH_64M, count);
}

static void get_touched(const struct way *way, size_t size)
{
	get(way, 2 * TOUCHED, size, size);
	for (size_t i = 0; i < 2 * TOUCHED; i += 2)
		touch(chunks[i], size);
}

static void purge(size_t size)
{
	for (size_t i = 0; i < 2 * TOUCHED; i += 2)
		check("madvise", madvise(chunks[i], size, MADV_DONTNEED));
}

static void run_touched(const struct way *way)
{
	no_huge_pages();
	get_touched(way, MIB);
	meter_start(DONTNEED_TOUCHED);
	purge(MIB);
	meter_stop(DONTNEED_TOUCHED, TOUCHED);
	for (size_t i = 0; i < 2 * TOUCHED; i += 2)
		touch(chunks[i], MIB);
	meter_start(DEALLOC_TOUCHED);
	give(way, 2 * TOUCHED, MIB);
	meter_stop(DEALLOC_TOUCHED, TOUCHED);
}

static void run_huge(const struct way *way)
{
	get_touched(way, 2 * MIB);
	meter_start(DONTNEED_HUGE);
	purge(2 * MIB);
	meter_stop(DONTNEED_HUGE, TOUCHED);
	for (size_t i = 0; i < 2 * TOUCHED; i += 2)
		touch(chunks[i], 2 * MIB);
	meter_start(DEALLOC_HUGE);
	give(way, 2 * TOUCHED, 2 * MIB);
	meter_stop(DEALLOC_HUGE, TOUCHED);
}

const struct scenario chunk_scenarios[] = {
	{ FRESH, FRESH, 5, NULL, run_fresh },
	{ FRESH_4M, FRESH_4M, 5, NULL, run_aligned },
	{ FRESH_64M, FRESH_64M, 5, NULL, run_big },
	{ DEALLOC, RECYCLE, 5, NULL, run_untouched },
	{ DEALLOC_TOUCHED, DONTNEED_TOUCHED, 5, NULL, run_touched },
	{ DEALLOC_HUGE, DONTNEED_HUGE, 5, NULL, run_huge },
	{ 0 },
};
