// SPDX-License-Identifier: MIT
/*
 * An ordinary program on jemalloc, for the library to be preloaded into. It
 * exits with 0 if all checks hold, or else prints the failed one.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <jemalloc/jemalloc.h>

#include <chunk_jemalloc.h>

#include "ordinary.h"

/* The symbol is there only if the library was preloaded. */
#pragma weak chunk_jemalloc_owns
#pragma weak chunk_jemalloc_get_stats
#pragma weak chunk_jemalloc_hooks

static size_t threads_wanted = 4;
static size_t rounds_wanted = 300;

static uint64_t tag_of(const unsigned char *p, size_t size)
{
	return ((uintptr_t)p * 0x9e3779b97f4a7c15u) ^ size;
}

/* Mark each page and the last byte. */
static void mark(unsigned char *p, size_t size)
{
	uint64_t tag = tag_of(p, size);

	for (size_t at = 0; at < size; at += 4096)
		p[at] = tag >> (at / 4096 % 8 * 8);
	p[size - 1] = tag;
}

static bool is_marked(const unsigned char *p, size_t size)
{
	uint64_t tag = tag_of(p, size);

	for (size_t at = 0; at < size - 1; at += 4096)
		if (p[at] != (unsigned char)(tag >> (at / 4096 % 8 * 8)))
			return false;
	return p[size - 1] == (unsigned char)tag;
}

static bool is_zero(const unsigned char *p, size_t size)
{
	return !*p && !memcmp(p, p + 1, size - 1);
}

static size_t random_size(uint64_t *state)
{
	uint64_t kind = next_random(state) % 1000;

	if (kind < 700)
		return 1 + next_random(state) % 2048;
	if (kind < 960)
		return 1 + next_random(state) % (64 << 10);
	if (kind < 995)
		return 1 + next_random(state) % MIB;
	return 1 + next_random(state) % (12 * MIB);
}

/**
 * struct block - an allocated block
 * @p:    first byte
 * @size: bytes
 */
struct block {
	unsigned char *p;
	size_t size;
};

static unsigned char *allocate(uint64_t *state, size_t size)
{
	unsigned char *p;
	size_t alignment;

	switch (next_random(state) % 4) {
	case 0:
		p = calloc(1, size);
		check(p && is_zero(p, size));
		return p;
	case 1:
		alignment = (size_t)16 << next_random(state) % 18;
		p = aligned_alloc(alignment, size);
		check(p && !((uintptr_t)p & (alignment - 1)));
		return p;
	default:
		p = malloc(size);
		check(p);
		return p;
	}
}

static void resize(struct block *block, size_t size)
{
	size_t kept = size < block->size ? size : block->size;
	uint64_t tag = tag_of(block->p, block->size);
	unsigned char *p;

	p = realloc(block->p, size);
	check(p);
	for (size_t at = 0; at + 1 < kept; at += 4096)
		check(p[at] == (unsigned char)(tag >> (at / 4096 % 8 * 8)));
	block->p = p;
	block->size = size;
	mark(p, size);
}

static void one_round(struct block *block, uint64_t *state)
{
	uint64_t what = next_random(state) % 8;

	if (block->p) {
		check(is_marked(block->p, block->size));
		if (what == 0) {
			resize(block, random_size(state));
			return;
		}
		free(block->p);
		block->p = NULL;
	}
	if (what < 6) {
		block->size = random_size(state);
		block->p = allocate(state, block->size);
		mark(block->p, block->size);
	}
}

#define BLOCKS	64

/* A block that the next thread takes over, so that another one frees it */
static atomic_uintptr_t passed_on;

static void *hammer(void *seed)
{
	struct block *blocks = calloc(BLOCKS, sizeof(*blocks));
	uint64_t state = (uintptr_t)seed;

	check(blocks);
	for (size_t round = 0; round < rounds_wanted; round++) {
		one_round(&blocks[next_random(&state) % BLOCKS], &state);
		if (round % 128 == 0) {
			blocks = (void *)atomic_exchange(&passed_on,
							 (uintptr_t)blocks);
			if (!blocks)
				blocks = calloc(BLOCKS, sizeof(*blocks));
			check(blocks);
		}
	}
	for (size_t i = 0; i < BLOCKS; i++)
		free(blocks[i].p);
	free(blocks);
	return NULL;
}

static void run_threads(void *(*run)(void *))
{
	pthread_t threads[16];

	for (size_t i = 0; i < threads_wanted; i++)
		check(!pthread_create(&threads[i], NULL, run, (void *)(i + 1)));
	for (size_t i = 0; i < threads_wanted; i++)
		check(!pthread_join(threads[i], NULL));
}

static void set(const char *name)
{
	check(!mallctl(name, NULL, NULL, NULL, 0));
}

static size_t read_size(const char *name)
{
	size_t value = 0, length = sizeof(value);

	check(!mallctl(name, &value, &length, NULL, 0));
	return value;
}

static unsigned int read_number(const char *name)
{
	unsigned int value = 0;
	size_t length = sizeof(value);

	check(!mallctl(name, &value, &length, NULL, 0));
	return value;
}

static struct chunk_jemalloc_stats hook_stats(void)
{
	struct chunk_jemalloc_stats stats;

	chunk_jemalloc_get_stats(&stats);
	return stats;
}

static void stress(void)
{
	run_threads(hammer);
	set("arena.4096.purge");
	run_threads(hammer);
	check(hook_stats().allocs > 0);
	check(hook_stats().lost_bytes == 0);
}

static extent_hooks_t *hooks_of(unsigned int arena)
{
	extent_hooks_t *hooks = NULL;
	size_t length = sizeof(hooks);
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	check(!mallctl(name, &hooks, &length, NULL, 0));
	return hooks;
}

static void every_arena(void)
{
	unsigned int count = read_number("opt.narenas");

	for (unsigned int arena = 0; arena < count; arena++) {
		int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;

		for (size_t size = 8; size < 4 * MIB; size *= 4) {
			unsigned char *p = mallocx(size, flags);

			check(p && chunk_jemalloc_owns(p));
			mark(p, size);
		}
	}
	run_threads(hammer);
}

static ssize_t read_signed(const char *name)
{
	return (ssize_t)read_size(name);
}

/* As without the library, memory freed there is purged at once. */
static void large_arena(void)
{
	unsigned int arena = read_number("opt.narenas");
	char name[64];
	unsigned char *p;

	p = malloc(16 * MIB);
	check(p);
	memset(p, 1, 16 * MIB);
	check(chunk_jemalloc_owns(p));
	check(chunk_jemalloc_owns(p + 16 * MIB - 1));
	free(p);
	snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", arena);
	check(read_signed("opt.dirty_decay_ms") > 0);
	check(read_signed(name) == 0);
	p = calloc(1, 16 * MIB);
	check(p && is_zero(p, 16 * MIB));
	free(p);
}

static unsigned int make_arena(extent_hooks_t *hooks)
{
	unsigned int arena;
	size_t length = sizeof(arena);

	check(!mallctl("arenas.create", &arena, &length, hooks ? &hooks : NULL,
		       hooks ? sizeof(hooks) : 0));
	return arena;
}

static unsigned int make_by_mib(void)
{
	size_t mib[4], miblen = 4, length = sizeof(unsigned int);
	unsigned int arena;

	check(!mallctlnametomib("arenas.create", mib, &miblen));
	check(!mallctlbymib(mib, miblen, &arena, &length, NULL, 0));
	return arena;
}

static unsigned int make_ext(extent_hooks_t *hooks)
{
	struct {
		extent_hooks_t *hooks;
		bool metadata_use_hooks;
	} config = { hooks, true };
	size_t length = sizeof(unsigned int);
	unsigned int arena;

	check(!mallctl("experimental.arenas_create_ext", &arena, &length,
		       &config, sizeof(config)));
	return arena;
}

static void use_arena(unsigned int arena)
{
	int flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	unsigned char *p[64];

	for (size_t i = 0; i < 64; i++) {
		p[i] = mallocx((i + 1) << 15, flags);
		check(p[i] && chunk_jemalloc_owns(p[i]));
		mark(p[i], (i + 1) << 15);
	}
	for (size_t i = 0; i < 64; i++)
		check(is_marked(p[i], (i + 1) << 15));
	for (size_t i = 0; i < 64; i += 3)
		dallocx(p[i], flags);
}

static void control(unsigned int arena, const char *what)
{
	char name[64];

	snprintf(name, sizeof(name), "arena.%u.%s", arena, what);
	set(name);
}

static void arenas(void)
{
	static extent_hooks_t own;
	unsigned int arena[3];
	uint64_t before = 0;

	own = chunk_jemalloc_hooks;
	check(hooks_of(make_arena(&own)) == &own);
	check(hooks_of(make_ext(&own)) == &own);
	for (unsigned int round = 0; round < 6; round++) {
		/* In the first rounds jemalloc's own bookkeeping grows. */
		if (round < 2)
			before = hook_stats().extent_bytes;
		arena[0] = make_arena(NULL);
		arena[1] = make_by_mib();
		arena[2] = make_ext(&chunk_jemalloc_hooks);
		check(hooks_of(arena[2]) == &chunk_jemalloc_hooks);
		for (size_t i = 0; i < 3; i++) {
			use_arena(arena[i]);
			control(arena[i], "reset");
			use_arena(arena[i]);
			control(arena[i], round % 2 ? "purge" : "decay");
			check(hook_stats().extent_bytes > before);
			control(arena[i], "destroy");
		}
	}
	/*
	 * Everything was given back but jemalloc's own bookkeeping on arenas
	 * without our hooks, whose address space it never gives back: of two
	 * arenas in each of five rounds. A background thread, which may start
	 * after the first rounds, has jemalloc extend arena 0 by 6 MiB.
	 */
	check(hook_stats().extent_bytes <=
	      before + 5 * 2 * 2 * MIB + 6 * MIB);
	check(hook_stats().piece_bytes < MIB);
	check(hook_stats().lost_bytes == 0);
}

/* Where the system does not overcommit, jemalloc itself decommits. */
static bool system_is_strict(void)
{
	FILE *file = fopen("/proc/sys/vm/overcommit_memory", "r");
	int mode = 0;

	check(file && fscanf(file, "%d", &mode) == 1);
	fclose(file);
	return mode == 2;
}

/* All memory of the heap lies in chunks. */
static void heap(void)
{
	enum { COUNT = 4000 };
	static unsigned char *p[COUNT];
	size_t size = 16 << 10;
	uint64_t epoch = 1;

	for (size_t i = 0; i < COUNT; i++) {
		p[i] = malloc(size);
		check(p[i] && chunk_jemalloc_owns(p[i]));
		mark(p[i], size);
	}
	check(hook_stats().extent_bytes >= COUNT * size);
	for (size_t i = 0; i < COUNT; i++) {
		check(is_marked(p[i], size));
		free(p[i]);
	}
	set("thread.tcache.flush");
	set("arena.4096.purge");
	check(!mallctl("epoch", NULL, NULL, &epoch, sizeof(epoch)));
	check(read_size("stats.resident") < 16 * MIB);
	/* Free and allocate again from there. */
	for (size_t i = 0; i < COUNT; i++) {
		p[i] = calloc(1, size);
		check(p[i] && is_zero(p[i], size));
		check(chunk_jemalloc_owns(p[i]));
	}
	/* Nothing was ever decommitted, so nothing is committed one by one. */
	check(hook_stats().commits == 0 || system_is_strict());
}

/* Hooks that forget memory: the reported figures must stay true. */
static bool keep(extent_hooks_t *hooks, void *addr, size_t size,
		 bool committed, unsigned int arena)
{
	(void)hooks;
	(void)addr;
	(void)size;
	(void)committed;
	(void)arena;
	return true;
}

static void own_hooks(void)
{
	static extent_hooks_t own;
	unsigned int arena = make_arena(&chunk_jemalloc_hooks);
	extent_hooks_t *hooks = &own;
	char name[64];

	use_arena(arena);
	own.alloc = chunk_jemalloc_hooks.alloc;
	own.dalloc = keep;
	snprintf(name, sizeof(name), "arena.%u.extent_hooks", arena);
	check(!mallctl(name, NULL, NULL, &hooks, sizeof(hooks)));
	use_arena(arena);
	control(arena, "destroy");
}

/* Tell whether smaps has @what, which may be a flag, for the mapping of @p. */
static bool smaps_say(const void *p, const char *what)
{
	FILE *smaps = fopen("/proc/self/smaps", "r");
	uintptr_t start, end, at = (uintptr_t)p;
	bool here = false, found = false;
	char line[512];

	check(smaps);
	while (fgets(line, sizeof(line), smaps)) {
		if (sscanf(line, "%lx-%lx ", &start, &end) == 2)
			here = at >= start && at < end;
		found |= here && strstr(line, what);
	}
	fclose(smaps);
	return found;
}

static bool huge_pages_are_always_on(void)
{
	FILE *file = fopen("/sys/kernel/mm/transparent_hugepage/enabled", "r");
	char line[80] = "";

	check(file && fgets(line, sizeof(line), file));
	fclose(file);
	return strstr(line, "[always]");
}

/* thp:always: huge pages are possible in the memory, and asked for. */
static void huge_pages(void)
{
	unsigned char *p = malloc(16 * MIB);

	check(p);
	memset(p, 1, 16 * MIB);
	check(chunk_jemalloc_owns(p));
	check(smaps_say(p + 8 * MIB, "THPeligible:           1") ||
	      smaps_say(p + 8 * MIB, "THPeligible:    1"));
	check(huge_pages_are_always_on() || smaps_say(p + 8 * MIB, " hg"));
}

static void child(void)
{
	uint64_t state = getpid();
	struct block blocks[BLOCKS] = { 0 };

	/* Inherited memory is decommitted, too. */
	for (size_t round = 0; round < 100; round++) {
		one_round(&blocks[next_random(&state) % BLOCKS], &state);
		if (round % 25 == 0)
			set("arena.4096.purge");
	}
	_exit(0);
}

static void forks(void)
{
	pthread_t threads[2];

	for (size_t i = 0; i < 2; i++)
		check(!pthread_create(&threads[i], NULL, hammer,
				      (void *)(i + 1)));
	for (size_t round = 0; round < 10; round++) {
		int status;
		pid_t pid = fork();

		check(pid >= 0);
		if (pid == 0)
			child();
		check(waitpid(pid, &status, 0) == pid);
		check(status == 0);
	}
	for (size_t i = 0; i < 2; i++)
		check(!pthread_join(threads[i], NULL));
	run_threads(hammer);
}

/* All memory lies in the device's mappings, as /proc/self/smaps has it. */
static void mappings(void)
{
	size_t size = 64 * MIB, there = 0;
	char line[512];
	unsigned char *p;
	FILE *maps;

	p = malloc(size);
	check(p);
	maps = fopen("/proc/self/maps", "r");
	check(maps);
	while (fgets(line, sizeof(line), maps)) {
		uintptr_t start, end, first = (uintptr_t)p;

		if (!strstr(line, "/dev/chunk") ||
		    sscanf(line, "%lx-%lx", &start, &end) != 2)
			continue;
		if (start < first)
			start = first;
		if (end > first + size)
			end = first + size;
		if (start < end)
			there += end - start;
	}
	check(there == size);
}

/**
 * struct job - job that the worker can do
 * @name: name on the command line
 * @run:  function that does it
 */
struct job {
	const char *name;
	void (*run)(void);
};

static const struct job jobs[] = {
	{ "stress", stress },
	{ "every-arena", every_arena },
	{ "large-arena", large_arena },
	{ "arenas", arenas },
	{ "heap", heap },
	{ "forks", forks },
	{ "own-hooks", own_hooks },
	{ "huge-pages", huge_pages },
	{ "mappings", mappings },
	{ NULL, NULL }
};

int main(int argc, char **argv)
{
	if (argc > 2)
		rounds_wanted = strtoul(argv[2], NULL, 10);
	if (!chunk_jemalloc_owns)
		fail(__LINE__, "the library to be preloaded");
	for (const struct job *job = jobs; argc > 1 && job->name; job++) {
		if (!strcmp(argv[1], job->name)) {
			job->run();
			return 0;
		}
	}
	fprintf(stderr, "Usage: worker JOB [ROUNDS], preloaded\n");
	return 2;
}
