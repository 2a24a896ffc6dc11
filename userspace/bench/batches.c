// SPDX-License-Identifier: MIT
/* Scenarios: many operations in one call. */
#include "bench.h"

#define BATCHES	32

static bool can(const struct way *way)
{
	return way->take_many;
}

/* Every second extent that was handed out is given back, in batches. */
static void run_chunks(const struct way *way)
{
	void *chunks[2 * BATCH * BATCHES], *some[BATCHES][BATCH];

	for (size_t i = 0; i < 2 * BATCHES; i++)
		way->take_many(chunks + i * BATCH, MIB);
	for (size_t i = 0; i < BATCH * BATCHES; i++)
		some[i / BATCH][i % BATCH] = chunks[2 * i];
	meter_start(DEALLOC_64);
	for (size_t i = 0; i < BATCHES; i++)
		way->give_many(some[i], MIB);
	meter_stop(DEALLOC_64, BATCH * BATCHES);
	meter_start(RECYCLE_64);
	for (size_t i = 0; i < BATCHES; i++)
		way->take_many(some[i], MIB);
	meter_stop(RECYCLE_64, BATCH * BATCHES);
}

static void run_pages(const struct way *way)
{
	no_huge_pages();
	for (size_t i = 0; i < BATCHES; i++) {
		size_t size = 2 * BATCH * PAGE > MIB ? 2 * BATCH * PAGE : MIB;
		char *chunk = way->fresh(size, MIB);
		void *pages[BATCH];

		check("fresh", !chunk);
		touch(chunk, size);
		for (size_t j = 0; j < BATCH; j++)
			pages[j] = chunk + 2 * j * PAGE;
		meter_start(DECOMMIT_64);
		way->decommit_many(pages, PAGE);
		meter_stop(DECOMMIT_64, BATCH);
		meter_start(COMMIT_64);
		way->commit_many(pages, PAGE);
		meter_stop(COMMIT_64, BATCH);
	}
}

const struct scenario batch_scenarios[] = {
	{ RECYCLE_64, DEALLOC_64, 5, can, run_chunks },
	{ DECOMMIT_64, COMMIT_64, 5, can, run_pages },
	{ 0 },
};
