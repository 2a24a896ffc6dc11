// SPDX-License-Identifier: MIT
/* The operations that are measured. */
#include <stdlib.h>
#include <sys/mman.h>

#include "bench.h"

#define OPS	1000
#define TOUCHED	64
#define BIG	16
#define BATCH	64
#define MILLION	1000000UL
#define PAGES	(MIB / PAGE)

/* How many mappings the kernel allows a process by default, and then some. */
#define TOO_MANY	65536UL

static void *chunks[2 * MILLION];

static void touch(char *at, size_t size)
{
	for (size_t i = 0; i < size; i += PAGE)
		((volatile char *)at)[i] = 1;
}

static void measure_fresh(const struct way *way, size_t count, size_t size,
			  size_t alignment)
{
	meter_start();
	for (size_t i = 0; i < count; i++)
		way->fresh(size, alignment);
	meter_stop(count);
}

static void fresh(const struct way *way)
{
	measure_fresh(way, OPS, MIB, MIB);
}

static void fresh_aligned(const struct way *way)
{
	measure_fresh(way, OPS, MIB, 4 * MIB);
}

static void fresh_big(const struct way *way)
{
	measure_fresh(way, 64, 64 * MIB, MIB);
}

/* Every second of many chunks, so that neither neighbours nor mappings merge */
static void get_chunks(const struct way *way, size_t count)
{
	for (size_t i = 0; i < 2 * count; i++)
		chunks[i] = way->fresh(MIB, MIB);
}

static void give_half(const struct way *way, size_t count)
{
	for (size_t i = 0; i < count; i++)
		way->give(chunks[2 * i], MIB);
}

static void give(const struct way *way)
{
	get_chunks(way, OPS);
	meter_start();
	give_half(way, OPS);
	meter_stop(OPS);
}

static void recycle(const struct way *way)
{
	get_chunks(way, OPS);
	give_half(way, OPS);
	meter_start();
	for (size_t i = 0; i < OPS; i++)
		way->take(chunks[2 * i], MIB);
	meter_stop(OPS);
}

/* Of small pages: what is huge is another matter. */
static void get_touched(const struct way *way)
{
	get_chunks(way, TOUCHED);
	for (size_t i = 0; i < 2 * TOUCHED; i += 2) {
		madvise(chunks[i], MIB, MADV_NOHUGEPAGE);
		touch(chunks[i], MIB);
	}
}

static void give_touched(const struct way *way)
{
	get_touched(way);
	meter_start();
	give_half(way, TOUCHED);
	meter_stop(TOUCHED);
}

/* The measure of that: only freeing the pages */
static void dontneed(const struct way *way)
{
	get_touched(way);
	meter_start();
	for (size_t i = 0; i < TOUCHED; i++)
		madvise(chunks[2 * i], MIB, MADV_DONTNEED);
	meter_stop(TOUCHED);
}

static bool can_batch(const struct way *way)
{
	return way->give_many;
}

static void get_many(const struct way *way, size_t count)
{
	for (size_t i = 0; i < count; i += BATCH)
		way->take_many(chunks + i, BATCH, MIB);
}

static void give_every_second(const struct way *way, size_t count)
{
	void *some[BATCH];

	for (size_t i = 0; i < count; i += BATCH) {
		for (size_t j = 0; j < BATCH; j++)
			some[j] = chunks[2 * (i + j)];
		way->give_many(some, BATCH, MIB);
	}
}

/* A million free extents, less what the last batch lacks */
static void get_million(const struct way *way)
{
	get_many(way, (2 * MILLION / BATCH - 2) * BATCH);
	give_every_second(way, (MILLION / BATCH - 2) * BATCH);
}

static void recycle_million(const struct way *way)
{
	get_million(way);
	meter_start();
	for (size_t i = 0; i < OPS; i++)
		way->take(NULL, MIB);
	meter_stop(OPS);
}

static void give_million(const struct way *way)
{
	get_million(way);
	meter_start();
	for (size_t i = 0; i < OPS; i++)
		way->give(chunks[2 * i + 1], MIB);
	meter_stop(OPS);
}

static void fresh_million(const struct way *way)
{
	get_million(way);
	meter_start();
	for (size_t i = 0; i < OPS; i++)
		way->fresh(2 * MIB, MIB);
	meter_stop(OPS);
}

static void fresh_two(const struct way *way)
{
	measure_fresh(way, OPS, 2 * MIB, MIB);
}

static void batch_alloc(const struct way *way)
{
	get_many(way, 16 * BATCH);
	give_every_second(way, 8 * BATCH);
	meter_start();
	for (size_t i = 0; i < 8; i++)
		way->take_many(chunks, BATCH, MIB);
	meter_stop(8 * BATCH);
}

static void batch_dealloc(const struct way *way)
{
	get_many(way, 16 * BATCH);
	meter_start();
	give_every_second(way, 8 * BATCH);
	meter_stop(8 * BATCH);
}

static char *touched_chunk(const struct way *way)
{
	char *chunk = way->fresh(MIB, MIB);

	madvise(chunk, MIB, MADV_NOHUGEPAGE);
	touch(chunk, MIB);
	return chunk;
}

static void page_decommit(const struct way *way)
{
	for (size_t i = 0; i < 8; i++) {
		char *chunk = touched_chunk(way);

		meter_start();
		for (size_t page = 0; page < PAGES; page += 2)
			way->decommit(chunk + page * PAGE, PAGE);
		meter_stop(PAGES / 2);
	}
}

static void page_commit(const struct way *way)
{
	for (size_t i = 0; i < 8; i++) {
		char *chunk = touched_chunk(way);

		for (size_t page = 0; page < PAGES; page += 2)
			way->decommit(chunk + page * PAGE, PAGE);
		meter_start();
		for (size_t page = 0; page < PAGES; page += 2)
			way->commit(chunk + page * PAGE, PAGE);
		meter_stop(PAGES / 2);
	}
}

/* The page table is there: it is not what is measured. */
static void first_write(const struct way *way)
{
	for (size_t i = 0; i < 8; i++) {
		char *chunk = way->fresh(2 * MIB, 2 * MIB);

		madvise(chunk, 2 * MIB, MADV_NOHUGEPAGE);
		touch(chunk, PAGE);
		meter_start();
		touch(chunk + PAGE, MIB);
		meter_stop(PAGES);
	}
}

static void first_read(const struct way *way)
{
	for (size_t i = 0; i < 8; i++) {
		volatile char *chunk = way->fresh(2 * MIB, 2 * MIB);

		madvise((void *)chunk, 2 * MIB, MADV_NOHUGEPAGE);
		touch((char *)chunk, PAGE);
		meter_start();
		for (size_t page = 1; page <= PAGES; page++)
			(void)chunk[page * PAGE];
		meter_stop(PAGES);
	}
}

static bool can_populate(const struct way *way)
{
	return way->populate;
}

static void populate(const struct way *way)
{
	meter_start();
	for (size_t i = 0; i < BIG; i++)
		way->populate(MIB);
	meter_stop(BIG * PAGES);
}

/* The same by hand: allocate, and touch every page */
static void alloc_and_touch(const struct way *way)
{
	meter_start();
	for (size_t i = 0; i < BIG; i++) {
		char *chunk = way->fresh(MIB, MIB);

		if (way == &way_original)
			madvise(chunk, MIB, MADV_NOHUGEPAGE);
		touch(chunk, MIB);
	}
	meter_stop(BIG * PAGES);
}

static bool survives(const struct way *way)
{
	return way == &way_libchunk || way == &way_device;
}

static void million_pages(const struct way *way)
{
	char *memory = way->fresh(2 * MILLION / PAGES * MIB, MIB);

	meter_start();
	for (size_t i = 0; i < MILLION / PAGES * PAGES; i++)
		way->decommit(memory + 2 * i * PAGE, PAGE);
	meter_stop(1);
}

const struct row rows[] = {
	{ "fresh", "fresh 1 MiB chunk, 1 MiB aligned", 5, NULL, fresh },
	{ "fresh-4M", "fresh 1 MiB chunk, 4 MiB aligned", 5, NULL,
	  fresh_aligned },
	{ "fresh-64M", "fresh 64 MiB", 5, NULL, fresh_big },
	{ "recycle", "recycle 1 MiB (take and commit)", 5, NULL, recycle },
	{ "give", "give back 1 MiB, untouched, every second chunk", 5, NULL,
	  give },
	{ "give-touched", "give back 1 MiB, all pages written", 3, NULL,
	  give_touched },
	{ "dontneed", "only MADV_DONTNEED of such pages", 3, NULL, dontneed },
	{ "page-decommit", "decommit one written page", 3, NULL,
	  page_decommit },
	{ "page-commit", "commit one page", 3, NULL, page_commit },
	{ "first-write", "first write to a page", 3, NULL, first_write },
	{ "first-read", "first read of a page", 3, NULL, first_read },
	{ "touch", "1 MiB and a write to each page, per page", 3, NULL,
	  alloc_and_touch },
	{ "populate", "1 MiB with all pages present, per page", 3, can_populate,
	  populate },
	{ "batch-alloc", "recycle, of a batch of 64", 5, can_batch,
	  batch_alloc },
	{ "batch-dealloc", "give back untouched, of a batch of 64", 5, can_batch,
	  batch_dealloc },
	{ "fresh-2M", "fresh 2 MiB", 5, can_batch, fresh_two },
	{ "fresh-2M-1e6", "fresh 2 MiB, 10^6 free extents", 1, can_batch,
	  fresh_million },
	{ "recycle-1e6", "recycle, 10^6 free extents", 1, can_batch,
	  recycle_million },
	{ "give-1e6", "give back untouched, 10^6 free extents", 1, can_batch,
	  give_million },
	{ "pages-1e6", "10^6 alternating page decommits, all of them", 1,
	  survives, million_pages },
};

const size_t nr_rows = sizeof(rows) / sizeof(*rows);
