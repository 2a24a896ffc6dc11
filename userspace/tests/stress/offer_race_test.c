// SPDX-License-Identifier: MIT
/*
 * Offered chunks in a race with reclaim: threads take any chunk of a pool, verify
 * every page of it that is in use, write it anew, and offer it again. Each chunk
 * is intact or zero, as its word says, and stays as it is while it is in use.
 *
 * Meanwhile other threads do all else that can happen to a chunk
 * (offer_others.c), and other processes see to it that the kernel discards
 * (offer_press.c). There is a pool in a context of each backing; one of them is
 * in a control group that is short of memory.
 */
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "arguments.h"
#include "offer_race.h"

#define TAKERS		3
#define THREADS		16	/* the most threads of an arena */
#define PROCESSES	16	/* the most processes */
#define STALLED		120	/* seconds without a take after which it hangs */
#define MOST_REST	100
#define TELL_EVERY	30	/* seconds between lines of progress */

/* Of each page in use a word in this many bytes is written and verified. */
#define STRIDE		512

static const char *const names[COUNTS] = {
	[COUNT_INTACT] = "taken back intact",
	[COUNT_ZERO] = "taken back discarded",
	[COUNT_BUSY] = "seen while another had them",
	[COUNT_HELD] = "verified again while held",
	[COUNT_DEALLOCS] = "given back while offered, and allocated again",
	[COUNT_REMAPS] = "replaced while offered",
	[COUNT_RANGES] = "decommitted in part",
	[COUNT_LOCKS] = "kept by mlock while offered",
	[COUNT_ADVICE] = "calls of madvise",
	[COUNT_FORKS] = "forks",
	[COUNT_KILLS] = "processes killed with all they had offered",
	[COUNT_TAMPERED] = "thousand random words",
	[COUNT_DROPS] = "times drop_caches",
	[COUNT_RECLAIMS] = "times memory.reclaim",
	[COUNT_HOGS] = "times a hog filled the control group",
};

struct race *race;
uint64_t seed;

static uint64_t most_takes;
static uint64_t seconds = 30;
static uint64_t rest = 1;
static uint64_t pages;

static struct arena arena;
static pid_t processes[PROCESSES];
static bool lasts[PROCESSES];
static size_t nr_processes;

/* One chunk uses all of its pages; the others eight, which is quicker; see --pages. */
static size_t step_of(const char *chunk)
{
	if (pages)
		return MIB / pages;
	return (uintptr_t)chunk / MIB % POOL ? MIB / 8 : page_size();
}

static uint64_t word_for(uint64_t tag, size_t at)
{
	uint64_t word = (tag << 20 | at) * 0x9e3779b97f4a7c15;

	return (word ^ word >> 29) | 1;
}

/**
 * put_tag() - write the pages of a chunk that are in use
 * @chunk: the chunk
 * @tag:   what to write
 */
void put_tag(char *chunk, uint64_t tag)
{
	size_t page = page_size(), step = step_of(chunk);

	for (size_t p = 0; p < MIB; p += step)
		for (size_t at = p; at < p + page; at += STRIDE)
			*(volatile uint64_t *)(chunk + at) = word_for(tag, at);
}

static bool page_holds(const char *page, size_t at, uint64_t tag, bool zero)
{
	for (size_t end = at + page_size(); at < end; at += STRIDE, page += STRIDE)
		if (*(const volatile uint64_t *)page !=
		    (zero ? 0 : word_for(tag, at)))
			return false;
	return true;
}

static bool holds(const char *chunk, uint64_t tag, bool zero)
{
	size_t step = step_of(chunk);

	for (size_t at = 0; at < MIB; at += step)
		if (!page_holds(chunk + at, at, tag, zero))
			return false;
	return true;
}

/**
 * has_tag() - verify every page of a chunk that is in use
 * @chunk: the chunk
 * @tag:   what was written; 0: the chunk must be zero
 */
bool has_tag(const char *chunk, uint64_t tag)
{
	return holds(chunk, tag, !tag);
}

/* Describe each page of a chunk by a letter: '=' as written, '0' zero, '?' torn. */
static void describe(const char *chunk, uint64_t tag)
{
	char letters[257] = "";
	size_t n = 0, step = step_of(chunk);

	for (size_t at = 0; at < MIB && n < sizeof(letters) - 1; at += step)
		letters[n++] = tag && page_holds(chunk + at, at, tag, false) ?
			       '=' : page_holds(chunk + at, at, 0, true) ?
			       '0' : '?';
	tap_note("chunk %p, tag %llu, its pages: %s", (void *)chunk,
		 (unsigned long long)tag, letters);
}

/**
 * expect_tag() - end the process unless a chunk is as it must be
 * @chunk: the chunk
 * @tag:   as of has_tag()
 * @when:  description of the situation
 */
void expect_tag(const char *chunk, uint64_t tag, const char *when)
{
	if (has_tag(chunk, tag))
		return;
	tap_note("%s", when);
	describe(chunk, tag);
	expect(!"the contents that the word says");
}

/**
 * pause_below() - sleep for a random time, or let others go first
 * @random:       the sequence
 * @microseconds: upper bound
 */
void pause_below(uint64_t *random, unsigned int microseconds)
{
	unsigned int time = random_below(random, microseconds);

	if (time < 50)
		sched_yield();
	else
		usleep(time);
}

/**
 * rest_below() - pause_below(), for the threads and processes that do not take
 * @random:       the sequence
 * @microseconds: upper bound, with --rest 1
 */
void rest_below(uint64_t *random, unsigned int microseconds)
{
	pause_below(random, microseconds * rest);
}

static void verified(struct arena *a, enum taken taken)
{
	bool intact = taken == TAKEN_INTACT;

	count(intact ? COUNT_INTACT : COUNT_ZERO);
	atomic_fetch_add(intact ? &a->intact : &a->zero, 1);
}

/**
 * arena_take() - take a chunk that no other thread takes, and verify it
 * @a:     the arena
 * @chunk: the chunk, which is offered
 * @tag:   tag that it was offered with
 *
 * Return: whether it was intact.
 */
bool arena_take(struct arena *a, char *chunk, uint64_t tag)
{
	enum taken taken;

	while ((taken = owner_take(&a->o, chunk)) == TAKEN_BUSY)
		sched_yield();
	expect(taken != TAKEN_IN_USE);
	expect_tag(chunk, taken == TAKEN_INTACT ? tag : 0, "taken by its owner");
	verified(a, taken);
	return taken == TAKEN_INTACT;
}

/**
 * arena_take_pooled() - take a chunk of the pool, and verify it
 * @a:     the arena
 * @index: of the chunk
 *
 * Return: false if it was not taken.
 */
bool arena_take_pooled(struct arena *a, size_t index)
{
	char *chunk = a->chunk[index];
	enum taken taken = owner_take(&a->o, chunk);
	uint64_t tag = atomic_load_explicit(&a->tag[index],
					    memory_order_relaxed);

	if (taken == TAKEN_BUSY)
		count(COUNT_BUSY);
	if (taken == TAKEN_BUSY || taken == TAKEN_IN_USE)
		return false;
	expect_tag(chunk, taken == TAKEN_INTACT ? tag : 0,
		   taken == TAKEN_INTACT ? "taken intact" : "taken as zero");
	verified(a, taken);
	return true;
}

/**
 * arena_offer_pooled() - write a chunk of the pool anew, and offer it
 * @a:     the arena
 * @index: of the chunk, which the thread has taken
 */
void arena_offer_pooled(struct arena *a, size_t index)
{
	uint64_t tag = atomic_load_explicit(&a->tag[index],
					    memory_order_relaxed) + POOL;

	put_tag(a->chunk[index], tag);
	atomic_store_explicit(&a->tag[index], tag, memory_order_relaxed);
	word_offer(owner_word(&a->o, a->chunk[index]));
}

static void hold(struct arena *a, size_t index, uint64_t *random)
{
	uint64_t tag = ((uint64_t)1 << 40) + random_below(random, 1 << 20);

	put_tag(a->chunk[index], tag);
	for (size_t n = random_below(random, 3); n; n--)
		pause_below(random, 200);
	expect_tag(a->chunk[index], tag, "in use");
	count(COUNT_HELD);
}

static void *take_any(void *arg)
{
	uint64_t random = seed + (uintptr_t)arg;

	while (!stopped()) {
		size_t index = random_below(&random, POOL);

		if (!arena_take_pooled(&arena, index)) {
			sched_yield();
			continue;
		}
		if (random_below(&random, 4) == 0)
			hold(&arena, index, &random);
		arena_offer_pooled(&arena, index);
	}
	return NULL;
}

static void arena_open(struct arena *a, bool huge)
{
	char *extent;

	a->huge = huge;
	a->o = owner_of(huge ? device_open_huge() : device_open());
	extent = device_alloc(a->o.fd, POOL * MIB, 2 * MIB);
	for (size_t i = 0; i < POOL; i++) {
		a->chunk[i] = extent + i * MIB;
		atomic_store(&a->tag[i], i + 1);
		arena_offer_pooled(a, i);
	}
}

/* All that was taken is counted, and the words add up. */
static void arena_settle(struct arena *a)
{
	struct chunk_ioc_stats s = device_stats(a->o.fd);
	uint64_t offered = 0, discarded = 0;

	while (s.live_bytes && s.offered_bytes + s.discarded_bytes <
	       POOL * MIB) {
		/* The kernel is at work on one of them. */
		usleep(1000);
		s = device_stats(a->o.fd);
	}
	for (size_t i = 0; i < POOL; i++) {
		uint32_t state = word_state(owner_word(&a->o, a->chunk[i]));

		offered += state == CHUNK_WORD_OFFERED;
		discarded += state == CHUNK_WORD_DISCARDED;
	}
	expect_equal(offered + discarded, POOL);
	expect_equal(s.takes, atomic_load(&a->intact));
	expect(s.discards >= atomic_load(&a->zero));
	expect_consistent(a->o.fd);
	tap_note("%s arena: %llu chunks discarded, %llu taken intact",
		 a->huge ? "huge" : "guarded", (unsigned long long)s.discards,
		 (unsigned long long)s.takes);
}

static void run_arena(bool huge)
{
	pthread_t threads[THREADS];
	size_t n = 0;

	arena_open(&arena, huge);
	for (; n < TAKERS; n++)
		expect(!pthread_create(&threads[n], NULL, take_any,
				       (void *)(n + 1)));
	for (size_t i = 0; i < offer_others_count; i++, n++)
		expect(!pthread_create(&threads[n], NULL, offer_others[i],
				       &arena));
	for (size_t i = 0; i < n; i++)
		expect(!pthread_join(threads[i], NULL));
	arena_settle(&arena);
}

static void guarded_arena(void)
{
	press_join();
	run_arena(false);
}

static void huge_arena(void)
{
	run_arena(true);
}

/* @to_the_end: the process ends by itself once the race is stopped. */
static void start(void (*run)(void), bool to_the_end)
{
	pid_t child;

	fflush(stdout);
	child = tap_fork();
	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		seed += nr_processes * 1000;
		run();
		_exit(0);
	}
	expect(nr_processes < PROCESSES);
	lasts[nr_processes] = to_the_end;
	processes[nr_processes++] = child;
}

static unsigned long takes(void)
{
	return atomic_load(&race->counts[COUNT_INTACT]) +
	       atomic_load(&race->counts[COUNT_ZERO]);
}

/* Look for a process that ended too early. Return its status. */
static int ended(void)
{
	for (size_t i = 0; i < nr_processes; i++) {
		int status;

		if (processes[i] && waitpid(processes[i], &status, WNOHANG)) {
			tap_note("process %zu: status %#x", i, status);
			processes[i] = 0;
			return status ? status : -1;
		}
	}
	return 0;
}

static void report(void)
{
	printf("# %lu takes verified, --seed %llu\n", takes(),
	       (unsigned long long)seed);
	for (size_t i = 0; i < COUNTS; i++)
		printf("# %9lu %s\n", atomic_load(&race->counts[i]), names[i]);
	fflush(stdout);
}

static bool at_end(unsigned int second)
{
	return most_takes ? takes() >= most_takes : second >= seconds;
}

/* Return 0 when the race is over, else the status of the process that failed. */
static int watch(void)
{
	unsigned long seen = 0;
	unsigned int still = 0;

	for (unsigned int second = 0; !at_end(second); second++) {
		int status = ended();

		if (status)
			return status;
		sleep(1);
		still = takes() == seen ? still + 1 : 0;
		seen = takes();
		if (still == STALLED) {
			tap_note("%u s without a take", still);
			return -1;
		}
		if (second % TELL_EVERY == TELL_EVERY - 1) {
			printf("# %lu takes in %u s\n", seen, second + 1);
			fflush(stdout);
		}
	}
	return 0;
}

static int finish(void)
{
	int worst = 0;

	atomic_store(&race->stop, true);
	for (size_t i = 0; i < nr_processes; i++) {
		int status;

		if (!processes[i])
			continue;
		if (!lasts[i])
			kill(processes[i], SIGKILL);
		expect(waitpid(processes[i], &status, 0) == processes[i]);
		if (lasts[i] && status)
			worst = status;
	}
	return worst;
}

static int judged(unsigned int number, const char *name, bool good)
{
	printf("%sok %u - %s\n", good ? "" : "not ", number, name);
	fflush(stdout);
	return !good;
}

static bool all_kinds(void)
{
	bool all = true;

	for (size_t i = 0; i < COUNTS; i++) {
		if (atomic_load(&race->counts[i]))
			continue;
		/* These depend on the kernel's control groups. */
		if (i == COUNT_RECLAIMS || i == COUNT_HOGS)
			continue;
		tap_note("none: %s", names[i]);
		all = false;
	}
	return all;
}

static int help(int status)
{
	fputs("Usage: offer_race_test [--takes N | --duration SECONDS] [--seed N]\n"
	      "                       [--rest N] [--pages N]\n"
	      "Takes and offers chunks while the kernel discards them, as root.\n\n"
	      "  --takes N           until so many takes are verified\n"
	      "  --duration SECONDS  time limit (30)\n"
	      "  --seed N            of the random choices; threads differ each time\n"
	      "  --rest N            all that is not taking pauses N times as long (1)\n"
	      "  --pages N           each chunk uses so many of its pages, 1, 2, 4 or 8\n"
	      "                      (8, one chunk all of them)\n\n"
	      "Prints TAP; exits with 1 if a chunk was not as its word said, 2 for bad\n"
	      "arguments.\n", status ? stderr : stdout);
	return status;
}

static bool parse(int argc, char **argv)
{
	for (int i = 1; i < argc; i += 2) {
		uint64_t *value = !strcmp(argv[i], "--takes") ? &most_takes :
				  !strcmp(argv[i], "--duration") ? &seconds :
				  !strcmp(argv[i], "--seed") ? &seed :
				  !strcmp(argv[i], "--rest") ? &rest :
				  !strcmp(argv[i], "--pages") ? &pages : NULL;

		if (!value || !argument_number(argv[i + 1], value))
			return false;
	}
	return rest >= 1 && rest <= MOST_REST && pages <= 8 && !(pages & (pages - 1));
}

/* @huge: receives whether there is the huge backing */
static bool possible(bool *huge)
{
	int fd = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	bool words = fd >= 0 && has_words(fd);

	*huge = words && has_zap(fd);
	if (fd >= 0)
		close(fd);
	return words && drop_slab();
}

int main(int argc, char **argv)
{
	int status, bad = 0;
	bool huge;

	seed = random_seed();
	if (argc > 1 && (!strcmp(argv[1], "--help") || !strcmp(argv[1], "-h")))
		return help(0);
	if (!parse(argc, argv))
		return help(2);
	if (!possible(&huge)) {
		puts("1..0 # SKIP needs root, and a device with offered chunks");
		return 0;
	}
	race = mmap(NULL, sizeof(*race), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(race != MAP_FAILED);
	press_prepare();
	start(guarded_arena, true);
	if (huge)
		start(huge_arena, true);
	for (size_t i = 0; i < offer_pressers_count; i++)
		start(offer_pressers[i], false);
	status = watch();
	status = finish() | status;
	press_finish();
	report();
	bad += judged(1, "chunks are as their words say", !status);
	bad += judged(2, "all kinds of events came", status || all_kinds());
	puts("1..2");
	return !!bad;
}
