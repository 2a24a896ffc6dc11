// SPDX-License-Identifier: MIT
/*
 * Policy of discardable memory on systems of every kind, on the fake system: those
 * with calls that prove contents, with advice alone and with nothing.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "common.h"
#include "fake_memory.h"
#include "fake_os.h"
#include "fake_work.h"

/* A chunk of 2 MiB with a decommitted run in the middle of each MiB */
static char *chunk;

static void prepare(enum chunk_offer_way way)
{
	fake.offer_way = way;
	chunk = alloc_mib(2);
	scribble(chunk, 2 * MIB);
	pages_decommit(chunk + 4 * fake.page, 2 * fake.page);
	pages_decommit(chunk + MIB + 4 * fake.page, 2 * fake.page);
	expect_equal(chunk_offer_way(), way);
}

static bool is_scribbled(const char *at, size_t size)
{
	for (size_t i = 0; i < size; i += fake.page)
		if (at[i] != 1 || at[i + fake.page - 1] != 1)
			return false;
	return true;
}

/* The committed runs of one MiB are intact, or zero. */
static void expect_mib(char *at, bool intact)
{
	size_t tail = 6 * fake.page;

	if (intact) {
		expect(is_scribbled(at, 4 * fake.page));
		expect(is_scribbled(at + tail, MIB - tail));
	} else {
		expect_blank(at, 4 * fake.page);
		expect_blank(at + tail, MIB - tail);
	}
	expect_trap(at + 4 * fake.page);
	expect_trap(at + tail - 1);
}

/*
 * The system is asked for committed runs only: the fake one would complain. It is
 * asked for whole runs, of which one is in both chunks.
 */
static void by_calls(void)
{
	prepare(OFFER_CALLS);
	chunk_offer(chunk, 2 * MIB);
	expect_equal(fake.offers, 3);
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect_equal(fake.takes, 4);
	expect_mib(chunk, true);
	expect_mib(chunk + MIB, true);
	expect_equal(fake.calls[FAKE_PURGE], 0);
	/* It is not offered any more. */
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect_equal(fake.takes, 4);
}

static void contents_are_gone(void)
{
	prepare(OFFER_CALLS);
	chunk_offer(chunk, 2 * MIB);
	fake.take_error = -EAGAIN;
	errno = EXDEV;
	expect(!chunk_reclaim(chunk, 2 * MIB));
	expect_equal(errno, EXDEV);
	expect_equal(fake.calls[FAKE_PURGE], 3);
	expect_mib(chunk, false);
	expect_mib(chunk + MIB, false);
}

/* Where purging fails, pages are zeroed by hand. */
static void purging_fails(void)
{
	prepare(OFFER_ADVICE);
	chunk_offer(chunk, MIB);
	fake.take_error = -EAGAIN;
	fake.fail_from[FAKE_PURGE] = 1;
	expect(!chunk_reclaim(chunk, MIB));
	expect_mib(chunk, false);
	expect_mib(chunk + MIB, true);
}

/* One chunk is lost, so the one in front of it, which is not, becomes zero. */
static void second_is_gone(void)
{
	prepare(OFFER_CALLS);
	chunk_offer(chunk, 2 * MIB);
	expect(chunk_reclaim(chunk, MIB));
	expect_mib(chunk, true);
	fake.take_error = -EAGAIN;
	expect(!chunk_reclaim(chunk, 2 * MIB));
	expect_mib(chunk, false);
	expect_mib(chunk + MIB, false);
}

/* Nothing is offered, so nothing is lost, on a system that cannot offer. */
static void in_name_only(void)
{
	prepare(OFFER_NONE);
	chunk_offer(chunk, 2 * MIB);
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect_mib(chunk, true);
	expect_mib(chunk + MIB, true);
	expect_equal(fake.offers, 0);
	expect_equal(fake.takes, 0);
}

/* The system can, but refuses this memory. */
static void refused(void)
{
	prepare(OFFER_CALLS);
	fake.offer_way = OFFER_NONE;
	chunk_offer(chunk, 2 * MIB);
	fake.take_error = -EAGAIN;
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect_equal(fake.takes, 0);
	expect_mib(chunk, true);
}

/* Memory that the system does not let go of at once is asked for again. */
static void let_go_late(void)
{
	prepare(OFFER_CALLS);
	chunk_offer(chunk, 2 * MIB);
	fake.take_fails_at = 2;
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect_equal(fake.takes, 5);
	expect_equal(fake.naps, 1);
	expect_mib(chunk, true);
	expect_mib(chunk + MIB, true);
}

static void take_in_vain(void *arg)
{
	(void)arg;
	fake.take_error = -ENOMEM;
	chunk_reclaim(chunk, MIB);
}

static void never_let_go(void)
{
	struct tap_outcome outcome;

	prepare(OFFER_CALLS);
	chunk_offer(chunk, MIB);
	tap_child(&outcome, take_in_vain, NULL);
	tap_note("%s", outcome.text);
	expect(tap_aborted(&outcome));
	expect(strstr(outcome.text, "chunk_reclaim(0x"));
}

/* Without memory to mark chunks, they keep their contents. */
static void no_memory_to_mark(void)
{
	bool marked = false;

	fake.options = "check:on";
	prepare(OFFER_ADVICE);
	fake.take_error = -EAGAIN;
	for (size_t bytes = 0; bytes <= 4096 && !marked; bytes += 64) {
		unsigned int before = fake.offers;

		leave_bytes(bytes);
		chunk_offer(chunk, MIB);
		marked = fake.offers != before;
		expect(bytes || !marked);
		expect_equal(chunk_reclaim(chunk, MIB), !marked);
		expect_mib(chunk, !marked);
		memset(fake.fail_from, 0, sizeof(fake.fail_from));
	}
	expect(marked);
}

/* Marks go with their chunk: the next at its place is not offered. */
static void given_back(void)
{
	for (int i = 0; i < 3; i++) {
		prepare(OFFER_ADVICE);
		fake.take_error = -EAGAIN;
		expect(chunk_reclaim(chunk, 2 * MIB));
		expect_mib(chunk, true);
		chunk_offer(chunk, 2 * MIB);
		dealloc_mib(chunk, 2);
	}
	expect_none_lost();
}

/* Marks are inherited; of chunks of mmap a child knows what its parent knew. */
static void child(void)
{
	pid_t pid;

	prepare(OFFER_CALLS);
	chunk_offer(chunk, MIB);
	pid = tap_fork();
	if (pid == 0) {
		expect(chunk_reclaim(chunk, 2 * MIB));
		expect_equal(fake.takes, 2);
		_exit(0);
	}
	tap_join(pid);
	expect_equal(fake.takes, 0);
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect_equal(fake.takes, 2);
}

/* An extent that cannot be kept with its contents is recycled. */
static void recycled_instead(void)
{
	prepare(OFFER_ADVICE);
	expect(chunk_set_reuse(REUSE_OFFERED, 8 * MIB));
	fake.offer_way = OFFER_NONE;
	dealloc_mib(chunk, 2);
	expect_equal(stats_now().offered_bytes, 0);
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	expect(alloc_mib(2) == chunk);
	expect_none_lost();
}

static const struct tap_case cases[] = {
	{ "calls prove that contents are intact", by_calls },
	{ "calls tell that contents are gone", contents_are_gone },
	{ "lost memory is zeroed where it cannot be purged", purging_fails },
	{ "if one chunk is lost all are", second_is_gone },
	{ "a system that cannot offer", in_name_only },
	{ "a system that refuses some memory", refused },
	{ "memory that is let go of late", let_go_late },
	{ "memory that is never let go of", never_let_go },
	{ "no memory to mark chunks", no_memory_to_mark },
	{ "offered chunks are given back", given_back },
	{ "marks are inherited", child },
	{ "memory that cannot be kept is recycled", recycled_instead },
};

const struct tap_suite tap_suite = {
	.about = "Tests the policy of discardable memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
