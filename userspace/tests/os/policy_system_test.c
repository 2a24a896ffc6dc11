// SPDX-License-Identifier: MIT
/*
 * Policy on systems unlike this one: they cannot populate, do not fork, return
 * errors of their own, or have their limits changed in the middle of a call.
 */
#include <errno.h>
#include <string.h>

#include "common.h"
#include "fake_os.h"
#include "fake_work.h"

/* Where the system cannot populate, libchunk touches pages; contents stay. */
static void populates_by_hand(void)
{
	char *chunk = chunk_alloc_populated(2 * MIB, MIB);

	expect(chunk);
	expect_blank(chunk, 2 * MIB);
	expect_resident(chunk, 2 * MIB, 2 * MIB);
	scribble(chunk, 2 * MIB);
	pages_decommit(chunk, MIB);
	expect(pages_populate(chunk, 2 * MIB));
	expect_resident(chunk, 2 * MIB, 2 * MIB);
	expect_blank(chunk, MIB);
	expect_equal(chunk[MIB], 1);
	expect_equal(chunk[2 * MIB - 1], 1);
}

static void cannot_populate(void)
{
	fake.page = page_size();
	populates_by_hand();
	expect_equal(fake.populates, 2);
	expect_none_lost();
}

static void no_memory_to_populate(void)
{
	char *chunk = alloc_mib(2);
	struct chunk_stats before;

	scribble(chunk, 2 * MIB);
	before = stats_now();
	fake.populate_error = -ENOMEM;
	errno = 0;
	expect(!chunk_alloc_populated(4 * MIB, MIB));
	expect_equal(errno, ENOMEM);
	expect_equal(stats_now().live_bytes, before.live_bytes);
	errno = 0;
	expect(!pages_populate(chunk, 2 * MIB));
	expect_equal(errno, ENOMEM);
	expect_equal(chunk[0], 1);
	expect_none_lost();
	fake.populate_error = 0;
	expect(chunk_alloc_populated(4 * MIB, MIB));
	expect(pages_populate(chunk, 2 * MIB));
	expect_none_lost();
}

static void no_processes(void)
{
	fake.no_forks = true;
	work(400);
	work_off();
}

/* A message gives the number of an error that has no name. */
static void unnamed_error(void)
{
	char *page = pages_map(NULL, fake.page);

	expect(page);
	fake.unmap_error = -3999;
	fake.fail_from[FAKE_UNMAP] = 1;
	errno = EXDEV;
	pages_unmap(page, fake.page);
	expect_equal(errno, EXDEV);
	tap_note("%s", fake.message);
	expect(strstr(fake.message, "pages_unmap") &&
	       strstr(fake.message, "3999"));
}

/* A failure in a batch affects its element only, which says so. */
static void commits_fail_in_a_batch(void)
{
	struct chunk_op ops[3];
	char *chunk = alloc_mib(3);

	scribble(chunk, 3 * MIB);
	for (size_t i = 0; i < TAP_COUNT(ops); i++)
		ops[i] = (struct chunk_op) {
			.addr = chunk + i * MIB, .size = MIB, .error = EXDEV,
		};
	pages_decommit_batch(ops, TAP_COUNT(ops));
	fake.fail_at[FAKE_COMMIT] = fake.calls[FAKE_COMMIT] + 2;
	errno = 0;
	expect_equal(pages_commit_batch(ops, TAP_COUNT(ops)), 2);
	expect_equal(errno, ENOMEM);
	expect_equal(ops[0].error, 0);
	expect_equal(ops[1].error, ENOMEM);
	expect_equal(ops[2].error, 0);
	expect_blank(chunk, MIB);
	expect_blank(chunk + 2 * MIB, MIB);
	expect_equal(pages_commit_batch(ops, TAP_COUNT(ops)), 3);
	expect_blank(chunk, 3 * MIB);
}

static void lower_limit(enum fake_call call, void *addr, size_t size)
{
	(void)addr;
	(void)size;
	if (call != FAKE_COMMIT)
		return;
	fake.before = NULL;
	chunk_set_recycle_limit(MIB);
}

/* An extent can be neither committed for reuse nor kept any longer. */
static void no_room_to_put_back(void)
{
	char *chunk = alloc_mib(4);

	dealloc_mib(chunk, 4);
	fake.before = lower_limit;
	fake.fail_at[FAKE_COMMIT] = fake.calls[FAKE_COMMIT] + 1;
	expect(chunk_alloc(4 * MIB, MIB, false));
	expect(!fake.before);
	expect_equal(chunk_recycled_bytes(), 0);
	expect_none_lost();
	/* No room below the limit stays reserved. */
	dealloc_mib(alloc_mib(1), 1);
	expect_equal(chunk_recycled_bytes(), MIB);
}

static const struct tap_case cases[] = {
	{ "a system that cannot populate", cannot_populate },
	{ "no memory to populate", no_memory_to_populate },
	{ "a system without forks", no_processes },
	{ "an error without a name", unnamed_error },
	{ "commits that fail in a batch", commits_fail_in_a_batch },
	{ "reuse fails, and the limit was lowered meanwhile",
	  no_room_to_put_back },
};

const struct tap_suite tap_suite = {
	.about = "Tests policy on systems that are unlike this one",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
