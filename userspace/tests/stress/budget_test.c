// SPDX-License-Identifier: MIT
/*
 * Kernel memory that the device allocates for a process is counted as the
 * process's, so that the OOM killer finds it also without control groups.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/wait.h>

#include "group.h"
#include "kernel_file.h"
#include "uapi.h"

#define NOBODY		65534
#define KIB		1024
/* Address space of one page bitmap; one page of it is decommitted. */
#define BITMAP_SPAN		(128 * MIB)
#define BITMAP_BYTES	4096
#define BITMAPS		4096UL
#define EXTENTS		32768UL
#define BATCH		4096U
/* Memory of a process that does not use the device, more than the others have */
#define BYSTANDER	(64 * MIB)
/* Memory with which the test cannot run, see need_little_memory() */
#define TOO_MUCH_GIB	2UL

static uint64_t page_tables(void)
{
	return status_bytes("VmPTE");
}

static unsigned int batch(int fd, unsigned int what, struct chunk_ioc_op *ops)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.count = BATCH,
		.ops = (uintptr_t)ops,
	};

	return call(fd, CHUNK_IOC_BATCH, &args) ? 0 : args.done;
}

/* Make BATCH page bitmaps, or as many as memory is enough for. Return how many. */
static unsigned int make_bitmaps(int fd)
{
	static struct chunk_ioc_op ops[BATCH];
	char *extent = device_alloc(fd, BATCH * BITMAP_SPAN, MIB);

	for (size_t i = 0; i < BATCH; i++)
		ops[i] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)extent + i * BITMAP_SPAN,
			.length = page_size(),
		};
	return batch(fd, CHUNK_BATCH_DECOMMIT, ops);
}

static void expect_about(uint64_t bytes, uint64_t right)
{
	tap_note("%llu KiB, of %llu", (unsigned long long)bytes >> 10,
		 (unsigned long long)right >> 10);
	expect(bytes >= right && bytes <= right + right / 2 + 64 * KIB);
}

static void counted_bitmaps(void)
{
	int fd = device_open();
	uint64_t before;

	free(malloc(1));
	before = page_tables();
	expect_equal(make_bitmaps(fd), BITMAPS);
	expect_about(page_tables() - before, BITMAPS * BITMAP_BYTES);
}

static void counted_extents(void)
{
	static struct chunk_ioc_op ops[BATCH];
	int fd = device_open();
	uint64_t before;

	memset(ops, 1, sizeof(ops));
	before = page_tables();
	for (size_t n = 0; n < EXTENTS; n += BATCH) {
		for (size_t i = 0; i < BATCH; i++)
			ops[i] = (struct chunk_ioc_op) {
				.length = MIB,
				.alignment = MIB,
			};
		expect_equal(batch(fd, CHUNK_BATCH_ALLOC, ops), BATCH);
	}
	/* An extent has a node, and one in the registry for each 64 extents. */
	expect_about(page_tables() - before, EXTENTS * (80 + 9));
}

static void counted_regions(void)
{
	int fd = device_open();
	uint64_t before = page_tables();

	device_mmap(fd, CHUNK_LENGTH_MAX, 0);
	/* A region has a bit for each chunk, and a pointer for each 128 chunks. */
	expect(page_tables() - before >= CHUNK_LENGTH_MAX / MIB / 8 +
					 CHUNK_LENGTH_MAX / BITMAP_SPAN * 8);
	/* A region has at most 16 bytes for each chunk. */
	expect(page_tables() - before <= CHUNK_LENGTH_MAX / MIB * 16);
}

static void counted_snapshots(void)
{
	int fd = device_open();
	uint64_t without;
	pid_t child;

	child = tap_fork();
	if (child == 0)
		_exit(page_tables() >= BITMAPS * BITMAP_BYTES);
	tap_join(child);
	without = page_tables();
	expect_equal(make_bitmaps(fd), BITMAPS);
	child = tap_fork();
	if (child == 0) {
		expect(page_tables() >= BITMAPS * BITMAP_BYTES);
		expect(page_tables() <= without + 2 * BITMAPS * BITMAP_BYTES);
		_exit(0);
	}
	tap_join(child);
}

/* All counted memory is uncounted; otherwise the kernel would complain on exit, too. */
static void counted_off(void)
{
	char *extent = mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
			    MAP_ANONYMOUS, -1, 0);
	uint64_t before;
	int fd;

	expect(extent != MAP_FAILED);
	device_mmap(device_open(), MIB, 0);
	before = page_tables();
	fd = device_open();
	for (unsigned int i = 0; i < 3; i++) {
		char *more = device_mmap(fd, BITMAPS * BITMAP_SPAN, 0);

		for (size_t at = 0; at < BITMAPS * BITMAP_SPAN;
		     at += 64 * BITMAP_SPAN)
			expect_equal(device_decommit(fd, more + at,
						     page_size()), 0);
		expect(page_tables() > before);
		expect(munmap(more, BITMAPS * BITMAP_SPAN) == 0);
	}
	close(fd);
	expect_equal(page_tables(), before);
}

/* With more memory the test would not fill it in time. */
static void need_little_memory(void)
{
	long pages = sysconf(_SC_PHYS_PAGES);

	if (pages / 1024 * (page_size() / 1024) > TOO_MUCH_GIB * 1024)
		tap_skip("more than %lu GiB of memory", TOO_MUCH_GIB);
	if (access("/proc/sys/vm/panic_on_oom", W_OK))
		tap_skip("not root");
}

/* Start a process with more memory than others have without their page bitmaps. */
static pid_t start_bystander(void)
{
	pid_t child = tap_fork();
	char *memory;

	if (child)
		return child;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	write_to("/proc/self/oom_score_adj", "0");
	memory = anonymous(BYSTANDER, PROT_READ | PROT_WRITE);
	fill(memory, BYSTANDER, 1);
	for (;;)
		pause();
}

/* Take page bitmaps in no control group, with next to no memory of its own. */
static void offend(void)
{
	int fd = device_open();

	write_to("/proc/self/oom_score_adj", "0");
	expect(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	while (make_bitmaps(fd) == BATCH)
		;
	_exit(0);
}

static void offender_killed(void)
{
	pid_t bystander, offender;
	int status;

	need_little_memory();
	close(device_open());
	/* The OOM killer must not choose the process that looks on. */
	write_to("/proc/self/oom_score_adj", "-1000");
	bystander = start_bystander();
	usleep(300000);
	offender = tap_fork();
	if (offender == 0)
		offend();
	expect(waitpid(offender, &status, 0) == offender);
	tap_note("the offender was %s", WIFSIGNALED(status) ? "killed" :
		 "refused");
	expect(WIFSIGNALED(status) ? WTERMSIG(status) == SIGKILL : !status);
	expect(waitpid(bystander, &status, WNOHANG) == 0);
	expect(kill(bystander, SIGKILL) == 0);
	expect(waitpid(bystander, &status, 0) == bystander);
}

static const struct tap_case cases[] = {
	{ "page bitmaps are counted", counted_bitmaps },
	{ "extents are counted", counted_extents },
	{ "regions are counted", counted_regions },
	{ "what a child inherits is counted, as the child's",
	  counted_snapshots },
	{ "freed memory is no longer counted", counted_off },
	{ "a process that takes all memory is killed, and no other",
	  offender_killed },
};

const struct tap_suite tap_suite = {
	.about = "Tests that the device's memory is counted as its user's",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
