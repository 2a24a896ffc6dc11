// SPDX-License-Identifier: MIT
/*
 * Guards that a forked child inherits: the child has those of the moment of the
 * fork, whatever parent and child do to their mappings before and after.
 *
 * The kernel moves the border between two mappings of one region without a word
 * to the device, from 6.12 on, where flags of part of one become the other's.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "uapi.h"

#define RW		(PROT_READ | PROT_WRITE)
#define SIZE		(512 * MIB)
#define MIDDLE		(256 * MIB)	/* far from the beginning */
#define PART		MIB
#define TIMES		40
#define ROOM		(4 * MIB)	/* for TIMES pages of any size, and a few */

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

/* A function that sets or clears, for part of the memory, a flag that splits mappings */
typedef void (*flag_fn)(char *addr, size_t size, bool on);

static void flag_protection(char *addr, size_t size, bool on)
{
	expect(mprotect(addr, size, on ? PROT_READ : RW) == 0);
}

static void flag_dump(char *addr, size_t size, bool on)
{
	expect(madvise(addr, size, on ? MADV_DONTDUMP : MADV_DODUMP) == 0);
}

static void flag_lock(char *addr, size_t size, bool on)
{
	/* With MLOCK_ONFAULT pages that trap need not be present. */
	expect((on ? mlock2(addr, size, MLOCK_ONFAULT) :
		     munlock(addr, size)) == 0);
}

/* The policy is MPOL_INTERLEAVE or MPOL_DEFAULT. */
static void flag_policy(char *addr, size_t size, bool on)
{
	unsigned long mask = 1;

	if (syscall(SYS_mbind, addr, size, on ? 3 : 0, on ? &mask : NULL,
		    on ? 8 * sizeof(mask) : 0, 0))
		tap_skip("mbind: %s", strerror(errno));
}

/*
 * Prepare, on both sides of the middle, a page that is written, one that is
 * not, and one that traps. Pages are written only if @written: in a child the
 * kernel moves no border between mappings that had pages of their own before
 * the fork.
 */
static bool written;

static char *with_border(int fd, flag_fn flag)
{
	char *extent = device_mmap(fd, SIZE, 0), *middle = extent + MIDDLE;
	size_t page = page_size();

	for (size_t at = 0; at < 2; at++) {
		char *part = middle - at * PART;

		if (written)
			fill(part, page, 1 + at);
		expect_equal(device_decommit(fd, part + 2 * page, page), 0);
	}
	flag(middle, SIZE - MIDDLE, true);
	return extent;
}

/* A present page would be read without a fault, so drop it if it is zero. */
static bool traps_afresh(char *page)
{
	expect(madvise(page, page_size(), MADV_DONTNEED_LOCKED) == 0);
	return read_traps(page);
}

static void expect_border(char *extent)
{
	size_t page = page_size();

	for (size_t at = 0; at < 2; at++) {
		char *part = extent + MIDDLE - at * PART;

		expect(!written || is_filled(part, page, 1 + at));
		expect(!traps_afresh(part + page));
		expect(traps_afresh(part + 2 * page));
		expect(!traps_afresh(part + 3 * page));
		expect(!traps_afresh(part + PART - page));
	}
}

static void move_border(char *extent, flag_fn flag, unsigned int generations);

static void fork_there(char *extent, flag_fn flag, unsigned int generations)
{
	pid_t child;

	expect_border(extent);
	if (!generations)
		return;
	child = tap_fork();
	if (child == 0) {
		move_border(extent, flag, generations - 1);
		_exit(0);
	}
	tap_join(child);
	expect_border(extent);
}

/* The border moves up, down, and back; each generation must see the same pages. */
static void move_border(char *extent, flag_fn flag, unsigned int generations)
{
	char *middle = extent + MIDDLE;

	flag(middle, PART, false);
	fork_there(extent, flag, generations);
	flag(middle, PART, true);
	fork_there(extent, flag, generations);
	flag(middle - PART, PART, true);
	fork_there(extent, flag, generations);
	flag(middle - PART, PART, false);
	fork_there(extent, flag, generations);
}

static void border_moves(flag_fn flag)
{
	int fd = device_open();

	for (int i = 0; i < 2; i++) {
		written = i;
		/* The generations are parent, child and grandchild. */
		move_border(with_border(fd, flag), flag, 2);
		expect_consistent(fd);
	}
}

static void by_mprotect(void)
{
	border_moves(flag_protection);
}

static void by_madvise(void)
{
	border_moves(flag_dump);
}

static void by_mlock(void)
{
	border_moves(flag_lock);
}

static void by_mbind(void)
{
	border_moves(flag_policy);
}

/* All that remains of the upper mapping is a part that was the lower one's. */
static void leave_what_was_below(void)
{
	int fd = device_open();
	char *extent = with_border(fd, flag_protection);
	char *middle = extent + MIDDLE;
	size_t page = page_size();
	pid_t child = tap_fork();

	if (child == 0) {
		flag_protection(middle - PART, PART, true);
		expect(munmap(middle, SIZE - MIDDLE) == 0);
		child = tap_fork();
		if (child)
			tap_join(child);
		expect(!written || is_filled(middle - PART, page, 2));
		expect(!traps_afresh(middle - PART + page));
		expect(traps_afresh(middle - PART + 2 * page));
		_exit(0);
	}
	tap_join(child);
	expect_border(extent);
}

static void upper_all_below(void)
{
	for (int i = 0; i < 2; i++) {
		written = i;
		leave_what_was_below();
	}
}

/* Each child is told apart by the page that is decommitted. */
static void each_its_own(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, 2 * ROOM, 0);
	size_t page = page_size();

	expect(mprotect(extent + ROOM, ROOM, PROT_READ) == 0);
	for (size_t i = 0; i < TIMES; i++) {
		char *hole = extent + i * page;
		pid_t child;

		expect_equal(device_decommit(fd, hole, page), 0);
		child = tap_fork();
		if (child == 0) {
			for (size_t j = 0; j < TIMES; j++)
				expect_equal(read_traps(extent + j * page),
					     i == j);
			expect(!read_traps(extent + ROOM));
			_exit(0);
		}
		tap_join(child);
		expect_equal(device_commit(fd, hole, page), 0);
	}
}

/* Several children live at a time, and end in another order. */
static void side_by_side(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, MIB, 0);
	size_t page = page_size();
	pid_t children[8];
	int ends[8][2];

	for (size_t i = 0; i < TAP_COUNT(children); i++) {
		char byte;

		expect(pipe(ends[i]) == 0);
		expect_equal(device_decommit(fd, extent + i * page, page), 0);
		children[i] = tap_fork();
		if (children[i])
			continue;
		for (size_t j = 0; j <= i; j++)
			close(ends[j][1]);
		expect(read(ends[i][0], &byte, 1) == 0);
		for (size_t j = 0; j < TAP_COUNT(children); j++)
			expect_equal(write_traps(extent + j * page), j <= i);
		_exit(0);
	}
	for (size_t i = 0; i < TAP_COUNT(children); i++) {
		size_t next = i * 5 % TAP_COUNT(children);

		close(ends[next][1]);
		/* Earlier children wait until the later ones have the guards, too. */
	}
	for (size_t i = 0; i < TAP_COUNT(children); i++)
		tap_join(children[i]);
}

/* Each child forks the next and exits; the last still has its guards. */
static void chain(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, 2 * ROOM, 0);
	int ends[2], status = 1;
	pid_t child;

	expect(mprotect(extent + ROOM, ROOM, PROT_READ) == 0);
	expect_equal(device_decommit(fd, extent, page_size()), 0);
	fill(extent + page_size(), page_size(), 1);
	expect(pipe(ends) == 0);
	child = tap_fork();
	if (child) {
		tap_join(child);
		close(ends[1]);
		expect(read(ends[0], &status, sizeof(status)) ==
		       sizeof(status));
		expect_equal(status, 0);
		return;
	}
	for (size_t i = 0; i < TIMES; i++) {
		expect(read_traps(extent));
		expect(is_filled(extent + page_size(), page_size(), 1));
		touch(extent + (i + 2) * page_size(), page_size());
		if (tap_fork())
			_exit(0);
	}
	status = 0;
	expect(write(ends[1], &status, sizeof(status)) == sizeof(status));
	_exit(0);
}

static const struct tap_case cases[] = {
	{ "mprotect moves a border: parent, child, grandchild", by_mprotect },
	{ "madvise moves a border", by_madvise },
	{ "mlock moves a border", by_mlock },
	{ "mbind moves a border", by_mbind },
	{ "a mapping moved wholly below its first address", upper_all_below },
	{ "each child has the guards of its own fork", each_its_own },
	{ "children side by side", side_by_side },
	{ "a chain of forks", chain },
};

const struct tap_suite tap_suite = {
	.about = "Tests the guards that forked children inherit",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
