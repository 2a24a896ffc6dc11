// SPDX-License-Identifier: MIT
/* The operations that are measured, on whichever layer. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "operations.h"
#include "trace.h"

#define FRESH	64
#define ALIGNED	16
#define SINGLES	32
#define TOUCHED	4

static void *chunks[FRESH];
static double started;

static double now(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return t.tv_sec * 1e9 + t.tv_nsec;
}

static void begin(void)
{
	started = now();
}

static double each(size_t count)
{
	return (now() - started) / count;
}

static void touch(char *at, size_t size, size_t step)
{
	for (size_t i = 0; i < size; i += step)
		((volatile char *)at)[i] = 1;
}

static void get(const struct layer *layer, size_t count, size_t alignment)
{
	for (size_t i = 0; i < count; i++)
		chunks[i] = layer->fresh(MIB, alignment);
}

static void drop(const struct layer *layer, size_t count)
{
	for (size_t i = 0; i < count; i++)
		layer->unmap(chunks[i], MIB);
	layer->clear();
}

static double measure_fresh(const struct layer *layer, size_t count,
			    size_t alignment)
{
	double ns;

	begin();
	get(layer, count, alignment);
	ns = each(count);
	drop(layer, count);
	return ns;
}

static double fresh(const struct layer *layer)
{
	return measure_fresh(layer, FRESH, MIB);
}

static double fresh_aligned(const struct layer *layer)
{
	return measure_fresh(layer, ALIGNED, 4 * MIB);
}

/* Give back every second chunk: live neighbours keep them from merging. */
static void give(const struct layer *layer, size_t count)
{
	for (size_t i = 0; i < count; i++)
		layer->give(chunks[2 * i], MIB);
}

static void take(const struct layer *layer, size_t count)
{
	for (size_t i = 0; i < count; i++)
		layer->take(chunks[2 * i], MIB);
}

static double recycle(const struct layer *layer)
{
	double ns;

	get(layer, 2 * SINGLES, MIB);
	give(layer, SINGLES);
	begin();
	take(layer, SINGLES);
	ns = each(SINGLES);
	drop(layer, 2 * SINGLES);
	return ns;
}

static double dealloc(const struct layer *layer)
{
	double ns;

	get(layer, 2 * SINGLES, MIB);
	begin();
	give(layer, SINGLES);
	ns = each(SINGLES);
	/* Take the chunks again, so that all are live and can be dropped. */
	take(layer, SINGLES);
	drop(layer, 2 * SINGLES);
	return ns;
}

static double dealloc_touched(const struct layer *layer)
{
	double ns;

	get(layer, 2 * TOUCHED, MIB);
	for (size_t i = 0; i < TOUCHED; i++)
		touch(chunks[2 * i], MIB, sysconf(_SC_PAGESIZE));
	begin();
	give(layer, TOUCHED);
	ns = each(TOUCHED);
	take(layer, TOUCHED);
	drop(layer, 2 * TOUCHED);
	return ns;
}

static size_t decommit(const struct layer *layer, char *chunk)
{
	size_t page = sysconf(_SC_PAGESIZE), count = 0;

	for (size_t at = 0; at < MIB; at += 2 * page, count++)
		layer->decommit(chunk + at, page);
	return count;
}

static size_t commit(const struct layer *layer, char *chunk)
{
	size_t page = sysconf(_SC_PAGESIZE), count = 0;

	for (size_t at = 0; at < MIB; at += 2 * page, count++)
		layer->commit(chunk + at, page);
	return count;
}

static double page_decommit(const struct layer *layer)
{
	double ns;

	get(layer, 1, MIB);
	touch(chunks[0], MIB, sysconf(_SC_PAGESIZE));
	begin();
	ns = each(decommit(layer, chunks[0]));
	drop(layer, 1);
	return ns;
}

static double page_commit(const struct layer *layer)
{
	double ns;

	get(layer, 1, MIB);
	touch(chunks[0], MIB, sysconf(_SC_PAGESIZE));
	decommit(layer, chunks[0]);
	begin();
	ns = each(commit(layer, chunks[0]));
	drop(layer, 1);
	return ns;
}

static void **extents;

static void play(const struct layer *layer, bool touched)
{
	for (size_t i = 0; i < trace_length; i++) {
		struct event *event = &trace[i];
		void **extent = &extents[event->number];

		if (event->alloc) {
			*extent = layer->alloc(event->size, event->alignment);
			if (touched)
				touch(*extent, event->size, MIB);
		} else {
			layer->dealloc(*extent, event->size);
			*extent = NULL;
		}
	}
}

static double measure_mixed(const struct layer *layer, bool touched)
{
	double ns;

	if (!extents)
		extents = calloc(trace_extents, sizeof(*extents));
	if (!extents)
		fail("no memory for the trace's extents");
	begin();
	play(layer, touched);
	ns = each(trace_length);
	for (size_t i = 0; i < trace_length; i++) {
		void **extent = &extents[trace[i].number];

		if (*extent)
			layer->unmap(*extent, trace[i].size);
		*extent = NULL;
	}
	layer->clear();
	return ns;
}

static double mixed(const struct layer *layer)
{
	return measure_mixed(layer, false);
}

static double mixed_touched(const struct layer *layer)
{
	return measure_mixed(layer, true);
}

static bool has_extents(const struct layer *layer)
{
	return layer->fresh;
}

static bool has_alloc(const struct layer *layer)
{
	return trace_length && layer->alloc;
}

const struct operation operations[] = {
	{ "fresh, 1 MiB", 1, has_extents, fresh },
	{ "fresh, 1 MiB at a multiple of 4 MiB", 1, has_extents, fresh_aligned },
	{ "recycle 1 MiB", 1, has_extents, recycle },
	{ "dealloc 1 MiB, untouched", 1, has_extents, dealloc },
	{ "dealloc 1 MiB, all pages written", 2, has_extents,
	  dealloc_touched },
	{ "page decommit", 1, has_extents, page_decommit },
	{ "page commit", 1, has_extents, page_commit },
	{ "mixed, a step of the trace", 1, has_alloc, mixed },
	{ "mixed, a page of each MiB written", 2, has_alloc, mixed_touched },
};

const size_t nr_operations = sizeof(operations) / sizeof(*operations);
