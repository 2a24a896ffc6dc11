// SPDX-License-Identifier: MIT
/* Helpers that the black-box suites of libchunk share: see common.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "common.h"

/**
 * check_backend() - check, as a case, which backend libchunk uses
 *
 * It must be the one that TEST_BACKEND names, or every suite might pass on
 * another.
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
 * on_device() - tell whether libchunk uses the device
 */
bool on_device(void)
{
	return !strcmp(chunk_backend(), "device");
}

/**
 * plain_posix() - tell whether libchunk was built for plain POSIX
 *
 * "run --posix" sets the variable that says so.
 */
bool plain_posix(void)
{
	return getenv("TEST_POSIX");
}

/**
 * stats_now() - get the counters, as a value
 */
struct chunk_stats stats_now(void)
{
	struct chunk_stats stats;

	memset(&stats, 0xee, sizeof(stats));
	chunk_get_stats(&stats);
	return stats;
}

/* True once the system has failed to unmap memory, which then stays recycled. */
bool unmap_failed;

/**
 * expect_stats_consistent() - check that the counters agree
 *
 * Context: no call is under way.
 */
void expect_stats_consistent(void)
{
	struct chunk_stats s = stats_now();

	expect(s.live_bytes + s.recycled_bytes <= s.mapped_bytes);
	expect(s.base_bytes <= s.mapped_bytes);
	if (!unmap_failed)
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
 * alloc_mib() - allocate a chunk of whole MiB, aligned to one; never fails
 * @mib: size
 */
void *alloc_mib(size_t mib)
{
	void *chunk = chunk_alloc(mib * MIB, MIB, false);

	expect(chunk);
	return chunk;
}

/**
 * dealloc_mib() - give back a chunk of alloc_mib()
 * @chunk: the chunk
 * @mib:   size
 */
void dealloc_mib(void *chunk, size_t mib)
{
	chunk_dealloc(chunk, mib * MIB, UNKNOWN_CHUNK);
}

/**
 * recyclable() - get the size to use for extents that must be recycled
 * @mib: size in MiB that the case is about
 *
 * Return: @mib, or 1 where only single chunks are recycled.
 */
size_t recyclable(size_t mib)
{
	return unmaps_parts() ? mib : 1;
}

/**
 * need_cutting() - skip the case where recycled extents are not cut
 */
void need_cutting(void)
{
	if (!unmaps_parts())
		tap_skip("here only single chunks are recycled");
}

/* Fresh chunks that adjoin, as most do. The others stay live. */
static char *adjoining_fresh(size_t count)
{
	char *first = alloc_mib(1);
	size_t found = 1;

	for (size_t tries = 0; found < count; tries++) {
		char *next = alloc_mib(1);

		expect(tries < 1000);
		if (next == first + found * MIB) {
			found++;
		} else {
			first = next;
			found = 1;
		}
	}
	return first;
}

/**
 * adjoining_chunks() - allocate adjoining chunks of 1 MiB, each an extent
 * @count: how many; the recycle limit must leave room for them
 *
 * Where extents can be cut, the chunks are carved from one recycled extent,
 * lowest address first. To be called before anything else is recycled.
 *
 * Return: the first and lowest of them.
 */
char *adjoining_chunks(size_t count)
{
	char *first;

	if (!unmaps_parts())
		return adjoining_fresh(count);
	first = alloc_mib(count);
	dealloc_mib(first, count);
	for (size_t i = 0; i < count; i++)
		expect_equal((uintptr_t)alloc_mib(1),
			     (uintptr_t)first + i * MIB);
	return first;
}
