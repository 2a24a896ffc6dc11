// SPDX-License-Identifier: MIT
/*
 * The time that a call keeps the CPU, mmap_lock, or a killed process, on the
 * largest inputs: see docs/loops.md.
 *
 * To be run where time is counted in instructions (tools/vm --icount), with one
 * CPU: there all times repeat exactly, and nobody else runs while a spinlock is
 * held. A watcher with real-time priority wakes up 5,000 times a second. Its
 * largest delay is the longest time without preemption.
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "uapi.h"

#define MS		1000000L
/* The longest that others may have to wait for the CPU */
#define CPU_MAX		(10 * MS)
/* The longest that others may have to wait for mmap_lock, or a killed process to end */
#define WAIT_MAX	(100 * MS)
#define PERIOD		(MS / 5)

/* Address space of one page bitmap; one page of it is decommitted. */
#define BITMAP_SPAN		(128 * MIB)
#define BITMAPS		24576UL
#define EXTENTS		65536UL
#define PAGES		262144UL
#define BATCH		32U
#define LONGEST		12U
#define TIB		(1UL << 40)

/**
 * struct shared - measurements, in memory that processes share
 * @late:   the largest delay of the watcher, in ns
 * @waited: the longest wait for mmap_lock, in ns
 * @begun:  the call comes next
 * @ended:  the call has ended
 * @stop:   the thread that maps is to stop
 */
struct shared {
	atomic_long late;
	atomic_long waited;
	atomic_bool begun;
	atomic_bool ended;
	atomic_bool stop;
};

static struct shared *shared;

static long now(void)
{
	struct timespec t;

	expect(clock_gettime(CLOCK_MONOTONIC, &t) == 0);
	return t.tv_sec * 1000 * MS + t.tv_nsec;
}

static void sleep_for(long ns)
{
	struct timespec t = { .tv_nsec = ns };

	nanosleep(&t, NULL);
}

static void raise_to(atomic_long *most, long value)
{
	if (value > atomic_load(most))
		atomic_store(most, value);
}

/* Give this process priority over all others. */
static void be_urgent(void)
{
	struct sched_param param = { .sched_priority = 50 };

	expect(sched_setscheduler(0, SCHED_FIFO | SCHED_RESET_ON_FORK, &param) ==
	       0);
}

static void watch(void)
{
	long before, slept;

	prctl(PR_SET_PDEATHSIG, SIGKILL);
	be_urgent();
	for (;;) {
		before = now();
		sleep_for(PERIOD);
		slept = now() - before;
		raise_to(&shared->late, slept - PERIOD);
	}
}

/* Skip the case if time cannot be measured, and start the watcher. */
static void begin(void)
{
	if (!getenv("CHUNK_ICOUNT"))
		tap_skip("time is not counted in instructions");
	expect_equal(sysconf(_SC_NPROCESSORS_ONLN), 1);
	shared = mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE,
		      MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(shared != MAP_FAILED);
	if (tap_fork() == 0)
		watch();
	sleep_for(10 * MS);
	atomic_store(&shared->late, 0);
}

/* Check that the CPU was never kept for long since the last check. */
static void expect_shared_cpu(const char *during)
{
	long late = atomic_exchange(&shared->late, 0);

	tap_note("%s: the CPU kept for %ld us at most", during, late / 1000);
	expect(late <= CPU_MAX);
}

static int batch(int fd, unsigned int what, struct chunk_ioc_op *ops,
		 unsigned int count)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.count = count,
		.ops = (uintptr_t)ops,
	};
	int error = call(fd, CHUNK_IOC_BATCH, &args);

	return error ? error : args.done != count;
}

/* Decommit one page of each @step bytes. */
static void decommit_some(int fd, char *addr, size_t size, size_t step)
{
	static struct chunk_ioc_op ops[4096];
	unsigned int n = 0;

	for (size_t at = 0; at < size; at += step) {
		ops[n++] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)addr + at,
			.length = page_size(),
		};
		if (n < TAP_COUNT(ops) && at + step < size)
			continue;
		expect_equal(batch(fd, CHUNK_BATCH_DECOMMIT, ops, n), 0);
		n = 0;
	}
}

static char *with_bitmaps(int fd)
{
	char *extent = device_alloc(fd, BITMAPS * BITMAP_SPAN, MIB);

	decommit_some(fd, extent, BITMAPS * BITMAP_SPAN, BITMAP_SPAN);
	return extent;
}

/* Allocate adjoining extents of a chunk each. Return the first. */
static char *many_extents(int fd)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.grow = EXTENTS * MIB,
	};
	static struct chunk_ioc_op ops[4096];
	char *first = NULL;

	expect_equal(call(fd, CHUNK_IOC_CONFIGURE, &args), 0);
	for (size_t i = 0; i < EXTENTS; i += TAP_COUNT(ops)) {
		for (size_t j = 0; j < TAP_COUNT(ops); j++)
			ops[j] = (struct chunk_ioc_op) {
				.length = MIB,
				.alignment = MIB,
			};
		expect_equal(batch(fd, CHUNK_BATCH_ALLOC, ops,
				   TAP_COUNT(ops)), 0);
		if (!first)
			first = (char *)(uintptr_t)ops[0].addr;
	}
	return first;
}

/* Calls on long ranges with page bitmaps */
static void page_bitmaps(void)
{
	int fd = device_open();
	char *extent;

	begin();
	extent = with_bitmaps(fd);
	expect_shared_cpu("page bitmaps are made");
	expect_equal(device_commit(fd, extent, BITMAPS * BITMAP_SPAN), 0);
	expect_shared_cpu("COMMIT");
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect_equal(device_decommit(fd, extent, BITMAPS * BITMAP_SPAN), 0);
	expect_shared_cpu("DECOMMIT");
	expect_equal(device_stats(fd).decommitted_bytes, BITMAPS * BITMAP_SPAN);
	expect_equal(device_commit(fd, extent, BITMAPS * BITMAP_SPAN), 0);
	decommit_some(fd, extent, BITMAPS * BITMAP_SPAN, BITMAP_SPAN);
	expect_shared_cpu("both");
	expect_equal(device_dealloc(fd, extent, BITMAPS * BITMAP_SPAN), 0);
	expect_shared_cpu("DEALLOC");
	expect_equal(device_stats(fd).decommitted_bytes, 0);
}

/* An extent with page bitmaps is recycled, and handed out clean. */
static void clean_bitmaps(void)
{
	char *extent, *again, *beside;
	int fd = device_open();

	begin();
	extent = with_bitmaps(fd);
	/* An extent in the middle of a mapping is recycled, not unmapped. */
	beside = device_alloc(fd, MIB, MIB);
	atomic_store(&shared->late, 0);
	expect_equal(device_dealloc(fd, extent, BITMAPS * BITMAP_SPAN), 0);
	expect_shared_cpu("DEALLOC");
	again = device_alloc(fd, BITMAPS * BITMAP_SPAN, MIB);
	expect_shared_cpu("ALLOC");
	tap_note("%s", again == extent ? "the same" : "another");
	for (size_t i = 0; i < BITMAPS; i += 512) {
		size_t at = i * BITMAP_SPAN;

		again[at] = 1;
		expect_equal(again[at + page_size()], 0);
	}
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect_equal(device_dealloc(fd, beside, MIB), 0);
}

/* Extents of the greatest length, as many as 47 bits have room for */
static void longest(void)
{
	int fd = device_open();
	struct chunk_ioc_op ops[LONGEST];

	begin();
	for (unsigned int i = 0; i < LONGEST; i++)
		ops[i] = (struct chunk_ioc_op) {
			.length = CHUNK_LENGTH_MAX,
			.alignment = MIB,
		};
	expect_equal(batch(fd, CHUNK_BATCH_ALLOC, ops, LONGEST), 0);
	expect_shared_cpu("ALLOC");
	for (unsigned int i = 0; i < LONGEST; i++)
		ops[i].alignment = 0;
	expect_equal(batch(fd, CHUNK_BATCH_DECOMMIT, ops, LONGEST), 0);
	expect_shared_cpu("DECOMMIT");
	expect_equal(batch(fd, CHUNK_BATCH_COMMIT, ops, LONGEST), 0);
	expect_shared_cpu("COMMIT");
	expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, ops, LONGEST), 0);
	expect_shared_cpu("DEALLOC");
}

/* Make extents of the same total length, all in one batch. */
static void long_ones(void)
{
	size_t length = LONGEST * CHUNK_LENGTH_MAX / BATCH / TIB * TIB;
	struct chunk_ioc_op ops[BATCH];
	int fd = device_open();

	begin();
	for (unsigned int round = 0; round < 2; round++) {
		for (unsigned int i = 0; i < BATCH; i++)
			ops[i] = (struct chunk_ioc_op) {
				.length = length,
				.alignment = MIB,
			};
		expect_equal(batch(fd, CHUNK_BATCH_ALLOC, ops, BATCH), 0);
		expect_shared_cpu("ALLOC");
		for (unsigned int i = 0; i < BATCH; i++)
			ops[i].alignment = 0;
		device_limit(fd, ~0ULL);
		expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, ops, BATCH), 0);
		expect_shared_cpu("DEALLOC");
	}
}

static void unmapped(void)
{
	int fd = device_open();
	char *extent, *first;

	begin();
	extent = with_bitmaps(fd);
	first = many_extents(device_open());
	decommit_some(fd, extent, BITMAPS * BITMAP_SPAN, 64 * BITMAP_SPAN);
	atomic_store(&shared->late, 0);
	expect(munmap(extent, BITMAPS * BITMAP_SPAN) == 0);
	expect_shared_cpu("munmap of page bitmaps");
	expect(munmap(first, EXTENTS * MIB) == 0);
	expect_shared_cpu("munmap of extents");
	expect_equal(device_stats(fd).live_extents, 0);
}

static void exited(void)
{
	pid_t child;

	begin();
	child = tap_fork();
	if (child == 0) {
		with_bitmaps(device_open());
		many_extents(device_open());
		atomic_store(&shared->late, 0);
		_exit(0);
	}
	tap_join(child);
	expect_shared_cpu("exit");
}

/* Tell whether the process has begun to exit. */
static bool exiting(pid_t child)
{
	char path[64], text[512], *after;
	unsigned int flags = 0;
	FILE *file;
	size_t n;

	snprintf(path, sizeof(path), "/proc/%d/stat", child);
	file = fopen(path, "re");
	expect(file);
	n = fread(text, 1, sizeof(text) - 1, file);
	fclose(file);
	text[n] = '\0';
	after = strrchr(text, ')');
	/* PF_EXITING of linux/sched.h */
	expect(after && sscanf(after + 2, "%*c %*d %*d %*d %*d %*d %u",
			       &flags) == 1);
	return flags & 0x4;
}

/* Tell, in the child, that the call comes next. */
static void about_to(void)
{
	atomic_store(&shared->late, 0);
	atomic_store(&shared->begun, true);
}

/* Kill a child in the middle of a call. */
static void expect_killable(const char *during, void (*run)(void))
{
	struct sched_param normal = { 0 };
	pid_t child = tap_fork();
	long killed, took;

	if (child == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		run();
		atomic_store(&shared->ended, true);
		pause();
	}
	be_urgent();
	while (!atomic_load(&shared->begun))
		sleep_for(MS);
	sleep_for(15 * MS);
	expect(!atomic_load(&shared->ended));
	killed = now();
	expect(kill(child, SIGKILL) == 0);
	while (!exiting(child))
		sleep_for(PERIOD);
	took = now() - killed;
	expect(sched_setscheduler(0, SCHED_OTHER, &normal) == 0);
	expect(waitpid(child, NULL, 0) == child);
	/* The child has not ended by itself, so it was killed in the call. */
	expect(!atomic_load(&shared->ended));
	tap_note("%s: killed after %ld us", during, took / 1000);
	expect(took <= WAIT_MAX);
	expect_shared_cpu(during);
}

static void call_many(int fd, unsigned int what, char *addr, size_t size)
{
	struct chunk_ioc_op ops[BATCH];

	for (unsigned int i = 0; i < BATCH; i++)
		ops[i] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)addr,
			.length = size,
		};
	about_to();
	batch(fd, what, ops, BATCH);
}

static void commit_extents(void)
{
	int fd = device_open();
	char *first = many_extents(fd);

	call_many(fd, CHUNK_BATCH_COMMIT, first, EXTENTS * MIB);
}

static void decommit_extents(void)
{
	int fd = device_open();
	char *first = many_extents(fd);

	call_many(fd, CHUNK_BATCH_DECOMMIT, first, EXTENTS * MIB);
}

static void commit_bitmaps(void)
{
	int fd = device_open();

	call_many(fd, CHUNK_BATCH_COMMIT, with_bitmaps(fd),
		  BITMAPS * BITMAP_SPAN);
}

static void dealloc_bitmaps(void)
{
	struct chunk_ioc_op ops[BATCH];
	int fd = device_open();
	char *extent = device_alloc(fd, BITMAPS * BITMAP_SPAN, MIB);

	/* Use many extents instead of one: DEALLOC checks each by itself. */
	expect_equal(device_dealloc(fd, extent, BITMAPS * BITMAP_SPAN), 0);
	for (unsigned int i = 0; i < BATCH; i++) {
		ops[i] = (struct chunk_ioc_op) {
			.length = BITMAPS / BATCH * BITMAP_SPAN,
			.addr = (uintptr_t)device_alloc(fd, BITMAPS / BATCH *
							BITMAP_SPAN, MIB),
		};
		decommit_some(fd, (char *)(uintptr_t)ops[i].addr,
			      ops[i].length, BITMAP_SPAN);
	}
	about_to();
	batch(fd, CHUNK_BATCH_DEALLOC, ops, BATCH);
}

static void commit_huge(void)
{
	size_t size = PAGES * 2 * page_size();
	int fd = device_open_huge();
	char *extent = device_alloc(fd, size, MIB);

	decommit_some(fd, extent, size, 2 * page_size());
	about_to();
	device_commit(fd, extent, size);
}

static void killed_in_commit(void)
{
	begin();
	expect_killable("COMMIT of many extents", commit_extents);
}

static void killed_in_decommit(void)
{
	begin();
	expect_killable("DECOMMIT of many extents", decommit_extents);
}

static void killed_in_bitmaps(void)
{
	begin();
	expect_killable("COMMIT of page bitmaps", commit_bitmaps);
}

static void killed_in_dealloc(void)
{
	begin();
	expect_killable("DEALLOC of page bitmaps", dealloc_bitmaps);
}

static void killed_in_huge(void)
{
	begin();
	expect_killable("COMMIT on the huge backing", commit_huge);
}

/* Map and unmap a page all the time. */
static void *map(void *arg)
{
	(void)arg;
	be_urgent();
	while (!atomic_load(&shared->stop)) {
		long before = now();

		expect(munmap(anonymous(MIB, PROT_NONE), MIB) == 0);
		raise_to(&shared->waited, now() - before);
		sleep_for(MS);
	}
	return NULL;
}

/* Another thread needs mmap_lock for writing during the call. */
static void expect_mapping(const char *during, void (*run)(void))
{
	pthread_t thread;
	long waited;

	expect(pthread_create(&thread, NULL, map, NULL) == 0);
	run();
	atomic_store(&shared->stop, true);
	expect(pthread_join(thread, NULL) == 0);
	waited = atomic_load(&shared->waited);
	tap_note("%s: mmap_lock kept for %ld us at most", during,
		 waited / 1000);
	expect(waited <= WAIT_MAX);
}

static void mapping_in_decommit(void)
{
	begin();
	expect_mapping("DECOMMIT of many extents", decommit_extents);
}

static void mapping_in_huge(void)
{
	begin();
	expect_mapping("COMMIT on the huge backing", commit_huge);
}

static const struct tap_case cases[] = {
	{ "the CPU, during calls about many page bitmaps", page_bitmaps },
	{ "the CPU, when an extent with page bitmaps is used again",
	  clean_bitmaps },
	{ "the CPU, during calls about the longest extents", longest },
	{ "the CPU, during batches about long extents", long_ones },
	{ "the CPU, while all long extents are unmapped", unmapped },
	{ "the CPU, while a process with long extents exits", exited },
	{ "SIGKILL during COMMIT of many extents", killed_in_commit },
	{ "SIGKILL during DECOMMIT of many extents", killed_in_decommit },
	{ "SIGKILL during COMMIT of many page bitmaps", killed_in_bitmaps },
	{ "SIGKILL during DEALLOC of many page bitmaps", killed_in_dealloc },
	{ "SIGKILL during COMMIT on the huge backing", killed_in_huge },
	{ "mmap_lock, during DECOMMIT of many extents", mapping_in_decommit },
	{ "mmap_lock, during COMMIT on the huge backing", mapping_in_huge },
};

const struct tap_suite tap_suite = {
	.about = "Tests how long calls keep the CPU, mmap_lock and the killed",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
