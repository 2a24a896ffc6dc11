/* SPDX-License-Identifier: MIT */
/*
 * The benchmark: what an operation of a chunk layer costs, by several ways.
 *
 * A way is one chunk layer; a row is one operation. Each row is measured in a
 * process of its own, so that no other leaves it mappings or recycled extents.
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define MIB	(1UL << 20)
#define PAGE	4096UL

/**
 * struct way - a chunk layer
 * @name:     for the table
 * @option:   CHUNK_OPTIONS to run with, or NULL
 * @start:    get ready, in the process that is measured; false: not available
 * @fresh:    memory that was never used
 * @take:     use again what was given back, @size bytes of it
 * @give:     give back
 * @decommit: pages
 * @commit:   pages
 * @populate: memory that was never used, all of it present
 * @take_many: as @take for @count extents, filling @chunks
 * @give_many: as @give
 */
struct way {
	const char *name;
	const char *option;
	bool (*start)(void);
	void *(*fresh)(size_t size, size_t alignment);
	void (*take)(void *addr, size_t size);
	void (*give)(void *addr, size_t size);
	void (*decommit)(void *addr, size_t size);
	void (*commit)(void *addr, size_t size);
	void *(*populate)(size_t size);
	void (*take_many)(void **chunks, size_t count, size_t size);
	void (*give_many)(void **chunks, size_t count, size_t size);
};

extern const struct way way_original;
extern const struct way way_jemalloc;
extern const struct way way_mmap;
extern const struct way way_libchunk;
extern const struct way way_device;

/**
 * struct row - an operation
 * @key:     short name, stable: figures are compared by it
 * @title:   for people
 * @rounds:  how often to measure; the least counts
 * @can:     does a way have it? NULL: all do
 * @measure: do it, between meter_start() and meter_stop()
 */
struct row {
	const char *key;
	const char *title;
	int rounds;
	bool (*can)(const struct way *way);
	void (*measure)(const struct way *way);
};

extern const struct row rows[];
extern const size_t nr_rows;

/**
 * struct figures - what was counted, in all, and of how many operations
 * @operations: how many
 * @values:     by enum figure
 */
enum figure { INSTRUCTIONS, FAULTS, CALLS, WRITE_LOCKS, MAPPINGS, FIGURES };

struct figures {
	uint64_t operations;
	int64_t values[FIGURES];
};

extern const char *const figure_names[FIGURES];
extern struct figures figures;

void meter_prepare(bool events);
void meter_start(void);
void meter_stop(uint64_t operations);

void check(const char *what, bool failed);

#endif /* BENCH_H */
