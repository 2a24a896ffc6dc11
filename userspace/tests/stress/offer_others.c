// SPDX-License-Identifier: MIT
/*
 * The other threads of an arena: they do to offered chunks, their own or those of
 * the pool, all that can happen to memory. See offer_race_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "offer_race.h"

#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE	25
#endif

#define OWN	4U	/* chunks of a thread's own */

/* The tags of threads that share no chunk differ from those of the pool. */
#define TAG(n)	(((uint64_t)1 << 42) + (n))

static void expect_new(struct arena *a, char *chunk)
{
	expect_equal(atomic_load(owner_word(&a->o, chunk)), 0);
	expect_tag(chunk, 0, "handed out");
}

/* Fill a chunk that is new, and see that it keeps its contents while in use. */
static void use_new(struct arena *a, char *chunk, uint64_t tag,
		    uint64_t *random)
{
	expect_new(a, chunk);
	put_tag(chunk, tag);
	rest_below(random, 1000);
	expect_tag(chunk, tag, "in use since it was handed out");
	expect_equal(atomic_load(owner_word(&a->o, chunk)), 0);
}

/* Chunks are given back while they are offered, and others handed out. */
static void *recycle(void *arg)
{
	struct arena *a = arg;
	uint64_t random = seed + 101, tag = TAG(0);
	char *own[OWN];

	for (size_t i = 0; i < OWN; i++)
		own[i] = device_alloc(a->o.fd, MIB, MIB);
	while (!stopped()) {
		for (size_t i = 0; i < OWN; i++) {
			put_tag(own[i], ++tag);
			word_offer(owner_word(&a->o, own[i]));
		}
		rest_below(&random, 2000);
		for (size_t i = 0; i < OWN; i++)
			expect_equal(device_dealloc(a->o.fd, own[i], MIB), 0);
		for (size_t i = 0; i < OWN; i++) {
			own[i] = device_alloc(a->o.fd, MIB, MIB);
			use_new(a, own[i], ++tag, &random);
			count(COUNT_DEALLOCS);
		}
	}
	for (size_t i = 0; i < OWN; i++)
		expect_equal(device_dealloc(a->o.fd, own[i], MIB), 0);
	return NULL;
}

static void map_at(char *chunk, int flags, int fd)
{
	expect(mmap(chunk, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED | flags, fd, 0) == chunk);
}

/* A chunk is replaced while it is offered: by nothing, foreign memory, the device. */
static void *remap(void *arg)
{
	struct arena *a = arg;
	uint64_t random = seed + 102, tag = TAG(1 << 20);
	char *chunk = device_mmap(a->o.fd, MIB, 0);

	while (!stopped()) {
		size_t how = random_below(&random, 3);

		put_tag(chunk, ++tag);
		word_offer(owner_word(&a->o, chunk));
		rest_below(&random, 1000);
		if (how == 0) {
			map_at(chunk, MAP_ANONYMOUS, -1);
			word_offer(owner_word(&a->o, chunk));
			put_tag(chunk, ++tag);
			rest_below(&random, 2000);
			expect_tag(chunk, tag, "foreign");
		} else if (how == 1) {
			expect(mmap(chunk + MIB / 2, page_size(), PROT_NONE,
				    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				    0) == chunk + MIB / 2);
			rest_below(&random, 500);
		}
		map_at(chunk, 0, a->o.fd);
		use_new(a, chunk, ++tag, &random);
		count(COUNT_REMAPS);
	}
	return NULL;
}

/* Pages of an offered chunk are decommitted: from then on they are zero, at most. */
static void *decommit(void *arg)
{
	struct arena *a = arg;
	uint64_t random = seed + 103, tag = TAG(2 << 20);
	char *chunk = device_alloc(a->o.fd, MIB, MIB);
	size_t page = page_size();

	while (!stopped()) {
		char *hole = chunk + MIB / 8 * random_below(&random, 8);
		bool during = random_below(&random, 2), intact;

		put_tag(chunk, ++tag);
		word_offer(owner_word(&a->o, chunk));
		rest_below(&random, 500);
		if (during)
			expect_equal(device_decommit(a->o.fd, hole + page, page),
				     0);
		rest_below(&random, 500);
		intact = arena_take(a, chunk, tag);
		if (!during)
			expect_equal(device_decommit(a->o.fd, hole, page), 0);
		expect(a->huge || read_traps(during ? hole + page : hole));
		expect_equal(device_commit(a->o.fd, chunk, MIB), 0);
		expect(is_zero(during ? hole + page : hole, page));
		if (during)
			expect_tag(chunk, intact ? tag : 0, "after a commit");
		count(COUNT_RANGES);
	}
	return NULL;
}

/* Tell whether a chunk that was offered all the time was discarded meanwhile. */
static bool lost(struct arena *a, size_t i, uint32_t before, uint64_t tag)
{
	uint32_t after = atomic_load(owner_word(&a->o, a->chunk[i]));

	return atomic_load(&a->tag[i]) == tag &&
	       (before & CHUNK_WORD_STATE) == CHUNK_WORD_OFFERED &&
	       (after == (before ^ CHUNK_WORD_OFFERED ^ CHUNK_WORD_DISCARDED) ||
		after == (before ^ CHUNK_WORD_OFFERED ^ CHUNK_WORD_DISCARDING));
}

/* A chunk of the pool is locked, offered or not; while it is, it keeps its contents. */
static void *lock(void *arg)
{
	struct arena *a = arg;
	uint64_t random = seed + 104;

	while (!stopped()) {
		size_t i = random_below(&random, POOL);
		char *page = a->chunk[i] + MIB / 8 * random_below(&random, 8);
		uint32_t word;
		uint64_t tag;

		/* It is locked in any case, but there may be no memory for the page. */
		mlock2(page, page_size(), random_below(&random, 2));
		tag = atomic_load(&a->tag[i]);
		word = atomic_load(owner_word(&a->o, a->chunk[i]));
		rest_below(&random, 1000);
		expect(!lost(a, i, word, tag));
		if ((word & CHUNK_WORD_STATE) == CHUNK_WORD_OFFERED)
			count(COUNT_LOCKS);
		expect(munlock(page, page_size()) == 0);
		rest_below(&random, 4000);
	}
	return NULL;
}

/* Advice that changes no contents, whatever it returns */
static void *advise(void *arg)
{
	static const int advice[] = {
		MADV_COLD, MADV_PAGEOUT, MADV_PAGEOUT, MADV_WILLNEED,
		MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_HUGEPAGE,
		MADV_NOHUGEPAGE, MADV_DONTDUMP, MADV_DODUMP, MADV_COLLAPSE,
		MADV_DONTFORK, MADV_DOFORK, MADV_NORMAL,
	};
	struct arena *a = arg;
	uint64_t random = seed + 105;

	while (!stopped()) {
		char *chunk = a->chunk[random_below(&random, POOL)];
		size_t size = page_size() << random_below(&random, 9);

		if (random_below(&random, 8) == 0)
			size = MIB;
		madvise(chunk, size, advice[random_below(&random,
							 TAP_COUNT(advice))]);
		count(COUNT_ADVICE);
		rest_below(&random, 2000);
	}
	return NULL;
}

/* A child keeps seeing the same contents, and its writes are its own. */
static void as_child(char *chunk, uint64_t tag, uint64_t *random)
{
	bool intact = has_tag(chunk, tag);

	if (!intact)
		expect_tag(chunk, 0, "at the fork");
	for (unsigned int i = 0; i < 3; i++) {
		rest_below(random, 1000);
		expect_tag(chunk, intact ? tag : 0, "in the child");
	}
	put_tag(chunk, tag + 1);
	expect_tag(chunk, tag + 1, "written by the child");
	_exit(0);
}

static void *fork_often(void *arg)
{
	struct arena *a = arg;
	uint64_t random = seed + 106, tag = TAG(3 << 20);
	char *chunk = device_alloc(a->o.fd, MIB, MIB);

	while (!stopped()) {
		pid_t child;

		put_tag(chunk, tag += 2);
		word_offer(owner_word(&a->o, chunk));
		child = fork();
		expect(child >= 0);
		if (child == 0)
			as_child(chunk, tag, &random);
		if (random_below(&random, 8) == 0)
			kill(child, SIGKILL);
		rest_below(&random, 500);
		arena_take(a, chunk, tag);
		if (random_below(&random, 8) == 0) {
			kill(child, SIGKILL);
			expect(waitpid(child, NULL, 0) == child);
		} else {
			int status;

			expect(waitpid(child, &status, 0) == child);
			expect(!status || WIFSIGNALED(status));
		}
		count(COUNT_FORKS);
		rest_below(&random, 20000);
	}
	return NULL;
}

void *(*const offer_others[])(void *arena) = {
	recycle, remap, decommit, lock, advise, fork_often,
};

const size_t offer_others_count = TAP_COUNT(offer_others);
