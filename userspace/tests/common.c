// SPDX-License-Identifier: MIT
/* What the black-box suites of libchunk share: see common.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "common.h"

/**
 * check_backend() - a case: libchunk uses the backend that TEST_BACKEND names
 *
 * Without it every suite might pass on another backend than the one meant.
 */
void check_backend(void)
{
	const char *wanted = getenv("TEST_BACKEND");

	if (!wanted)
		tap_skip("TEST_BACKEND is not set");
	tap_note("chunk_backend() is \"%s\", pages have %zu bytes",
		 chunk_backend(), page_size());
	expect(!strcmp(chunk_backend(), wanted));
}

/**
 * on_device() - does libchunk use the device?
 */
bool on_device(void)
{
	return !strcmp(chunk_backend(), "device");
}

/**
 * plain_posix() - was libchunk built without what only Linux has?
 *
 * "run --posix" says so.
 */
bool plain_posix(void)
{
	return getenv("TEST_POSIX");
}

/**
 * stats_now() - the counters, as a value
 */
struct chunk_stats stats_now(void)
{
	struct chunk_stats stats;

	memset(&stats, 0xee, sizeof(stats));
	chunk_get_stats(&stats);
	return stats;
}

/**
 * expect_stats_consistent() - what must hold of the counters at any quiet time
 */
void expect_stats_consistent(void)
{
	struct chunk_stats s = stats_now();

	expect(s.live_bytes + s.recycled_bytes <= s.mapped_bytes);
	expect(s.base_bytes <= s.mapped_bytes);
	expect(s.recycled_bytes <= s.recycle_limit);
	expect(s.decommitted_bytes <= s.live_bytes);
	expect(s.live_chunks * MIB <= s.live_bytes);
	expect(s.allocs_recycled <= s.allocs);
	expect_equal(s.recycled_bytes, chunk_recycled_bytes());
	expect_equal(s.live_bytes % MIB, 0);
	expect_equal(s.recycled_bytes % MIB, 0);
	expect_equal(s.decommitted_bytes % page_size(), 0);
}

/**
 * alloc_mib() - a chunk of so many MiB, aligned to one; never NULL
 * @mib: size
 */
void *alloc_mib(size_t mib)
{
	void *chunk = chunk_alloc(mib * MIB, MIB, false);

	expect(chunk);
	return chunk;
}

/**
 * dealloc_mib() - give back what alloc_mib() returned
 * @chunk: the chunk
 * @mib:   size
 */
void dealloc_mib(void *chunk, size_t mib)
{
	chunk_dealloc(chunk, mib * MIB, UNKNOWN_CHUNK);
}

/**
 * adjoining_chunks() - chunks of 1 MiB that adjoin, each an extent of its own
 * @count: how many; the recycle limit must leave room for them
 *
 * They are carved from one recycled extent, lowest address first. To be called
 * before anything else was recycled.
 *
 * Return: the first and lowest of them.
 */
char *adjoining_chunks(size_t count)
{
	char *first = alloc_mib(count);

	dealloc_mib(first, count);
	for (size_t i = 0; i < count; i++)
		expect_equal((uintptr_t)alloc_mib(1),
			     (uintptr_t)first + i * MIB);
	return first;
}

/**
 * rounds() - how often to repeat what is only repeated
 * @count: where there is time
 *
 * Return: at least 1, and less where TEST_FEWER says by what to divide.
 */
unsigned int rounds(unsigned int count)
{
	const char *text = getenv("TEST_FEWER");
	unsigned int divisor = text ? strtoul(text, NULL, 10) : 1;

	return divisor > 1 ? count / divisor + 1 : count;
}

static void map_beyond(void *arg)
{
	int resource = *(int *)arg;
	struct rlimit limit;

	expect(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = MIB;
	expect(setrlimit(resource, &limit) == 0);
	if (mmap(NULL, 8 * MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0) != MAP_FAILED)
		_exit(1);
}

/**
 * need_limit() - skip the case unless this system obeys a resource limit
 * @resource: RLIMIT_AS or RLIMIT_DATA
 *
 * Emulators of programs accept any and obey none: they would be hit themselves.
 */
void need_limit(int resource)
{
	struct tap_outcome outcome;

	tap_child(&outcome, map_beyond, &resource);
	if (outcome.status)
		tap_skip("mmap goes beyond RLIMIT_%s here",
			 resource == RLIMIT_AS ? "AS" : "DATA");
}

/**
 * emulator_survives() - does something end well that has no libchunk in it?
 * @run: what; in a child
 * @arg: passed to it
 *
 * Return: false if it does not, and this is an emulator.
 */
bool emulator_survives(void (*run)(void *), void *arg)
{
	struct tap_outcome outcome;

	if (!getenv("TAP_UNDER"))
		return true;
	tap_child(&outcome, run, arg);
	return !outcome.status;
}

/**
 * need_no_mappings() - skip the case unless a process may go on without any left
 *
 * An emulator dies at its next one, which may be in the midst of the case.
 */
void need_no_mappings(void)
{
	if (getenv("TAP_UNDER"))
		tap_skip("the emulator needs mappings of its own");
}
