// SPDX-License-Identifier: MIT
/*
 * Every allocation of a call fails once, and so does every copy to or from user
 * memory: each call is repeated, in a process of its own, with the first of
 * them failing, then the second, until none is left to fail. Each time the call
 * either succeeds, or has a documented error and changes nothing: no counter,
 * no byte, no page that traps.
 *
 * The kernel's own fault injection (/proc/thread-self/fail-nth) is used, which
 * "run" prepares. At the end nothing may have leaked: no node of the device is
 * in use, no page is missing, and tools/vm looks for leaks of any kind.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/rseq.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "fail.h"

/* No call makes so many allocations: it would never come to an end. */
#define MOST	2000

/**
 * struct tally - results of all tries of one call, shared with the processes that try
 * @injected: a failure was injected in the last try
 * @failures: number of failures injected
 * @errors:   number of calls that failed
 * @survived: number of calls that succeeded all the same
 */
struct tally {
	bool injected;
	unsigned int failures;
	unsigned int errors;
	unsigned int survived;
};

static struct tally *tally;

static int nth_fd;

static long uncounted_before;

static void nth_open(void)
{
	char text[16];

	nth_fd = open("/proc/thread-self/fail-nth", O_RDWR | O_CLOEXEC);
	expect(nth_fd >= 0);
	/* Reading once now spares later reads their allocations. */
	expect(pread(nth_fd, text, sizeof(text), 0) > 0);
}

static void nth_set(unsigned int nth)
{
	char text[16];
	int length = snprintf(text, sizeof(text), "%u", nth);

	expect(pwrite(nth_fd, text, length, 0) == length);
}

/* End fault injection. Return whether anything failed. */
static bool nth_end(void)
{
	char text[16] = "";
	ssize_t got = pread(nth_fd, text, sizeof(text) - 1, 0);

	/* The copy of this very read may have been the one that failed. */
	if (got < 0)
		return false;
	if (pwrite(nth_fd, "0", 1, 0) != 1)
		expect(pwrite(nth_fd, "0", 1, 0) == 1);
	return text[0] == '0';
}

/*
 * On the way back from any interrupt the kernel may write the number of the CPU
 * into memory of the C library (rseq). If fork has just made that memory shared
 * the kernel copies it, and if the copy fails it ends the process with SIGSEGV:
 * a failure, but not of the call that is tried.
 */
static void no_rseq(void)
{
	char *area = (char *)__builtin_thread_pointer() + __rseq_offset;

	/* The C library has no signature where it never registers such memory. */
#ifdef RSEQ_SIG
	if (__rseq_size)
		expect(syscall(SYS_rseq, area, sizeof(struct rseq),
			       RSEQ_FLAG_UNREGISTER, RSEQ_SIG) == 0);
#else
	(void)area;
#endif
}

static void configure_huge(int fd)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = CHUNK_BACKING_HUGE,
	};

	expect_equal(call(fd, CHUNK_IOC_CONFIGURE, &args), 0);
}

static void make(struct world *world, const struct fail_call *trial)
{
	size_t page = page_size();
	char *free_later;

	*world = (struct world) { .fd = device_open(), .fresh = -1 };
	if (trial->flags & FAIL_HUGE)
		configure_huge(world->fd);
	world->c = device_alloc(world->fd, MIB, MIB);
	free_later = device_alloc(world->fd, 3 * MIB, MIB);
	world->a = device_alloc(world->fd, 4 * MIB, MIB);
	world->b = device_mmap(world->fd, 2 * MIB, 0);
	fill(world->a + 2 * MIB, 2 * MIB, 3);
	fill(world->b, 4 * page, 4);
	expect_equal(device_decommit(world->fd, world->a, page), 0);
	expect_equal(device_decommit(world->fd, world->a + MIB, MIB), 0);
	expect_equal(device_dealloc(world->fd, free_later, 3 * MIB), 0);
	if (trial->ready)
		trial->ready(world);
}

/* Tell whether a page cannot be read. A system call is quicker than a handler. */
static bool is_trap(int fd, const char *addr)
{
	return device_state(fd, addr) & CHUNK_STATE_DECOMMITTED &&
	       read_traps(addr);
}

/* Check that the extents are as make() has left them. @huge: no page traps. */
static void check(const struct world *world, bool huge)
{
	size_t page = page_size();
	int fd = world->fd;

	if (world->a) {
		expect_equal(device_lookup(fd, world->a).length, 4 * MIB);
		expect(is_filled(world->a + 2 * MIB, 2 * MIB, 3));
		expect(is_zero(world->a + page, MIB - page));
		expect(huge || is_trap(fd, world->a));
		expect(huge || is_trap(fd, world->a + MIB));
		expect(huge || is_trap(fd, world->a + 2 * MIB - page));
	}
	if (world->b && device_state(fd, world->b) == CHUNK_STATE_LIVE) {
		expect(is_filled(world->b, 4 * page, 4));
		expect(is_zero(world->b + 4 * page, MIB / 4));
	}
	if (world->c) {
		expect_equal(device_lookup(fd, world->c).length, MIB);
		expect(is_zero(world->c, MIB / 4));
	}
}

/* ENOMEM is for memory, EFAULT for copies; nothing else can fail here. */
static void expect_documented(const struct fail_call *trial, int error)
{
	if (trial->flags & FAIL_CORE)
		expect(error == ENOMEM || error == EFAULT || error == EAGAIN ||
		       error == EINTR);
	else
		expect(error == ENOMEM || error == EFAULT);
}

/* Address space may stay premapped, or be recycled instead of retained. */
static bool unchanged(const struct chunk_ioc_stats *before,
		      struct chunk_ioc_stats after)
{
	if (after.mapped_bytes < before->mapped_bytes ||
	    after.mapped_bytes != after.live_bytes + after.recycled_bytes +
				  after.reserved_bytes)
		return false;
	after.mapped_bytes = before->mapped_bytes;
	after.recycled_bytes = before->recycled_bytes;
	after.reserved_bytes = before->reserved_bytes;
	after.regions = before->regions;
	return same_stats(before, &after);
}

static void show_difference(const struct chunk_ioc_stats *a,
			    const struct chunk_ioc_stats *b)
{
	const __u64 *x = &a->mapped_bytes, *y = &b->mapped_bytes;

	for (size_t i = 0; x + i <= &a->takes; i++)
		if (x[i] != y[i])
			tap_note("counter %zu was %llu and is %llu", i,
				 (unsigned long long)x[i],
				 (unsigned long long)y[i]);
}

/* A batch succeeds although its elements fail, so take the worst of theirs. */
static int worst_of(const struct world *world)
{
	int worst = 0;

	for (size_t i = 0; i < FAIL_BATCH; i++)
		if (world->ops[i].error)
			worst = world->ops[i].error;
	return worst;
}

/* The new extent is whole, zero, and can be given back. */
static void use_made(struct world *world)
{
	size_t some = world->length < MIB ? world->length : MIB;
	int fd = world->fd;

	if (!world->made)
		return;
	if (world->fresh >= 0)
		fd = world->fresh;
	expect_equal(device_lookup(fd, world->made).length, world->length);
	expect(is_zero(world->made, some));
	touch(world->made + world->length - page_size(), page_size());
	expect_equal(device_dealloc(fd, world->made, world->length), 0);
}

/* Runs in a process of its own. */
static void try_once(const struct fail_call *trial, unsigned int nth)
{
	struct chunk_ioc_stats before, after;
	struct world world;
	int error, part;
	bool injected;

	make(&world, trial);
	before = device_stats(world.fd);
	no_rseq();
	nth_open();
	nth_set(nth);
	error = trial->run(&world);
	injected = nth_end();
	after = device_stats(world.fd);
	part = worst_of(&world);

	tally->injected = injected;
	tally->failures += injected;
	tally->errors += error || part;
	tally->survived += injected && !error && !part;
	if (!injected)
		expect_equal(error, 0);
	if (error || part)
		expect_documented(trial, error ? error : part);
	if (error && !(trial->flags & FAIL_PARTS) &&
	    !unchanged(&before, after)) {
		show_difference(&before, &after);
		tap_note("failure %u, errno %d", nth, error);
		expect(!"nothing to change");
	}
	if (!(trial->flags & FAIL_PARTS) || !world.ops[0].length)
		check(&world, trial->flags & FAIL_HUGE);
	if (!error)
		use_made(&world);
	expect_consistent(world.fd);
	_exit(0);
}

static void every_failure(const struct fail_call *trial)
{
	unsigned int nth = 0;
	pid_t child;

	*tally = (struct tally) { .injected = true };
	while (tally->injected) {
		expect(++nth < MOST);
		child = tap_fork();
		if (child == 0)
			try_once(trial, nth);
		tap_join(child);
	}
	tap_note("%s: %u failures injected, %u errors, %u survived",
		 trial->name, tally->failures, tally->errors, tally->survived);
}

/* Read how many nodes of the device's own cache are in use. */
static long nodes_in_use(void)
{
	FILE *file = fopen("/proc/slabinfo", "r");
	char line[256];
	long used = -1;

	while (file && fgets(line, sizeof(line), file))
		if (sscanf(line, "chunk_extent %ld", &used) == 1)
			break;
	if (file)
		fclose(file);
	return used;
}

/*
 * Get the memory, in KiB, that is neither free nor in any of the places where
 * the kernel counts it. Lost pages are part of it, such as pages of a populate
 * that failed.
 */
static long uncounted(void)
{
	static const char *const counted[] = {
		"MemFree:", "Buffers:", "Cached:", "SwapCached:", "AnonPages:",
		"Slab:", "KernelStack:", "PageTables:", "SecPageTables:",
		"VmallocUsed:", "Percpu:",
	};
	FILE *file = fopen("/proc/meminfo", "re");
	char line[128], name[32];
	long kib, left = 0;

	expect(file);
	while (fgets(line, sizeof(line), file)) {
		if (sscanf(line, "%31s %ld", name, &kib) != 2)
			continue;
		if (!strcmp(name, "MemTotal:"))
			left += kib;
		for (size_t i = 0; i < TAP_COUNT(counted); i++)
			if (!strcmp(name, counted[i]))
				left -= kib;
	}
	fclose(file);
	return left;
}

/* KASAN remembers the stack of every allocation, which takes at most this. */
#define REMEMBERED	(64 * 1024)	/* KiB */

static void nothing_left(void)
{
	/* KASAN keeps freed objects for a while, but not after a shrink of the cache. */
	int shrink = open("/sys/kernel/slab/chunk_extent/shrink", O_WRONLY);

	if (shrink >= 0)
		expect(write(shrink, "1", 1) == 1);
	tap_note("nodes in use: %ld", nodes_in_use());
	expect(nodes_in_use() <= 0);
	tap_note("uncounted KiB: %ld before, %ld after", uncounted_before,
		 uncounted());
	expect(uncounted() - uncounted_before <= REMEMBERED);
}

static bool judged(unsigned int number, const char *name, int status)
{
	printf("%sok %u - %s\n", status ? "not " : "", number, name);
	fflush(stdout);
	return !status;
}

static int in_child(const struct fail_call *trial)
{
	int status = 0;
	pid_t child;

	fflush(stdout);
	child = tap_fork();
	if (child == 0) {
		if (trial)
			every_failure(trial);
		else
			nothing_left();
		_exit(0);
	}
	expect(waitpid(child, &status, 0) == child);
	return status;
}

static int help(void)
{
	puts("Usage: fail_test [CALL...]\n"
	     "Lets every allocation of every call fail, one after the other. CALL is a\n"
	     "part of the names of those to try. Prints TAP; exits with 1 if a case\n"
	     "fails, 2 if this kernel has no fault injection. To be started by \"run\".");
	return 0;
}

int main(int argc, char **argv)
{
	unsigned int number = 0, failures = 0, bad = 0;

	if (argc > 1 && argv[1][0] == '-')
		return help();
	if (access("/proc/thread-self/fail-nth", W_OK)) {
		fputs("fail_test: no fault injection in this kernel\n", stderr);
		return 2;
	}
	tally = mmap(NULL, sizeof(*tally), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(tally != MAP_FAILED);
	uncounted_before = uncounted();
	for (size_t i = 0; i < fail_calls_count; i++) {
		if (!tap_wanted(fail_calls[i].name, argv + 1))
			continue;
		bad += !judged(++number, fail_calls[i].name,
			       in_child(&fail_calls[i]));
		failures += tally->failures;
	}
	bad += !judged(++number, "nothing leaks and something failed",
		       in_child(NULL) || !failures);
	printf("# %u failures injected\n1..%u\n", failures, number);
	return bad > 0;
}
