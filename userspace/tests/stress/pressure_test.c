// SPDX-License-Identifier: MIT
/*
 * Offered chunks and memory pressure: of a control group, of the whole machine, in
 * swap; and what is left of them when their owner ends.
 */
#include <errno.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "group.h"
#include "kernel_file.h"
#include "smaps.h"
#include "words.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define GROUP_FILE(name)	"/sys/fs/cgroup/chunk-stress/" name
#define OFFERED			(96 * MIB)

/* The child is ready: shared with it */
static atomic_bool *ready;

/* Offer an extent of which each page holds something. */
static char *offer_much(const struct owner *o, size_t size)
{
	char *extent = device_alloc(o->fd, size, MIB);

	for (size_t at = 0; at < size; at += page_size())
		*(volatile uint64_t *)(extent + at) = at + 1;
	owner_offer(o, extent, size);
	return extent;
}

/* Take all back, each page verified. Return the number of chunks that were intact. */
static size_t take_much(const struct owner *o, char *extent, size_t size)
{
	size_t intact = 0;

	for (size_t chunk = 0; chunk < size; chunk += MIB) {
		enum taken taken;

		while ((taken = owner_take(o, extent + chunk)) == TAKEN_BUSY)
			usleep(100);
		expect(taken != TAKEN_IN_USE);
		intact += taken == TAKEN_INTACT;
		for (size_t at = chunk; at < chunk + MIB; at += page_size())
			expect_equal(*(volatile uint64_t *)(extent + at),
				     taken == TAKEN_INTACT ? at + 1 : 0);
	}
	return intact;
}

static struct owner owner_open(void)
{
	return owner_of(device_open());
}

/* Use so much memory that the group can have it only if offers are discarded. */
static void use_memory(size_t size)
{
	char *memory = anonymous(size, PROT_READ | PROT_WRITE);

	touch(memory, size);
	expect(munmap(memory, size) == 0);
}

/* In a child, so that its end does not end the case. */
static void in_child(void (*run)(void))
{
	pid_t child = tap_fork();

	if (child == 0) {
		run();
		_exit(0);
	}
	tap_join(child);
}

static void offer_and_use(void)
{
	struct owner o;
	char *extent;

	group_join();
	o = owner_open();
	extent = offer_much(&o, OFFERED);
	use_memory(OFFERED);
	expect(take_much(&o, extent, OFFERED) < OFFERED / MIB);
	tap_note("%llu chunks discarded",
		 (unsigned long long)device_stats(o.fd).discards);
}

/* Without the offers the group would have no room, and there is no swap. */
static void group_gains(void)
{
	close(owner_open().fd);
	group_make("128M", "0");
	in_child(offer_and_use);
	expect_equal(group_number("memory.events", "oom_kill"), 0);
	expect_equal(group_number("memory.events", "oom"), 0);
	group_remove();
}

static void be_short(void)
{
	group_join();
	for (unsigned int i = 0; i < 4; i++)
		use_memory(40 * MIB);
}

/* Another group at its limit takes nothing of ours. */
static void others_take_nothing(void)
{
	struct owner o = owner_open();
	char *extent = offer_much(&o, OFFERED);
	uint64_t before = device_stats(o.fd).discards;

	need_swap();
	group_make("32M", "max");
	in_child(be_short);
	expect(group_number("memory.events", "max") > 0);
	group_remove();
	expect_equal(device_stats(o.fd).discards, before);
	expect_equal(take_much(&o, extent, OFFERED), OFFERED / MIB);
}

static void offer_and_reclaim(void)
{
	struct owner o;
	char *extent;

	group_join();
	o = owner_open();
	extent = offer_much(&o, 32 * MIB);
	for (unsigned int i = 0; i < 50 && !device_stats(o.fd).discards; i++)
		put_text(GROUP_FILE("memory.reclaim"), "16M");
	tap_note("%llu chunks discarded",
		 (unsigned long long)device_stats(o.fd).discards);
	expect(device_stats(o.fd).discards);
	take_much(&o, extent, 32 * MIB);
}

static void told_to_reclaim(void)
{
	close(owner_open().fd);
	group_make("max", "0");
	if (access(GROUP_FILE("memory.reclaim"), W_OK))
		tap_skip("memory.reclaim: %s", strerror(errno));
	in_child(offer_and_reclaim);
	group_remove();
}

static void offer_and_wait(void)
{
	struct owner o;

	group_join();
	o = owner_open();
	offer_much(&o, OFFERED);
	atomic_store(ready, true);
	pause();
}

/* All that a process had was offered: when it is killed, its memory is free. */
static void nothing_left(void)
{
	/* The kernel keeps charges for each processor (MEMCG_CHARGE_BATCH). */
	uint64_t most = MIB / 2 + 64 * page_size() * sysconf(_SC_NPROCESSORS_ONLN);
	uint64_t with, left = ~0ULL;
	pid_t child;

	close(owner_open().fd);
	ready = mmap(NULL, sizeof(*ready), PROT_READ | PROT_WRITE,
		     MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	group_make("max", "0");
	child = tap_fork();
	if (child == 0)
		offer_and_wait();
	while (!atomic_load(ready) && !waitpid(child, NULL, WNOHANG))
		usleep(1000);
	expect(atomic_load(ready));
	with = group_number("memory.current", "");
	expect(with >= OFFERED);
	kill(child, SIGKILL);
	expect(waitpid(child, NULL, 0) == child);
	/* The numbers are late. */
	for (unsigned int i = 0; i < 400 && left > most; i++) {
		left = group_number("memory.current", "");
		usleep(50000);
	}
	group_remove();
	tap_note("%llu KiB, then %llu", (unsigned long long)with >> 10,
		 (unsigned long long)left >> 10);
	expect(left <= most);
}

static size_t swapped(char *extent)
{
	expect(madvise(extent, 16 * MIB, MADV_PAGEOUT) == 0);
	return mapping_figure(extent, "Swap");
}

/* Chunks that are in swap are intact, too, or leave it. */
static void in_swap(void)
{
	struct owner o = owner_open();
	char *extent = offer_much(&o, 16 * MIB);
	size_t out;

	need_swap();
	out = swapped(extent);
	tap_note("%zu KiB in swap", out >> 10);
	expect(out >= 4 * MIB);
	expect_equal(take_much(&o, extent, 16 * MIB), 16);
	owner_offer(&o, extent, 16 * MIB);
	expect(swapped(extent) >= 4 * MIB);
	owner_press(&o);
	expect_equal(mapping_figure(extent, "Swap"), 0);
	expect_equal(take_much(&o, extent, 16 * MIB), 0);
}

/* Add up the numbers that stand in lines of a file in this form. */
static size_t sum_of(const char *path, const char *form)
{
	FILE *file = fopen(path, "re");
	size_t sum = 0, number;
	char line[256];

	expect(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, form, &number) == 1)
			sum += number;
	fclose(file);
	return sum;
}

/* MemFree leaves out free pages that the kernel keeps for each processor. */
static size_t free_bytes(void)
{
	return sum_of("/proc/meminfo", "MemFree: %zu") * 1024 +
	       sum_of("/proc/zoneinfo", " count: %zu") * page_size();
}

/* The machine gets its memory back, of huge pages as of small ones. */
static void memory_is_freed(void)
{
	bool both = has_zap(device_open());

	for (int huge = 0; huge <= both; huge++) {
		struct owner o = owner_of(huge ? device_open_huge() :
					  device_open());
		char *extent = offer_much(&o, OFFERED);
		size_t before, after;

		before = free_bytes();
		owner_press(&o);
		after = free_bytes();
		tap_note("%zu MiB freed", (after - before) / MIB);
		expect(after >= before + OFFERED / 2);
		expect_equal(take_much(&o, extent, OFFERED), 0);
	}
}

static const struct tap_case cases[] = {
	{ "a control group lives on what it offered, without swap",
	  group_gains },
	{ "another group at its limit takes nothing", others_take_nothing },
	{ "memory.reclaim discards", told_to_reclaim },
	{ "a process that is killed leaves nothing of what it offered",
	  nothing_left },
	{ "offered chunks in swap", in_swap },
	{ "discarded memory is free", memory_is_freed },
};

const struct tap_suite tap_suite = {
	.about = "Tests offered chunks under memory pressure",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
