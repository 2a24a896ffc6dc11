// SPDX-License-Identifier: MIT
/*
 * Without memory, address space or mappings, calls return NULL or false,
 * nothing is lost, and everything works again afterwards.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "common.h"
#include "kernel_file.h"

#define MOST	4096

static char *chunks[MOST];

/* Lower a limit to the use of now and @more bytes. */
static void limit_to(int resource, size_t more)
{
	size_t now = status_bytes(resource == RLIMIT_AS ? "VmSize" :
							  "VmData");
	struct rlimit limit;

	expect(now);
	expect(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = now + more;
	expect(setrlimit(resource, &limit) == 0);
}

static void lift(int resource)
{
	struct rlimit limit;

	expect(getrlimit(resource, &limit) == 0);
	limit.rlim_cur = limit.rlim_max;
	expect(setrlimit(resource, &limit) == 0);
}

static void alloc_until_null(int resource, size_t room)
{
	size_t count = 0;

	need_limit(resource);
	chunks_init();
	dealloc_mib(alloc_mib(1), 1);
	limit_to(resource, room);
	while (count < MOST && (chunks[count] = chunk_alloc(MIB, MIB, false))) {
		fill(chunks[count], page_size(), count);
		count++;
	}
	expect(count < MOST);
	tap_note("%zu chunks in %zu MiB", count, room / MIB);
	/* Bookkeeping and alignment may take a little of the room. */
	expect(count * MIB >= room - 8 * MIB);
	expect(!chunk_alloc(MIB, MIB, false));
	expect(!chunk_alloc(MIB, 64 * MIB, false));
	expect(!chunk_alloc(room / MIB * MIB, MIB, false));
	expect(!chunk_alloc(4 * MIB, MIB, true));
	expect(!pages_map(NULL, 4 * MIB));
	expect_stats_consistent();

	/* The chunks work, and returned ones can be allocated again. */
	for (size_t i = 0; i < count; i++)
		expect(is_filled(chunks[i], page_size(), i));
	pages_decommit(chunks[0], MIB);
	expect_trap(chunks[0]);
	expect(pages_commit(chunks[0], MIB));
	expect(is_zero(chunks[0], MIB));
	dealloc_mib(chunks[count - 1], 1);
	chunks[count - 1] = chunk_alloc(MIB, MIB, false);
	expect(chunks[count - 1]);
	expect(is_zero(chunks[count - 1], MIB));

	lift(resource);
	fill(alloc_mib(64), 64 * MIB, 1);
	for (size_t i = 0; i < count; i++)
		dealloc_mib(chunks[i], 1);
	expect(is_zero(alloc_mib(16), 16 * MIB));
	expect_stats_consistent();
}

static void address_space(void)
{
	alloc_until_null(RLIMIT_AS, 200 * MIB);
}

static void address_space_odd(void)
{
	alloc_until_null(RLIMIT_AS, 37 * MIB + 5 * page_size());
}

static void data(void)
{
	alloc_until_null(RLIMIT_DATA, 200 * MIB);
}

/* A commit may need memory that the limit no longer grants; then it fails. */
static void commit_fails(void)
{
	char *chunk;
	bool committed;

	need_limit(RLIMIT_DATA);
	chunk = alloc_mib(8);

	fill(chunk, 8 * MIB, 1);
	pages_decommit(chunk + MIB, 4 * MIB);
	limit_to(RLIMIT_DATA, 0);
	committed = pages_commit(chunk + MIB, 4 * MIB);
	tap_note("commit %s", committed ? "needed nothing" : "failed");
	if (!committed) {
		for (size_t at = MIB; at < 5 * MIB; at += MIB / 2)
			expect_trap(chunk + at);
		expect_equal(stats_now().decommitted_bytes, 4 * MIB);
	}
	expect(is_filled(chunk, MIB, 1));
	expect(is_filled(chunk + 5 * MIB, 3 * MIB, 1 + 5 * MIB));
	lift(RLIMIT_DATA);
	expect(pages_commit(chunk + MIB, 4 * MIB));
	expect(is_zero(chunk + MIB, 4 * MIB));
	dealloc_mib(chunk, 8);
	expect_stats_consistent();
}

/* The original loses address space when it cannot recommit a recycled extent. */
static void recycling_fails(void)
{
	struct chunk_stats before, after;
	char *chunk, *again;

	need_limit(RLIMIT_DATA);
	chunk = alloc_mib(8);
	dealloc_mib(chunk, 8);
	before = stats_now();
	limit_to(RLIMIT_DATA, 0);
	again = chunk_alloc(8 * MIB, MIB, false);
	tap_note("recycling %s", again ? "needed nothing" : "failed");
	if (again) {
		expect_equal((uintptr_t)again, (uintptr_t)chunk);
		lift(RLIMIT_DATA);
		return;
	}
	for (int i = 0; i < 20; i++)
		expect(!chunk_alloc((1 + i % 8) * MIB, MIB, false));
	after = stats_now();
	expect_equal(after.recycled_bytes, before.recycled_bytes);
	expect_equal(after.mapped_bytes, before.mapped_bytes);
	expect_equal(after.live_bytes, before.live_bytes);
	lift(RLIMIT_DATA);
	expect_equal((uintptr_t)alloc_mib(8), (uintptr_t)chunk);
	expect(is_zero(chunk, 8 * MIB));
	expect_equal(stats_now().mapped_bytes, before.mapped_bytes);
}

static void need_strict_overcommit(void)
{
	int mode = overcommit_mode();

	expect(mode >= 0);
	if (mode != 2)
		tap_skip("the overcommit mode is %d", mode);
}

/*
 * Memory is charged when it is mapped, touched or not. As other processes lack
 * the memory that is taken here, none is kept for long.
 */
static void overcommit_strict(void)
{
	size_t count = 0;

	need_strict_overcommit();
	while (count < MOST && (chunks[count] = chunk_alloc(MIB, MIB, false)))
		count++;
	expect(count < MOST);
	expect_equal(errno, ENOMEM);
	expect(!pages_map(NULL, 64 * MIB));
	expect_stats_consistent();
	dealloc_mib(chunks[--count], 1);
	fill(chunks[0], MIB, 1);
	/* Another process may take the memory that the decommit frees. */
	pages_decommit(chunks[1], MIB);
	expect_trap(chunks[1]);
	if (pages_commit(chunks[1], MIB))
		expect(is_zero(chunks[1], MIB));
	tap_note("%zu chunks", count);
	expect(is_filled(chunks[0], MIB, 1));
	chunk_set_recycle_limit(0);
	while (count)
		dealloc_mib(chunks[--count], 1);
	expect_equal(stats_now().live_bytes, stats_now().base_bytes);
	fill(alloc_mib(64), 64 * MIB, 1);
	expect_stats_consistent();
}

/* Get the memory charged to all processes, in bytes. */
static size_t charged(void)
{
	FILE *file = fopen("/proc/meminfo", "r");
	unsigned long kib = 0;
	char line[256];

	expect(file);
	while (fgets(line, sizeof(line), file) &&
	       sscanf(line, "Committed_AS: %lu", &kib) != 1)
		;
	fclose(file);
	expect(kib);
	return (size_t)kib << 10;
}

static void use_up_with_holes(void *arg)
{
	char *chunk = chunk_alloc(64 * MIB, MIB, false);

	(void)arg;
	expect(chunk);
	pages_decommit(chunk, 32 * MIB);
	while (chunk_alloc(16 * MIB, MIB, false))
		;
	expect(!chunk_alloc(16 * MIB, MIB, false));
}

/* The charge of decommitted memory is given back, or a line says that it is not. */
static void charge_is_given_back(void)
{
	const size_t size = 128 * MIB;
	struct tap_outcome outcome;
	char *chunk, *cage;
	size_t before;

	need_strict_overcommit();
	if (on_device()) {
		tap_child(&outcome, use_up_with_holes, NULL);
		tap_note("%s", outcome.text);
		expect_equal(outcome.status, 0);
		expect_equal(outcome.lines, 1);
		expect(strstr(outcome.text, "vm.overcommit_memory=2"));
		expect(strstr(outcome.text, "backend:mmap"));
		return;
	}
	chunk = chunk_alloc(size, MIB, false);
	if (!chunk)
		tap_skip("128 MiB are too much here");
	before = charged();
	pages_decommit(chunk, size);
	expect(charged() + size / 2 < before);
	/* Memory that was never committed is not charged, either. */
	before = charged();
	cage = chunk_alloc_decommitted(64 * GIB, MIB);
	expect(cage);
	expect(charged() < before + size);
}

/* Use up all mappings that this process may have; none merge. */
static size_t use_up_mappings(char **place)
{
	size_t page = page_size(), count = 0, most = 70000;

	*place = mmap(NULL, most * 2 * page, PROT_NONE,
		      MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	expect(*place != MAP_FAILED);
	while (count < most && mprotect(*place + 2 * count * page, page,
					PROT_READ) == 0)
		count++;
	if (count == most)
		tap_skip("vm.max_map_count is too large to be reached");
	return most * 2 * page;
}

static void no_mapping_left(void)
{
	size_t size, count = 0, page = page_size();
	char *place, *kept;

	need_no_mappings();
	kept = alloc_mib(4);
	fill(kept, 4 * MIB, 1);
	dealloc_mib(alloc_mib(2), 2);
	size = use_up_mappings(&place);
	while (count < 300 && (chunks[count] = chunk_alloc(MIB, 4 * MIB,
							   false)))
		count++;
	tap_note("%zu chunks without a mapping to be had", count);
	/* Decommitting frees memory in any case, and never kills. */
	pages_decommit(kept + MIB, page);
	pages_decommit(kept + MIB + 2 * page, page);
	pages_decommit(kept + 2 * MIB, MIB);
	expect_equal(resident_bytes(kept + MIB, page), 0);
	expect_equal(resident_bytes(kept + MIB + 2 * page, page), 0);
	expect_equal(resident_bytes(kept + 2 * MIB, MIB), 0);
	expect(is_filled(kept, MIB, 1));
	expect(is_filled(kept + 3 * MIB, MIB, 1 + 3 * MIB));
	while (count)
		dealloc_mib(chunks[--count], 1);
	dealloc_mib(kept, 4);
	expect_stats_consistent();

	expect(munmap(place, size) == 0);
	for (size_t i = 0; i < 20; i++) {
		chunks[i] = chunk_alloc(3 * MIB, 4 * MIB, false);
		expect(chunks[i]);
		expect(is_zero(chunks[i], 3 * MIB));
		fill(chunks[i], 3 * MIB, i);
	}
	for (size_t i = 0; i < 20; i++)
		expect(is_filled(chunks[i], 3 * MIB, i));
	expect_stats_consistent();
}

/* Tell whether the kernel's guards are in use, in a process of its own. */
static bool have_guards(void)
{
	const char *options = getenv("CHUNK_OPTIONS");
	void *page = mmap(NULL, page_size(), PROT_READ,
			  MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool have = !madvise(page, page_size(), 102 /* GUARD_INSTALL */);

	munmap(page, page_size());
	return have && !plain_posix() &&
	       !(options && strstr(options, "guard:off"));
}

/* Chunks are decommitted with a mapping and without one, and then coalesce. */
static void recycled_without_a_mapping(void)
{
	bool guards = have_guards();
	char *row, *place;
	size_t size;

	need_no_mappings();
	row = adjoining_chunks(5);
	fill(row, 5 * MIB, 1);
	dealloc_mib(row + 3 * MIB, 1);
	size = use_up_mappings(&place);
	dealloc_mib(row + MIB, 1);
	expect_equal(resident_bytes(row + MIB, MIB), 0);
	if (guards || on_device()) {
		expect_trap(row + MIB);
		expect_trap(row + 2 * MIB - page_size());
	}
	expect(is_filled(row, MIB, 1));
	expect(is_filled(row + 2 * MIB, MIB, 1 + 2 * MIB));
	expect(munmap(place, size) == 0);
	dealloc_mib(row, 1);
	dealloc_mib(row + 2 * MIB, 1);
	dealloc_mib(row + 4 * MIB, 1);
	expect_equal((uintptr_t)alloc_mib(5), (uintptr_t)row);
	expect(is_zero(row, 5 * MIB));
	touch(row, 5 * MIB);
	expect_stats_consistent();
}

/*
 * Allocate in chunks of 1 MiB all that a limit allows; then free every @nth of
 * those, in a row or apart, and ask for their sum in one piece.
 */
static void kept_is_released(int resource, size_t nth)
{
	const size_t room = 100 * MIB;
	size_t count = 0, freed = 0;
	char *large;

	need_limit(resource);
	dealloc_mib(alloc_mib(1), 1);
	limit_to(resource, room);
	while (count < MOST && (chunks[count] = chunk_alloc(MIB, MIB, false)))
		touch(chunks[count++], MIB);
	expect(count > 60 && count < MOST);
	for (size_t i = 0; i < count; i++) {
		if (nth && i % nth == 0)
			continue;
		dealloc_mib(chunks[i], 1);
		freed++;
	}
	tap_note("%zu of %zu MiB free, %zu MiB kept", freed, count,
		 chunk_recycled_bytes() / MIB);
	/* Bookkeeping may take some more. */
	large = chunk_alloc((freed - 3) * MIB, MIB, false);
	expect(large);
	fill(large, (freed - 3) * MIB, 1);
	for (size_t i = 0; nth && i < count; i += nth)
		expect(chunk_is_live(chunks[i]) && *chunks[i]);
	expect_stats_consistent();
	dealloc_mib(large, freed - 3);
	/* The same holds for a base chunk. */
	expect(chunk_alloc(freed / 2 * MIB, MIB, true));
	expect_stats_consistent();
}

static void kept_by_address_space(void)
{
	kept_is_released(RLIMIT_AS, 0);
}

static void kept_by_data(void)
{
	kept_is_released(RLIMIT_DATA, 0);
}

static void kept_apart(void)
{
	kept_is_released(RLIMIT_AS, 8);
}

/* The limit is hit at the very first call, and lifted later. */
static void at_the_first_call(void)
{
	need_limit(RLIMIT_AS);
	limit_to(RLIMIT_AS, 0);
	expect(!chunk_alloc(MIB, MIB, false));
	expect(!chunk_is_live(chunks));
	lift(RLIMIT_AS);
	expect(is_zero(alloc_mib(2), 2 * MIB));
}

/* Address space runs out at any point: the limit grows by a page each time. */
static void at_every_point(void)
{
	need_limit(RLIMIT_AS);
	for (size_t room = 0; room <= 6 * MIB; room += 97 * page_size()) {
		pid_t child = tap_fork();
		size_t count = 0;

		if (child) {
			tap_join(child);
			continue;
		}
		limit_to(RLIMIT_AS, room);
		while (count < 100 && (chunks[count] = chunk_alloc(MIB, 2 * MIB,
								   false)))
			count++;
		lift(RLIMIT_AS);
		while (count)
			dealloc_mib(chunks[--count], 1);
		expect(is_zero(alloc_mib(4), 4 * MIB));
		expect_equal(stats_now().live_bytes - stats_now().base_bytes,
			     4 * MIB);
		expect_stats_consistent();
		_exit(0);
	}
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "RLIMIT_AS", address_space },
	{ "RLIMIT_AS that is no multiple of a chunk", address_space_odd },
	{ "RLIMIT_DATA", data },
	{ "commit under RLIMIT_DATA", commit_fails },
	{ "recycling under RLIMIT_DATA loses nothing", recycling_fails },
	{ "overcommit mode 2", overcommit_strict },
	{ "overcommit mode 2: decommitted memory", charge_is_given_back },
	{ "no mapping left", no_mapping_left },
	{ "recycling without a mapping left", recycled_without_a_mapping },
	{ "recycled extents are released first: RLIMIT_AS",
	  kept_by_address_space },
	{ "recycled extents are released first: RLIMIT_DATA", kept_by_data },
	{ "recycled extents are released first, from between live ones",
	  kept_apart },
	{ "RLIMIT_AS at the first call", at_the_first_call },
	{ "RLIMIT_AS at every point", at_every_point },
};

const struct tap_suite tap_suite = {
	.about = "Tests running out of memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
