/* SPDX-License-Identifier: MIT */
/*
 * The benchmark: what the operations of a chunk layer cost, in several ways.
 *
 * A way is one chunk layer. A row is one operation. A scenario is a run, in a
 * process of its own, which prepares the state that some rows need, and measures
 * them:
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
#define PAGE	bench_page
#define PAGES	(MIB / PAGE)
#define BATCH	64

/* Bytes of a page */
extern size_t bench_page;

/**
 * struct offers - the part of a chunk layer that keeps contents until memory is short
 * @discards: the kernel discards what is offered when drop_caches is written to
 * @start:    prepares the process; false: not available
 * @offer:    lets the contents of live chunks go; NULL if the layer has no such call
 * @take:     takes them back; false: they are gone. NULL likewise
 * @dealloc:  frees memory, to be used again; NULL if that keeps no contents
 * @alloc:    gets memory that was freed, dirty or zeroed. NULL likewise
 */
struct offers {
	bool discards;
	bool (*start)(void);
	void (*offer)(void *addr, size_t size);
	bool (*take)(void *addr, size_t size);
	void (*dealloc)(void *addr, size_t size);
	void *(*alloc)(size_t size, bool zeroed);
};

/**
 * struct way - a chunk layer
 * @key:       short name: results are compared by it
 * @title:     title in the table
 * @option:    CHUNK_OPTIONS to run with, or NULL
 * @module:    the way uses the device
 * @start:     prepares the process that is measured; false: not available
 * @fresh:     gets memory that was never used; NULL if there is none
 * @take:      gets @size bytes that were given back; those at @addr if the way
 *             has no trees to find any
 * @give:      gives memory back, to be taken again; false: the original would
 *             crash
 * @decommit:  decommits pages; false: the original would crash
 * @commit:    commits pages
 * @alloc_populated: gets memory that was never used, all present; or NULL
 * @populate:  makes pages of live memory present; or NULL
 * @take_many: @take for BATCH extents at once; or NULL
 * @give_many: @give likewise
 * @decommit_many: @decommit likewise
 * @commit_many: @commit likewise
 * @offers:    keeping contents until memory is short; or NULL
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
	const struct offers *offers;
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
	ARENAS_8G_CHURN, ARENAS_32G, ARENAS_32G_CHURN, WARM_WRITES,
	WARM_MEMSET, WARM_OFFER, WARM_CYCLE, WARM_ZEROED, FIRST_TOUCH,
	TAKE_DISCARDED, OFFER_1E3, TAKE_1E3, WARM_CYCLE_1E3, RANDOM_1E3,
	OFFER_1E6, TAKE_1E6, WARM_CYCLE_1E6, RANDOM_1E6, DONTNEED_1G,
	DISCARD_1G, WRITE_FAULT_NO_INIT,
	ROWS,
};

/**
 * struct row_info - names of a row
 * @key:   short name: results are compared by it
 * @title: title in the table
 * @total: mappings are counted for all operations together
 */
struct row_info {
	const char *key;
	const char *title;
	bool total;
};

extern const struct row_info rows[ROWS];

/**
 * struct scenario - a run in one process
 * @first:  first row that is measured
 * @last:   last row
 * @rounds: number of rounds, of which the median counts
 * @can:    tells whether a way can run it; NULL: all can
 * @run:    runs the scenario
 */
struct scenario {
	enum row first, last;
	int rounds;
	bool (*can)(const struct way *way);
	void (*run)(const struct way *way);
};

/* Each file of scenarios has a list, which ends with an entry without @run. */
extern const struct scenario chunk_scenarios[];
extern const struct scenario extent_scenarios[];
extern const struct scenario page_scenarios[];
extern const struct scenario touch_scenarios[];
extern const struct scenario batch_scenarios[];
extern const struct scenario arena_scenarios[];
extern const struct scenario offer_scenarios[];

/**
 * enum figure - figures that are counted
 * @INSTRUCTIONS: retired, user and kernel
 * @FAULTS:       page faults
 * @CALLS:        system calls
 * @WRITE_LOCKS:  times that mmap_lock was taken for writing
 * @MAPPINGS:     mappings added
 * @COMPLETED:    operations that succeeded, where a way may fail
 * @TRAPPING:     percentage of decommitted pages that trap
 * @FIGURES:      number of figures
 */
enum figure {
	INSTRUCTIONS, FAULTS, CALLS, WRITE_LOCKS, MAPPINGS, COMPLETED, TRAPPING,
	FIGURES,
};

extern const char *const figure_keys[FIGURES];

/**
 * struct figures - figures of a row
 * @operations: number of operations; 0: the row was not measured
 * @values:     figures of all operations together
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
