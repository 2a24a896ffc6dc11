// SPDX-License-Identifier: MIT
/*
 * Processes that make memory short, and others that the kernel has to endure:
 * they write random words, or are killed. See offer_race_test.c.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/wait.h>

#include "group.h"
#include "offer_race.h"

#define GROUP		"/sys/fs/cgroup/chunk-stress"
#define HOG		(64 * MIB)	/* more than the control group may have */
#define TAMPERED	8U		/* chunks whose words are random */
#define VICTIMS		8U		/* chunks of a process that is killed */

static bool has_group;

/**
 * press_prepare() - make the control group, if the kernel has them
 */
void press_prepare(void)
{
	has_group = !access("/sys/fs/cgroup/cgroup.subtree_control", W_OK);
	if (has_group)
		group_make("48M", "max");
	/* Each drop_caches would be a line on the console. */
	write_to("/proc/sys/vm/drop_caches", "4");
}

/**
 * press_join() - move this process to the control group; the hog dies first
 */
void press_join(void)
{
	write_to("/proc/self/oom_score_adj", "-1000");
	if (has_group)
		group_join();
}

/**
 * press_finish() - remove the control group
 */
void press_finish(void)
{
	if (has_group)
		group_remove();
}

static void drop(void)
{
	int reclaim = open(GROUP "/memory.reclaim", O_WRONLY | O_CLOEXEC);
	uint64_t random = seed;

	/* It would get a tenth of the machine's time. */
	expect(setpriority(PRIO_PROCESS, 0, -15) == 0);
	for (;;) {
		if (reclaim >= 0 && random_below(&random, 16) == 0) {
			/* It is an error if less can be had. */
			if (write(reclaim, "1M", 2) == 2)
				count(COUNT_RECLAIMS);
		} else {
			expect(drop_slab());
			count(COUNT_DROPS);
		}
		rest_below(&random, 16000);
	}
}

/* The process ends with its parent, even if that has ended already. */
static void end_with_parent(pid_t parent)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	if (getppid() != parent)
		_exit(0);
}

/* Every page is written, so that the group runs out of memory. */
static void hog_once(void)
{
	char *memory = anonymous(HOG, PROT_READ | PROT_WRITE);
	uint64_t random = seed;

	write_to("/proc/self/oom_score_adj", "1000");
	for (size_t at = 0; at < HOG; at += page_size())
		*(volatile uint64_t *)(memory + at) = random_next(&random);
	_exit(0);
}

static void hog(void)
{
	uint64_t random = seed;

	press_join();
	for (;;) {
		pid_t child, self = getpid();

		usleep(3000000 + random_below(&random, 5000000));
		child = fork();
		expect(child >= 0);
		if (child == 0) {
			end_with_parent(self);
			hog_once();
		}
		expect(waitpid(child, NULL, 0) == child);
		if (has_group)
			count(COUNT_HOGS);
	}
}

static void write_words(struct owner *o, const char *extent, uint64_t *random)
{
	atomic_uint *page = (atomic_uint *)((uintptr_t)owner_word(o, extent) &
					    -page_size());
	size_t words = page_size() / sizeof(*page);

	for (unsigned int i = 0; i < 1000; i++) {
		const char *chunk = extent + random_below(random, TAMPERED) * MIB;
		atomic_uint *word = random_below(random, 16) ?
				    owner_word(o, chunk) :
				    page + random_below(random, words);

		atomic_store(word, random_next(random));
	}
	count(COUNT_TAMPERED);
}

/*
 * Random words, at any time, hurt nobody but the memory that they are about. The
 * process uses that without a look at its contents.
 */
static void tamper(void)
{
	struct owner o = owner_of(device_open()), other = owner_of(device_open());
	char *extent = device_alloc(o.fd, TAMPERED * MIB, TAMPERED * MIB);
	uint64_t random = seed, tag = (uint64_t)1 << 43;

	put_tag(other.bait, tag);
	for (;;) {
		write_words(&o, extent, &random);
		put_tag(extent + random_below(&random, TAMPERED) * MIB, 1);
		if (random_below(&random, 16) == 0) {
			expect_equal(device_dealloc(o.fd, extent,
						    TAMPERED * MIB), 0);
			extent = device_alloc(o.fd, TAMPERED * MIB,
					      TAMPERED * MIB);
			for (size_t i = 0; i < TAMPERED; i++)
				expect_equal(atomic_load(owner_word(&o, extent +
								    i * MIB)),
					     0);
			expect_consistent(o.fd);
		}
		expect_tag(other.bait, tag, "another context's");
		rest_below(&random, 500);
	}
}

static void be_victim(int ready, uint64_t random)
{
	struct owner o = owner_of(device_open());
	char *extent = device_alloc(o.fd, VICTIMS * MIB, MIB);

	for (size_t i = 0; i < VICTIMS; i++)
		put_tag(extent + i * MIB, 1 + i);
	owner_offer(&o, extent, VICTIMS * MIB);
	expect(write(ready, "", 1) == 1);
	for (;;) {
		char *chunk = extent + random_below(&random, VICTIMS) * MIB;
		enum taken taken = owner_take(&o, chunk);

		if (taken == TAKEN_BUSY)
			continue;
		if (taken == TAKEN_ZERO)
			put_tag(chunk, 1 + (chunk - extent) / MIB);
		expect_tag(chunk, 1 + (chunk - extent) / MIB, "a victim's");
		word_offer(owner_word(&o, chunk));
	}
}

static void kill_victims(void)
{
	uint64_t random = seed;

	for (;;) {
		pid_t child, self = getpid();
		int ends[2], status;
		char byte;

		expect(pipe(ends) == 0);
		child = fork();
		expect(child >= 0);
		if (child == 0) {
			end_with_parent(self);
			be_victim(ends[1], random);
		}
		close(ends[1]);
		expect(read(ends[0], &byte, 1) == 1);
		rest_below(&random, 4000);
		kill(child, SIGKILL);
		expect(waitpid(child, &status, 0) == child);
		expect(WIFSIGNALED(status));
		close(ends[0]);
		count(COUNT_KILLS);
		rest_below(&random, 20000);
	}
}

void (*const offer_pressers[])(void) = {
	drop, hog, tamper, kill_victims,
};

const size_t offer_pressers_count = TAP_COUNT(offer_pressers);
