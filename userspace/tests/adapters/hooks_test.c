// SPDX-License-Identifier: MIT
/* The extent hooks, called one at a time as jemalloc calls them. */
#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <linux/seccomp.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#include <chunk.h>
#include <chunk_jemalloc.h>

#include "common.h"
#include "kernel_file.h"
#include "unit.h"

#define HOOKS	(&chunk_jemalloc_hooks)
#define PAGE	page_size()

static struct chunk_jemalloc_stats hook_stats(void)
{
	struct chunk_jemalloc_stats stats;

	chunk_jemalloc_get_stats(&stats);
	return stats;
}

static char *try_alloc(void *addr, size_t size, size_t alignment)
{
	bool zero = false, commit = false;
	char *p;

	errno = E2BIG;
	p = HOOKS->alloc(HOOKS, addr, size, alignment, &zero, &commit, 0);
	if (p)
		expect_equal(errno, E2BIG);
	/* jemalloc(3) demands that a failed call leaves these alone. */
	expect(zero == !!p && commit == !!p);
	return p;
}

static char *alloc(size_t size)
{
	char *p = try_alloc(NULL, size, PAGE);

	expect(p);
	return p;
}

static bool dalloc(void *addr, size_t size)
{
	return !HOOKS->dalloc(HOOKS, addr, size, true, 0);
}

static void destroy(void *addr, size_t size, bool committed)
{
	HOOKS->destroy(HOOKS, addr, size, committed, 0);
}

static bool decommit(char *addr, size_t offset, size_t length)
{
	return !HOOKS->decommit(HOOKS, addr, offset + length, offset, length,
				0);
}

static bool commit(char *addr, size_t offset, size_t length)
{
	return !HOOKS->commit(HOOKS, addr, offset + length, offset, length, 0);
}

/* No memory of libchunk is in use, apart from its bookkeeping. */
static void expect_nothing_left(void)
{
	struct chunk_jemalloc_stats hooks = hook_stats();
	struct chunk_stats stats = stats_now();

	expect_equal(hooks.extent_bytes, 0);
	expect_equal(hooks.piece_bytes, 0);
	expect_equal(hooks.lost_bytes, 0);
	expect_equal(stats.live_bytes - stats.base_bytes, 0);
}

/* Beyond its end, each extent that is given back is looked up by a system call. */
static void end_of_table(void)
{
	char *p = alloc(UNIT);

	tap_note("%p", (void *)p);
	expect_equal((uintptr_t)p / UNIT >> NUMBER_BITS, 0);
	expect(dalloc(p, UNIT));
}

static void whole_chunks(void)
{
	char *p = alloc(3 * MIB);

	expect_equal((uintptr_t)p % MIB, 0);
	expect(chunk_jemalloc_owns(p) && chunk_jemalloc_owns(p + 3 * MIB - 1));
	expect(is_zero(p, 3 * MIB));
	fill(p, 3 * MIB, 1);
	expect_equal(hook_stats().extent_bytes, 3 * MIB);
	expect(dalloc(p, 3 * MIB));
	expect(!chunk_jemalloc_owns(p));
	expect_nothing_left();
}

/* With reuse:offered, an extent comes back as it was, if zeroes are not asked for. */
static void handed_out_as_it_was(void)
{
	bool zero = false, is_committed = false;
	char *p, *q;

	if (!chunk_set_reuse(REUSE_OFFERED, 64 * MIB))
		tap_skip("no memory can be offered here");
	p = alloc(3 * MIB);
	fill(p, 3 * MIB, 1);
	expect(dalloc(p, 3 * MIB));
	expect_equal(stats_now().offered_bytes, 3 * MIB);
	q = HOOKS->alloc(HOOKS, NULL, 3 * MIB, PAGE, &zero, &is_committed, 0);
	expect(q == p && is_committed);
	expect(zero ? is_zero(q, 3 * MIB) :
		      is_filled(q, PAGE, 1) || is_zero(q, PAGE));
	fill(q, 3 * MIB, 2);
	expect(dalloc(q, 3 * MIB));
	zero = true;
	q = HOOKS->alloc(HOOKS, NULL, 3 * MIB, PAGE, &zero, &is_committed, 0);
	expect(q == p && zero);
	expect(is_zero(q, 3 * MIB));
	fill(q, 3 * MIB, 3);
	expect(dalloc(q, 3 * MIB));
	/* The rest of a chunk reads as zero when it is used. */
	zero = false;
	q = HOOKS->alloc(HOOKS, NULL, 2 * MIB + PAGE, PAGE, &zero,
			 &is_committed, 0);
	expect(q == p);
	expect_trap(p + 2 * MIB + PAGE);
	p = alloc(PAGE);
	expect(p == q + 2 * MIB + PAGE);
	expect(is_zero(p, PAGE));
	expect(dalloc(p, PAGE) || hook_stats().refused);
}

static void alignments(void)
{
	for (size_t alignment = PAGE; alignment <= 64 * MIB; alignment *= 4) {
		char *p = try_alloc(NULL, 2 * MIB, alignment);

		expect(p);
		expect_equal((uintptr_t)p % alignment, 0);
		expect(dalloc(p, 2 * MIB));
	}
	expect_nothing_left();
}

/* The rest of the last chunk is kept, inaccessible, and used next. */
static void rest_of_a_chunk(void)
{
	char *p = alloc(2 * MIB + MIB / 2), *q, *r;

	fill(p, 2 * MIB + MIB / 2, 1);
	expect_trap(p + 2 * MIB + MIB / 2);
	expect_equal(hook_stats().piece_bytes, MIB / 2);
	q = alloc(PAGE);
	expect(q == p + 2 * MIB + MIB / 2);
	expect(is_zero(q, PAGE));
	fill(q, PAGE, 2);
	expect_trap(q + PAGE);
	r = alloc(MIB / 2 - PAGE);
	expect(r == q + PAGE);
	expect(is_zero(r, MIB / 2 - PAGE));
	expect_equal(hook_stats().piece_bytes, 0);
	expect(is_filled(p, 2 * MIB + MIB / 2, 1) && is_filled(q, PAGE, 2));
	/* A request larger than the rest takes new chunks. */
	q = alloc(PAGE);
	expect(q < p || q >= p + 3 * MIB);
}

static void best_fit(void)
{
	char *large = alloc(MIB + PAGE), *small = alloc(2 * MIB - 4 * PAGE);

	expect(alloc(4 * PAGE) == small + 2 * MIB - 4 * PAGE);
	expect(alloc(4 * PAGE) == large + MIB + PAGE);
	/* Partial chunks are aligned only to pages, unless more is demanded. */
	expect_equal((uintptr_t)try_alloc(NULL, PAGE, MIB) % MIB, 0);
}

static void given_place(void)
{
	char *p = alloc(MIB + PAGE);

	expect(!try_alloc(p, PAGE, PAGE));
	expect(!try_alloc(p + MIB + 2 * PAGE, PAGE, PAGE));
	expect(!try_alloc(p + MIB + PAGE, MIB, PAGE));
	expect(!try_alloc(p + 2 * MIB, MIB, PAGE));
	expect(try_alloc(p + MIB + PAGE, PAGE, PAGE) == p + MIB + PAGE);
	expect(try_alloc(p + MIB + 2 * PAGE, PAGE, PAGE));
}

/* Only whole extents are taken back; parts stay as they are. */
static void parts_are_refused(void)
{
	char *p = alloc(2 * MIB);

	fill(p, 2 * MIB, 1);
	expect(!dalloc(p, MIB));
	expect(!dalloc(p, 2 * MIB - PAGE));
	expect(!dalloc(p + MIB, MIB));
	expect(!dalloc(p + PAGE, 2 * MIB - PAGE));
	expect_equal(hook_stats().refused, 4);
	expect(is_filled(p, 2 * MIB, 1));
	expect_equal(hook_stats().extent_bytes, 2 * MIB);
	expect(dalloc(p, 2 * MIB));
	expect_nothing_left();
}

/* An extent is whole also without its rest, as long as that is unused. */
static void with_rest(void)
{
	char *p = alloc(MIB + PAGE), *q;

	expect(!dalloc(p, MIB));
	expect(dalloc(p, MIB + PAGE));
	expect(!chunk_jemalloc_owns(p));
	expect_nothing_left();

	p = alloc(MIB + PAGE);
	fill(p, MIB + PAGE, 1);
	q = alloc(PAGE);
	expect(q == p + MIB + PAGE);
	expect(!dalloc(p, MIB + PAGE) && !dalloc(q, PAGE));
	expect(is_filled(p, MIB + PAGE, 1) && is_zero(q, PAGE));
	destroy(p, MIB + PAGE, true);
	expect(dalloc(q, PAGE));
	expect(!chunk_jemalloc_owns(p));
	expect_nothing_left();
}

static void several_at_once(void)
{
	char *low = adjoining_chunks(3);

	expect(!HOOKS->merge(HOOKS, low, MIB, low + MIB, 2 * MIB, true, 0));
	expect(!dalloc(low, 3 * MIB - PAGE));
	fill(low, 3 * MIB, 1);
	expect(!HOOKS->purge_forced(HOOKS, low, 3 * MIB, MIB / 2, 2 * MIB, 0));
	expect(is_zero(low + MIB / 2, 2 * MIB));
	expect(is_filled(low, MIB / 2, 1));
	expect(commit(low, MIB / 2, 2 * MIB));
	expect(is_zero(low + MIB / 2, 2 * MIB));
	expect(dalloc(low, 3 * MIB));
	for (size_t i = 0; i < 3; i++)
		expect(!chunk_jemalloc_owns(low + i * MIB));
}

/* Decommitting pays if pages are charged before they are touched. */
static bool decommit_pays(void)
{
	int mode = overcommit_mode();

	expect(mode >= 0);
	return mode == 2 && strcmp(chunk_jemalloc_backend(), "device");
}

static void decommit_and_commit(void)
{
	char *p = alloc(2 * MIB);

	fill(p, 2 * MIB, 1);
	if (!decommit_pays()) {
		expect(!decommit(p, MIB, 2 * PAGE));
		expect(is_filled(p, 2 * MIB, 1));
		expect_equal(hook_stats().decommits, 0);
		return;
	}
	expect(decommit(p, MIB, 2 * PAGE));
	expect_trap_only(p + MIB, 2 * PAGE);
	expect_equal(stats_now().decommitted_bytes, 2 * PAGE);
	expect(is_filled(p, MIB, 1));
	expect(commit(p, MIB, 2 * PAGE));
	expect(is_zero(p + MIB, 2 * PAGE));
	expect_equal(hook_stats().decommits, 1);
	expect_equal(hook_stats().commits, 1);
	expect(dalloc(p, 2 * MIB));
}

/* An arena has purged, and its memory is then used object by object. */
static void reuse_after_purge(void)
{
	extent_hooks_t *hooks = HOOKS;
	size_t length = sizeof(unsigned int);
	unsigned int arena;
	static void *p[2000];
	char name[32];
	int flags;

	expect(!mallctl("arenas.create", &arena, &length, &hooks,
			sizeof(hooks)));
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	snprintf(name, sizeof(name), "arena.%u.purge", arena);
	for (unsigned int round = 0; round < 3; round++) {
		for (size_t i = 0; i < TAP_COUNT(p); i++) {
			p[i] = mallocx(16 << 10, flags);
			expect(p[i]);
			fill(p[i], 16 << 10, i);
		}
		for (size_t i = 0; i < TAP_COUNT(p); i++)
			dallocx(p[i], flags);
		expect(!mallctl(name, NULL, NULL, NULL, 0));
	}
	tap_note("commits %ju", (uintmax_t)hook_stats().commits);
	/* A commit for each allocation would be 4,000. */
	expect(decommit_pays() || hook_stats().commits < 40);
}

static void purges(void)
{
	char *p = alloc(MIB);

	fill(p, MIB, 1);
	expect(!HOOKS->purge_forced(HOOKS, p, MIB, PAGE, 2 * PAGE, 0));
	expect(is_zero(p + PAGE, 2 * PAGE));
	expect(!is_zero(p, PAGE) && !is_zero(p + 3 * PAGE, PAGE));
	expect(!HOOKS->purge_lazy(HOOKS, p, MIB, 0, MIB, 0));
	expect_equal(resident_bytes(p, MIB), 0);
	expect_no_trap(p);
	expect(!HOOKS->split(HOOKS, p, MIB, PAGE, MIB - PAGE, true, 0));
}

/* Memory that jemalloc has from before the hooks were set */
static void foreign_memory(void)
{
	size_t size = 4 * MIB;
	char *p = mmap(NULL, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *ours = alloc(MIB);

	expect(p != MAP_FAILED);
	fill(p, size, 1);
	expect(!dalloc(p, size) && !decommit(p, 0, size));
	expect(is_filled(p, size, 1));
	expect(!HOOKS->purge_forced(HOOKS, p, size, MIB, MIB, 0));
	expect(is_zero(p + MIB, MIB) && is_filled(p, MIB, 1));
	expect(HOOKS->merge(HOOKS, p, size, ours, MIB, true, 0));
	expect(HOOKS->merge(HOOKS, ours, MIB, p, size, true, 0));
	expect(!HOOKS->merge(HOOKS, p, MIB, p + MIB, MIB, true, 0));
	expect_equal(hook_stats().foreign, 3);
	expect_equal(hook_stats().extent_bytes, MIB);
	destroy(p, size, true);
	expect_trap(p);
	expect(dalloc(ours, MIB));
}

/* Where the system does not overcommit, jemalloc's first extents are reserved only. */
static void foreign_reserved(void)
{
	char *p = mmap(NULL, 4 * PAGE, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS,
		       -1, 0);

	expect(p != MAP_FAILED);
	expect(commit(p, PAGE, 2 * PAGE));
	expect_no_trap(p + PAGE);
	expect_no_trap(p + 3 * PAGE - 1);
	expect_trap(p);
	expect_trap(p + 3 * PAGE);
}

/* Make an arena that has memory of the heap from before the hooks were set. */
static unsigned int arena_on_heap(char **p, size_t size)
{
	size_t length = sizeof(unsigned int);
	const char *primary = "primary";
	unsigned int arena;
	char name[32];

	expect(!mallctl("arenas.create", &arena, &length, NULL, 0));
	snprintf(name, sizeof(name), "arena.%u.dss", arena);
	expect(!mallctl(name, NULL, NULL, &primary, sizeof(primary)));
	*p = mallocx(size, MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE);
	expect(*p && *p < (char *)sbrk(0));
	return arena;
}

/* The heap must not be unmapped: the kernel would not know that it shrank. */
static void foreign_heap(void)
{
	extent_hooks_t *hooks = HOOKS;
	char name[32], *p;
	unsigned int arena = arena_on_heap(&p, 4 * MIB);

	fill(p, 4 * MIB, 1);
	snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	expect(!mallctl(name, NULL, NULL, &hooks, sizeof(hooks)));
	snprintf(name, sizeof(name), "arena.%u.destroy", arena);
	expect(!mallctl(name, NULL, NULL, NULL, 0));
	expect_equal(resident_bytes(p, 4 * MIB), 0);
	expect(is_zero(p, 4 * MIB));
}

/* Of an extent across the end of the heap, the heap's part stays mapped. */
static void foreign_across_heap_end(void)
{
	char *end = (char *)(((uintptr_t)sbrk(0) + PAGE - 1) & -PAGE);
	char *p;

	expect(end != (char *)-1 && !brk(end + MIB));
	end += MIB;
	p = mmap(end, MIB, PROT_READ | PROT_WRITE,
		 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (p != end)
		tap_skip("the place behind the heap is taken");
	fill(end - MIB, 2 * MIB, 1);
	expect(!HOOKS->merge(HOOKS, end - MIB, MIB, end, MIB, true, 0));
	destroy(end - MIB, 2 * MIB, true);
	expect(is_zero(end - MIB, MIB));
	expect_trap(end);
}

static const size_t merges = 1000;

/* seccomp kills the process for any call but write() and the like. */
static void merge_under_watch(char *p, size_t size)
{
	bool refused = false;

	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_STRICT))
		_exit(2);
	for (size_t i = 0; i < merges; i++)
		refused |= HOOKS->merge(HOOKS, p, size / 2, p + size / 2,
					size / 2, true, 0);
	syscall(SYS_exit, refused);
}

static void merges_without_calls(void)
{
	char *mapped = mmap(NULL, MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	char *heap = sbrk(MIB), *ours = alloc(2 * MIB);
	char *const memory[] = { mapped, heap, ours };

	expect(mapped != MAP_FAILED && heap != (char *)-1);
	for (size_t i = 0; i < TAP_COUNT(memory); i++) {
		pid_t child = tap_fork();

		if (child == 0)
			merge_under_watch(memory[i], MIB);
		tap_join(child);
	}
}

static void destroy_in_parts(void)
{
	enum { PARTS = 16 };
	size_t part = 4 * MIB / PARTS;
	uint64_t seed = random_seed();

	for (unsigned int round = 0; round < 20; round++) {
		char *p = alloc(4 * MIB), *parts[PARTS];

		fill(p, 4 * MIB, 1);
		for (size_t i = 0; i < PARTS; i++) {
			size_t at = random_below(&seed, i + 1);

			parts[i] = parts[at];
			parts[at] = p + i * part;
		}
		for (size_t i = 0; i < PARTS; i++) {
			bool committed = random_below(&seed, 2);

			expect(chunk_jemalloc_owns(p));
			if (!committed)
				pages_decommit(parts[i], part);
			destroy(parts[i], part, committed);
			/* All parts but the last are kept, and trap. */
			expect_trap(parts[i]);
		}
		expect(!chunk_jemalloc_owns(p));
		expect_nothing_left();
	}
}

/* Other arenas use the rest of a destroyed one, which reads as zero. */
static void parts_are_reused(void)
{
	char *p = alloc(4 * MIB), *q;

	fill(p, 4 * MIB, 1);
	destroy(p + MIB, 2 * MIB + PAGE, true);
	q = alloc(2 * MIB + PAGE);
	expect(q == p + MIB);
	expect(is_zero(q, 2 * MIB + PAGE));
	expect(is_filled(p, MIB, 1));
	destroy(q, 2 * MIB + PAGE, true);
	destroy(p, MIB, true);
	destroy(p + 3 * MIB + PAGE, MIB - PAGE, true);
	expect_nothing_left();
}

/* More partial chunks than there is room for at the start */
static void many_parts(void)
{
	enum { COUNT = 6000 };
	char **p = calloc(COUNT, sizeof(*p));

	expect(p);
	for (size_t i = 0; i < COUNT; i++)
		p[i] = alloc(2 * MIB - PAGE);
	expect_equal(hook_stats().piece_bytes, COUNT * PAGE);
	expect_equal(hook_stats().lost_bytes, 0);
	for (size_t i = 0; i < COUNT; i++)
		destroy(p[i], 2 * MIB - PAGE, true);
	expect_nothing_left();
}

static void out_of_memory(void)
{
	struct rlimit limit = { .rlim_cur = 256 * MIB,
				.rlim_max = RLIM_INFINITY };
	struct chunk_jemalloc_stats before;
	char *p;

	expect(dalloc(alloc(MIB), MIB));
	expect_equal(setrlimit(RLIMIT_AS, &limit), 0);
	before = hook_stats();
	expect(!try_alloc(NULL, 512 * MIB, PAGE));
	expect(!try_alloc(NULL, 512 * MIB + PAGE, PAGE));
	expect(!try_alloc(NULL, SIZE_MAX - PAGE + 1, PAGE));
	expect(!try_alloc(NULL, MIB, (size_t)1 << 60));
	expect(!try_alloc(NULL, 0, PAGE));
	expect_equal(hook_stats().extent_bytes, before.extent_bytes);
	expect_equal(hook_stats().piece_bytes, before.piece_bytes);
	p = alloc(MIB + PAGE);
	destroy(p, MIB + PAGE, true);
	expect_nothing_left();
}

static atomic_bool stop;

static void *churn(void *unused)
{
	(void)unused;
	while (!stop) {
		char *p = alloc(MIB + PAGE), *q = alloc(MIB / 2);

		*p = 1;
		*q = 1;
		destroy(p, MIB + PAGE, true);
		destroy(q, MIB / 2, true);
	}
	return NULL;
}

/* A child forked in the midst of calls can go on. */
static void forks(void)
{
	pthread_t threads[2];

	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(!pthread_create(&threads[i], NULL, churn, NULL));
	for (unsigned int round = 0; round < 40; round++) {
		pid_t child = tap_fork();

		if (child == 0) {
			for (size_t i = 1; i < 20; i++) {
				size_t size = i * i * PAGE;
				char *p = alloc(size);

				expect(is_zero(p, size));
				fill(p, size, i);
				expect(is_filled(p, size, i));
				if (i % 2)
					destroy(p, size, true);
			}
			_exit(0);
		}
		tap_join(child);
	}
	stop = true;
	for (size_t i = 0; i < TAP_COUNT(threads); i++)
		expect(!pthread_join(threads[i], NULL));
	expect_nothing_left();
}

/* Use the hooks as the header chunk_jemalloc.h shows. */
static void arena_of_a_program(void)
{
	extent_hooks_t *hooks = HOOKS;
	unsigned int arena;
	size_t length = sizeof(arena);
	int flags;
	char *p;

	expect(!mallctl("arenas.create", &arena, &length, &hooks,
			sizeof(hooks)));
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	for (size_t size = 8; size < 64 * MIB; size *= 2) {
		p = mallocx(size, flags | MALLOCX_ZERO);
		expect(chunk_jemalloc_owns(p));
		expect(is_zero(p, size));
		fill(p, size & ~7UL, size);
		expect(is_filled(p, size & ~7UL, size));
		dallocx(p, flags);
	}
	p = malloc(MIB);
	expect(p && !chunk_jemalloc_owns(p));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "with reuse:offered an extent comes back as it was",
	  handed_out_as_it_was },
	{ "the table of extents reaches as far as addresses", end_of_table },
	{ "whole chunks: zero, committed, given back", whole_chunks },
	{ "alignments from a page to 64 MiB", alignments },
	{ "the rest of a chunk traps, and is used next", rest_of_a_chunk },
	{ "the best fit of partial chunks is taken", best_fit },
	{ "a demanded place is taken if it is free, or the call fails",
	  given_place },
	{ "giving back parts is refused", parts_are_refused },
	{ "an extent given back without its unused rest is a whole chunk",
	  with_rest },
	{ "extents that adjoin are handled as one", several_at_once },
	{ "memory is decommitted where that pays, and only there",
	  decommit_and_commit },
	{ "purged memory is used again without commits", reuse_after_purge },
	{ "purged memory is zero and accessible", purges },
	{ "foreign memory is purged, not taken over", foreign_memory },
	{ "the heap is purged, and stays mapped", foreign_heap },
	{ "an extent merged with the heap is freed without it",
	  foreign_across_heap_end },
	{ "a merge makes no system call", merges_without_calls },
	{ "foreign memory is committed by mprotect", foreign_reserved },
	{ "parts destroyed in any order become whole", destroy_in_parts },
	{ "destroyed parts are used again, and are zero", parts_are_reused },
	{ "thousands of parts are remembered", many_parts },
	{ "out of memory loses nothing", out_of_memory },
	{ "a child forked in the middle can go on", forks },
	{ "an arena of a program's own", arena_of_a_program },
};

const struct tap_suite tap_suite = {
	.about = "The extent hooks, as jemalloc calls them",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
