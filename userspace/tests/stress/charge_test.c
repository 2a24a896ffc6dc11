// SPDX-License-Identifier: MIT
/*
 * Kernel memory of each kind that the device keeps for a process is charged to
 * the control group of that process, and is freed when it exits. In
 * isolation_test.c processes take as much of it as they can.
 */
#include <signal.h>
#include <stdatomic.h>
#include <stdlib.h>
#include <unistd.h>

#include <sched.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "group.h"
#include "uapi.h"
#include "words.h"

#define BATCH	4096U
#define KIB	1024UL

/* Number of objects of each kind */
#define FILES	16384U
#define EXTENTS	65536U
#define FAR	8192U
#define MAPPED	64U	/* GiB */
#define LARGE	8U	/* of CHUNK_LENGTH_MAX */
#define WORDS	(16 * MIB / page_size())	/* pages of words */
#define CHILDREN 4U
#define SPACES	256U

static atomic_bool *ready;

/* The kernel keeps charges of so many pages for each processor (MEMCG_CHARGE_BATCH). */
static uint64_t stocks(void)
{
	return 64 * page_size() * sysconf(_SC_NPROCESSORS_ONLN);
}

/*
 * Get the bytes charged to a group while a process in it holds objects. The
 * group is empty before and afterwards.
 */
static uint64_t charged(void (*hold)(void))
{
	uint64_t most, few, left = ~0ULL;
	pid_t child;

	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(ready != MAP_FAILED);
	group_make("256M", "0");
	child = tap_fork();
	if (child == 0) {
		group_join();
		hold();
		atomic_store(ready, true);
		pause();
	}
	while (!atomic_load(ready) && !waitpid(child, NULL, WNOHANG))
		usleep(1000);
	expect(atomic_load(ready));
	most = group_number("memory.current", "");
	few = most / 4 + stocks();
	kill(child, SIGKILL);
	expect(waitpid(child, NULL, 0) == child);
	/*
	 * Freed memory is uncharged after a grace period, and the numbers are
	 * late, too.
	 */
	for (unsigned int i = 0; i < 1000 && left > few; i++) {
		left = group_number("memory.current", "");
		usleep(50000);
	}
	group_remove();
	expect(left <= few);
	return most;
}

/* Check that at least @least bytes are charged for each of @count objects. */
static void expect_charged(void (*hold)(void), unsigned int count, size_t least)
{
	uint64_t bytes = charged(hold);

	tap_note("%llu bytes for each of %u",
		 (unsigned long long)bytes / count, count);
	expect(bytes >= (uint64_t)count * least);
}

static void hold_files(void)
{
	struct rlimit limit = { FILES + 64, FILES + 64 };

	expect(setrlimit(RLIMIT_NOFILE, &limit) == 0);
	for (unsigned int i = 0; i < FILES; i++)
		device_open();
}

/* Half of it is the file, which any device has. */
static void files(void)
{
	expect_charged(hold_files, FILES, 512);
}

static void alloc_many(int fd, unsigned int count, size_t alignment)
{
	struct chunk_ioc_op *ops = calloc(BATCH, sizeof(*ops));

	for (unsigned int i = 0; i < BATCH; i++)
		ops[i] = (struct chunk_ioc_op) {
			.length = MIB,
			.alignment = alignment,
		};
	for (; count; count -= BATCH) {
		struct chunk_ioc_batch args = {
			.size = sizeof(args),
			.what = CHUNK_BATCH_ALLOC,
			.count = BATCH,
			.ops = (uintptr_t)ops,
		};

		expect_equal(call(fd, CHUNK_IOC_BATCH, &args), 0);
		expect_equal(args.done, BATCH);
	}
}

static void hold_extents(void)
{
	alloc_many(device_open(), EXTENTS, MIB);
}

static void extents(void)
{
	expect_charged(hold_extents, EXTENTS, 64);
}

/* The extents are so far apart that each takes a node of the registry. */
static void hold_far_extents(void)
{
	alloc_many(device_open(), FAR, 64 * MIB);
}

static void far_extents(void)
{
	expect_charged(hold_far_extents, FAR, 512);
}

/* A page of each chunk is decommitted, so that each chunk has a page bitmap. */
static void hold_bitmaps(void)
{
	int fd = device_open();

	for (size_t i = 0; i < MAPPED; i++) {
		char *extent = device_mmap(fd, GIB, 0);

		for (size_t at = 0; at < GIB; at += MIB)
			expect_equal(device_decommit(fd, extent + at,
						     page_size()), 0);
	}
}

/* A page bitmap has a bit for each page. */
static void bitmaps(void)
{
	expect_charged(hold_bitmaps, MAPPED, GIB / page_size() / 8);
}

/* The words of each extent are on a page of their own. */
static void hold_words(void)
{
	int fd = device_open();
	atomic_uint *words = words_map(fd);

	for (unsigned int i = 0; i < WORDS; i++) {
		char *chunk = device_alloc(fd, MIB,
					   CHUNK_WORDS_SPAN(page_size()));

		word_offer(word_of(words, chunk));
	}
}

static void words_of_chunks(void)
{
	int fd = device_open();

	if (!has_words(fd))
		tap_skip("chunks cannot be offered on this kernel");
	close(fd);
	expect_charged(hold_words, WORDS, page_size());
}

static void hold_snapshots(void)
{
	hold_bitmaps();
	for (unsigned int i = 0; i < CHILDREN; i++) {
		if (tap_fork())
			continue;
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		pause();
	}
}

static void snapshots(void)
{
	expect_charged(hold_snapshots, 1 + CHILDREN,
		       MAPPED * (GIB / page_size() / 8));
}

/* The regions are as large as possible; no page is touched or decommitted. */
static void hold_regions(void)
{
	int fd = device_open();

	for (unsigned int i = 0; i < LARGE; i++)
		device_mmap(fd, CHUNK_LENGTH_MAX, 0);
}

/* A region has a bit for each chunk, and a pointer for each 128 chunks. */
static void regions(void)
{
	expect_charged(hold_regions, LARGE, CHUNK_LENGTH_MAX / MIB / 8 +
				 CHUNK_LENGTH_MAX / MIB / 128 * 8);
}

/* Descriptors stay open of processes that have exited, and nobody can use them. */
static void hold_address_spaces(void)
{
	for (unsigned int i = 0; i < SPACES; i++) {
		/* The table of descriptors is shared, the memory is not. */
		pid_t child = syscall(SYS_clone, CLONE_FILES | SIGCHLD, 0, 0,
				      0, 0);

		expect(child >= 0);
		if (child == 0) {
			touch(device_alloc(device_open(), MIB, MIB), MIB);
			syscall(SYS_exit_group, 0);
		}
		tap_join(child);
	}
}

/* Their memory is freed, but for the kernel's part of any address space. */
static void address_spaces(void)
{
	uint64_t bytes = charged(hold_address_spaces);

	tap_note("%llu bytes for each", (unsigned long long)bytes / SPACES);
	expect(bytes >= SPACES * 2 * KIB);
	expect(bytes <= SPACES * (56 * KIB + 2 * page_size()));
}

static const struct tap_case cases[] = {
	{ "open files", files },
	{ "extents", extents },
	{ "the registry, of extents far from each other", far_extents },
	{ "page bitmaps", bitmaps },
	{ "page bitmaps that a child inherits", snapshots },
	{ "pages of words", words_of_chunks },
	{ "large regions", regions },
	{ "address spaces that have ended",
	  address_spaces },
};

const struct tap_suite tap_suite = {
	.about = "Tests what of the device is charged to a control group",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
