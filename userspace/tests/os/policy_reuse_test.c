// SPDX-License-Identifier: MIT
/*
 * Policy of extents that are kept with their contents, on the fake system: one that
 * proves contents or loses them, refuses, is late, or unmaps whole mappings only.
 */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "common.h"
#include "fake_memory.h"
#include "fake_os.h"
#include "fake_work.h"
#include "steps.h"

#define STEPS	400

static uint64_t offered_now(void)
{
	return stats_now().offered_bytes;
}

/* Keep an extent with something in it. */
static char *keep(size_t mib)
{
	char *chunk;

	fake.offer_way = OFFER_CALLS;
	expect(chunk_set_reuse(REUSE_OFFERED, 64 * MIB));
	chunk = alloc_mib(mib);
	scribble(chunk, mib * MIB);
	dealloc_mib(chunk, mib);
	expect_equal(offered_now(), mib * MIB);
	return chunk;
}

static char *alloc_dirty(size_t mib, bool *zero)
{
	return chunk_alloc_dirty(mib * MIB, MIB, zero);
}

static void intact(void)
{
	char *chunk = keep(2);
	bool zero = true;

	expect_equal(fake.offers, 1);
	expect(alloc_dirty(2, &zero) == chunk);
	expect(!zero);
	expect_equal(fake.takes, 1);
	expect(chunk[0] == 1 && chunk[2 * MIB - 1] == 1);
	dealloc_mib(chunk, 2);
	expect(alloc_mib(2) == chunk);
	expect_blank(chunk, 2 * MIB);
	/* Memory that is taken back is neither mapped nor freed meanwhile. */
	expect_equal(fake.calls[FAKE_UNMAP], 0);
	expect_equal(fake.calls[FAKE_DECOMMIT], 0);
	expect_equal(fake.calls[FAKE_COMMIT], 0);
	expect_none_lost();
}

/* The fake system leaves contents alone that it says it has lost. */
static void contents_are_gone(void)
{
	char *chunk = keep(2);
	bool zero = true;

	fake.take_error = -EAGAIN;
	expect(alloc_dirty(2, &zero) == chunk);
	expect(!zero);
	dealloc_mib(chunk, 2);
	expect(alloc_mib(2) == chunk);
	expect_blank(chunk, 2 * MIB);
}

static void cannot_offer(void)
{
	fake.offer_way = OFFER_NONE;
	errno = 0;
	expect(!chunk_set_reuse(REUSE_OFFERED, 64 * MIB));
	expect_equal(errno, EOPNOTSUPP);
	dealloc_mib(alloc_mib(2), 2);
	expect_equal(offered_now(), 0);
}

/* The system can, but refuses this memory: it is freed, and takes no room. */
static void refused(void)
{
	char *chunk = keep(2);

	fake.offer_way = OFFER_NONE;
	for (unsigned int i = 1; i <= 40; i++) {
		expect(alloc_mib(2) == chunk);
		dealloc_mib(chunk, 2);
		expect_equal(offered_now(), 0);
		expect_equal(fake.calls[FAKE_DECOMMIT], i);
		expect_trap(chunk);
	}
	expect_none_lost();
	fake.offer_way = OFFER_CALLS;
	expect(alloc_mib(2) == chunk);
	dealloc_mib(chunk, 2);
	expect_equal(offered_now(), 2 * MIB);
}

static void let_go_late(void)
{
	char *chunk = keep(2);

	fake.take_fails_at = 1;
	expect(alloc_mib(2) == chunk);
	expect_equal(fake.naps, 1);
	expect_equal(fake.takes, 2);
	expect_blank(chunk, 2 * MIB);
}

/* Memory that stays out of reach is unmapped, and other memory handed out. */
static void never_let_go(void)
{
	struct chunk_stats stats;
	char *chunk;

	keep(2);
	fake.take_error = -ENOMEM;
	chunk = alloc_mib(2);
	expect_blank(chunk, 2 * MIB);
	expect_equal(fake.calls[FAKE_UNMAP], 1);
	stats = stats_now();
	expect_equal(stats.offered_bytes, 0);
	expect_equal(stats.allocs, 2);
	expect_equal(stats.deallocs, 1);
	expect_none_lost();
}

/* Pages that trap are committed before an extent is kept, or it is not kept. */
static void decommitted_pages(void)
{
	char *chunk = keep(2);
	bool zero;

	expect(alloc_dirty(2, &zero) == chunk);
	pages_decommit(chunk + MIB, MIB / 2);
	dealloc_mib(chunk, 2);
	expect_equal(offered_now(), 2 * MIB);
	expect(alloc_dirty(2, &zero) == chunk);
	expect(!zero && chunk[0] == 1);
	expect_blank(chunk + MIB, MIB / 2);
	pages_decommit(chunk + MIB, MIB / 2);
	fake.fail_from[FAKE_COMMIT] = 1;
	dealloc_mib(chunk, 2);
	expect_equal(offered_now(), 0);
	expect_trap(chunk);
	expect_none_lost();
}

/* Single chunks are kept, and no two of them are taken for one. */
static void whole_mappings(void)
{
	char *chunks[6], *pair;

	fake.partial = false;
	fake.offer_way = OFFER_CALLS;
	expect(chunk_set_reuse(REUSE_OFFERED, 64 * MIB));
	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		chunks[i] = alloc_mib(1);
	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		dealloc_mib(chunks[i], 1);
	expect_equal(offered_now(), 6 * MIB);
	pair = alloc_mib(2);
	expect_equal(offered_now(), 6 * MIB);
	dealloc_mib(pair, 2);
	expect_equal(offered_now(), 6 * MIB);
	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		chunks[i] = alloc_mib(1);
	expect_equal(offered_now(), 0);
	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		dealloc_mib(chunks[i], 1);
	expect(chunk_set_reuse(REUSE_OFFERED, 4 * MIB));
	expect_equal(offered_now(), 4 * MIB);
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	expect_equal(offered_now(), 0);
	expect_none_lost();
}

/* Address space that the system does not take back is recycled, and traps. */
static void unmap_fails(void)
{
	char *chunk = keep(4);

	fake.fail_from[FAKE_UNMAP] = 1;
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	expect_equal(fake.complaints, 1);
	expect_equal(offered_now(), 0);
	expect_equal(chunk_recycled_bytes(), 4 * MIB);
	expect_trap(chunk);
	expect_none_lost();
	expect(alloc_mib(4) == chunk);
	expect_blank(chunk, 4 * MIB);
}

/* Without memory for bookkeeping, what fits exactly is still handed out. */
static void no_memory_for_nodes(void)
{
	char *chunk = keep(4);

	leave_nodes(0, 0);
	expect(alloc_mib(4) == chunk);
	expect_blank(chunk, 4 * MIB);
	dealloc_mib(chunk, 4);
	expect_equal(offered_now(), 4 * MIB);
	/* A part of it is not, nor given back: that takes a node for the rest. */
	expect(chunk_set_reuse(REUSE_OFFERED, 3 * MIB));
	expect_equal(offered_now(), 4 * MIB);
	expect(!chunk_alloc(MIB, MIB, false));
	expect_none_lost();
}

/* Kept memory is given up before an allocation fails. */
static void address_space_is_short(void)
{
	char *chunk;

	keep(4);
	fake.most = fake.mapped + MIB;
	chunk = alloc_mib(5);
	expect_blank(chunk, 5 * MIB);
	expect_equal(offered_now(), 0);
	expect_none_lost();
}

static void child(void)
{
	char *chunk = keep(2);
	pid_t pid = tap_fork();

	if (pid == 0) {
		expect(alloc_mib(2) == chunk);
		expect_blank(chunk, 2 * MIB);
		expect_none_lost();
		_exit(0);
	}
	tap_join(pid);
	expect_equal(fake.takes, 0);
	expect(alloc_mib(2) == chunk);
}

#ifdef HAS_STEPS
static unsigned int forks;

/* A child uses what is kept, or gives it up; it has all the room that there is. */
static void use_as_child(void)
{
	char *first = alloc_mib(1), *second = alloc_mib(4);

	expect(chunk_set_reuse(REUSE_OFFERED, 5 * MIB));
	expect_blank(first, MIB);
	expect_blank(second, 4 * MIB);
	scribble(first, MIB);
	scribble(second, 4 * MIB);
	dealloc_mib(first, 1);
	dealloc_mib(second, 4);
	expect_equal(offered_now(), 5 * MIB);
	expect_stats_consistent();
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	expect_equal(offered_now(), 0);
	expect_stats_consistent();
}

static void fork_here(int number)
{
	int status;
	pid_t pid;

	(void)number;
	forks++;
	pid = fork();
	expect(pid >= 0);
	if (!pid) {
		use_as_child();
		_exit(0);
	}
	expect(waitpid(pid, &status, 0) == pid && !status);
}

/* Children are forked while a thread, which they do not have, changes the tree. */
static void forked_at_each_instruction(void)
{
	char *chunk = keep(4), *taken;
	bool zero;

	expect(chunk_set_reuse(REUSE_OFFERED, 5 * MIB));
	expect(signal(SIGTRAP, fork_here) != SIG_ERR);
	steps_begin();
	taken = chunk_alloc_dirty(MIB, MIB, &zero);
	chunk_dealloc(taken, MIB, UNKNOWN_CHUNK);
	chunk_set_reuse(REUSE_OFFERED, 3 * MIB);
	steps_end();
	expect(taken == chunk);
	expect_equal(offered_now(), 3 * MIB);
	tap_note("forked at %u instructions", forks);
	expect(getenv("TAP_UNDER") || forks > 100);
}
#endif

static void lift(void)
{
	fake.odds = 0;
	fake.take_error = 0;
	fake.offer_way = OFFER_CALLS;
}

/* Random calls while anything fails; whatever is kept, no address space is lost. */
static void anything_fails(void)
{
	static const int errors[] = { 0, -EAGAIN, -ENOMEM };

	fake.seed = random_seed();
	for (unsigned int i = 0; i < rounds(48); i++, fake.seed++) {
		pid_t pid = tap_fork();

		if (pid) {
			tap_join(pid);
			continue;
		}
		fake.options = i & 4 ? "reuse:offered,offer_limit:6M" :
				       "reuse:offered,offer_limit:64M";
		fake.offer_way = OFFER_CALLS;
		fake.partial = i & 1;
		fake.bottom_up = i & 2;
		fake.odds = i % 9 ? 2 + i % 9 : 0;
		fake.take_error = errors[i % TAP_COUNT(errors)];
		work(STEPS);
		lift();
		work(STEPS / 4);
		expect(chunk_set_reuse(REUSE_TRAPPED, 0));
		work_off();
		_exit(0);
	}
}

static const struct tap_case cases[] = {
	{ "kept, and handed out as it was", intact },
	{ "contents are gone", contents_are_gone },
	{ "a system that cannot offer", cannot_offer },
	{ "a system that refuses some memory", refused },
	{ "memory that is let go of late", let_go_late },
	{ "memory that is never let go of", never_let_go },
	{ "decommitted pages", decommitted_pages },
	{ "a system that unmaps whole mappings only", whole_mappings },
	{ "unmap that fails", unmap_fails },
	{ "no memory for nodes", no_memory_for_nodes },
	{ "address space is short", address_space_is_short },
	{ "a forked child", child },
#ifdef HAS_STEPS
	{ "forks at each instruction of a call", forked_at_each_instruction },
#endif
	{ "anything fails at random", anything_fails },
};

const struct tap_suite tap_suite = {
	.about = "Tests the policy of reuse by offered memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
