// SPDX-License-Identifier: MIT
/*
 * Policy when there is no memory for its own bookkeeping, after each amount of
 * it: what cannot be noted is not done, or not counted, and nothing is lost.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "chunk_radix.h"
#include "chunk_tree.h"
#include "common.h"
#include "fake_memory.h"
#include "fake_os.h"
#include "fake_work.h"

/* More bytes than any one call needs */
#define MOST	(100 * 64)

/* Run a function in children, each with more memory for bookkeeping. */
static void with_ever_more(void (*run)(size_t bytes))
{
	for (size_t bytes = 0; bytes <= MOST; bytes += 64) {
		pid_t child = tap_fork();

		if (child) {
			tap_join(child);
			continue;
		}
		run(bytes);
		_exit(0);
	}
}

static void may_map_again(void)
{
	memset(fake.fail_from, 0, sizeof(fake.fail_from));
}

/* The extent has its node, but the registry may lack one. */
static void register_with(size_t bytes)
{
	char *chunk;

	chunk_set_recycle_limit(0);
	dealloc_mib(alloc_mib(1), 1);
	leave_nodes(1, bytes);
	/* A chunk far from the others makes the registry grow. */
	fake.bottom_up = true;
	fake.fail_from[FAKE_MAP] = fake.calls[FAKE_MAP] + 2;
	chunk = chunk_alloc(100 * MIB, MIB, false);
	expect(chunk || errno == ENOMEM);
	expect(chunk || bytes < MOST);
	expect_equal(stats_now().live_bytes - stats_now().base_bytes,
		     chunk ? 100 * MIB : 0);
	expect_none_lost();
	may_map_again();
	if (chunk) {
		expect(chunk_is_live(chunk + 100 * MIB - 1));
		dealloc_mib(chunk, 100);
	}
	expect(chunk_alloc(100 * MIB, MIB, false));
	expect_none_lost();
}

static void no_memory_to_register(void)
{
	with_ever_more(register_with);
}

/* An extent that was registered as a whole is cut, and a part registered. */
static void recycle_with(size_t bytes)
{
	char *chunk = chunk_alloc(64 * MIB, 64 * MIB, false), *part;

	expect(chunk);
	scribble(chunk, 64 * MIB);
	dealloc_mib(chunk, 64);
	leave_nodes(3, bytes);
	part = chunk_alloc(MIB, MIB, false);
	expect(part || bytes < MOST);
	expect(!part || (part >= chunk && part < chunk + 64 * MIB));
	expect_equal(chunk_recycled_bytes(), (part ? 63 : 64) * MIB);
	expect_none_lost();
	may_map_again();
	if (part)
		dealloc_mib(part, 1);
	expect(chunk_alloc(64 * MIB, 64 * MIB, false) == chunk);
	expect_blank(chunk, 64 * MIB);
	expect_none_lost();
}

static void no_memory_to_register_recycled(void)
{
	with_ever_more(recycle_with);
}

/* Decommitted pages trap, whether or not they can be counted. */
static void decommit_with(size_t bytes)
{
	char *chunk = alloc_mib(8), *part = chunk + MIB;

	scribble(chunk, 8 * MIB);
	leave_bytes(bytes);
	pages_decommit(part, 6 * MIB);
	expect_trap_only(part, 6 * MIB);
	expect(stats_now().decommitted_bytes <= 6 * MIB);
	expect(bytes < MOST || stats_now().decommitted_bytes == 6 * MIB);
	expect(bytes || !stats_now().decommitted_bytes);
	expect(pages_commit(chunk, 8 * MIB));
	expect_equal(stats_now().decommitted_bytes, 0);
	expect_blank(part, 6 * MIB);
	may_map_again();
	pages_decommit(part, 6 * MIB);
	expect_equal(stats_now().decommitted_bytes, 6 * MIB);
	dealloc_mib(chunk, 8);
	expect_none_lost();
}

static void no_memory_to_count(void)
{
	with_ever_more(decommit_with);
}

/* Where mappings cannot be cut, an extent beyond the limit is dropped whole. */
static void no_node_to_evict(void)
{
	char *chunk = alloc_mib(8);

	dealloc_mib(chunk, 8);
	leave_nodes(0, 0);
	chunk_set_recycle_limit(3 * MIB);
	expect_equal(chunk_recycled_bytes(), 0);
	expect_none_lost();
	may_map_again();
	dealloc_mib(alloc_mib(8), 8);
	expect_equal(chunk_recycled_bytes(), 3 * MIB);
	chunk_set_recycle_limit(2 * MIB);
	expect_equal(chunk_recycled_bytes(), 2 * MIB);
	expect_none_lost();
}

#define ONES	100

static struct chunk_extent ones[ONES];

/* Addresses that adjoin, then leap from node to node and back, all below 4 GiB */
static void make_ones(struct chunk_extent **pointers)
{
	uintptr_t chunk = 1500;

	for (unsigned int i = 0; i < ONES; i++) {
		ones[i] = (struct chunk_extent) { .addr = chunk * MIB,
						  .size = MIB };
		pointers[i] = &ones[i];
		chunk += i < 40 ? 1 : 1UL << i % 9;
		if (i == 80)
			chunk = 5;
	}
}

static void register_ones_with(size_t bytes)
{
	struct chunk_extent *pointers[ONES];
	struct chunk_radix radix;
	unsigned int done;

	make_ones(pointers);
	chunk_radix_init(&radix);
	leave_bytes(bytes);
	done = chunk_radix_store_ones(&radix, pointers, ONES, 0);
	expect(bytes || !done);
	expect(done <= ONES);
	for (unsigned int i = 0; i < ONES; i++)
		expect(chunk_radix_lookup(&radix, ones[i].addr + MIB - 1) ==
		       (i < done ? &ones[i] : NULL));
	expect(!chunk_radix_lookup(&radix, ones[0].addr - MIB));
	may_map_again();
	expect_equal(chunk_radix_store_ones(&radix, pointers + done,
					    ONES - done, 0), ONES - done);
	expect(chunk_radix_lookup(&radix, ones[ONES - 1].addr) ==
	       &ones[ONES - 1]);
	chunk_radix_erase(&radix, ones[3].addr, MIB);
	expect(!chunk_radix_lookup(&radix, ones[3].addr));
	expect(chunk_radix_lookup(&radix, ones[4].addr) == &ones[4]);
	chunk_radix_destroy(&radix);
	expect(!chunk_radix_lookup(&radix, ones[4].addr));
	expect(!chunk_radix_next(&radix, 0, UINTPTR_MAX));
}

static void no_memory_for_ones(void)
{
	with_ever_more(register_ones_with);
}

static const struct tap_case cases[] = {
	{ "no memory to register an extent", no_memory_to_register },
	{ "no memory to register a part of a recycled one",
	  no_memory_to_register_recycled },
	{ "no memory to count decommitted pages", no_memory_to_count },
	{ "no node to cut what exceeds the limit", no_node_to_evict },
	{ "no memory to register many of one chunk", no_memory_for_ones },
};

const struct tap_suite tap_suite = {
	.about = "Tests policy without memory for its own bookkeeping",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
