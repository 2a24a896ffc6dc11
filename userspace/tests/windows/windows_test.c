// SPDX-License-Identifier: MIT
/*
 * Features of Windows only: mappings are released as a whole, single chunks are
 * recycled, addresses come in steps of 64 KiB, and there are the last-error value
 * and exception handlers.
 */
#include <windows.h>

#include <errno.h>
#include <string.h>

#include "common.h"

#define ERROR_OURS	4711

static size_t granularity(void)
{
	SYSTEM_INFO info;

	GetSystemInfo(&info);
	return info.dwAllocationGranularity;
}

static DWORD state_of(const void *addr)
{
	MEMORY_BASIC_INFORMATION info;

	expect(VirtualQuery(addr, &info, sizeof(info)) == sizeof(info));
	return info.State;
}

/* Return the address of free address space of this size. */
static char *free_place(size_t size)
{
	char *place;

	/* Otherwise libchunk's first mappings might go there. */
	chunks_init();
	place = foreign_mapping(size);
	expect(VirtualFree(place, 0, MEM_RELEASE));
	return place;
}

static void singles_are_recycled(void)
{
	char *row = adjoining_chunks(4);

	for (size_t i = 4; i--;)
		dealloc_mib(row + i * MIB, 1);
	expect_equal(chunk_recycled_bytes(), 4 * MIB);
	expect_equal(state_of(row), MEM_RESERVE);
	/* The lowest chunk is reused first, each by itself. */
	for (size_t i = 0; i < 4; i++)
		expect_equal((uintptr_t)alloc_mib(1), (uintptr_t)row + i * MIB);
	expect_equal(stats_now().allocs_recycled, 4);
	expect_stats_consistent();
}

static void others_are_released(void)
{
	struct chunk_stats before = stats_now();
	char *chunk = alloc_mib(3);

	fill(chunk, 3 * MIB, 1);
	dealloc_mib(chunk, 3);
	expect_equal(chunk_recycled_bytes(), 0);
	for (size_t at = 0; at < 3 * MIB; at += MIB / 2)
		expect_equal(state_of(chunk + at), MEM_FREE);
	expect_equal(stats_now().mapped_bytes - stats_now().base_bytes,
		     before.mapped_bytes - before.base_bytes);
}

static void neighbours_stay_apart(void)
{
	char *row = adjoining_chunks(2), *chunk;

	dealloc_mib(row, 1);
	dealloc_mib(row + MIB, 1);
	chunk = alloc_mib(2);
	expect(chunk + 2 * MIB <= row || row + 2 * MIB <= chunk);
	/* Each can be released by itself. */
	chunk_set_recycle_limit(MIB);
	expect_equal(chunk_recycled_bytes(), MIB);
	expect((state_of(row) == MEM_FREE) != (state_of(row + MIB) == MEM_FREE));
	chunk_set_recycle_limit(0);
	expect_equal(state_of(row), MEM_FREE);
	expect_equal(state_of(row + MIB), MEM_FREE);
	expect_stats_consistent();
}

static void on_demand(void)
{
	size_t size = 4 * granularity();
	char *place = free_place(size);

	expect(pages_map(place, size) == place);
	expect(is_zero(place, size));
	fill(place, size, 1);
	errno = 0;
	expect(!pages_map(place, size) && errno == EEXIST);
	expect(!pages_map(place + size / 2, size));
	expect(!pages_map(place + size / 2, page_size()));
	expect(is_filled(place, size, 1));
	pages_unmap(place, size);
	expect_equal(state_of(place), MEM_FREE);
	expect(pages_map(place + size / 2, size / 2) == place + size / 2);
	expect_equal(state_of(place), MEM_FREE);
}

/* The system would round the address down. */
static void between_steps(void)
{
	size_t page = page_size(), size = 2 * granularity();
	char *place = free_place(size);

	errno = 0;
	expect(!pages_map(place + page, page) && errno == ENOMEM);
	expect_equal(state_of(place), MEM_FREE);
	expect_equal(state_of(place + granularity()), MEM_FREE);
}

static void unmap_a_part(void *arg)
{
	size_t page = page_size();
	char *mapped = pages_map(NULL, 9 * page);

	(void)arg;
	expect(mapped);
	fill(mapped, 9 * page, 3);
	pages_unmap(mapped + 3 * page, 3 * page);
	/* Only the memory is freed. */
	expect_trap_only(mapped + 3 * page, 3 * page);
	expect(is_filled(mapped, 3 * page, 3));
	expect(is_filled(mapped + 6 * page, 3 * page, 3 + 6 * page));
	pages_unmap(mapped, 9 * page);
	expect_equal(state_of(mapped), MEM_FREE);
}

static void parts_are_reported(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, unmap_a_part, NULL);
	tap_note("stderr: %s", outcome.text);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "pages_unmap"));
}

static void foreign_is_kept(void *arg)
{
	char *foreign = foreign_mapping(2 * MIB);

	(void)arg;
	fill(foreign, 2 * MIB, 3);
	/* One range is larger than the mapping, one begins in its middle. */
	pages_unmap(foreign, 64 * MIB);
	expect_equal(state_of(foreign), MEM_RESERVE);
	pages_unmap(foreign + MIB, MIB);
	expect_equal(state_of(foreign + MIB), MEM_RESERVE);
}

static void sizes_must_match(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, foreign_is_kept, NULL);
	expect_equal(outcome.status, 0);
	/* Only the first failure is reported. */
	expect_equal(outcome.lines, 1);
}

static void several_at_once(void)
{
	size_t size = granularity();
	char *place = free_place(2 * size);

	expect(pages_map(place, size) == place);
	expect(pages_map(place + size, size) == place + size);
	pages_unmap(place, 2 * size);
	expect_equal(state_of(place), MEM_FREE);
	expect_equal(state_of(place + size), MEM_FREE);
}

static void expect_ours(void)
{
	expect_equal(GetLastError(), ERROR_OURS);
}

static void last_error_is_kept(void)
{
	char *chunk, *mapped;

	SetLastError(ERROR_OURS);
	chunks_init();
	expect_ours();
	for (size_t i = 0; i < 32; i++) {
		chunk = chunk_alloc((1 + i % 3) * MIB, 8 * MIB, false);
		expect(chunk);
		expect_ours();
		pages_decommit(chunk, MIB);
		expect(pages_commit(chunk, MIB));
		pages_purge(chunk, MIB, i % 2);
		expect_ours();
		if (i % 2)
			dealloc_mib(chunk, 1 + i % 3);
		expect_ours();
	}
	mapped = pages_map(NULL, MIB);
	expect(!pages_map(mapped, MIB));
	expect(!pages_map(mapped + page_size(), MIB));
	pages_unmap(mapped, MIB);
	chunk_set_recycle_limit(0);
	expect(chunk_backend());
	expect_ours();
}

/* Purged memory stays committed. */
static void purged_is_committed(void)
{
	char *chunk = alloc_mib(2);

	fill(chunk, 2 * MIB, 1);
	pages_purge(chunk, MIB, false);
	expect_equal(state_of(chunk), MEM_COMMIT);
	expect(is_filled(chunk + MIB, MIB, 1 + MIB));
	fill(chunk, MIB, 2);
	expect(is_filled(chunk, MIB, 2));
}

static void ask_for_huge(void *arg)
{
	(void)arg;
	tap_setenv("CHUNK_OPTIONS", "backing:huge");
	expect(alloc_mib(1));
}

static void no_huge_pages(void)
{
	struct tap_outcome outcome;

	tap_child(&outcome, ask_for_huge, NULL);
	tap_note("stderr: %s", outcome.text);
	expect_equal(outcome.status, 0);
	expect_equal(outcome.lines, 1);
	expect(strstr(outcome.text, "backing:huge"));
	errno = 0;
	expect(!chunk_configure(HUGE_BACKING, 0));
	expect_equal(errno, EOPNOTSUPP);
}

static char *handled;
static bool answers[3];

static LONG WINAPI on_exception(struct _EXCEPTION_POINTERS *exception)
{
	EXCEPTION_RECORD *record = exception->ExceptionRecord;
	char *addr = (char *)record->ExceptionInformation[1];

	if (record->ExceptionCode != EXCEPTION_ACCESS_VIOLATION)
		return EXCEPTION_CONTINUE_SEARCH;
	answers[0] = chunk_is_live(addr);
	answers[1] = chunk_is_live(handled + MIB);
	answers[2] = addr == handled;
	if (!pages_commit(handled, page_size()))
		return EXCEPTION_CONTINUE_SEARCH;
	return EXCEPTION_CONTINUE_EXECUTION;
}

/* A crash handler looks up the address that crashed. */
static void from_an_exception_handler(void)
{
	handled = alloc_mib(1);
	pages_decommit(handled, page_size());
	expect(AddVectoredExceptionHandler(1, on_exception));
	__atomic_store_n(handled, 3, __ATOMIC_SEQ_CST);
	expect_equal(*handled, 3);
	expect(answers[0] && !answers[1] && answers[2]);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "single chunks are recycled, the lowest first",
	  singles_are_recycled },
	{ "larger extents are released", others_are_released },
	{ "neighbours stay apart", neighbours_stay_apart },
	{ "pages_map exactly where demanded, or not at all", on_demand },
	{ "pages_map between the steps of addresses", between_steps },
	{ "unmapping a part is reported, and frees it", parts_are_reported },
	{ "unmapping more than a mapping releases nothing", sizes_must_match },
	{ "unmapping several mappings at once", several_at_once },
	{ "the last-error value is kept", last_error_is_kept },
	{ "purged memory stays committed", purged_is_committed },
	{ "huge pages are refused, or a line says so", no_huge_pages },
	{ "an exception handler asks, and repairs the access",
	  from_an_exception_handler },
};

const struct tap_suite tap_suite = {
	.about = "Tests what is different on Windows",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
