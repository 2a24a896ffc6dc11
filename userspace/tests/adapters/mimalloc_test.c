// SPDX-License-Identifier: MIT
/* mimalloc in regions of libchunk */
#include <errno.h>
#include <pthread.h>
#include <string.h>
#include <sys/resource.h>

#include <chunk_mimalloc.h>

#include "common.h"

#define REGION	(4 * CHUNK_MIMALLOC_UNIT)
#define BLOCKS	2000

static char *region;

static mi_heap_t *new_heap(void)
{
	mi_arena_id_t arena;
	mi_heap_t *heap;

	errno = E2BIG;
	region = chunk_mimalloc_reserve(REGION, true, &arena);
	expect(region);
	heap = mi_heap_new_in_arena(arena);
	expect(heap);
	return heap;
}

static bool inside(const void *p, size_t size)
{
	const char *at = p;

	return at >= region && at + size <= region + REGION;
}

static void becomes_an_arena(void)
{
	mi_arena_id_t arena;
	size_t size = 0;

	region = chunk_mimalloc_reserve(REGION - 1, false, &arena);
	expect(region);
	expect_equal((uintptr_t)region % CHUNK_MIMALLOC_UNIT, 0);
	expect(mi_arena_area(arena, &size) == region);
	expect_equal(size, REGION);
	expect(chunk_is_live(region) && chunk_is_live(region + REGION - 1));
}

/* Blocks of all sizes lie in the region, do not overlap, and are zero if asked for. */
static void blocks(mi_heap_t *heap)
{
	static unsigned char *block[BLOCKS];
	static size_t size[BLOCKS];

	for (size_t i = 0; i < 10 * BLOCKS; i++) {
		size_t k = i * 7919 % BLOCKS;

		if (block[k]) {
			expect(is_filled(block[k], size[k], k));
			mi_free(block[k]);
		}
		size[k] = 8 * (1 + i * i % (i % 100 ? 500 : 20000));
		block[k] = mi_heap_zalloc(heap, size[k]);
		expect(block[k] && inside(block[k], size[k]));
		expect(is_zero(block[k], size[k]));
		fill(block[k], size[k], k);
	}
	for (size_t k = 0; k < BLOCKS; k++) {
		expect(!block[k] || is_filled(block[k], size[k], k));
		mi_free(block[k]);
		block[k] = NULL;
	}
}

static void heap_in_region(void)
{
	blocks(new_heap());
}

/* Memory that mimalloc purges and decommits comes back zero. */
static void collected(void)
{
	mi_heap_t *heap = new_heap();

	mi_option_set(mi_option_decommit_delay, 0);
	mi_option_set(mi_option_segment_decommit_delay, 0);
	for (unsigned int i = 0; i < 3; i++) {
		blocks(heap);
		mi_heap_collect(heap, true);
	}
}

/* After each burst as much memory is in use as before it. */
static void gives_back(void)
{
	enum { COUNT = 8000, SIZE = 8000 };
	static void *block[COUNT];
	mi_heap_t *heap = new_heap();

	mi_option_set(mi_option_decommit_delay, 0);
	mi_option_set(mi_option_segment_decommit_delay, 0);
	for (unsigned int burst = 0; burst < 3; burst++) {
		for (size_t i = 0; i < COUNT; i++) {
			block[i] = mi_heap_zalloc(heap, SIZE);
			expect(block[i] && inside(block[i], SIZE));
			expect(is_zero(block[i], SIZE));
			fill(block[i], SIZE, i);
		}
		expect(resident_bytes(region, REGION) >= COUNT * SIZE);
		for (size_t i = 0; i < COUNT; i++)
			mi_free(block[i]);
		mi_heap_collect(heap, true);
		mi_collect(true);
		tap_note("%zu of %d KiB remain",
			 resident_bytes(region, REGION) >> 10,
			 COUNT * SIZE >> 10);
		expect(resident_bytes(region, REGION) < COUNT * SIZE / 8);
	}
}

/* An exclusive arena that is full fails, and is usable again afterwards. */
static void full(void)
{
	mi_heap_t *heap = new_heap();
	static void *block[REGION / MIB];
	size_t count = 0;

	while ((block[count] = mi_heap_malloc(heap, 4 * MIB))) {
		expect(inside(block[count], 4 * MIB));
		memset(block[count], 1, 4 * MIB);
		expect(++count < TAP_COUNT(block));
	}
	expect(count >= 8);
	while (count)
		mi_free(block[--count]);
	expect(inside(mi_heap_malloc(heap, 4 * MIB), 4 * MIB));
}

static void *in_thread(void *arg)
{
	for (size_t i = 1; i < BLOCKS; i++) {
		char *p = mi_malloc(i * 16);

		expect(p);
		fill(p, i * 16, i);
		expect(is_filled(p, i * 16, i));
		mi_free(p);
	}
	return arg;
}

/* All threads use the regions, and may use nothing but arenas. */
static void threads(void)
{
	pthread_t thread[8];
	void *p;

	mi_option_enable(mi_option_limit_os_alloc);
	region = chunk_mimalloc_reserve(8 * REGION, false, NULL);
	expect(region);
	for (size_t i = 0; i < TAP_COUNT(thread); i++)
		expect(!pthread_create(&thread[i], NULL, in_thread, NULL));
	for (size_t i = 0; i < TAP_COUNT(thread); i++)
		expect(!pthread_join(thread[i], NULL));
	p = mi_malloc(20 * MIB);
	expect(p && chunk_is_live(p));
}

static void child(void)
{
	mi_heap_t *heap = new_heap();
	unsigned char *p = mi_heap_malloc(heap, MIB);
	pid_t pid;

	fill(p, MIB, 1);
	pid = tap_fork();
	if (!pid) {
		expect(is_filled(p, MIB, 1));
		fill(p, MIB, 2);
		blocks(heap);
		_Exit(0);
	}
	tap_join(pid);
	expect(is_filled(p, MIB, 1));
}

static void refused(void)
{
	struct rlimit limit = { 0, RLIM_INFINITY };
	uint64_t live = stats_now().live_bytes;
	mi_arena_id_t arena = 77;

	expect(!chunk_mimalloc_reserve(0, true, &arena));
	expect_equal(errno, EINVAL);
	expect(!chunk_mimalloc_reserve(SIZE_MAX, true, &arena));
	expect_equal(errno, ENOMEM);
	expect(!chunk_mimalloc_reserve(PTRDIFF_MAX, true, &arena));
	expect_equal(errno, ENOMEM);
	need_limit(RLIMIT_AS);
	expect(!setrlimit(RLIMIT_AS, &limit));
	expect(!chunk_mimalloc_reserve(16 * GIB, true, &arena));
	expect_equal(errno, ENOMEM);
	expect_equal(arena, 77);
	expect_equal(stats_now().live_bytes, live);
}

/* mimalloc has a limited number of arenas; a region that it refuses is freed. */
static void too_many(void)
{
	uint64_t live = 0;
	unsigned int count = 0;

	while (chunk_mimalloc_reserve(1, true, NULL)) {
		live = stats_now().live_bytes;
		expect(++count < 10000);
	}
	expect_equal(errno, ENOMEM);
	expect(count > 10);
	expect_equal(stats_now().live_bytes, live);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "a region becomes an arena", becomes_an_arena },
	{ "a heap in a region", heap_in_region },
	{ "memory that mimalloc decommits comes back zero", collected },
	{ "freed blocks take up no memory", gives_back },
	{ "a region that is full", full },
	{ "threads in nothing but regions", threads },
	{ "a child after fork", child },
	{ "impossible sizes are refused", refused },
	{ "more arenas than mimalloc has room for", too_many },
};

const struct tap_suite tap_suite = {
	"mimalloc on libchunk", cases, TAP_COUNT(cases)
};
