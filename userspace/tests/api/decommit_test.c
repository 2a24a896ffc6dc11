// SPDX-License-Identifier: MIT
/*
 * pages_decommit(), pages_commit(), pages_purge() and chunk_dealloc(): which
 * memory traps afterwards, which keeps its contents, and that the rest is
 * freed.
 */
#include <pthread.h>

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include "common.h"
#include "kernel_file.h"

/* Chunks have this many MiB; ranges begin and end everywhere in them. */
#define MIBS	3

static void trap_and_keep(size_t from, size_t size)
{
	char *around = alloc_mib(MIBS + 2), *chunk = around + MIB;

	fill(around, (MIBS + 2) * MIB, from);
	pages_decommit(chunk + from, size);
	expect_trap_only(chunk + from, size);
	for (size_t at = 0; at < size; at += page_size())
		expect(read_traps(chunk + from + at));
	expect(is_filled(around, MIB + from, from));
	expect(is_filled(chunk + from + size, (MIBS + 1) * MIB - from - size,
			 from + MIB + from + size));
	expect_equal(resident_bytes(chunk + from, size), 0);

	expect(pages_commit(chunk + from, size));
	expect(is_zero(chunk + from, size));
	expect(is_filled(around, MIB + from, from));
	expect(is_filled(chunk + from + size, (MIBS + 1) * MIB - from - size,
			 from + MIB + from + size));
	fill(chunk + from, size, 9);
	expect(is_filled(chunk + from, size, 9));
	dealloc_mib(around, MIBS + 2);
}

static void ranges_trap(void)
{
	size_t page = page_size();

	trap_and_keep(0, page);
	trap_and_keep(MIB - page, page);
	trap_and_keep(MIB - page, 2 * page);
	trap_and_keep(5 * page, 3 * page);
	trap_and_keep(0, MIB);
	trap_and_keep(0, MIBS * MIB);
	trap_and_keep(page, MIBS * MIB - 2 * page);
	trap_and_keep(MIBS * MIB - page, page);
}

static void whole_chunk(void)
{
	char *chunks = adjoining_chunks(3), *middle = chunks + MIB;

	fill(chunks, 3 * MIB, 1);
	pages_decommit(middle, MIB);
	expect_trap_only(middle, MIB);
	expect_equal(resident_bytes(middle, MIB), 0);
	expect(chunk_is_live(middle));
	expect(pages_commit(middle, MIB));
	expect(is_zero(middle, MIB));
	expect(is_filled(chunks, MIB, 1));
	expect(is_filled(chunks + 2 * MIB, MIB, 1 + 2 * MIB));
}

static void untouched(void)
{
	char *chunk = alloc_mib(MIBS);

	pages_decommit(chunk + MIB, MIB);
	expect_trap_only(chunk + MIB, MIB);
	expect(pages_commit(chunk + MIB, MIB));
	expect(is_zero(chunk, MIBS * MIB));
}

static void commit_keeps_contents(void)
{
	char *chunk = alloc_mib(MIBS);
	size_t page = page_size();

	fill(chunk, MIBS * MIB, 5);
	expect(pages_commit(chunk, MIBS * MIB));
	expect(is_filled(chunk, MIBS * MIB, 5));

	/* One range has committed and decommitted pages. */
	pages_decommit(chunk + MIB, 4 * page);
	pages_decommit(chunk + MIB + 8 * page, page);
	expect(pages_commit(chunk + MIB - page, 12 * page));
	expect(is_filled(chunk, MIB, 5));
	expect(is_zero(chunk + MIB, 4 * page));
	expect(is_filled(chunk + MIB + 4 * page, 4 * page,
			 5 + MIB + 4 * page));
	expect(is_zero(chunk + MIB + 8 * page, page));
	expect(is_filled(chunk + MIB + 9 * page, MIB, 5 + MIB + 9 * page));
}

static void decommit_repeats(void)
{
	char *chunk = alloc_mib(MIBS);
	size_t page = page_size();

	fill(chunk, MIBS * MIB, 5);
	for (size_t i = 0; i < 10; i++)
		pages_decommit(chunk + (2 + i) * page, 4 * page);
	pages_decommit(chunk + 2 * page, 13 * page);
	expect_trap_only(chunk + 2 * page, 13 * page);
	/* Only the middle of the range is committed. */
	expect(pages_commit(chunk + 6 * page, 2 * page));
	expect(is_zero(chunk + 6 * page, 2 * page));
	expect_trap_only(chunk + 2 * page, 4 * page);
	expect_trap_only(chunk + 8 * page, 7 * page);
}

/* Ranges up to an extent's end, and from the next one's beginning, are separate. */
static void next_to_extents(void)
{
	char *chunks = adjoining_chunks(4);
	size_t page = page_size(), from = MIB - 3 * page;

	fill(chunks, 4 * MIB, 8);
	pages_decommit(chunks + from, 3 * page);
	expect_trap_only(chunks + from, 3 * page);
	pages_decommit(chunks + 2 * MIB, MIB);
	pages_decommit(chunks + MIB, MIB);
	expect_trap_only(chunks + from, 2 * MIB + 3 * page);
	expect_equal(stats_now().decommitted_bytes, 2 * MIB + 3 * page);
	expect(pages_commit(chunks + MIB, MIB));
	expect(is_zero(chunks + MIB, MIB));
	expect_trap(chunks + MIB - 1);
	expect_trap(chunks + 2 * MIB);
	expect(is_filled(chunks, from, 8));
	expect(is_filled(chunks + 3 * MIB, MIB, 8 + 3 * MIB));
	expect_equal(stats_now().decommitted_bytes, MIB + 3 * page);
}

static void after_dealloc(size_t limit)
{
	char *chunks = adjoining_chunks(3), *middle = chunks + MIB;

	fill(chunks, 3 * MIB, 4);
	chunk_set_recycle_limit(limit);
	dealloc_mib(middle, 1);
	expect_trap_only(middle, MIB);
	for (size_t at = 0; at < MIB; at += page_size())
		expect(read_traps(middle + at));
	expect_equal(resident_bytes(middle, MIB), 0);
	expect(is_filled(chunks, MIB, 4));
	expect(is_filled(chunks + 2 * MIB, MIB, 4 + 2 * MIB));
}

static void traps_when_recycled(void)
{
	after_dealloc(128 * MIB);
	expect_equal(chunk_recycled_bytes(), MIB);
}

static void traps_when_released(void)
{
	after_dealloc(0);
	expect_equal(chunk_recycled_bytes(), 0);
}

static void traps_when_trimmed(void)
{
	char *chunk;

	chunk_set_recycle_limit(2 * MIB);
	chunk = alloc_mib(5);
	fill(chunk, 5 * MIB, 4);
	dealloc_mib(chunk, 5);
	for (size_t at = 0; at < 5 * MIB; at += MIB / 4)
		expect_trap(chunk + at);
	expect_equal(resident_bytes(chunk, 5 * MIB), 0);
}

static void purge_frees(void)
{
	char *chunk = alloc_mib(MIBS);
	bool frees = false;

	for (int force = 0; force <= 1; force++) {
		bool zero;

		fill(chunk, MIBS * MIB, 6);
		zero = pages_purge(chunk + MIB, MIB, force);
		expect(zero || !force);
		/*
		 * Memory that reads as zero was freed, unless it was written to
		 * be zero.
		 */
		frees |= zero && !force;
		if (frees)
			expect_equal(resident_bytes(chunk + MIB, MIB), 0);
		if (zero)
			expect(is_zero(chunk + MIB, MIB));
		expect(is_filled(chunk, MIB, 6));
		expect(is_filled(chunk + 2 * MIB, MIB, 6 + 2 * MIB));
		/* The memory has stayed committed. */
		expect_equal(stats_now().decommitted_bytes, 0);
		fill(chunk + MIB, MIB, 7);
		expect(is_filled(chunk + MIB, MIB, 7));
	}
}

static void purge_one_page(void)
{
	char *chunk = alloc_mib(1);
	size_t page = page_size();

	fill(chunk, MIB, 6);
	expect(pages_purge(chunk + page, page, true));
	expect(is_zero(chunk + page, page));
	expect(is_filled(chunk, page, 6));
	expect(is_filled(chunk + 2 * page, MIB - 2 * page, 6 + 2 * page));
}

#define PAGES	64

/**
 * struct model - state of each page
 * @committed: the page is committed
 * @seed:      seed of its pattern, or 0: it is zero
 */
struct model {
	bool committed[PAGES];
	uint64_t seed[PAGES];
};

static void apply(struct model *model, char *chunk, uint64_t *random)
{
	size_t from = random_below(random, PAGES), page = page_size();
	size_t count = 1 + random_below(random, PAGES - from);
	size_t what = random_below(random, 3);

	if (what == 0)
		pages_decommit(chunk + from * page, count * page);
	else if (what == 1)
		expect(pages_commit(chunk + from * page, count * page));
	for (size_t i = from; i < from + count; i++) {
		if (what == 0) {
			model->committed[i] = false;
			model->seed[i] = 0;
		} else if (what == 1) {
			model->committed[i] = true;
		} else if (model->committed[i]) {
			model->seed[i] = random_next(random) | 1;
			fill(chunk + i * page, page, model->seed[i]);
		}
	}
}

static void check_model(const struct model *model, char *chunk)
{
	size_t page = page_size(), decommitted = 0;

	for (size_t i = 0; i < PAGES; i++) {
		char *p = chunk + i * page;

		if (!model->committed[i]) {
			decommitted += page;
			expect(read_traps(p));
			expect(write_traps(p + page - 1));
		} else if (model->seed[i]) {
			expect(is_filled(p, page, model->seed[i]));
		} else {
			expect(is_zero(p, page));
		}
	}
	expect_equal(stats_now().decommitted_bytes, decommitted);
}

static void random_ranges(void)
{
	size_t size = (PAGES * page_size() + MIB - 1) / MIB * MIB;
	char *chunk = chunk_alloc(size, MIB, false);
	struct model model = { 0 };
	uint64_t random = random_seed();

	expect(chunk);
	for (size_t i = 0; i < PAGES; i++)
		model.committed[i] = true;
	for (size_t i = 0; i < 300; i++) {
		apply(&model, chunk, &random);
		check_model(&model, chunk);
	}
}

static void *probe(void *page)
{
	return read_traps(page) && write_traps(page) ? page : NULL;
}

static void traps_in_threads(void)
{
	char *chunk = alloc_mib(1);
	pthread_t thread;
	void *result;

	fill(chunk, MIB, 1);
	pages_decommit(chunk, page_size());
	expect(pthread_create(&thread, NULL, probe, chunk) == 0);
	expect(pthread_join(thread, &result) == 0);
	expect(result == chunk);
}

/* Decommitting memory that was never touched costs nothing, however much it is. */
static void large_untouched(void)
{
	size_t size = sizeof(void *) == 8 ? GIB : 256 * MIB, before;
	char *chunk = chunk_alloc(size, MIB, false);

	expect(chunk);
	chunk[0] = 1;
	before = status_bytes("VmPTE");
	if (!before)
		tap_skip("this system does not say how large page tables are");
	pages_decommit(chunk, size);
	expect(status_bytes("VmPTE") <= before + (64 << 10));
	expect_trap(chunk);
	expect_trap(chunk + size / 2);
	expect_trap(chunk + size - 1);
	expect(pages_commit(chunk, size));
	expect(status_bytes("VmPTE") <= before + (64 << 10));
	expect(chunk[0] == 0 && chunk[size - 1] == 0);
}

/* Decommit all of an extent at once and then parts of it, or the other way round. */
static void all_and_parts(void)
{
	size_t page = page_size();
	char *chunk = alloc_mib(100), *next;

	for (unsigned int i = 0; i < 3; i++) {
		fill(chunk + 70 * MIB, MIB, i);
		pages_decommit(chunk + 70 * MIB + i * page, page);
		pages_decommit(chunk, 100 * MIB);
		pages_decommit(chunk + 99 * MIB, MIB);
		expect_equal(stats_now().decommitted_bytes, 100 * MIB);
		expect(pages_commit(chunk + 70 * MIB + page, page));
		expect_equal(stats_now().decommitted_bytes, 100 * MIB - page);
		expect(is_zero(chunk + 70 * MIB + page, page));
		expect_trap(chunk + 70 * MIB);
		expect_trap(chunk + 71 * MIB);
		pages_decommit(chunk, 100 * MIB);
		expect_equal(stats_now().decommitted_bytes, 100 * MIB);
		expect(pages_commit(chunk, 100 * MIB));
		expect_equal(stats_now().decommitted_bytes, 0);
		expect(is_zero(chunk + 70 * MIB, MIB));
	}
	pages_decommit(chunk, 100 * MIB);
	dealloc_mib(chunk, 100);
	expect_equal(stats_now().decommitted_bytes, 0);
	next = alloc_mib(50);
	expect(is_zero(next, 50 * MIB));
	expect_equal(stats_now().decommitted_bytes, 0);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "all of an extent is decommitted, and parts of it", all_and_parts },
	{ "a large range that was never touched", large_untouched },
	{ "decommitted ranges trap, their surroundings are kept",
	  ranges_trap },
	{ "a whole chunk between live ones", whole_chunk },
	{ "untouched memory traps as well", untouched },
	{ "committing keeps the contents of committed pages",
	  commit_keeps_contents },
	{ "decommitting decommitted pages", decommit_repeats },
	{ "ranges at the ends of extents that adjoin", next_to_extents },
	{ "a deallocated chunk traps when it was recycled",
	  traps_when_recycled },
	{ "a deallocated chunk traps when it was released",
	  traps_when_released },
	{ "a deallocated chunk traps when it was trimmed",
	  traps_when_trimmed },
	{ "purging frees memory, which stays committed", purge_frees },
	{ "purging one page", purge_one_page },
	{ "random ranges behave as a model says", random_ranges },
	{ "decommitted memory traps in other threads", traps_in_threads },
};

const struct tap_suite tap_suite = {
	.about = "Tests pages_decommit, pages_commit and pages_purge",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
