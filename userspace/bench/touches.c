// SPDX-License-Identifier: MIT
/* Scenarios: pages become present, one by one or all at once. */
#include <stdio.h>
#include <string.h>

#include "bench.h"

#define CHUNKS	32
#define BIG	(16 * MIB)

/* The first page of two megabytes is touched in advance: it needs a page table. */
static char *get_with_table(const struct way *way)
{
	char *chunk = way->fresh(2 * MIB, 2 * MIB);

	check("fresh", !chunk);
	touch(chunk, PAGE);
	return chunk + PAGE;
}

static void measure_write(const struct way *way, enum row row)
{
	size_t size = meter_scale(PAGES) * PAGE;

	no_huge_pages();
	for (size_t i = 0; i < CHUNKS; i++) {
		char *pages = get_with_table(way);

		meter_start(row);
		touch(pages, size);
		meter_stop(row, size / PAGE);
	}
}

static void run_write(const struct way *way)
{
	measure_write(way, WRITE_FAULT);
}

/* The kernel's parameter decides this: "run" boots another machine with it. */
static bool can_write_no_init(const struct way *way)
{
	char line[4096] = "";
	FILE *file = fopen("/proc/cmdline", "r");

	(void)way;
	check("/proc/cmdline", !file || !fgets(line, sizeof(line), file));
	fclose(file);
	return strstr(line, "init_on_alloc=0");
}

static void run_write_no_init(const struct way *way)
{
	measure_write(way, WRITE_FAULT_NO_INIT);
}

static void run_read(const struct way *way)
{
	size_t page = PAGE, size = meter_scale(PAGES) * page;

	no_huge_pages();
	for (size_t i = 0; i < CHUNKS; i++) {
		volatile char *pages = get_with_table(way);

		meter_start(READ_FAULT);
		for (size_t at = 0; at < size; at += page)
			(void)pages[at];
		meter_stop(READ_FAULT, size / page);
	}
}

/* Measure twice: the first time the kernel may still have to make huge pages. */
static void run_huge(const struct way *way)
{
	char *memory = way->fresh(BIG, 2 * MIB);

	check("fresh", !memory);
	touch(memory, BIG);
	memory = way->fresh(BIG, 2 * MIB);
	check("fresh", !memory);
	meter_start(HUGE_FAULT);
	touch(memory, BIG);
	meter_stop(HUGE_FAULT, BIG / PAGE);
}

static void run_alloc_and_touch(const struct way *way)
{
	no_huge_pages();
	for (size_t i = 0; i < CHUNKS; i++) {
		char *chunk;

		meter_start(TOUCH_1M);
		chunk = way->fresh(MIB, MIB);
		check("fresh", !chunk);
		touch(chunk, MIB);
		meter_stop(TOUCH_1M, PAGES);
	}
}

static bool can_alloc_populated(const struct way *way)
{
	return way->alloc_populated;
}

static void run_alloc_populated(const struct way *way)
{
	no_huge_pages();
	for (size_t i = 0; i < CHUNKS; i++) {
		char *chunk;

		meter_start(ALLOC_POPULATED);
		chunk = way->alloc_populated(MIB);
		check("alloc populated", !chunk);
		touch(chunk, MIB);
		meter_stop(ALLOC_POPULATED, PAGES);
	}
}

static bool can_populate(const struct way *way)
{
	return way->populate;
}

static void run_populate(const struct way *way)
{
	no_huge_pages();
	for (size_t i = 0; i < CHUNKS; i++) {
		char *chunk = way->fresh(MIB, MIB);

		check("fresh", !chunk);
		meter_start(POPULATE);
		way->populate(chunk, MIB);
		touch(chunk, MIB);
		meter_stop(POPULATE, PAGES);
	}
}

const struct scenario touch_scenarios[] = {
	{ WRITE_FAULT, WRITE_FAULT, 5, NULL, run_write },
	{ WRITE_FAULT_NO_INIT, WRITE_FAULT_NO_INIT, 5, can_write_no_init,
	  run_write_no_init },
	{ READ_FAULT, READ_FAULT, 5, NULL, run_read },
	{ HUGE_FAULT, HUGE_FAULT, 5, NULL, run_huge },
	{ TOUCH_1M, TOUCH_1M, 5, NULL, run_alloc_and_touch },
	{ ALLOC_POPULATED, ALLOC_POPULATED, 5, can_alloc_populated,
	  run_alloc_populated },
	{ POPULATE, POPULATE, 5, can_populate, run_populate },
	{ 0 },
};
