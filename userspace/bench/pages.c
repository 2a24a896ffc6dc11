// SPDX-License-Identifier: MIT
/* Scenarios: single pages of a chunk. */
#include "bench.h"

#define CHUNKS		16
#define MILLION		1000000UL
#define SAMPLE		16
#define LARGE		(1024 * MIB)
#define LARGE_ROUNDS	16

static void measure_chunk(const struct way *way)
{
	char *chunk = way->fresh(MIB, MIB);
	size_t pages = 2 * meter_scale(PAGES / 2);

	check("fresh", !chunk);
	touch(chunk, MIB);
	meter_start(PAGE_DECOMMIT);
	for (size_t page = 0; page < pages; page += 2)
		check("decommit", !way->decommit(chunk + page * PAGE, PAGE));
	meter_stop(PAGE_DECOMMIT, pages / 2);
	meter_start(PAGE_COMMIT);
	for (size_t page = 0; page < pages; page += 2)
		way->commit(chunk + page * PAGE, PAGE);
	meter_stop(PAGE_COMMIT, pages / 2);
}

static void run_pages(const struct way *way)
{
	no_huge_pages();
	for (size_t i = 0; i < CHUNKS; i++)
		measure_chunk(way);
}

/* Pages that were never touched cost next to nothing. */
static void run_large(const struct way *way)
{
	char *memory = way->fresh(LARGE, MIB);

	check("fresh", !memory);
	no_huge_pages();
	for (size_t i = 0; i < LARGE_ROUNDS; i++) {
		touch(memory, PAGE);
		meter_start(LARGE_DECOMMIT);
		check("decommit", !way->decommit(memory, LARGE));
		meter_stop(LARGE_DECOMMIT, 1);
		meter_start(LARGE_COMMIT);
		way->commit(memory, LARGE);
		meter_stop(LARGE_COMMIT, 1);
	}
}

static void run_million(const struct way *way)
{
	char *memory = way->fresh((2 * MILLION / PAGES + 1) * MIB, MIB);
	size_t pages = meter_scale(MILLION), done, trapping = 0;

	check("fresh", !memory);
	meter_start(PAGES_1E6);
	for (done = 0; done < pages; done++)
		if (!way->decommit(memory + 2 * done * PAGE, PAGE))
			break;
	meter_stop(PAGES_1E6, done);
	for (size_t i = 0; i < done; i += SAMPLE)
		trapping += traps(memory + 2 * i * PAGE);
	meter_note(PAGES_1E6, COMPLETED, done);
	meter_note(PAGES_1E6, TRAPPING, trapping * 100 * SAMPLE / done);
}

const struct scenario page_scenarios[] = {
	{ PAGE_DECOMMIT, PAGE_COMMIT, 5, NULL, run_pages },
	{ LARGE_DECOMMIT, LARGE_COMMIT, 5, NULL, run_large },
	{ PAGES_1E6, PAGES_1E6, 1, NULL, run_million },
	{ 0 },
};
