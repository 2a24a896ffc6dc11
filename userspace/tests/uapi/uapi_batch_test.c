// SPDX-License-Identifier: MIT
/*
 * Many operations in one call: each has the result that its own call would have
 * had, and the call reports every operation that it has done, also when it
 * fails.
 */
#include <errno.h>
#include <string.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "uapi.h"

/* More elements than the device handles at a time */
#define MANY	100

static struct chunk_ioc_op ops[MANY];

static int batch_at(int fd, __u32 what, __u32 flags, void *at, __u32 count,
		    __u32 *done)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.flags = flags,
		.count = count,
		.ops = (uintptr_t)at,
		.done = 12345,
	};
	int error = device_call(fd, CHUNK_IOC_BATCH, &args);

	*done = args.done;
	return error;
}

/* Run a batch of @count elements. Return how many have succeeded. */
static __u32 batch(int fd, __u32 what, __u32 count)
{
	__u32 done;

	expect_equal(batch_at(fd, what, 0, ops, count, &done), 0);
	return done;
}

static char *addr_of(const struct chunk_ioc_op *op)
{
	return (char *)(uintptr_t)op->addr;
}

/* Output fields keep their last values, which the device must accept as input. */
static void want_alloc(__u32 i, __u64 length, __u64 alignment)
{
	ops[i] = (struct chunk_ioc_op) {
		.addr = 0xdead,
		.length = length,
		.alignment = alignment,
		.error = 77,
	};
}

static void want_range(__u32 i, const void *addr, __u64 length)
{
	ops[i] = (struct chunk_ioc_op) {
		.addr = (uintptr_t)addr,
		.length = length,
		.error = 77,
	};
}

static void alloc_many(int fd)
{
	for (__u32 i = 0; i < MANY; i++)
		want_alloc(i, (1 + i % 3) * MIB, MIB << i % 4);
	expect_equal(batch(fd, CHUNK_BATCH_ALLOC, MANY), MANY);
	for (__u32 i = 0; i < MANY; i++) {
		expect_equal(ops[i].error, 0);
		expect_equal(ops[i].addr % (MIB << i % 4), 0);
		expect_equal(ops[i].length, (1 + i % 3) * MIB);
		expect(is_zero(addr_of(&ops[i]), ops[i].length));
		fill(addr_of(&ops[i]), ops[i].length, i);
	}
	for (__u32 i = 0; i < MANY; i++)
		expect(is_filled(addr_of(&ops[i]), ops[i].length, i));
}

static void give_and_take(void)
{
	int fd = device_open();
	struct chunk_ioc_stats stats;

	for (int round = 0; round < 3; round++) {
		alloc_many(fd);
		for (__u32 i = 0; i < MANY; i++)
			want_range(i, addr_of(&ops[i]), ops[i].length);
		expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, MANY), MANY);
		for (__u32 i = 0; i < MANY; i++) {
			expect_equal(ops[i].error, 0);
			expect_trap(addr_of(&ops[i]));
		}
		stats = device_stats(fd);
		expect_equal(stats.live_extents, 0);
		expect_equal(stats.deallocs, (round + 1) * MANY);
		expect_consistent(fd);
	}
	expect(device_stats(fd).allocs_recycled > MANY);
}

/* Extents are given back one after the other, from both ends, and around a live one. */
static void adjoining(void)
{
	int fd = device_open();
	char *chunks = device_alloc(fd, 8 * MIB, MIB), *at[8];

	expect_equal(device_dealloc(fd, chunks, 8 * MIB), 0);
	for (size_t i = 0; i < 8; i++) {
		at[i] = device_alloc(fd, MIB, MIB);
		fill(at[i], MIB, i);
	}
	for (size_t i = 1; i < 8; i++)
		expect(at[i] == at[i - 1] + MIB);
	for (__u32 i = 0; i < 3; i++)
		want_range(i, at[i], MIB);
	for (__u32 i = 0; i < 4; i++)
		want_range(3 + i, at[7 - i], MIB);
	expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, 7), 7);
	for (size_t i = 0; i < 8; i++) {
		if (i != 3)
			expect_trap(at[i]);
	}
	expect(is_filled(at[3], MIB, 3));
	expect_equal(device_stats(fd).recycled_bytes, 7 * MIB);
	expect_consistent(fd);
}

/* A refused element changes nothing, whatever its neighbours do. */
static void adjoining_refused(void)
{
	int fd = device_open();
	char *at[3];

	for (size_t i = 0; i < 3; i++) {
		at[i] = device_alloc(fd, MIB, MIB);
		fill(at[i], MIB, i);
		expect(!i || at[i] == at[i - 1] + MIB);
	}
	want_range(0, at[0], MIB);
	want_range(1, at[1], 2 * MIB);
	expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, 2), 1);
	expect_equal(ops[1].error, EINVAL);
	expect(is_filled(at[1], MIB, 1));
	expect(is_filled(at[2], MIB, 2));
	expect_consistent(fd);
}

static void commit_and_decommit(void)
{
	int fd = device_open();
	size_t page = page_size();
	/* All of these chunks but the last have decommitted pages. */
	size_t last = (2 * MANY * page + MIB - 1) & -MIB;
	char *extent = device_alloc(fd, last + MIB, MIB);

	fill(extent, last + MIB, 5);
	for (__u32 i = 0; i < MANY; i++)
		want_range(i, extent + (2 * i + 1) * page, page);
	expect_equal(batch(fd, CHUNK_BATCH_DECOMMIT, MANY), MANY);
	expect_equal(device_stats(fd).decommitted_bytes, MANY * page);
	for (__u32 i = 0; i < MANY; i++) {
		expect_trap_only(extent + (2 * i + 1) * page, page);
		expect(is_filled(extent + 2 * i * page, page,
				 5 + 2 * i * page));
	}
	expect_equal(batch(fd, CHUNK_BATCH_COMMIT, MANY), MANY);
	for (__u32 i = 0; i < MANY; i++)
		expect(is_zero(extent + (2 * i + 1) * page, page));
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect(is_filled(extent + last, MIB, 5 + last));
}

/* Each bad element fails by itself; the other operations are done. */
static void partial(void)
{
	int fd = device_open();
	char *one = device_alloc(fd, MIB, MIB), *two, *other;
	int stranger = device_open();

	two = device_alloc(fd, 2 * MIB, MIB);
	other = device_alloc(stranger, MIB, MIB);
	fill(two, 2 * MIB, 2);
	fill(other, MIB, 3);
	want_range(0, NULL, MIB);
	want_range(1, one, MIB);
	want_range(2, one, MIB);		/* a second time */
	want_range(3, two, MIB);		/* part of an extent */
	want_range(4, two + MIB, MIB);
	want_range(5, other, MIB);
	want_range(6, one + 1, MIB);
	want_range(7, one, 0);
	want_range(8, one, -MIB);
	want_range(9, (void *)-MIB, MIB);
	want_range(10, two, 2 * MIB);
	ops[10].type = CHUNK_TYPE_RECYCLED + 1;
	want_range(11, two, 2 * MIB);
	ops[11].alignment = MIB;
	want_range(12, two, 2 * MIB);
	ops[12].type = CHUNK_TYPE_ARENA;
	expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, 13), 2);
	expect_equal(ops[0].error, ENOENT);
	expect_equal(ops[1].error, 0);
	expect_equal(ops[2].error, ENOENT);
	expect_equal(ops[3].error, EINVAL);
	expect_equal(ops[4].error, EINVAL);
	expect_equal(ops[5].error, ENOENT);
	for (__u32 i = 6; i < 12; i++)
		expect_equal(ops[i].error, EINVAL);
	expect_equal(ops[12].error, 0);
	expect(is_filled(other, MIB, 3));
	expect_equal(device_stats(fd).live_extents, 0);
	expect_consistent(fd);
	expect_consistent(stranger);
}

static void partial_alloc(void)
{
	int fd = device_open();

	want_alloc(0, MIB, MIB);
	want_alloc(1, MIB, 0);
	want_alloc(2, 1ULL << 60, MIB);
	want_alloc(3, MIB + 1, MIB);
	want_alloc(4, 2 * MIB, 1ULL << 30);
	want_alloc(5, MIB, MIB);
	ops[5].type = CHUNK_TYPE_ARENA;
	expect_equal(batch(fd, CHUNK_BATCH_ALLOC, 6), 2);
	expect_equal(ops[0].error, 0);
	expect_equal(ops[1].error, EINVAL);
	expect_equal(ops[2].error, ENOMEM);
	expect_equal(ops[3].error, EINVAL);
	expect_equal(ops[4].error, 0);
	expect_equal(ops[5].error, EINVAL);
	expect_equal(ops[2].addr, 0);
	expect_equal(ops[4].addr % (1ULL << 30), 0);
	expect_equal(device_stats(fd).live_extents, 2);
}

/* One of the adjoining extents that are given back was unmapped. */
static void partly_unmapped(void)
{
	int fd = device_open();
	char *at[4];

	for (__u32 i = 0; i < 4; i++) {
		at[i] = device_alloc(fd, MIB, MIB);
		fill(at[i], MIB, i);
		want_range(i, at[i], MIB);
	}
	expect(munmap(at[1], MIB / 2) == 0);
	expect_equal(batch(fd, CHUNK_BATCH_DEALLOC, 4), 3);
	expect_equal(ops[0].error, 0);
	expect_equal(ops[1].error, ESTALE);
	expect_equal(ops[2].error, 0);
	expect_equal(ops[3].error, 0);
	for (__u32 i = 0; i < 4; i++)
		expect_trap(at[i]);
	expect_consistent(fd);
	for (__u32 i = 0; i < 16; i++)
		expect(is_zero(device_alloc(fd, MIB, MIB), MIB));
}

static void bad_batches(void)
{
	int fd = device_open();
	char *hole = page_before_hole();
	__u32 done, known[] = {
		CHUNK_ALLOC_POPULATE | CHUNK_ALLOC_DECOMMITTED, 0,
		CHUNK_COMMIT_POPULATE, CHUNK_DECOMMIT_LOCKED,
	};

	want_alloc(0, MIB, MIB);
	expect_refusal(fd, EINVAL, batch_at(fd, 0, 0, ops, 0, &done));
	expect_refusal(fd, EINVAL, batch_at(fd, 0, 0, ops, CHUNK_BATCH_MAX + 1,
					    &done));
	expect_refusal(fd, EINVAL, batch_at(fd, 0, 0, ops, -1, &done));
	for (__u32 what = CHUNK_BATCH_DECOMMIT + 1; what; what <<= 1)
		expect_refusal(fd, EINVAL, batch_at(fd, what, 0, ops, 1,
						    &done));
	for (__u32 what = 0; what < TAP_COUNT(known); what++) {
		for (__u32 flag = 1; flag; flag <<= 1) {
			if (!(flag & known[what]))
				expect_refusal(fd, EINVAL,
					       batch_at(fd, what, flag, ops, 1,
							&done));
		}
	}
	expect_refusal(fd, EINVAL, batch_at(fd, CHUNK_BATCH_ALLOC, known[0],
					    ops, 1, &done));
	expect_refusal(fd, EFAULT, batch_at(fd, 0, 0, NULL, 1, &done));
	expect_equal(done, 0);
	expect_refusal(fd, EFAULT, batch_at(fd, 0, 0, (void *)-4096, 1, &done));
	memcpy(hole - sizeof(*ops), ops, sizeof(*ops));
	expect_refusal(fd, EFAULT, batch_at(fd, 0, 0, hole - sizeof(*ops), 2,
					    &done));
	expect_refusal(fd, EFAULT, batch_at(fd, 0, 0, hole - sizeof(*ops),
					    CHUNK_BATCH_MAX, &done));
}

/* No extent is handed out if its address cannot be returned. */
static void read_only_array(void)
{
	int fd = device_open();
	struct chunk_ioc_op *array = anonymous(page_size(), PROT_READ |
					       PROT_WRITE);
	__u32 done;

	for (__u32 i = 0; i < 4; i++)
		array[i] = (struct chunk_ioc_op) {
			.length = MIB,
			.alignment = MIB,
		};
	expect(mprotect(array, page_size(), PROT_READ) == 0);
	expect_refusal(fd, EFAULT, batch_at(fd, CHUNK_BATCH_ALLOC, 0, array, 4,
					    &done));
	expect_equal(done, 0);
}

/* Elements before the unmapped part of the array have their results. */
static void array_ends(void)
{
	int fd = device_open();
	char *pages = anonymous(3 * page_size(), PROT_READ | PROT_WRITE);
	size_t fit = 2 * page_size() / sizeof(*ops);
	struct chunk_ioc_op *array = (struct chunk_ioc_op *)pages;
	__u32 done, found = 0;

	for (size_t i = 0; i < fit; i++)
		array[i] = (struct chunk_ioc_op) {
			.length = MIB,
			.alignment = MIB,
		};
	expect(munmap(pages + 2 * page_size(), page_size()) == 0);
	expect_equal(batch_at(fd, CHUNK_BATCH_ALLOC, 0, array, fit + 1, &done),
		     EFAULT);
	for (size_t i = 0; i < fit; i++)
		found += array[i].addr != 0;
	expect_equal(found, done);
	expect_equal(device_stats(fd).live_extents, done);
}

static long faults(void)
{
	struct rusage usage;

	expect(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

static long faults_of_writing(char *at, size_t size)
{
	long before = faults();

	for (size_t i = 0; i < size; i += page_size())
		at[i] = 1;
	return faults() - before;
}

static void populated(void)
{
	int fd = device_open();
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = CHUNK_ALLOC_POPULATE,
		.length = 3 * MIB,
		.alignment = MIB,
	};
	size_t pages = 3 * MIB / page_size();
	char *plain = device_alloc(fd, 3 * MIB, MIB), *extent;

	expect(faults_of_writing(plain, 3 * MIB) >= (long)pages);
	expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
	extent = (char *)(uintptr_t)args.addr;
	expect(faults_of_writing(extent, 3 * MIB) < 16);
	extent[0] = 0;
	for (size_t at = 0; at < 3 * MIB; at += page_size())
		extent[at] = 0;
	expect(is_zero(extent, 3 * MIB));
	/* A recycled extent is zero all the same. */
	fill(extent, 3 * MIB, 1);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
	expect(extent == (char *)(uintptr_t)args.addr);
	expect(is_zero(extent, 3 * MIB));
}

static int commit_populated(int fd, char *addr, size_t length)
{
	return device_range(fd, CHUNK_IOC_COMMIT, CHUNK_COMMIT_POPULATE, addr,
			    length);
}

static void populated_commit(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 2 * MIB, MIB);

	fill(extent, 2 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB / 2, MIB), 0);
	expect_equal(commit_populated(fd, extent + MIB / 2, MIB), 0);
	expect(is_zero(extent + MIB / 2, MIB));
	expect(is_filled(extent, MIB / 2, 1));
	expect(faults_of_writing(extent + MIB / 2, MIB) < 16);
	/* Committed pages keep their contents, and missing ones are made present. */
	expect_equal(commit_populated(fd, extent + MIB / 2, MIB), 0);
	expect(extent[MIB / 2] == 1);
}

static void populated_batch(void)
{
	int fd = device_open();
	__u32 done;

	for (__u32 i = 0; i < 40; i++)
		want_alloc(i, i == 7 ? MIB + 1 : MIB, MIB);
	expect_equal(batch_at(fd, CHUNK_BATCH_ALLOC, CHUNK_ALLOC_POPULATE, ops,
			      40, &done), 0);
	expect_equal(done, 39);
	for (__u32 i = 0; i < 40; i++) {
		if (i != 7)
			expect(faults_of_writing(addr_of(&ops[i]), MIB) < 16);
	}
}

static void decommitted_batch(void)
{
	int fd = device_open();
	__u32 done;

	for (__u32 i = 0; i < 40; i++)
		want_alloc(i, (1 + i % 3) * MIB, MIB);
	expect_equal(batch_at(fd, CHUNK_BATCH_ALLOC, CHUNK_ALLOC_DECOMMITTED,
			      ops, 40, &done), 0);
	expect_equal(done, 40);
	for (__u32 i = 0; i < 40; i++)
		expect_trap(addr_of(&ops[i]));
	expect_equal(device_stats(fd).decommitted_bytes,
		     device_stats(fd).live_bytes);
	for (__u32 i = 0; i < 40; i++)
		expect_equal(device_commit(fd, addr_of(&ops[i]),
					   ops[i].length), 0);
	for (__u32 i = 0; i < 40; i++)
		expect(is_zero(addr_of(&ops[i]), ops[i].length));
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect_consistent(fd);
}

/* A page that cannot be written cannot be populated. */
static void populate_refused(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, MIB, MIB);

	expect(mprotect(extent + MIB / 2, page_size(), PROT_READ) == 0);
	expect_equal(commit_populated(fd, extent, MIB), ENOMEM);
	expect(faults_of_writing(extent, MIB / 2) < 16);
	expect_equal(device_stats(fd).live_extents, 1);
}

static const struct tap_case cases[] = {
	{ "extents are allocated, given back, allocated again", give_and_take },
	{ "adjoining extents are given back", adjoining },
	{ "one of adjoining extents is refused", adjoining_refused },
	{ "pages are decommitted and committed", commit_and_decommit },
	{ "each element fails by itself", partial },
	{ "each allocation fails by itself", partial_alloc },
	{ "one of adjoining extents was unmapped", partly_unmapped },
	{ "bad arguments", bad_batches },
	{ "an array that cannot be written", read_only_array },
	{ "an array that ends early", array_ends },
	{ "populate: writes cause no faults", populated },
	{ "populate on commit", populated_commit },
	{ "populate in a batch", populated_batch },
	{ "decommitted from the start, in a batch", decommitted_batch },
	{ "populate of a page that cannot be written", populate_refused },
};

const struct tap_suite tap_suite = {
	.about = "Tests the device's batches and populating calls",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
