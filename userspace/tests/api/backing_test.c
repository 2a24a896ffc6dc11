// SPDX-License-Identifier: MIT
/* Huge pages, and the guarantees that hold with them */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/wait.h>

#include "common.h"
#include "smaps.h"

/* Status of a child without the huge backing */
#define NO_BACKING	77
#define TRAPPED		78

static void configure_huge(void)
{
	if (chunk_configure(HUGE_BACKING, 0))
		return;
	expect_equal(errno, EOPNOTSUPP);
	tap_skip("the device has no huge backing on this kernel");
}

/* A chunk of some_huge_pages(), or skips the case. */
static char *written_huge_pages(void)
{
	size_t size = some_huge_pages();
	char *chunk;

	configure_huge();
	chunk = chunk_alloc(size, huge_page_size(), false);
	fill(chunk, size, 1);
	return chunk;
}

static void huge_pages(void)
{
	char *chunk = written_huge_pages();
	size_t size = some_huge_pages();

	expect(mapping_figure(chunk, "AnonHugePages") >= size);
	expect(is_filled(chunk, size, 1));
}

/* Emulators of programs keep advice to themselves. */
static bool advice_is_passed_on(void)
{
	char *memory = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	bool passed;

	expect(memory != MAP_FAILED);
	expect(madvise(memory, 2 * MIB, MADV_HUGEPAGE) == 0);
	passed = mapping_wants_huge(memory);
	expect(munmap(memory, 2 * MIB) == 0);
	return passed;
}

/* Without the device libchunk asks for huge pages, also where it maps anew. */
static void huge_pages_asked_for(void)
{
	char *chunk;

	if (on_device() || plain_posix() ||
	    access("/sys/kernel/mm/transparent_hugepage/enabled", F_OK))
		tap_skip("it is not for libchunk to ask for huge pages");
	if (!advice_is_passed_on())
		tap_skip("this system does not do what madvise says");
	configure_huge();
	chunk = alloc_mib(8);
	expect(mapping_wants_huge(chunk) && mapping_wants_huge(chunk + 7 * MIB));
	pages_decommit(chunk, 4 * MIB);
	expect(pages_commit(chunk, 4 * MIB));
	expect(mapping_wants_huge(chunk) && mapping_wants_huge(chunk + 4 * MIB));
	dealloc_mib(chunk, 8);
	expect(alloc_mib(8) == (void *)chunk);
	expect(mapping_wants_huge(chunk) && mapping_wants_huge(chunk + 7 * MIB));
}

static void not_asked_for(void)
{
	expect(!mapping_wants_huge(alloc_mib(8)));
}

static void huge_after_reuse(void)
{
	char *chunk = written_huge_pages();
	size_t size = some_huge_pages();

	dealloc_mib(chunk, size / MIB);
	expect_equal(resident_bytes(chunk, size), 0);
	expect_equal((uintptr_t)chunk_alloc(size, huge_page_size(), false),
		     (uintptr_t)chunk);
	expect(is_zero(chunk, size));
	fill(chunk, size, 2);
	expect(is_filled(chunk, size, 2));
}

static void zero_when_recycled(void)
{
	char *chunk;

	configure_huge();
	for (size_t i = 0; i < 16; i++) {
		chunk = alloc_mib(4);
		expect(is_zero(chunk, 4 * MIB));
		fill(chunk, 4 * MIB, i);
		pages_decommit(chunk + i * page_size(), MIB);
		dealloc_mib(chunk, 4);
	}
	expect(stats_now().allocs_recycled >= 15);
}

static void zero_when_recommitted(void)
{
	size_t page = page_size();
	char *chunk;

	configure_huge();
	chunk = alloc_mib(4);
	fill(chunk, 4 * MIB, 1);
	pages_decommit(chunk + page, page);
	pages_decommit(chunk + 2 * MIB, 2 * MIB);
	expect(pages_commit(chunk, 4 * MIB));
	expect(!is_zero(chunk, page));
	expect(is_zero(chunk + page, page));
	expect(!is_zero(chunk + 2 * page, page));
	expect(is_zero(chunk + 2 * MIB, 2 * MIB));
	fill(chunk, 4 * MIB, 2);
	expect(is_filled(chunk, 4 * MIB, 2));
}

static void memory_is_freed(void)
{
	char *chunk;

	configure_huge();
	chunk = chunk_alloc(2 * MIB, 2 * MIB, false);
	fill(chunk, 2 * MIB, 1);
	expect_resident(chunk, 2 * MIB, 2 * MIB);
	pages_decommit(chunk, 2 * MIB);
	expect_equal(resident_bytes(chunk, 2 * MIB), 0);
}

static void configure_and_touch(void *arg)
{
	char *chunk;

	(void)arg;
	if (!chunk_configure(HUGE_BACKING, 0))
		_exit(NO_BACKING);
	chunk = alloc_mib(1);
	fill(chunk, MIB, 1);
	pages_decommit(chunk, MIB);
	_exit(store_traps(chunk, 1) ? TRAPPED : 0);
}

/*
 * Decommitted pages trap unless the device alone backs them, and then a line of
 * libchunk has said that they do not. The notes tell which was the case.
 */
static void traps_or_says(void)
{
	struct tap_outcome outcome;
	bool said;

	tap_child(&outcome, configure_and_touch, NULL);
	expect(WIFEXITED(outcome.status));
	if (WEXITSTATUS(outcome.status) == NO_BACKING)
		tap_skip("the device has no huge backing on this kernel");
	said = strstr(outcome.text, "do not trap");
	tap_note("%s", said ? outcome.text : "decommitted pages trap");
	expect_equal(outcome.lines, said ? 1 : 0);
	expect(!said || on_device());
	expect_equal(WEXITSTATUS(outcome.status), said ? 0 : TRAPPED);
}

static void last_word_counts(void)
{
	char *chunk;

	configure_huge();
	expect(chunk_configure(GUARDED_BACKING, 0));
	chunk = alloc_mib(1);
	pages_decommit(chunk, MIB);
	expect_trap(chunk);
}

static void in_child(void *arg)
{
	size_t page = page_size();
	char *chunk = arg, *mine;

	expect(is_filled(chunk, page, 1));
	pages_decommit(chunk, page);
	expect(pages_commit(chunk, 2 * page));
	expect(is_zero(chunk, 2 * page));
	dealloc_mib(chunk, 4);
	mine = alloc_mib(4);
	expect(is_zero(mine, 4 * MIB));
	fill(mine, 4 * MIB, 2);
	dealloc_mib(mine, 4);
}

static void inherited(void)
{
	struct tap_outcome outcome;
	size_t page = page_size();
	char *chunk;

	configure_huge();
	chunk = alloc_mib(4);
	fill(chunk, 4 * MIB, 1);
	pages_decommit(chunk + page, page);
	tap_child(&outcome, in_child, chunk);
	tap_note("%s", outcome.text);
	expect_equal(outcome.status, 0);
	expect(is_filled(chunk, page, 1));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "huge pages, to be seen in smaps", huge_pages },
	{ "huge pages are asked for", huge_pages_asked_for },
	{ "huge pages are not asked for without the huge backing",
	  not_asked_for },
	{ "huge pages are freed for reuse, and read as zero then",
	  huge_after_reuse },
	{ "zero when recycled", zero_when_recycled },
	{ "zero when recommitted", zero_when_recommitted },
	{ "decommit frees memory", memory_is_freed },
	{ "decommitted pages trap, or a line says that they do not",
	  traps_or_says },
	{ "the last chunk_configure() counts", last_word_counts },
	{ "a child uses inherited memory of the huge backing", inherited },
};

const struct tap_suite tap_suite = {
	.about = "Tests what backs the memory of chunks",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
