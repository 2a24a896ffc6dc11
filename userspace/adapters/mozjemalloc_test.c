// SPDX-License-Identifier: MIT
/* The table, used as an arena of mozjemalloc's uses it. */
#include <errno.h>
#include <sys/resource.h>

#include <chunk_mozjemalloc.h>

#include "common.h"

static const struct chunk_mozjemalloc *const table = &chunk_mozjemalloc;

static char *map(size_t size, size_t alignment)
{
	char *p = table->map(size, alignment);

	expect(p);
	expect_equal((uintptr_t)p % alignment, 0);
	expect(is_zero(p, size));
	return p;
}

static void maps(void)
{
	for (size_t alignment = MIB; alignment <= 16 * MIB; alignment *= 2) {
		char *p;

		errno = E2BIG;
		p = map(3 * MIB, alignment);
		expect_equal(errno, E2BIG);
		fill(p, 3 * MIB, alignment);
		expect(chunk_is_live(p) && chunk_is_live(p + 3 * MIB - 1));
		table->unmap(p, 3 * MIB);
		expect(!chunk_is_live(p));
		expect_trap(p);
	}
}

/* As an arena makes a chunk: guards, and runs that are committed as needed. */
static void arena_chunk(void)
{
	size_t page = page_size();
	char *p = map(MIB, MIB);

	fill(p, MIB, 1);
	table->decommit(p + page, page);
	table->decommit(p + MIB - page, page);
	expect_trap(p + page);
	expect_trap(p + MIB - page);
	expect(table->commit(p + page, page));
	expect(is_zero(p + page, page));
	expect_trap(p + MIB - page);
	table->unmap(p, MIB);
}

static void reuse(void)
{
	char *p = map(2 * MIB, MIB);

	fill(p, 2 * MIB, 2);
	table->unmap(p, 2 * MIB);
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	expect(map(2 * MIB, MIB) == p);
	expect_equal(stats_now().allocs_recycled, 1);
}

static void out_of_memory(void)
{
	struct rlimit limit = { 0, RLIM_INFINITY };
	char *p = map(MIB, MIB);

	need_limit(RLIMIT_AS);
	expect(!setrlimit(RLIMIT_AS, &limit));
	expect(!table->map(4 * GIB, MIB));
	expect(chunk_is_live(p));
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "map: aligned and zero; unmap: traps", maps },
	{ "a chunk of an arena: guards, commit, decommit", arena_chunk },
	{ "what was unmapped is reused", reuse },
	{ "out of memory", out_of_memory },
};

const struct tap_suite tap_suite = {
	"mozjemalloc's table on libchunk", cases, TAP_COUNT(cases)
};
