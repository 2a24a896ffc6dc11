// SPDX-License-Identifier: MIT
/* What the black-box suites of libchunk share: see common.h. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

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

/* Did the system ever not take back what it was given? That is kept. */
bool unmap_failed;

/**
 * expect_stats_consistent() - what must hold of the counters at any quiet time
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
 * recyclable() - a size of extents that are recycled
 * @mib: the size that is meant; single chunks are recycled everywhere
 */
size_t recyclable(size_t mib)
{
	return unmaps_parts() ? mib : 1;
}

/**
 * need_cutting() - skip the case where extents are recycled as they are
 */
void need_cutting(void)
{
	if (!unmaps_parts())
		tap_skip("here only single chunks are recycled");
}

/* Fresh ones, most of which adjoin; what does not stays live. */
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
 * adjoining_chunks() - chunks of 1 MiB that adjoin, each an extent of its own
 * @count: how many; the recycle limit must leave room for them
 *
 * They are carved from one recycled extent, lowest address first, where that can
 * be done. To be called before anything else was recycled.
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

/* By what TEST_FEWER says to divide what there is to do; 1 for all of it */
static unsigned int fewer(void)
{
	const char *text = getenv("TEST_FEWER");
	unsigned int divisor = text ? strtoul(text, NULL, 10) : 1;

	return divisor > 1 ? divisor : 1;
}

/**
 * rounds() - how often to repeat what is only repeated
 * @count: where there is time
 *
 * Return: at least 1, and less where TEST_FEWER says by what to divide.
 */
unsigned int rounds(unsigned int count)
{
	return fewer() > 1 ? count / fewer() + 1 : count;
}

/**
 * stride() - how far to go on where places are tried one after another
 * @step: where there is time
 *
 * Return: more where there are to be fewer.
 */
unsigned int stride(unsigned int step)
{
	return step * fewer();
}
