// SPDX-License-Identifier: MIT
/*
 * Scenarios: chunks are offered, and taken back intact or discarded. Each cycle
 * ends with a write to every page of the chunk.
 */
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "bench.h"

#define CYCLES		64
#define FEW		1000UL
#define MANY		1000000UL
#define SINGLES		2000UL
#define ROUNDS		16
#define DISCARDED	16
#define GIB		(1024 * MIB)

static char *chunks[2 * (MANY + SINGLES)];

static void start(const struct way *way)
{
	check("offering", !way->offers->start());
	no_huge_pages();
}

static char *get_present(const struct way *way, size_t size)
{
	char *chunk = way->fresh(size, MIB);

	check("fresh", !chunk);
	touch(chunk, size);
	return chunk;
}

static bool can_offer(const struct way *way)
{
	return way->offers && way->offers->offer;
}

static bool can_discard(const struct way *way)
{
	return can_offer(way) && way->offers->discards;
}

static bool can_cycle(const struct way *way)
{
	return way->offers && way->offers->dealloc;
}

static bool can_cycle_many(const struct way *way)
{
	return can_cycle(way) && way->offers->discards;
}

/* The first cycles make pages of words present. */
static void warm_up(char *chunk, const struct way *way)
{
	for (size_t i = 0; i < 2; i++) {
		way->offers->offer(chunk, MIB);
		way->offers->take(chunk, MIB);
		touch(chunk, MIB);
	}
}

static void run_offer(const struct way *way)
{
	char *chunk;

	start(way);
	chunk = get_present(way, MIB);
	warm_up(chunk, way);
	meter_start(WARM_WRITES);
	for (size_t i = 0; i < CYCLES; i++)
		touch(chunk, MIB);
	meter_stop(WARM_WRITES, CYCLES);
	meter_start(WARM_MEMSET);
	for (size_t i = 0; i < CYCLES; i++) {
		memset(chunk, 0, MIB);
		touch(chunk, MIB);
	}
	meter_stop(WARM_MEMSET, CYCLES);
	meter_start(WARM_OFFER);
	for (size_t i = 0; i < CYCLES; i++) {
		way->offers->offer(chunk, MIB);
		way->offers->take(chunk, MIB);
		touch(chunk, MIB);
	}
	meter_stop(WARM_OFFER, CYCLES);
}

static char *cycle(const struct way *way, char *chunk, bool zeroed)
{
	way->offers->dealloc(chunk, MIB);
	chunk = way->offers->alloc(MIB, zeroed);
	check("alloc", !chunk);
	touch(chunk, MIB);
	return chunk;
}

static char *measure_cycles(const struct way *way, char *chunk, bool zeroed,
			    enum row row)
{
	for (size_t i = 0; i < 2; i++)
		chunk = cycle(way, chunk, zeroed);
	meter_start(row);
	for (size_t i = 0; i < CYCLES; i++)
		chunk = cycle(way, chunk, zeroed);
	meter_stop(row, CYCLES);
	return chunk;
}

static void run_cycle(const struct way *way)
{
	char *chunk;

	start(way);
	chunk = way->offers->alloc(MIB, true);
	check("alloc", !chunk);
	touch(chunk, MIB);
	chunk = measure_cycles(way, chunk, false, WARM_CYCLE);
	measure_cycles(way, chunk, true, WARM_ZEROED);
}

/* Free as much of the kernel's own memory as it can; offered chunks are part of it. */
static void press(void)
{
	int fd = open("/proc/sys/vm/drop_caches", O_WRONLY);

	check("drop_caches", fd < 0 || write(fd, "2", 1) != 1);
	close(fd);
}

static void run_discarded(const struct way *way)
{
	char *chunk;

	start(way);
	chunk = get_present(way, MIB);
	for (size_t i = 0; i < DISCARDED; i++) {
		check("madvise", madvise(chunk, MIB, MADV_DONTNEED));
		meter_start(FIRST_TOUCH);
		touch(chunk, MIB);
		meter_stop(FIRST_TOUCH, 1);
		way->offers->offer(chunk, MIB);
		press();
		meter_start(TAKE_DISCARDED);
		check("not discarded", way->offers->take(chunk, MIB));
		touch(chunk, MIB);
		meter_stop(TAKE_DISCARDED, 1);
	}
}

/* The first time the kernel frees what it has cached of other things. */
static void run_discard(const struct way *way)
{
	char *memory;

	start(way);
	memory = get_present(way, GIB);
	press();
	meter_start(DONTNEED_1G);
	check("madvise", madvise(memory, GIB, MADV_DONTNEED));
	meter_stop(DONTNEED_1G, 1);
	touch(memory, GIB);
	way->offers->offer(memory, GIB);
	meter_start(DISCARD_1G);
	press();
	meter_stop(DISCARD_1G, 1);
	check("not discarded", way->offers->take(memory, GIB));
}

/* The second extent of each pair is offered, the first keeps it from merging. */
static void offer_extents(const struct way *way, size_t count)
{
	for (size_t i = 0; i < 2 * (count + SINGLES); i++) {
		chunks[i] = way->offers->alloc(MIB, false);
		check("alloc", !chunks[i]);
	}
	for (size_t i = 0; i < count; i++)
		way->offers->dealloc(chunks[2 * i + 1], MIB);
}

/* Move some chunks, chosen at random, to the front. */
static void choose(char **from, size_t size, size_t count)
{
	static uint32_t random = 1;

	for (size_t i = 0; i < count; i++) {
		char *chunk = from[i];
		size_t other;

		random = random * 1664525 + 1013904223;
		other = i + (random >> 8) % (size - i);
		from[i] = from[other];
		from[other] = chunk;
	}
}

/* Of all live chunks a few are free at a time, wherever they are. */
static void measure_random(const struct way *way, char **live, enum row row)
{
	for (size_t round = 0; round < ROUNDS; round++) {
		choose(live, SINGLES, BATCH);
		meter_start(row);
		for (size_t i = 0; i < BATCH; i++)
			way->offers->dealloc(live[i], MIB);
		for (size_t i = 0; i < BATCH; i++) {
			live[i] = way->offers->alloc(MIB, false);
			check("alloc", !live[i]);
		}
		meter_stop(row, BATCH);
	}
}

static void measure(const struct way *way, size_t count, enum row offer,
		    enum row take, enum row among, enum row random)
{
	static char *live[SINGLES];
	char **singles = chunks + 2 * count;

	start(way);
	offer_extents(way, count);
	for (size_t i = 0; i < SINGLES; i++)
		touch(singles[2 * i + 1], PAGE);
	meter_start(offer);
	for (size_t i = 0; i < SINGLES; i++)
		way->offers->dealloc(singles[2 * i + 1], MIB);
	meter_stop(offer, SINGLES);
	meter_start(take);
	for (size_t i = 0; i < SINGLES; i++) {
		live[i] = way->offers->alloc(MIB, false);
		check("alloc", !live[i]);
	}
	meter_stop(take, SINGLES);
	touch(live[SINGLES - 1], MIB);
	live[SINGLES - 1] = measure_cycles(way, live[SINGLES - 1], false, among);
	measure_random(way, live, random);
}

static void run_few(const struct way *way)
{
	measure(way, FEW, OFFER_1E3, TAKE_1E3, WARM_CYCLE_1E3,
		RANDOM_1E3);
}

static void run_many(const struct way *way)
{
	measure(way, MANY, OFFER_1E6, TAKE_1E6, WARM_CYCLE_1E6,
		RANDOM_1E6);
}

const struct scenario offer_scenarios[] = {
	{ WARM_WRITES, WARM_OFFER, 5, can_offer, run_offer },
	{ WARM_CYCLE, WARM_ZEROED, 5, can_cycle, run_cycle },
	{ FIRST_TOUCH, TAKE_DISCARDED, 5, can_discard, run_discarded },
	{ OFFER_1E3, RANDOM_1E3, 5, can_cycle_many, run_few },
	{ OFFER_1E6, RANDOM_1E6, 1, can_cycle_many, run_many },
	{ DONTNEED_1G, DISCARD_1G, 1, can_discard, run_discard },
	{ 0 },
};
