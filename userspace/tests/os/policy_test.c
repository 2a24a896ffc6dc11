// SPDX-License-Identifier: MIT
/*
 * Policy on a system whose functions fail. Whichever call fails, fresh memory is
 * zero, contents stay, no address space is lost and the process goes on.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/wait.h>

#include "chunk_stall.h"
#include "common.h"
#include "fake_os.h"
#include "fake_work.h"

#define STEPS	120

/* Status of a child that never made the call that was to fail */
#define TOO_FAR	42

static void nothing_fails(void)
{
	static const size_t pages[] = { 4096, 8192, 16384, 65536 };

	for (unsigned int i = 0; i < 4 * TAP_COUNT(pages); i++) {
		pid_t child;

		/* Below the fake system is this one, which has larger pages. */
		if (pages[i / 4] < page_size())
			continue;
		child = tap_fork();
		if (child) {
			tap_join(child);
			continue;
		}
		fake.page = pages[i / 4];
		fake.partial = i & 1;
		fake.bottom_up = i & 2;
		work(4 * STEPS);
		expect_equal(fake.lost, 0);
		expect_equal(fake.complaints, 0);
		work_off();
		_exit(0);
	}
}

static void lift(void)
{
	memset(fake.fail_at, 0, sizeof(fake.fail_at));
	memset(fake.fail_from, 0, sizeof(fake.fail_from));
	fake.odds = 0;
}

/* Work while calls fail as set up; then lift that and check that all is well. */
static void work_through_it(void)
{
	char *chunk;

	work(STEPS);
	lift();
	work(STEPS / 4);
	work_off();
	chunk = chunk_alloc(16 * MIB, 4 * MIB, false);
	/* Address space that the system did not unmap may fill the arena. */
	expect(chunk || fake.mapped > 256 * MIB);
	if (chunk)
		expect_blank(chunk, 16 * MIB);
	expect_none_lost();
}

/* Return false if the child never made that call. */
static bool child_works(unsigned long *which, enum fake_call call,
			unsigned long nth, bool partial)
{
	int status;
	pid_t child = tap_fork();

	if (child == 0) {
		fake.partial = partial;
		which[call] = nth;
		work_through_it();
		_exit(fake.calls[call] < nth ? TOO_FAR : 0);
	}
	while (waitpid(child, &status, 0) != child)
		expect(errno == EINTR);
	if (status)
		tap_note("call %d, number %lu, partial %d", call, nth, partial);
	if (WIFEXITED(status) && WEXITSTATUS(status) == TOO_FAR)
		return false;
	expect_equal(status, 0);
	return true;
}

static void each_fails(unsigned long *which, enum fake_call call,
		       unsigned int step)
{
	unsigned long nth, tried = 0;

	for (int partial = 0; partial <= 1; partial++)
		for (nth = 1; child_works(which, call, nth, partial);
		     nth += stride(step))
			tried++;
	tap_note("%lu runs", tried);
	expect(tried * stride(1) > 4);
}

#define EACH_FAILS(name, call)						\
static void name##_fails(void)						\
{									\
	each_fails(fake.fail_at, call, 1);				\
}									\
									\
static void name##_fails_from_then_on(void)				\
{									\
	each_fails(fake.fail_from, call, 5);				\
}

EACH_FAILS(map, FAKE_MAP)
EACH_FAILS(unmap, FAKE_UNMAP)
EACH_FAILS(commit, FAKE_COMMIT)
EACH_FAILS(decommit, FAKE_DECOMMIT)
EACH_FAILS(purge, FAKE_PURGE)

static void anything_fails(void)
{
	fake.seed = random_seed();
	for (unsigned int i = 0; i < rounds(40); i++, fake.seed++) {
		pid_t child = tap_fork();

		if (child) {
			tap_join(child);
			continue;
		}
		fake.odds = 2 + i % 9;
		fake.partial = i & 1;
		fake.bottom_up = i & 2;
		work_through_it();
		_exit(0);
	}
}

static void address_space_is_short(void)
{
	for (size_t most = 0; most < 40; most++) {
		pid_t child = tap_fork();

		if (child) {
			tap_join(child);
			continue;
		}
		fake.most = most * MIB;
		fake.partial = most & 1;
		work(STEPS);
		fake.most = 512 * MIB;
		work_off();
		_exit(0);
	}
}

/* The call fails, and nothing else changes. */
static void no_huge_pages(void)
{
	fake.no_huge = true;
	errno = 0;
	expect(!chunk_configure(HUGE_BACKING, 0));
	expect_equal(errno, EOPNOTSUPP);
	expect(chunk_configure(GUARDED_BACKING, 16 * MIB));
	expect_equal(fake.complaints, 0);
	work(STEPS);
	errno = 0;
	expect(!chunk_configure(HUGE_BACKING, 0));
	expect_equal(errno, EBUSY);
	work_off();
}

/* The function returns no error, so a message reports it. */
static void no_huge_pages_by_option(void)
{
	fake.no_huge = true;
	fake.options = "backing:huge";
	work(STEPS);
	expect_equal(fake.complaints, 1);
	work_off();
}

static unsigned int tries, tries_needed, slept_ms;
static int refusal;

static void count_sleep(unsigned int ms)
{
	slept_ms += ms;
}

static int try_it(void *arg)
{
	expect(arg == &tries);
	return ++tries < tries_needed ? refusal : 0;
}

static void expect_stall(unsigned int needed, int error, int result,
			 unsigned int tried)
{
	unsigned int delay;
	struct chunk_stall stall;

	expect(chunk_get_stall(&stall));
	delay = stall.delay_ms;
	tries = 0;
	slept_ms = 0;
	tries_needed = needed;
	refusal = error;
	expect(chunk_stall_retry(count_sleep, try_it, &tries) == result);
	expect_equal(tries, tried);
	expect_equal(slept_ms, tried * delay);
}

/* A system that waits for memory tries as often as is set. */
static void waiting(void)
{
	fake.stalls = true;
	expect_stall(1, -ENOMEM, 0, 1);
	expect_stall(10, -ENOMEM, 0, 10);
	expect_stall(11, -ENOMEM, -ENOMEM, 10);
	expect_stall(9, -EINVAL, -EINVAL, 1);
	expect(chunk_set_stall(&(struct chunk_stall){ 5, 7 }));
	expect_stall(6, -ENOMEM, -ENOMEM, 5);
	chunk_set_child(true);
	expect_stall(6, -ENOMEM, -ENOMEM, 2);
	expect(chunk_set_stall(&(struct chunk_stall){ 1, 7 }));
	expect_stall(1, -ENOMEM, -ENOMEM, 0);
	chunk_set_child(false);
	expect_stall(1, -ENOMEM, 0, 1);
	expect(chunk_set_stall(&(struct chunk_stall){ 70000, 1 }));
	expect_stall(70000, -ENOMEM, -ENOMEM, 65535);
}

static const struct tap_case cases[] = {
	{ "nothing fails", nothing_fails },
	{ "a map fails", map_fails },
	{ "each map from then on fails", map_fails_from_then_on },
	{ "an unmap fails", unmap_fails },
	{ "each unmap from then on fails", unmap_fails_from_then_on },
	{ "a commit fails", commit_fails },
	{ "each commit from then on fails", commit_fails_from_then_on },
	{ "a decommit fails", decommit_fails },
	{ "each decommit from then on fails", decommit_fails_from_then_on },
	{ "a purge fails", purge_fails },
	{ "each purge from then on fails", purge_fails_from_then_on },
	{ "anything fails at random", anything_fails },
	{ "address space is short", address_space_is_short },
	{ "memory is waited for", waiting },
	{ "there are no huge pages", no_huge_pages },
	{ "there are none, and options ask for them", no_huge_pages_by_option },
};

const struct tap_suite tap_suite = {
	.about = "Tests policy on a system that fails",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
