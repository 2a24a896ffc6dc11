/* SPDX-License-Identifier: MIT */
/*
 * The benchmark: what the operations of a chunk layer cost, in several ways.
 *
 * A way is one chunk layer. A row is one operation. A scenario is a run, in a
 * process of its own, which brings about what some rows need and measures them:
 *
 *	meter_start(ROW);
 *	... count operations ...
 *	meter_stop(ROW, count);
 */
#ifndef BENCH_H
#define BENCH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#define MIB	(1UL << 20)
#define PAGE	4096UL
#define PAGES	(MIB / PAGE)
#define BATCH	64

/**
 * struct way - a chunk layer
 * @key:       short name: results are compared by it
 * @title:     for people
 * @option:    CHUNK_OPTIONS to run with, or NULL
 * @module:    has the device behind it
 * @start:     get ready, in the process that is measured; false: not available
 * @fresh:     memory that was never used; NULL when there is none
 * @take:      use again @size bytes that were given back, those at @addr where
 *             the way has no trees to find any
 * @give:      give back, to be taken again; false: the original would have died
 * @decommit:  pages; false: likewise
 * @commit:    pages
 * @alloc_populated: memory that was never used, all of it present; or NULL
 * @populate:  make pages of live memory present; or NULL
 * @take_many: @take for BATCH extents at once; or NULL
 * @give_many: @give likewise
 * @decommit_many: @decommit likewise
 * @commit_many: @commit likewise
 */
struct way {
	const char *key;
	const char *title;
	const char *option;
	bool module;
	bool (*start)(void);
	void *(*fresh)(size_t size, size_t alignment);
	void *(*take)(void *addr, size_t size);
	bool (*give)(void *addr, size_t size);
	bool (*decommit)(void *addr, size_t size);
	void (*commit)(void *addr, size_t size);
	void *(*alloc_populated)(size_t size);
	void (*populate)(void *addr, size_t size);
	void (*take_many)(void **addrs, size_t size);
	void (*give_many)(void **addrs, size_t size);
	void (*decommit_many)(void **addrs, size_t size);
	void (*commit_many)(void **addrs, size_t size);
};

extern const struct way way_original;
extern const struct way way_jemalloc;
extern const struct way way_mmap;
extern const struct way way_guarded;
extern const struct way way_huge;
extern const struct way way_ioctl;

enum row {
	FRESH, FRESH_4M, FRESH_64M, DEALLOC, RECYCLE, DEALLOC_TOUCHED,
	DONTNEED_TOUCHED, DEALLOC_HUGE, DONTNEED_HUGE, DEALLOC_1E3, RECYCLE_1E3,
	DEALLOC_TOUCHED_1E3, DEALLOC_1E6, RECYCLE_1E6, DEALLOC_TOUCHED_1E6,
	PAGE_DECOMMIT, PAGE_COMMIT, LARGE_DECOMMIT, LARGE_COMMIT, PAGES_1E6,
	WRITE_FAULT, READ_FAULT, HUGE_FAULT, TOUCH_1M, ALLOC_POPULATED,
	POPULATE, RECYCLE_64, DEALLOC_64, DECOMMIT_64, COMMIT_64, ARENAS_8G,
	ARENAS_8G_CHURN, ARENAS_32G, ARENAS_32G_CHURN, ROWS,
};

/**
 * struct row_info - what to call a row
 * @key:   short name: results are compared by it
 * @title: for people
 * @total: the mappings that count are those of all operations together
 */
struct row_info {
	const char *key;
	const char *title;
	bool total;
};

extern const struct row_info rows[ROWS];

/**
 * struct scenario - what is run in one process
 * @first:  the first row it measures
 * @last:   the last one
 * @rounds: how often; the median counts
 * @can:    has a way what it takes? NULL: all have
 * @run:    bring it about
 */
struct scenario {
	enum row first, last;
	int rounds;
	bool (*can)(const struct way *way);
	void (*run)(const struct way *way);
};

/* Each file of scenarios has a list, which ends with one without @run. */
extern const struct scenario chunk_scenarios[];
extern const struct scenario extent_scenarios[];
extern const struct scenario page_scenarios[];
extern const struct scenario touch_scenarios[];
extern const struct scenario batch_scenarios[];
extern const struct scenario arena_scenarios[];

/**
 * enum figure - what is counted
 * @INSTRUCTIONS: retired, user and kernel
 * @FAULTS:       page faults
 * @CALLS:        system calls
 * @WRITE_LOCKS:  times that mmap_lock was taken for writing
 * @MAPPINGS:     mappings added
 * @COMPLETED:    operations, where a way might not survive all
 * @TRAPPING:     of decommitted pages, how many in a hundred trap
 */
enum figure {
	INSTRUCTIONS, FAULTS, CALLS, WRITE_LOCKS, MAPPINGS, COMPLETED, TRAPPING,
	FIGURES,
};

extern const char *const figure_keys[FIGURES];

/**
 * struct figures - what was counted of a row
 * @operations: how many; 0: the row was not measured
 * @values:     of all of them
 */
struct figures {
	uint64_t operations;
	int64_t values[FIGURES];
};

extern struct figures measured[ROWS];

void meter_prepare(bool events);
void meter_profile(enum row row, const char *directory);
void meter_start(enum row row);
void meter_stop(enum row row, uint64_t operations);
void meter_note(enum row row, enum figure kind, int64_t value);
uint64_t meter_profiled(void);
size_t meter_scale(size_t count);

int threads_run(const struct way *way);

void check(const char *what, bool failed);
void touch(char *at, size_t size);
void no_huge_pages(void);
bool traps(const void *addr);

#endif /* BENCH_H */
