/* SPDX-License-Identifier: MIT */
/*
 * A fake operating system for tests of libchunk's policy. It defines the functions
 * of os.h, has one arena of address space with real memory in it, and lets any
 * function fail on demand.
 *
 * It is strict: only mapped memory can be unmapped, committed, decommitted or
 * purged, and without @partial only whole mappings can be unmapped. A violation ends
 * the case.
 */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>

#include <chunk.h>

/* Functions that can fail */
enum fake_call { FAKE_MAP, FAKE_UNMAP, FAKE_COMMIT, FAKE_DECOMMIT, FAKE_PURGE };

#define FAKE_CALLS	(FAKE_PURGE + 1)

/**
 * struct fake_os - settings of the fake system, and counters
 * @page:      page size in bytes; set before the first call
 * @partial:   any part of mappings can be unmapped
 * @no_huge:   there are no huge pages; set before the first call
 * @no_forks:  processes do not fork
 * @stalls:    memory that is refused may come later; set before the first call
 * @options:   CHUNK_OPTIONS; may be NULL: not set. Set before the first call
 * @bottom_up: maps at the lowest place instead of the highest
 * @unmap_error: error of a failing FAKE_UNMAP
 * @populate_error: error of populating; 0: it succeeds
 * @populates: number of calls to populate
 * @offer_way: what offering does; set before the first call
 * @offers:    number of ranges offered
 * @take_error: error of taking offered memory back; 0: it is intact
 * @take_fails_at: number of the call, from 1, that takes nothing back; 0: none
 * @takes:     number of calls to take memory back
 * @naps:      number of naps
 * @fail_at:   for each function, the number of the call that fails, from 1; 0: none
 * @fail_from: for each function, the first of the calls that fail; 0: none
 * @odds:      one in so many calls fails, at random; 0: none
 * @seed:      seed of the random numbers
 * @calls:     for each function, the number of calls
 * @mapped:    mapped memory in bytes
 * @lost:      mapped memory that libchunk has given up, in bytes
 * @most:      limit of @mapped
 * @complaints: number of messages
 * @message:   the last message
 * @before:    called at the beginning of a function, with its range; may be NULL
 */
struct fake_os {
	size_t page;
	bool partial;
	bool no_huge;
	bool no_forks;
	bool stalls;
	const char *options;
	bool bottom_up;
	int unmap_error;
	int populate_error;
	unsigned int populates;
	enum chunk_offer_way offer_way;
	unsigned int offers;
	int take_error;
	unsigned int take_fails_at;
	unsigned int takes;
	unsigned int naps;
	unsigned long fail_at[FAKE_CALLS];
	unsigned long fail_from[FAKE_CALLS];
	unsigned int odds;
	unsigned long long seed;
	unsigned long calls[FAKE_CALLS];
	size_t mapped;
	size_t lost;
	size_t most;
	unsigned int complaints;
	char message[256];
	void (*before)(enum fake_call call, void *addr, size_t size);
};

extern struct fake_os fake;

bool fake_take(void *addr, size_t size);
void fake_release(void *addr, size_t size);

#endif /* FAKE_OS_H */
