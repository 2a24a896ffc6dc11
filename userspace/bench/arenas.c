// SPDX-License-Identifier: MIT
/*
 * Scenarios: chunks as mozjemalloc lays them out. A chunk of an arena begins
 * with a header and a decommitted guard page, and ends with another guard page.
 * Arenas are created and destroyed with all their chunks.
 *
 * Huge pages are turned off: with them each chunk would take two megabytes.
 */
#include "bench.h"

#define GIB_CHUNKS	1024UL
#define MOST		(32 * GIB_CHUNKS)
#define ARENA		64
#define CHURNS		100

static char *chunks[MOST];

/* Touch the header and a first run. */
static bool set_up(const struct way *way, char *chunk)
{
	if (!chunk || !way->decommit(chunk + PAGE, PAGE) ||
	    !way->decommit(chunk + MIB - PAGE, PAGE))
		return false;
	touch(chunk, PAGE);
	touch(chunk + 2 * PAGE, PAGE);
	return true;
}

static size_t set_up_all(const struct way *way, size_t count)
{
	size_t done;

	for (done = 0; done < count; done++) {
		chunks[done] = way->fresh(MIB, MIB);
		if (!set_up(way, chunks[done]))
			break;
	}
	return done;
}

static bool churn_arena(const struct way *way, char **arena)
{
	for (size_t i = 0; i < ARENA; i++)
		if (!way->give(arena[i], MIB))
			return false;
	for (size_t i = 0; i < ARENA; i++) {
		arena[i] = way->take(arena[i], MIB);
		if (!set_up(way, arena[i]))
			return false;
	}
	return true;
}

/* Destroy and create arenas in an order that only looks random. */
static size_t churn(const struct way *way, size_t count)
{
	uint32_t random = 1;
	size_t done;

	for (done = 0; done < CHURNS; done++) {
		random = random * 1664525 + 1013904223;
		if (!churn_arena(way, chunks + (random >> 8) %
				      (count / ARENA) * ARENA))
			break;
	}
	return done * ARENA;
}

static int64_t trapping(size_t count)
{
	size_t sum = 0;

	for (size_t i = 0; i < count; i++)
		sum += traps(chunks[i] + PAGE) + traps(chunks[i] + MIB - PAGE);
	return count ? sum * 50 / count : 0;
}

/* A way that did not survive the start does not churn. */
static void measure(const struct way *way, size_t count, enum row start,
		    enum row churned)
{
	size_t done;

	no_huge_pages();
	meter_start(start);
	done = set_up_all(way, count);
	meter_stop(start, done);
	meter_note(start, COMPLETED, done);
	meter_note(start, TRAPPING, trapping(done));
	if (done < count)
		return;
	meter_start(churned);
	done = churn(way, count);
	meter_stop(churned, done);
	meter_note(churned, COMPLETED, done);
	meter_note(churned, TRAPPING, trapping(count));
}

static void run_8(const struct way *way)
{
	measure(way, meter_scale(8 * GIB_CHUNKS), ARENAS_8G, ARENAS_8G_CHURN);
}

static void run_32(const struct way *way)
{
	measure(way, meter_scale(32 * GIB_CHUNKS), ARENAS_32G,
		ARENAS_32G_CHURN);
}

const struct scenario arena_scenarios[] = {
	{ ARENAS_8G, ARENAS_8G_CHURN, 1, NULL, run_8 },
	{ ARENAS_32G, ARENAS_32G_CHURN, 1, NULL, run_32 },
	{ 0 },
};
