// SPDX-License-Identifier: MIT
/*
 * Ranges given to the device: every number is hostile. A refused call must have
 * changed nothing; an accepted one must have done exactly what was asked.
 */
#include <errno.h>
#include <stddef.h>
#include <stdint.h>

#include <sys/mman.h>

#include "uapi.h"

static void alloc_sizes(void)
{
	const struct {
		__u64 length, alignment;
		int error;
	} bad[] = {
		{ 0, MIB, EINVAL }, { 1, MIB, EINVAL }, { 4096, MIB, EINVAL },
		{ MIB - 1, MIB, EINVAL }, { MIB + 1, MIB, EINVAL },
		{ MIB + 4096, MIB, EINVAL },
		{ MIB, 0, EINVAL }, { MIB, 1, EINVAL }, { MIB, 4096, EINVAL },
		{ MIB, MIB / 2, EINVAL }, { MIB, 3 * MIB, EINVAL },
		{ MIB, MIB + 1, EINVAL }, { MIB, 5 * MIB, EINVAL },
		{ MIB, ~0ULL, EINVAL }, { ~0ULL, MIB, EINVAL },
		{ -(__u64)MIB, MIB, EINVAL }, { -(__u64)MIB, 2 * MIB, EINVAL },
		{ 1ULL << 63, 1ULL << 63, EINVAL },
		{ 1ULL << 63, MIB, ENOMEM }, { MIB, 1ULL << 63, ENOMEM },
		{ -2 * (__u64)MIB, MIB, ENOMEM }, { 1ULL << 47, MIB, ENOMEM },
		{ 1ULL << 48, MIB, ENOMEM },
		{ MIB, 1ULL << address_bits(), ENOMEM },
		{ 1ULL << 62, 1ULL << 62, ENOMEM },
		{ CHUNK_LENGTH_MAX + MIB, MIB, ENOMEM },
		{ 2 * CHUNK_LENGTH_MAX, MIB, ENOMEM },
	};
	int fd = device_open();
	char *addr;

	device_alloc(fd, MIB, MIB);
	for (size_t i = 0; i < TAP_COUNT(bad); i++) {
		tap_note("length %#llx, alignment %#llx", bad[i].length,
			 bad[i].alignment);
		expect_refusal(fd, bad[i].error,
			       try_alloc(fd, bad[i].length, bad[i].alignment,
					 &addr));
	}
}

static void alloc_aligned(void)
{
	__u64 most = address_bits() > 32 ? 64ULL << 30 : 256 * MIB;
	int fd = device_open();

	for (__u64 alignment = MIB; alignment <= most; alignment *= 2) {
		for (size_t mib = 1; mib <= 5; mib += 2) {
			char *addr = device_alloc(fd, mib * MIB, alignment);

			expect(is_zero(addr, page_size()));
			fill(addr, page_size(), alignment);
			expect(is_zero(addr + mib * MIB - page_size(),
				       page_size()));
			fill(addr + mib * MIB - page_size(), page_size(), mib);
		}
	}
	expect_consistent(fd);
}

/* Set a case up: an extent of 4 MiB, filled, its second MiB decommitted. */
static char *prepared(int fd)
{
	char *extent = device_alloc(fd, 4 * MIB, 4 * MIB);

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	return extent;
}

static void expect_untouched(char *extent)
{
	expect(is_filled(extent, MIB, 1));
	expect_trap_only(extent + MIB, MIB);
	expect(is_filled(extent + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
}

/* @error is of COMMIT and DECOMMIT, @dealloc_error of DEALLOC. */
static void refuse_address(int fd, __u64 addr, __u64 length, int error,
			   int dealloc_error)
{
	struct chunk_ioc_range range = {
		.size = sizeof(range),
		.addr = addr,
		.length = length,
	};
	struct chunk_ioc_dealloc dealloc = {
		.size = sizeof(dealloc),
		.addr = addr,
		.length = length,
	};

	tap_note("address %#llx, length %#llx", addr, length);
	expect_refusal(fd, error, call(fd, CHUNK_IOC_COMMIT, &range));
	expect_refusal(fd, error, call(fd, CHUNK_IOC_DECOMMIT, &range));
	expect_refusal(fd, dealloc_error,
		       call(fd, CHUNK_IOC_DEALLOC, &dealloc));
}

static void refuse_range(int fd, const void *addr, __u64 length, int error,
			 int dealloc_error)
{
	refuse_address(fd, (uintptr_t)addr, length, error, dealloc_error);
}

static void malformed_ranges(void)
{
	int fd = device_open();
	char *extent = prepared(fd);

	refuse_range(fd, extent, 0, EINVAL, EINVAL);
	refuse_range(fd, extent, 1, EINVAL, EINVAL);
	refuse_range(fd, extent, page_size() - 1, EINVAL, EINVAL);
	refuse_range(fd, extent, MIB + 1, EINVAL, EINVAL);
	refuse_range(fd, extent + 1, MIB, EINVAL, EINVAL);
	refuse_range(fd, extent + 8, page_size(), EINVAL, EINVAL);
	refuse_range(fd, extent + 1, page_size() - 1, EINVAL, EINVAL);
	refuse_range(fd, NULL, 0, EINVAL, EINVAL);
	/* These ranges wrap, or exceed the address space of a process. */
	refuse_range(fd, extent, -(__u64)(uintptr_t)extent, EINVAL, EINVAL);
	refuse_range(fd, extent, -(__u64)(uintptr_t)extent + MIB, EINVAL,
		     EINVAL);
	refuse_range(fd, extent, -(__u64)MIB, EINVAL, EINVAL);
	refuse_range(fd, extent, 1ULL << 63, EINVAL, EINVAL);
	refuse_range(fd, (void *)-MIB, MIB, EINVAL, EINVAL);
	refuse_range(fd, (void *)-MIB, 2 * MIB, EINVAL, EINVAL);
	refuse_address(fd, -(__u64)MIB, MIB, EINVAL, EINVAL);
	/* This address is the kernel's. */
	refuse_address(fd, 0xffff888000000000, MIB, EINVAL, EINVAL);
	refuse_address(fd, 0xffffffff81000000, MIB, EINVAL, EINVAL);
	refuse_address(fd, 1ULL << 56, MIB, EINVAL, EINVAL);
	/* To a program of 32 bits, the lower half of an address says nothing. */
	refuse_address(fd, (uintptr_t)extent | 1ULL << 56, MIB, EINVAL, EINVAL);
	expect_untouched(extent);
}

static void ranges_not_live(void)
{
	int fd = device_open(), other_fd = device_open();
	char *extent = prepared(fd), *freed = device_alloc(fd, 2 * MIB, MIB);
	char *other = device_alloc(other_fd, 2 * MIB, MIB);
	char *foreign = anonymous(3 * MIB, PROT_READ | PROT_WRITE);

	foreign = (char *)(((uintptr_t)foreign + MIB - 1) & -MIB);
	fill(foreign, 2 * MIB, 2);
	fill(other, 2 * MIB, 3);
	expect_equal(device_dealloc(fd, freed, 2 * MIB), 0);

	refuse_range(fd, NULL, MIB, ENOENT, ENOENT);
	refuse_range(fd, (void *)(16 * MIB), MIB, ENOENT, ENOENT);
	refuse_range(fd, freed, 2 * MIB, ENOENT, ENOENT);
	refuse_range(fd, freed + MIB, MIB, ENOENT, ENOENT);
	refuse_range(fd, foreign, MIB, ENOENT, ENOENT);
	refuse_range(fd, other, 2 * MIB, ENOENT, ENOENT);
	refuse_range(other_fd, extent, 4 * MIB, ENOENT, ENOENT);
	expect(is_filled(foreign, 2 * MIB, 2));
	expect(is_filled(other, 2 * MIB, 3));
	expect_untouched(extent);
}

/* These ranges begin or end outside of live extents, or contain others. */
static void ranges_partly_live(void)
{
	int fd = device_open();
	char *row, *middle;

	row = device_alloc(fd, 5 * MIB, MIB);
	expect_equal(device_dealloc(fd, row, 5 * MIB), 0);
	for (size_t i = 0; i < 5; i++)
		expect(device_alloc(fd, MIB, MIB) == row + i * MIB);
	fill(row, 5 * MIB, 1);
	expect_equal(device_dealloc(fd, row, MIB), 0);
	expect_equal(device_dealloc(fd, row + 4 * MIB, MIB), 0);
	middle = row + MIB;
	expect_equal(device_decommit(fd, middle + MIB, page_size()), 0);

	refuse_range(fd, middle - MIB, 2 * MIB, ENOENT, ENOENT);
	refuse_range(fd, middle, 4 * MIB, ENOENT, EINVAL);
	expect_refusal(fd, ENOENT, device_commit(fd, middle - page_size(),
						 2 * page_size()));
	expect_refusal(fd, ENOENT, device_decommit(fd, row + 4 * MIB -
						   page_size(),
						   2 * page_size()));
	expect_equal(device_dealloc(fd, middle + MIB, MIB), 0);
	expect_refusal(fd, ENOENT, device_decommit(fd, middle, 3 * MIB));
	expect_refusal(fd, ENOENT, device_commit(fd, middle, 3 * MIB));
	expect(is_filled(middle, MIB, 1 + MIB));
	expect(is_filled(middle + 2 * MIB, MIB, 1 + 3 * MIB));
}

static void dealloc_only_whole(void)
{
	int fd = device_open();
	char *extent, *row;

	row = device_alloc(fd, 8 * MIB, 8 * MIB);
	expect_equal(device_dealloc(fd, row, 8 * MIB), 0);
	/* The range spans two extents that adjoin. */
	extent = prepared(fd);
	expect(device_alloc(fd, 4 * MIB, MIB) == extent + 4 * MIB);

	expect_refusal(fd, EINVAL, device_dealloc(fd, extent, MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent, 3 * MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent + MIB, MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent + MIB, 3 * MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent + 3 * MIB, MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent, 8 * MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent, 5 * MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent + 2 * MIB,
						  4 * MIB));
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent + page_size(),
						  4 * MIB));
	expect_untouched(extent);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect_equal(device_dealloc(fd, extent + 4 * MIB, 4 * MIB), 0);
}

static void dealloc_twice(void)
{
	for (__u64 limit = 0; limit <= 8 * MIB; limit += 4 * MIB) {
		int fd = device_open();
		char *extent = prepared(fd);

		device_limit(fd, limit);
		expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
		for (int i = 0; i < 3; i++)
			expect_refusal(fd, ENOENT,
				       device_dealloc(fd, extent, 4 * MIB));
		expect_trap(extent);
		expect_consistent(fd);
	}
}

/* A second DEALLOC must not give back an extent that has a new owner. */
static void dealloc_after_reuse(void)
{
	int fd = device_open();
	char *extent = prepared(fd), *again;

	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	again = device_alloc(fd, MIB, MIB);
	expect(again == extent);
	fill(again, MIB, 1);
	expect_refusal(fd, EINVAL, device_dealloc(fd, extent, 4 * MIB));
	expect(is_filled(again, MIB, 1));
}

static void commit_and_decommit(void)
{
	int fd = device_open();
	char *extent = prepared(fd);
	size_t page = page_size();
	struct chunk_ioc_stats s;

	expect_untouched(extent);
	expect_equal(device_stats(fd).decommitted_bytes, MIB);
	/* Repeated calls change only the count of calls. */
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect_equal(device_commit(fd, extent + 2 * MIB, 2 * MIB), 0);
	expect_equal(device_commit(fd, extent, MIB), 0);
	expect_untouched(extent);
	s = device_stats(fd);
	expect_equal(s.decommitted_bytes, MIB);
	expect_equal(s.commits, 2);
	expect_equal(s.decommits, 2);

	expect_equal(device_commit(fd, extent + MIB + 3 * page, 2 * page), 0);
	expect(is_zero(extent + MIB + 3 * page, 2 * page));
	expect_trap(extent + MIB + 3 * page - 1);
	expect_trap(extent + MIB + 5 * page);
	expect_equal(device_stats(fd).decommitted_bytes, MIB - 2 * page);
	expect_equal(device_commit(fd, extent, 4 * MIB), 0);
	expect(is_zero(extent + MIB, MIB));
	expect(is_filled(extent, MIB, 1));
	expect_equal(device_stats(fd).decommitted_bytes, 0);
	expect_consistent(fd);
}

static void decommit_frees(void)
{
	int fd = device_open();
	char *extent = prepared(fd);

	if (!has_zap(fd))
		tap_skip("this kernel exports no zap, so the caller frees the memory");
	expect_equal(resident_bytes(extent, MIB), MIB);
	expect_equal(resident_bytes(extent + MIB, MIB), 0);
	expect_equal(resident_bytes(extent + 2 * MIB, 2 * MIB), 2 * MIB);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect_equal(resident_bytes(extent, 4 * MIB), 0);
}

static void across_extents(void)
{
	int fd = device_open();
	char *row = device_alloc(fd, 3 * MIB, MIB);
	size_t page = page_size();

	expect_equal(device_dealloc(fd, row, 3 * MIB), 0);
	for (size_t i = 0; i < 3; i++)
		expect(device_alloc(fd, MIB, MIB) == row + i * MIB);
	fill(row, 3 * MIB, 1);
	expect_equal(device_decommit(fd, row + MIB - page, MIB + 2 * page), 0);
	expect_trap_only(row + MIB - page, MIB + 2 * page);
	expect_equal(device_stats(fd).decommitted_bytes, MIB + 2 * page);
	expect_equal(device_commit(fd, row + MIB, MIB + page), 0);
	expect(is_zero(row + MIB, MIB + page));
	expect_trap_only(row + MIB - page, page);
	expect(is_filled(row, MIB - page, 1));
}

static void lookup(void)
{
	int fd = device_open(), other = device_open();
	char *extent = prepared(fd), *kept;
	struct chunk_ioc_lookup l;

	for (size_t at = 0; at < 4 * MIB; at += MIB / 2 + 777) {
		l = device_lookup(fd, extent + at);
		expect_equal(l.addr, (uintptr_t)extent);
		expect_equal(l.length, 4 * MIB);
		expect_equal(l.state, CHUNK_STATE_LIVE |
			     (at / MIB == 1 ? CHUNK_STATE_DECOMMITTED : 0));
		expect_equal(l.flags, 0);
	}
	expect_equal(device_state(other, extent), 0);
	kept = device_alloc(fd, MIB, MIB);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	l = device_lookup(fd, extent + 2 * MIB + 5);
	expect_equal(l.addr, (uintptr_t)extent);
	expect_equal(l.length, 4 * MIB);
	expect_equal(l.state, CHUNK_STATE_RECYCLED | CHUNK_STATE_DECOMMITTED);
	expect_equal(device_state(fd, kept), CHUNK_STATE_LIVE);
}

/* Step from run to run of a state, as a scanner of memory does. */
static size_t count_runs(int fd, uintptr_t from, uintptr_t to, __u32 state)
{
	size_t bytes = 0, calls = 0;

	while (from < to) {
		struct chunk_ioc_lookup l = device_lookup(fd, (void *)from);

		expect(l.end > from);
		expect(++calls < 10000);
		if (l.end > to)
			l.end = to;
		if (l.state == state)
			bytes += l.end - from;
		from = l.end;
	}
	return bytes;
}

static void lookup_of_runs(void)
{
	int fd = device_open();
	size_t page = page_size();
	uintptr_t extent = (uintptr_t)device_alloc(fd, 300 * MIB, MIB);
	struct chunk_ioc_lookup l;

	expect_equal(device_decommit(fd, (char *)extent + 5 * page, page), 0);
	expect_equal(device_decommit(fd, (char *)extent + 10 * MIB - page,
				     250 * MIB), 0);
	expect_equal(device_lookup(fd, (char *)extent + 7).end,
		     extent + 5 * page);
	expect_equal(device_lookup(fd, (char *)extent + 5 * page + 1).end,
		     extent + 6 * page);
	expect_equal(count_runs(fd, extent, extent + 300 * MIB,
				CHUNK_STATE_LIVE | CHUNK_STATE_DECOMMITTED),
		     250 * MIB + page);
	expect_equal(count_runs(fd, extent, extent + 300 * MIB,
				CHUNK_STATE_LIVE), 50 * MIB - page);
	/* Most of the address space is not the device's. */
	expect_equal(count_runs(fd, 0, UINTPTR_MAX, CHUNK_STATE_LIVE),
		     50 * MIB - page);
	l = device_lookup(fd, (char *)extent - 1);
	if (!l.state)
		expect_equal(l.end, extent);
	expect_equal(device_dealloc(fd, (void *)extent, 300 * MIB), 0);
	expect_equal(count_runs(fd, 0, UINTPTR_MAX,
				CHUNK_STATE_RECYCLED | CHUNK_STATE_DECOMMITTED),
		     device_stats(fd).recycled_bytes);
	expect_equal(count_runs(fd, 0, UINTPTR_MAX, CHUNK_STATE_DECOMMITTED),
		     device_stats(fd).reserved_bytes);
}

/* The structure is that of a program built before the field @end was added. */
static void lookup_without_end(void)
{
	int fd = device_open();
	char *extent = prepared(fd);
	struct chunk_ioc_lookup l = {
		.size = CHUNK_LOOKUP_SIZE_1,
		.addr = (uintptr_t)extent + MIB,
		.end = 0xeeee,
	};

	expect_equal(offsetof(struct chunk_ioc_lookup, end),
		     CHUNK_LOOKUP_SIZE_1);
	expect_equal(call(fd, CHUNK_IOC_LOOKUP, &l), 0);
	expect_equal(l.addr, (uintptr_t)extent);
	expect_equal(l.state, CHUNK_STATE_LIVE | CHUNK_STATE_DECOMMITTED);
	expect_equal(l.end, 0xeeee);
	l.size = CHUNK_LOOKUP_SIZE_1 + 4;
	l.addr = (uintptr_t)extent + MIB;
	l.end = 0;
	expect_equal(call(fd, CHUNK_IOC_LOOKUP, &l), 0);
	expect_equal(l.end, (__u32)((uintptr_t)extent + 2 * MIB));
}

static struct chunk_ioc_alloc decommitted_alloc(__u64 length, __u64 alignment)
{
	return (struct chunk_ioc_alloc) {
		.size = sizeof(struct chunk_ioc_alloc),
		.flags = CHUNK_ALLOC_DECOMMITTED,
		.length = length,
		.alignment = alignment,
	};
}

/* The extent, fresh or recycled, traps until it is committed. */
static void alloc_decommitted(void)
{
	struct chunk_ioc_alloc args = decommitted_alloc(4 * MIB, 4 * MIB);
	int fd = device_open();
	size_t page = page_size();
	char *extent;

	for (int round = 0; round < 2; round++) {
		expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
		extent = (char *)(uintptr_t)args.addr;
		expect_equal(args.addr % (4 * MIB), 0);
		expect_equal(device_state(fd, extent), CHUNK_STATE_LIVE |
			     CHUNK_STATE_DECOMMITTED);
		for (size_t at = 0; at < 4 * MIB; at += page)
			expect(read_traps(extent + at));
		expect_equal(device_stats(fd).live_bytes, 4 * MIB);
		expect_equal(device_stats(fd).decommitted_bytes, 4 * MIB);
		expect_equal(device_commit(fd, extent + MIB + page, 2 * page),
			     0);
		expect_equal(device_stats(fd).decommitted_bytes,
			     4 * MIB - 2 * page);
		expect(is_zero(extent + MIB + page, 2 * page));
		fill(extent + MIB + page, 2 * page, 1);
		expect_trap(extent + MIB);
		expect_trap(extent + MIB + 3 * page);
		expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
		expect_equal(device_stats(fd).decommitted_bytes, 0);
		expect_consistent(fd);
	}
	expect_equal(device_stats(fd).allocs_recycled, 1);
	/* The next extent is committed again. */
	expect(is_zero(device_alloc(fd, 4 * MIB, MIB), 4 * MIB));
}

/* The extent is far larger than memory, and so are its page bitmaps. */
static void alloc_decommitted_huge(void)
{
	struct chunk_ioc_alloc args = decommitted_alloc(1024 * GIB, 32 * MIB);
	int fd = device_open();
	char *extent;

	if (address_bits() <= 32)
		tap_skip("addresses have 32 bits");
	expect_equal(call(fd, CHUNK_IOC_ALLOC, &args), 0);
	extent = (char *)(uintptr_t)args.addr;
	expect_equal(device_stats(fd).decommitted_bytes, 1024 * GIB);
	expect_trap(extent + 512 * GIB);
	expect_equal(device_commit(fd, extent + 512 * GIB, MIB), 0);
	fill(extent + 512 * GIB, MIB, 1);
	expect_trap(extent + 512 * GIB + MIB);
	expect_equal(device_dealloc(fd, extent, 1024 * GIB), 0);
	expect_consistent(fd);
}

static void alloc_decommitted_refused(void)
{
	struct chunk_ioc_alloc args = decommitted_alloc(MIB, MIB);
	int fd = device_open();

	args.flags |= CHUNK_ALLOC_POPULATE;
	expect_refusal(fd, EINVAL, call(fd, CHUNK_IOC_ALLOC, &args));
	args = decommitted_alloc(MIB + 1, MIB);
	expect_refusal(fd, EINVAL, call(fd, CHUNK_IOC_ALLOC, &args));
	args = decommitted_alloc(1ULL << 47, MIB);
	expect_refusal(fd, ENOMEM, call(fd, CHUNK_IOC_ALLOC, &args));
}

static void lookup_of_nothing(void)
{
	int fd = device_open();
	char *foreign = anonymous(page_size(), PROT_READ);
	char *extent = prepared(fd);
	const __u64 nothing[] = {
		0, 1, (uintptr_t)foreign, (uintptr_t)lookup, -1ULL,
		-(__u64)MIB, 1ULL << 63, 0xffff888000000000, 0x7fffffffffff,
		(uintptr_t)extent ^ 1ULL << 46, (uintptr_t)extent | 1ULL << 52,
	};

	for (size_t i = 0; i < TAP_COUNT(nothing); i++) {
		struct chunk_ioc_lookup l = {
			.size = sizeof(l),
			.addr = nothing[i],
		};

		expect_equal(call(fd, CHUNK_IOC_LOOKUP, &l), 0);
		expect_equal(l.state, 0);
		expect_equal(l.length, 0);
		expect_equal(l.addr, nothing[i]);
	}
}

static void limits(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = device_open();
	char *extents[8];

	expect_equal(call(fd, CHUNK_IOC_INFO, &info), 0);
	expect_equal(device_stats(fd).recycle_limit, 128 * MIB);
	expect_equal(device_limit(fd, 5 * MIB + 1), 128 * MIB);
	expect_equal(device_stats(fd).recycle_limit, 5 * MIB + 1);
	for (size_t i = 0; i < 8; i++)
		extents[i] = device_alloc(fd, 2 * MIB, MIB);
	for (size_t i = 0; i < 8; i++) {
		expect_equal(device_dealloc(fd, extents[i], 2 * MIB), 0);
		expect_equal(device_stats(fd).recycled_bytes,
			     i < 2 ? (i + 1) * 2 * MIB : 5 * MIB);
		expect_consistent(fd);
	}
	expect_equal(device_limit(fd, 3 * MIB), 5 * MIB + 1);
	expect(device_stats(fd).recycled_bytes <= 3 * MIB);
	expect_equal(device_limit(fd, 0), 3 * MIB);
	expect_equal(device_stats(fd).recycled_bytes, 0);
	/* The limit is capped at the value of INFO. */
	device_limit(fd, ~0ULL);
	expect_equal(device_stats(fd).recycle_limit, info.max_recycle_limit);
	expect_consistent(fd);
}

static int configure(int fd, __u32 backing, __u64 grow)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		.backing = backing,
		.grow = grow,
	};

	return call(fd, CHUNK_IOC_CONFIGURE, &args);
}

static void configuring(void)
{
	int fd = device_open();
	struct chunk_ioc_stats s;

	expect_equal(configure(fd, CHUNK_BACKING_GUARDED, 0), 0);
	expect_equal(configure(fd, CHUNK_BACKING_GUARDED, 16 * MIB), 0);
	expect_refusal(fd, EINVAL, configure(fd, CHUNK_BACKING_GUARDED, 1));
	expect_refusal(fd, EINVAL, configure(fd, CHUNK_BACKING_GUARDED,
					     MIB + page_size()));
	expect_refusal(fd, EINVAL, configure(fd, CHUNK_BACKING_GUARDED,
					     ~0ULL));
	expect_refusal(fd, EINVAL, configure(fd, CHUNK_BACKING_GUARDED,
					     -(__u64)MIB));
	expect_refusal(fd, EINVAL, configure(fd, CHUNK_BACKING_HUGE + 1, 0));
	device_alloc(fd, MIB, MIB);
	s = device_stats(fd);
	expect(s.mapped_bytes >= 16 * MIB && s.mapped_bytes < 32 * MIB);
	expect_refusal(fd, EBUSY, configure(fd, CHUNK_BACKING_GUARDED, 0));
	expect_refusal(fd, EBUSY, configure(fd, CHUNK_BACKING_GUARDED,
					    16 * MIB));
	/* A malformed call is EINVAL also when it comes too late. */
	expect_refusal(fd, EINVAL, configure(fd, CHUNK_BACKING_GUARDED, 1));
}

/* An extent that was given back, or one of mmap, also fixes the configuration. */
static void configured_late(void)
{
	int fd = device_open(), other = device_open();
	char *extent = device_alloc(fd, MIB, MIB);

	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_equal(configure(fd, CHUNK_BACKING_GUARDED, 0), EBUSY);
	device_mmap(other, MIB, 0);
	expect_equal(configure(other, CHUNK_BACKING_GUARDED, 0), EBUSY);
}

static void huge_backing(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = device_open();

	expect_equal(call(fd, CHUNK_IOC_INFO, &info), 0);
	if (info.caps & CHUNK_CAP_HUGE)
		tap_skip("the huge backing works here");
	expect_refusal(fd, EOPNOTSUPP, configure(fd, CHUNK_BACKING_HUGE, 0));
	device_alloc(fd, MIB, MIB);
}

static void counters(void)
{
	int fd = device_open();
	struct chunk_ioc_stats s = device_stats(fd);
	char *extent;

	expect_equal(s.mapped_bytes + s.live_bytes + s.live_extents +
		     s.recycled_bytes + s.reserved_bytes + s.regions +
		     s.allocs + s.deallocs + s.commits + s.decommits + s.traps,
		     0);
	extent = prepared(fd);
	s = device_stats(fd);
	expect_equal(s.live_bytes, 4 * MIB);
	expect_equal(s.live_extents, 1);
	expect_equal(s.allocs, 1);
	expect_equal(s.allocs_recycled, 0);
	expect(s.regions >= 1);
	expect_equal(s.mapped_bytes, s.live_bytes + s.reserved_bytes);
	expect_equal(s.traps, 0);
	expect(read_traps(extent + MIB) && store_traps(extent + MIB, 1));
	expect_equal(device_stats(fd).traps, 2);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	s = device_stats(fd);
	expect_equal(s.live_bytes + s.live_extents + s.decommitted_bytes, 0);
	expect_equal(s.recycled_bytes, 4 * MIB);
	expect_equal(s.deallocs, 1);
	device_alloc(fd, MIB, MIB);
	s = device_stats(fd);
	expect_equal(s.allocs_recycled, 1);
	expect_equal(s.recycled_bytes, 3 * MIB);
	expect_consistent(fd);
}

static void zero_always(void)
{
	int fd = device_open();

	for (__u32 type = CHUNK_TYPE_UNKNOWN; type <= CHUNK_TYPE_RECYCLED;
	     type++) {
		struct chunk_ioc_dealloc args = {
			.size = sizeof(args), .type = type, .length = 4 * MIB,
		};
		char *extent = device_alloc(fd, 4 * MIB, MIB);

		expect(is_zero(extent, 4 * MIB));
		/* An extent that was said to be zero, and is not, harms nobody. */
		fill(extent, 4 * MIB, type);
		args.addr = (uintptr_t)extent;
		expect_equal(device_call(fd, CHUNK_IOC_DEALLOC, &args), 0);
	}
	expect_equal(device_stats(fd).allocs_recycled, 4);
}

/* Map all address space but for holes of less than @least bytes. */
static void fill_space(size_t least)
{
	size_t size = SIZE_MAX / 2 + 1;

	while (size >= least)
		if (mmap(NULL, size, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			 MAP_NORESERVE, -1, 0) == MAP_FAILED)
			size /= 2;
}

/* Regions are far apart where they can be, and anywhere where they cannot. */
static void last_room(void)
{
	char *room = anonymous(256 * MIB, PROT_NONE), *hole;
	int fd = device_open();

	fill_space(2 * MIB);
	/*
	 * None of these is room for a region that no other shares nodes with. The
	 * kernel looks for the size and the alignment together.
	 */
	hole = (char *)(((uintptr_t)room + 128 * MIB) & -128 * MIB) + MIB;
	expect(munmap(hole, 4 * MIB) == 0);
	expect(munmap(hole + 10 * MIB, 3 * MIB) == 0);
	expect((uintptr_t)device_alloc(fd, 3 * MIB, MIB) - (uintptr_t)hole <= MIB);
	expect((uintptr_t)device_alloc(fd, 2 * MIB, MIB) -
	       (uintptr_t)(hole + 10 * MIB) <= MIB);
	expect_consistent(fd);
}

static const struct tap_case cases[] = {
	{ "ALLOC: the last room in address space", last_room },
	{ "ALLOC: bad sizes and alignments", alloc_sizes },
	{ "ALLOC: alignments up to 64 GiB", alloc_aligned },
	{ "malformed ranges: EINVAL", malformed_ranges },
	{ "ranges that are not live: ENOENT", ranges_not_live },
	{ "ranges partly live: ENOENT", ranges_partly_live },
	{ "DEALLOC: anything but a whole extent: EINVAL", dealloc_only_whole },
	{ "DEALLOC: twice: ENOENT", dealloc_twice },
	{ "DEALLOC: twice, reused between", dealloc_after_reuse },
	{ "COMMIT and DECOMMIT", commit_and_decommit },
	{ "DECOMMIT and DEALLOC free the memory", decommit_frees },
	{ "COMMIT and DECOMMIT across extents", across_extents },
	{ "LOOKUP", lookup },
	{ "LOOKUP of foreign addresses", lookup_of_nothing },
	{ "LOOKUP from run to run", lookup_of_runs },
	{ "LOOKUP by a shorter structure", lookup_without_end },
	{ "an extent decommitted from the start", alloc_decommitted },
	{ "decommitted from the start, larger than memory",
	  alloc_decommitted_huge },
	{ "decommitted from the start: refused arguments",
	  alloc_decommitted_refused },
	{ "LIMIT is exact and capped", limits },
	{ "CONFIGURE before the first extent", configuring },
	{ "CONFIGURE after the first extent: EBUSY", configured_late },
	{ "CONFIGURE of an unavailable backing: EOPNOTSUPP", huge_backing },
	{ "STATS", counters },
	{ "extents are zero, whatever type was given back", zero_always },
};

const struct tap_suite tap_suite = {
	.about = "Tests ranges given to the device",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
