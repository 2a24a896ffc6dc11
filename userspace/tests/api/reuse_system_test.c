// SPDX-License-Identifier: MIT
/*
 * Reuse by offered memory and the system: which calls it makes, memory that is short,
 * forked children, closed descriptors.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include "common.h"
#include "kernel_file.h"

#define DROP	"/proc/sys/vm/drop_caches"
#define THREADS	4

/* Keep extents, or skip the case where none can be. */
static void reuse(size_t limit)
{
	if (!chunk_set_reuse(REUSE_OFFERED, limit))
		tap_skip("no memory can be offered here");
}

static void need_words(void)
{
	if (chunk_offer_way() != OFFER_WORDS)
		tap_skip("there is no module");
	if (geteuid())
		tap_skip("not root");
}

static char *alloc_dirty(size_t mib, bool *zero)
{
	char *chunk = chunk_alloc_dirty(mib * MIB, MIB, zero);

	expect(chunk);
	return chunk;
}

/* Zeroing takes no memory for pages that were never written to. */
static void sparse_stays_sparse(void)
{
	char *chunk;

	need_cutting();
	prctl(PR_SET_THP_DISABLE, 1, 0, 0, 0);
	chunk = alloc_mib(16);
	reuse(64 * MIB);
	for (int i = 0; i < 3; i++) {
		for (size_t at = 0; at < 16 * MIB; at += 4 * MIB)
			fill(chunk + at + i * page_size(), page_size(), i);
		dealloc_mib(chunk, 16);
		expect_equal((uintptr_t)alloc_mib(16), (uintptr_t)chunk);
		if (residency_known())
			expect(resident_bytes(chunk, 16 * MIB) <=
			       4 * 3 * page_size());
	}
	expect(is_zero(chunk, 16 * MIB));
}

/* Drop until memory is gone: reclaim passes over a process that is busy. */
static void drop_all_of(char *chunk, size_t size)
{
	for (int tries = 0; tries < 100; tries++) {
		expect(put_text(DROP, "2"));
		if (resident_bytes(chunk, size) == 0)
			return;
	}
	tap_failed(__FILE__, __LINE__, "what is kept is discarded");
}

static void discarded(void)
{
	char *chunk = alloc_mib(8);
	bool zero = false;

	need_words();
	reuse(64 * MIB);
	fill(chunk, 8 * MIB, 1);
	dealloc_mib(chunk, 8);
	/* Warm: whole chunks are known to be present. */
	expect_equal((uintptr_t)alloc_mib(8), (uintptr_t)chunk);
	fill(chunk, 8 * MIB, 1);
	dealloc_mib(chunk, 8);
	drop_all_of(chunk, 8 * MIB);
	expect_equal((uintptr_t)alloc_dirty(3, &zero), (uintptr_t)chunk);
	expect(zero);
	expect_equal(stats_now().offered_discarded, 3 * MIB);
	expect_equal((uintptr_t)alloc_mib(5), (uintptr_t)chunk + 3 * MIB);
	expect_equal(resident_bytes(chunk, 8 * MIB), 0);
	expect_equal(stats_now().offered_discarded, 8 * MIB);
	expect(is_zero(chunk, 8 * MIB));
	/* It is in use now. */
	fill(chunk, 8 * MIB, 2);
	expect(put_text(DROP, "2"));
	expect(is_filled(chunk, 8 * MIB, 2));
}

static void partly_discarded(void)
{
	char *chunk = alloc_mib(4);
	bool zero = false;

	need_words();
	reuse(64 * MIB);
	fill(chunk, 4 * MIB, 1);
	dealloc_mib(chunk, 4);
	drop_all_of(chunk, 4 * MIB);
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)chunk);
	fill(chunk, 2 * MIB, 2);
	dealloc_mib(chunk, 2);
	expect_equal((uintptr_t)alloc_dirty(4, &zero), (uintptr_t)chunk);
	expect(!zero);
	expect(is_filled(chunk, 2 * MIB, 2));
	expect(is_zero(chunk + 2 * MIB, 2 * MIB));
	expect_equal(stats_now().offered_discarded, 4 * MIB);
	dealloc_mib(chunk, 4);
	expect_equal((uintptr_t)alloc_mib(4), (uintptr_t)chunk);
	expect(is_zero(chunk, 4 * MIB));
}

/* Discarded chunks are zero already, also those that were written all over before. */
static void discarded_stays_sparse(void)
{
	char *chunk = alloc_mib(4);

	need_words();
	reuse(64 * MIB);
	for (int i = 0; i < 2; i++) {
		fill(chunk, 4 * MIB, 1);
		dealloc_mib(chunk, 4);
		if (i == 0)
			expect_equal((uintptr_t)alloc_mib(4), (uintptr_t)chunk);
	}
	drop_all_of(chunk, 4 * MIB);
	expect_equal((uintptr_t)alloc_mib(2), (uintptr_t)chunk);
	fill(chunk, 2 * MIB, 2);
	dealloc_mib(chunk, 2);
	expect_equal((uintptr_t)alloc_mib(4), (uintptr_t)chunk);
	expect_equal(resident_bytes(chunk + 2 * MIB, 2 * MIB), 0);
	expect(is_zero(chunk, 4 * MIB));
}

static atomic_bool stop;

/* Write tags to a chunk, and look whether they stay while it is in use. */
static void *hold(void *arg)
{
	uint64_t random = (uintptr_t)arg + 1, tag;
	size_t page = page_size();
	volatile uint64_t *at;
	char *chunk;
	bool zero;

	while (!atomic_load(&stop)) {
		size_t mib = 1 + random_below(&random, 3);

		zero = random_below(&random, 2);
		chunk = zero ? chunk_alloc(mib * MIB, MIB, false) :
			       chunk_alloc_dirty(mib * MIB, MIB, &zero);
		expect(chunk);
		tag = random_next(&random);
		for (size_t i = 0; i < mib * MIB; i += 16 * page) {
			at = (uint64_t *)(chunk + i);
			expect(!zero || !*at);
			*at = tag + i;
		}
		for (size_t i = 0; i < mib * MIB; i += 16 * page)
			expect_equal(*(uint64_t *)(chunk + i), tag + i);
		dealloc_mib(chunk, mib);
	}
	return NULL;
}

static size_t discarded_mib(void)
{
	return stats_now().offered_discarded / MIB;
}

static void discarded_meanwhile(void)
{
	pthread_t threads[THREADS];

	need_words();
	reuse(16 * MIB);
	for (size_t i = 0; i < THREADS; i++)
		expect(!pthread_create(&threads[i], NULL, hold, (void *)i));
	for (int i = 0; i < 100000 && discarded_mib() < rounds(64); i++)
		expect(put_text(DROP, "2"));
	expect(discarded_mib());
	atomic_store(&stop, true);
	for (size_t i = 0; i < THREADS; i++)
		expect(!pthread_join(threads[i], NULL));
	tap_note("%llu MiB taken, %llu MiB of them discarded",
		 (unsigned long long)(stats_now().offered_taken / MIB),
		 (unsigned long long)(stats_now().offered_discarded / MIB));
	expect_stats_consistent();
}

/* A warm cycle makes no system call: the kernel kills whoever makes one. */
static void no_calls(void)
{
	char *chunk;
	pid_t child;
	bool zero;

	if (chunk_offer_way() != OFFER_WORDS)
		tap_skip("there is no module");
	child = tap_fork();
	if (child == 0) {
		reuse(64 * MIB);
		for (int i = 0; i < 4; i++) {
			chunk = alloc_mib(3);
			touch(chunk, 3 * MIB);
			dealloc_mib(chunk, 3);
		}
		if (prctl(PR_SET_SECCOMP, 1, 0, 0, 0))
			syscall(SYS_exit, 0);
		for (int i = 0; i < 100; i++) {
			chunk = chunk_alloc_dirty(MIB, MIB, &zero);
			chunk_dealloc(chunk, MIB, ARENA_CHUNK);
			chunk = chunk_alloc(3 * MIB, MIB, false);
			chunk_dealloc(chunk, 3 * MIB, UNKNOWN_CHUNK);
		}
		syscall(SYS_exit, 0);
	}
	tap_join(child);
}

/* Memory that is kept does not make calls fail. */
static void released_when_short(void)
{
	size_t before, grown;
	char *chunks[64];
	struct rlimit limit;

	need_limit(RLIMIT_AS);
	reuse(256 * MIB);
	before = status_bytes("VmSize");
	dealloc_mib(alloc_mib(1), 1);
	grown = status_bytes("VmSize") - before;
	if (grown > 100 * MIB)
		tap_skip("address space comes in %zu MiB", grown / MIB);
	for (size_t i = 0; i < 64; i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < 64; i++)
		dealloc_mib(chunks[i], 1);
	chunks[1] = alloc_mib(40);
	dealloc_mib(chunks[1], 40);
	expect(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = status_bytes("VmSize") + 8 * MIB;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	expect(stats_now().offered_bytes >= 64 * MIB);
	chunks[0] = alloc_mib(66);
	expect(is_zero(chunks[0], 66 * MIB));
	expect(stats_now().offered_bytes < 64 * MIB);
	dealloc_mib(chunks[0], 66);
	expect_equal(stats_now().offered_bytes, 66 * MIB);
	expect(pages_map(NULL, 60 * MIB));
	/* A size that no address space could hold does not flush kept extents. */
	chunks[0] = alloc_mib(4);
	dealloc_mib(chunks[0], 4);
	expect(!chunk_alloc(sizeof(size_t) > 4 ? (size_t)1 << sizeof(size_t) * 60 / 8 :
						 -2 * MIB, MIB, false));
	expect(stats_now().offered_bytes >= 4 * MIB);
	expect_stats_consistent();
}

/* A child and its parent use what was kept at the fork each for itself. */
static void forked(void)
{
	char *chunk = alloc_mib(4);
	char *mine;
	pid_t child;
	bool zero = true;

	reuse(64 * MIB);
	fill(chunk, 4 * MIB, 1);
	dealloc_mib(chunk, 4);
	child = tap_fork();
	if (child == 0) {
		for (int i = 0; i < 3; i++) {
			mine = alloc_mib(4);
			expect(is_zero(mine, 4 * MIB));
			fill(mine, 4 * MIB, 2);
			dealloc_mib(mine, 4);
		}
		mine = alloc_dirty(4, &zero);
		expect(!zero || is_zero(mine, 4 * MIB));
		expect(!stats_now().offered_bytes);
		expect_stats_consistent();
		dealloc_mib(mine, 4);
		expect_equal(stats_now().offered_bytes, 4 * MIB);
		expect(chunk_set_reuse(REUSE_TRAPPED, 0));
		expect_equal(stats_now().offered_bytes, 0);
		expect_stats_consistent();
		_exit(0);
	}
	tap_join(child);
	expect_equal((uintptr_t)alloc_dirty(4, &zero), (uintptr_t)chunk);
	expect(is_filled(chunk, 4 * MIB, 1) || is_zero(chunk, 4 * MIB));
	expect_equal(stats_now().offered_bytes, 0);
}

static void *allocate(void *arg)
{
	(void)arg;
	while (!atomic_load(&stop)) {
		char *chunk = alloc_mib(1), *other = alloc_mib(3);

		chunk[0] = 1;
		dealloc_mib(chunk, 1);
		dealloc_mib(other, 3);
	}
	return NULL;
}

/* Forks at any point of another thread's calls */
static void forked_amid_calls(void)
{
	pthread_t threads[2];
	pid_t child;

	reuse(16 * MIB);
	for (size_t i = 0; i < 2; i++)
		expect(!pthread_create(&threads[i], NULL, allocate, NULL));
	for (unsigned int i = 0; i < rounds(100); i++) {
		child = tap_fork();
		if (child == 0) {
			for (int j = 0; j < 3; j++) {
				char *chunk = alloc_mib(2);

				expect(is_zero(chunk, 2 * MIB));
				touch(chunk, 2 * MIB);
				dealloc_mib(chunk, 2);
			}
			expect_stats_consistent();
			_exit(0);
		}
		tap_join(child);
	}
	atomic_store(&stop, true);
	for (size_t i = 0; i < 2; i++)
		expect(!pthread_join(threads[i], NULL));
}

static void close_all_files(void)
{
	if (syscall(SYS_close_range, 3, TAP_FD - 1, 0))
		tap_skip("this kernel cannot close files by range");
	expect(syscall(SYS_close_range, TAP_FD + TAP_FDS, ~0U, 0) == 0);
}

/* The device is opened again; what was kept of the old one is unmapped. */
static void files_closed(void)
{
	char *chunk = alloc_mib(4), *live, *fresh;

	reuse(64 * MIB);
	dealloc_mib(alloc_mib(2), 2);
	live = alloc_mib(2);
	fill(live, 2 * MIB, 1);
	dealloc_mib(chunk, 4);
	close_all_files();
	fresh = alloc_mib(16);
	expect(is_zero(fresh, 16 * MIB));
	dealloc_mib(fresh, 16);
	/* Nothing that is lost would fit better. */
	fresh = alloc_mib(8);
	if (on_device()) {
		expect_trap(chunk);
		expect_equal(stats_now().offered_bytes, 8 * MIB);
	}
	dealloc_mib(fresh, 8);
	fresh = alloc_mib(3);
	expect(is_zero(fresh, 3 * MIB));
	fill(fresh, 3 * MIB, 2);
	if (on_device()) {
		if (!geteuid())
			expect(put_text(DROP, "2"));
		expect_trap(chunk);
		expect_equal(stats_now().offered_bytes, 13 * MIB);
	}
	expect(is_filled(live, 2 * MIB, 1));
	expect(is_filled(fresh, 3 * MIB, 2));
	/* It was kept once, and is not again. */
	dealloc_mib(live, 2);
	if (on_device()) {
		expect_trap(live);
		expect_equal(stats_now().offered_bytes, 13 * MIB);
	}
	dealloc_mib(fresh, 3);
	expect_stats_consistent();
}

/* Kept extents that are unmapped, since their device was lost, are not counted. */
static void files_closed_again(void)
{
	uint64_t mapped[3];
	char *chunk;

	reuse(64 * MIB);
	for (size_t i = 0; i < TAP_COUNT(mapped); i++) {
		close_all_files();
		chunk = alloc_mib(16);
		dealloc_mib(chunk, 16);
		chunk = alloc_mib(16);
		mapped[i] = stats_now().mapped_bytes;
		dealloc_mib(chunk, 16);
		expect(mapped[i] <= mapped[0]);
		expect_stats_consistent();
	}
}

/* Locked memory keeps its contents, and can be reused. */
static void locked(void)
{
	char *chunk = alloc_mib(1);
	bool zero;

	reuse(64 * MIB);
	if (mlock(chunk, MIB))
		tap_skip("cannot lock memory");
	fill(chunk, MIB, 1);
	dealloc_mib(chunk, 1);
	for (int i = 0; i < 3; i++) {
		chunk = alloc_dirty(1, &zero);
		expect(!zero || is_zero(chunk, MIB));
		fill(chunk, MIB, 1);
		dealloc_mib(chunk, 1);
		chunk = alloc_mib(1);
		expect(is_zero(chunk, MIB));
		dealloc_mib(chunk, 1);
	}
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "zeroing takes no memory", sparse_stays_sparse },
	{ "discarded chunks are zero", discarded },
	{ "partly discarded extents", partly_discarded },
	{ "discarded chunks take no memory when they are zeroed",
	  discarded_stays_sparse },
	{ "discarded while threads allocate", discarded_meanwhile },
	{ "a warm cycle makes no system call", no_calls },
	{ "released when address space is short", released_when_short },
	{ "a forked child", forked },
	{ "forks amid calls of other threads", forked_amid_calls },
	{ "files are closed", files_closed },
	{ "files are closed again and again", files_closed_again },
	{ "locked memory", locked },
};

const struct tap_suite tap_suite = {
	.about = "Tests reuse by offered memory, and the system",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
