/* SPDX-License-Identifier: MIT */
/*
 * Offered chunks against reclaim and everything else: see offer_race_test.c.
 */
#ifndef OFFER_RACE_H
#define OFFER_RACE_H

#include <stdatomic.h>

#include "random.h"
#include "words.h"

#define POOL	24U	/* chunks that takers share */

/**
 * enum counted - events that are counted, for the report
 * @COUNT_INTACT:   chunks taken back intact, each used page verified
 * @COUNT_ZERO:     chunks taken back discarded, each used page verified
 * @COUNT_BUSY:     looks at chunks that were being discarded, or just taken
 * @COUNT_HELD:     chunks verified again before they were offered
 * @COUNT_DEALLOCS: offered chunks given back, and allocated again
 * @COUNT_REMAPS:   offered chunks replaced by foreign memory or by the device
 * @COUNT_RANGES:   chunks decommitted in part, while offered or not
 * @COUNT_LOCKS:    offered chunks that kept their contents while mlocked
 * @COUNT_ADVICE:   calls of madvise() that keep contents
 * @COUNT_FORKS:    children that saw what was there at the fork
 * @COUNT_KILLS:    processes killed while all they had was offered
 * @COUNT_TAMPERED: random words written, in thousands
 * @COUNT_DROPS:    drop_caches
 * @COUNT_RECLAIMS: memory.reclaim
 * @COUNT_HOGS:     times that a hog filled the control group
 * @COUNTS:         number of events
 */
enum counted {
	COUNT_INTACT, COUNT_ZERO, COUNT_BUSY, COUNT_HELD, COUNT_DEALLOCS,
	COUNT_REMAPS, COUNT_RANGES, COUNT_LOCKS, COUNT_ADVICE, COUNT_FORKS,
	COUNT_KILLS, COUNT_TAMPERED, COUNT_DROPS, COUNT_RECLAIMS, COUNT_HOGS,
	COUNTS
};

/**
 * struct race - results, which all processes share
 * @stop:   all are to come to an end
 * @counts: by enum counted
 */
struct race {
	atomic_bool stop;
	atomic_ulong counts[COUNTS];
};

/**
 * struct arena - a context whose chunks are offered and taken
 * @o:      the context with its words
 * @huge:   it has the huge backing
 * @chunk:  the pool: chunks that any thread may take
 * @tag:    what each of them holds; read by the thread that took it
 * @intact: number of chunks taken back intact, which the device counts, too
 * @zero:   number of chunks taken back discarded
 */
struct arena {
	struct owner o;
	bool huge;
	char *chunk[POOL];
	atomic_ulong tag[POOL];
	atomic_ulong intact;
	atomic_ulong zero;
};

extern struct race *race;
extern uint64_t seed;

/**
 * count() - count an event
 * @event: enum counted
 */
static inline void count(enum counted event)
{
	atomic_fetch_add_explicit(&race->counts[event], 1,
				  memory_order_relaxed);
}

static inline bool stopped(void)
{
	return atomic_load_explicit(&race->stop, memory_order_relaxed);
}

/* offer_race_test.c */
void put_tag(char *chunk, uint64_t tag);
bool has_tag(const char *chunk, uint64_t tag);
void expect_tag(const char *chunk, uint64_t tag, const char *when);
bool arena_take(struct arena *arena, char *chunk, uint64_t tag);
bool arena_take_pooled(struct arena *arena, size_t index);
void arena_offer_pooled(struct arena *arena, size_t index);
void pause_below(uint64_t *random, unsigned int microseconds);
void rest_below(uint64_t *random, unsigned int microseconds);

/* offer_others.c */
extern void *(*const offer_others[])(void *arena);
extern const size_t offer_others_count;

/* offer_press.c */
void press_prepare(void);
void press_join(void);
void press_finish(void);
extern void (*const offer_pressers[])(void);
extern const size_t offer_pressers_count;

#endif /* OFFER_RACE_H */
