/* SPDX-License-Identifier: MIT */
/*
 * An operating system for tests of libchunk's policy: one arena of address
 * space, real memory in it, and every primitive fails when it is told to.
 *
 * It is strict: what is not mapped cannot be unmapped, committed, decommitted or
 * purged, and where @partial is off only what was mapped in one piece can be
 * unmapped. A violation ends the case.
 */
#ifndef FAKE_OS_H
#define FAKE_OS_H

#include <stdbool.h>
#include <stddef.h>

/* The primitives that can fail. */
enum fake_call { FAKE_MAP, FAKE_UNMAP, FAKE_COMMIT, FAKE_DECOMMIT, FAKE_PURGE };

#define FAKE_CALLS	(FAKE_PURGE + 1)

/**
 * struct fake_os - its settings, and what it has seen
 * @page:      page size; to be set before the first call
 * @partial:   any part of mappings can be unmapped
 * @no_huge:   there are no huge pages; to be set before the first call
 * @no_forks:  processes do not fork
 * @stalls:    memory may come that was refused; to be set before the first call
 * @options:   CHUNK_OPTIONS; to be set before the first call
 * @bottom_up: maps at the lowest place instead of the highest
 * @fail_at:   for each call, which one fails, from 1; 0: none
 * @unmap_error: what FAKE_UNMAP fails with
 * @populate_error: what populating fails with, or 0
 * @populates: how often it was asked for
 * @fail_from: for each call, which one and all later fail; 0: none
 * @odds:      fail one call in so many, at random; 0: none
 * @seed:      of what is random
 * @calls:     how often each was called
 * @mapped:    bytes
 * @lost:      bytes that are mapped and not libchunk's any more
 * @most:      no more bytes than that can be mapped
 * @complaints: lines that somebody should read
 * @message:   the last of them
 * @before:    called at the beginning of a primitive, with its range
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
