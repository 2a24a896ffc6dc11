// SPDX-License-Identifier: MIT
/*
 * Changes to the device's mappings behind its back: unmapping, replacing,
 * moving, protecting, in whole and in part. The device then refuses calls, or
 * uses the rest; it never touches foreign memory.
 */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "uapi.h"

/* Enough extents to use up all that any of these tests leaves free */
#define MANY	120

/* Foreign memory where the device once had its own */
static char *stranger;
static size_t stranger_size;

static void move_in(char *addr, size_t size)
{
	spare_strangers();
	stranger = mmap(addr, size, PROT_READ | PROT_WRITE,
			MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0);
	expect(stranger == addr);
	stranger_size = size;
	fill(stranger, size, 77);
}

static void expect_stranger_safe(void)
{
	expect(is_filled(stranger, stranger_size, 77));
}

/* All extents handed out from now on must be the device's memory. */
static void expect_usable(int fd)
{
	static char *extents[MANY];

	for (size_t i = 0; i < MANY; i++) {
		size_t size = (1 + i % 3) * MIB;

		extents[i] = device_alloc(fd, size, MIB << i % 3);
		expect(!stranger_size || extents[i] + size <= stranger ||
		       extents[i] >= stranger + stranger_size);
		/*
		 * The first extents may be recycled, so all of them is checked;
		 * a debug kernel is slow.
		 */
		expect(is_zero(extents[i], i < 8 ? size : page_size()));
		fill(extents[i], page_size(), i);
		fill(extents[i] + size - page_size(), page_size(), i);
	}
	expect_stranger_safe();
	for (size_t i = 0; i < MANY; i++) {
		expect(is_filled(extents[i], page_size(), i));
		expect_equal(device_dealloc(fd, extents[i], (1 + i % 3) * MIB),
			     0);
	}
	expect_stranger_safe();
	device_limit(fd, 0);
	expect_stranger_safe();
	expect_consistent(fd);
}

/* The errors that are allowed for a range whose mapping was removed */
static void expect_stale(int error)
{
	if (error != ENOENT)
		expect_equal(error, ESTALE);
}

static void use_stale(int fd, char *addr, size_t size)
{
	expect_stale(device_decommit(fd, addr, size));
	expect_stale(device_commit(fd, addr, size));
	expect_stranger_safe();
	expect_stale(device_dealloc(fd, addr, size));
	/* By now at the latest the device has dropped the extent. */
	expect_refusal(fd, ENOENT, device_dealloc(fd, addr, size));
	expect_refusal(fd, ENOENT, device_decommit(fd, addr, size));
	expect_refusal(fd, ENOENT, device_commit(fd, addr, size));
	expect_equal(device_state(fd, addr) & CHUNK_STATE_LIVE, 0);
	expect_stranger_safe();
}

/* Make an extent by ALLOC, within a region, or by mmap, a region of its own. */
static char *extent_by(int fd, bool by_mmap, size_t size)
{
	char *extent = by_mmap ? device_mmap(fd, size, 0) :
				 device_alloc(fd, size, MIB);

	fill(extent, size, 1);
	return extent;
}

static void replaced_whole(bool by_mmap)
{
	int fd = device_open();
	char *extent = extent_by(fd, by_mmap, 3 * MIB);

	move_in(extent, 3 * MIB);
	use_stale(fd, extent, 3 * MIB);
	expect_usable(fd);
}

static void alloc_replaced_whole(void)
{
	replaced_whole(false);
}

static void mmap_replaced_whole(void)
{
	replaced_whole(true);
}

/* Replace the pages @from to @to of an extent of 3 MiB. */
static void replaced_part(bool by_mmap, size_t from, size_t to)
{
	int fd = device_open();
	size_t page = page_size();
	char *extent = extent_by(fd, by_mmap, 3 * MIB);
	struct chunk_ioc_stats before = device_stats(fd), after;

	move_in(extent + from * page, (to - from) * page);
	/* Pages that were not replaced are as before. */
	if (from) {
		expect_equal(device_decommit(fd, extent, page), 0);
		expect_trap(extent);
		expect_equal(device_commit(fd, extent, page), 0);
	}
	expect_equal(device_decommit(fd, stranger, page), ESTALE);
	expect_equal(device_commit(fd, stranger, page), ESTALE);
	expect_equal(device_decommit(fd, extent, 3 * MIB), ESTALE);
	expect_equal(device_commit(fd, extent, 3 * MIB), ESTALE);
	after = device_stats(fd);
	expect_equal(after.decommitted_bytes, before.decommitted_bytes);
	expect_equal(after.live_bytes, before.live_bytes);
	if (from) {
		expect(is_zero(extent, page));
		expect(is_filled(extent + page, (from - 1) * page, 1 + page));
	}
	expect_stranger_safe();
	use_stale(fd, extent, 3 * MIB);
	expect_usable(fd);
}

static void replaced_parts(bool by_mmap)
{
	size_t last = 3 * MIB / page_size();
	const size_t parts[][2] = {
		{ 0, 1 }, { 1, 2 }, { last - 1, last }, { 5, 4 * last / 5 },
		{ 0, last / 3 }, { last / 3, 2 * last / 3 },
		{ 2 * last / 3, last }, { 1, last - 1 },
	};

	for (size_t i = 0; i < TAP_COUNT(parts); i++)
		replaced_part(by_mmap, parts[i][0], parts[i][1]);
}

static void alloc_replaced_in_part(void)
{
	replaced_parts(false);
}

static void mmap_replaced_in_part(void)
{
	replaced_parts(true);
}

/* Recycled space, premapped space, or both are replaced. */
static void free_space_replaced(void)
{
	for (size_t from = 0; from < 8 * MIB; from += MIB + MIB / 2) {
		int fd = device_open();
		char *extent = device_alloc(fd, 8 * MIB, MIB);

		expect_equal(device_dealloc(fd, extent, 8 * MIB), 0);
		move_in(extent + from, MIB / 2);
		expect_usable(fd);
		expect_equal(device_state(fd, stranger) & CHUNK_STATE_LIVE, 0);
	}
}

static void premapped_replaced(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, MIB, MIB);
	struct chunk_ioc_stats s = device_stats(fd);

	if (!s.reserved_bytes)
		tap_skip("nothing is premapped");
	/* Premapped space is beside the extent, on either side. */
	for (char *p = extent - 4 * MIB; p <= extent + 4 * MIB; p += MIB) {
		char name[64];

		if (p == extent || !mapping_name(p, name, sizeof(name)) ||
		    !strstr(name, "chunk"))
			continue;
		move_in(p, page_size());
		expect_usable(fd);
		return;
	}
	expect(!"premapped space beside the extent");
}

/* The unmapped part stays a hole: the device maps nothing there. */
static void unmapped(void)
{
	for (int by_mmap = 0; by_mmap <= 1; by_mmap++) {
		int fd = device_open();
		char *extent = extent_by(fd, by_mmap, 3 * MIB);

		stranger = extent;
		stranger_size = 0;
		expect(munmap(extent + MIB, MIB) == 0);
		expect_trap_only(extent + MIB, MIB);
		expect_equal(device_decommit(fd, extent, 3 * MIB), ESTALE);
		expect_equal(device_commit(fd, extent, 3 * MIB), ESTALE);
		expect_equal(device_commit(fd, extent + MIB, MIB), ESTALE);
		expect(is_filled(extent, MIB, 1));
		expect_equal(device_decommit(fd, extent + 2 * MIB, MIB), 0);
		expect_trap(extent + 2 * MIB);
		expect(munmap(extent, 3 * MIB) == 0);
		use_stale(fd, extent, 3 * MIB);
		expect_usable(fd);
	}
}

/* All mappings of the context are unmapped, with one munmap for all regions. */
static void all_unmapped(void)
{
	int fd = device_open();
	static char *extents[MANY];

	for (size_t i = 0; i < MANY; i++)
		extents[i] = extent_by(fd, i % 2, MIB);
	for (size_t i = 0; i < MANY; i++)
		expect(munmap(extents[i], MIB) == 0);
	for (size_t i = 0; i < MANY; i++)
		use_stale(fd, extents[i], MIB);
	stranger_size = 0;
	expect_equal(device_stats(fd).live_bytes, 0);
	expect_usable(fd);
}

/* A mapping of the device, of this or another context, takes the extent's place. */
static void replaced_by_context(void)
{
	int fd = device_open(), other = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB), *own;

	if (!has_zap(fd))
		tap_skip("the caller frees memory, whatever context has mapped it");
	fill(extent, 4 * MIB, 1);
	own = mmap(extent + MIB, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_NORESERVE | MAP_FIXED, other, 0);
	expect(own == extent + MIB);
	fill(own, MIB, 77);
	stranger = own;
	stranger_size = MIB;
	use_stale(fd, extent, 4 * MIB);
	expect_equal(device_state(other, own), CHUNK_STATE_LIVE);
	expect_usable(fd);
	expect_equal(device_dealloc(other, own, MIB), 0);
}

static void replaced_by_own(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB), *own;

	fill(extent, 4 * MIB, 1);
	own = mmap(extent + MIB, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		   MAP_NORESERVE | MAP_FIXED, fd, 0);
	expect(own == extent + MIB);
	expect(is_zero(own, MIB));
	fill(own, MIB, 78);
	/* The new mapping is an extent of its own, and the old one is no more. */
	expect_equal(device_lookup(fd, own).addr, (uintptr_t)own);
	expect_equal(device_lookup(fd, own).length, MIB);
	expect(device_dealloc(fd, extent, 4 * MIB) != 0);
	expect(is_filled(own, MIB, 78));
	expect_equal(device_dealloc(fd, own, MIB), 0);
	expect_consistent(fd);
}

/* The device's state is kept by address, so moving is refused. */
static void moved(void)
{
	int fd = device_open();
	char *extent = extent_by(fd, false, 2 * MIB);
	char *place = anonymous(4 * MIB, PROT_NONE);

	expect(mremap(extent, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE | MREMAP_FIXED,
		      place) == MAP_FAILED);
	expect(is_filled(extent, 2 * MIB, 1));
	expect_equal(device_state(fd, extent), CHUNK_STATE_LIVE);
	expect(mremap(extent, MIB, 2 * MIB, MREMAP_MAYMOVE) == MAP_FAILED);
	expect(mremap(extent, 2 * MIB, 2 * MIB, MREMAP_MAYMOVE |
		      MREMAP_DONTUNMAP) == MAP_FAILED);
	expect(is_filled(extent, 2 * MIB, 1));
	expect_equal(device_decommit(fd, extent, 2 * MIB), 0);
	expect_trap(extent);
	stranger_size = 0;
	stranger = extent;
	expect_equal(device_dealloc(fd, extent, 2 * MIB), 0);
	expect_usable(fd);
}

/*
 * A mapping grown in place exceeds the extent. Nobody else may get the memory
 * that is there then, and nothing may break.
 */
static void grown(void)
{
	int fd = device_open();
	char *place = anonymous(16 * MIB, PROT_NONE);
	char *extent = (char *)(((uintptr_t)place + MIB - 1) & -MIB), *more;

	expect(mmap(extent, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, fd, 0) == extent);
	fill(extent, MIB, 1);
	expect(munmap(extent + MIB, 8 * MIB) == 0);
	more = mremap(extent, MIB, 9 * MIB, 0);
	tap_note("growing in place %s", more == MAP_FAILED ? "is refused" :
		 "is possible");
	if (more != MAP_FAILED) {
		for (size_t at = MIB; at < 9 * MIB; at += MIB / 2) {
			bool traps = read_traps(extent + at);

			expect_equal(write_traps(extent + at), traps);
		}
		expect(is_filled(extent, MIB, 1));
		expect_equal(device_state(fd, extent + MIB), 0);
		expect_refusal(fd, ENOENT, device_decommit(fd, extent + MIB,
							   MIB));
		expect_refusal(fd, EINVAL, device_dealloc(fd, extent,
							  9 * MIB));
	}
	stranger = extent + MIB;
	stranger_size = 0;
	expect_equal(device_decommit(fd, extent, MIB), 0);
	expect_trap(extent);
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_usable(fd);
}

/*
 * A mapping is grown far beyond its extent, cut in parts, one of which has no
 * memory of the device, and forked with all of that.
 */
static void grown_and_forked(void)
{
	int fd = device_open();
	char *place = anonymous(600 * MIB, PROT_NONE);
	char *extent = (char *)(((uintptr_t)place + MIB - 1) & -MIB);
	size_t page = page_size();
	pid_t child;

	expect(mmap(extent, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, fd, 0) == extent);
	fill(extent, MIB, 1);
	expect_equal(device_decommit(fd, extent + page, page), 0);
	expect(munmap(extent + MIB, 513 * MIB) == 0);
	if (mremap(extent, MIB, 513 * MIB, 0) == MAP_FAILED)
		tap_skip("growing in place is refused");
	expect(munmap(extent + 64 * MIB + page, 200 * MIB) == 0);
	expect(mprotect(extent + 400 * MIB, 3 * page, PROT_READ) == 0);
	child = tap_fork();
	expect_trap_only(extent + page, page);
	for (size_t at = MIB; at < 513 * MIB; at += 7 * MIB)
		(void)read_traps(extent + at);
	if (child == 0) {
		/* The copy is changed and forked again. */
		expect(mprotect(extent + 300 * MIB, page, PROT_READ) == 0);
		child = tap_fork();
		expect_trap_only(extent + page, page);
		if (child)
			tap_join(child);
		_exit(0);
	}
	tap_join(child);
	expect(munmap(extent + 2 * MIB, 511 * MIB) == 0);
	expect(is_filled(extent, page, 1));
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	stranger = extent;
	stranger_size = 0;
	expect_usable(fd);
}

static void shrunk(void)
{
	int fd = device_open();
	char *extent = extent_by(fd, true, 4 * MIB);

	expect(mremap(extent, 4 * MIB, 2 * MIB, 0) == extent);
	expect(is_filled(extent, 2 * MIB, 1));
	expect_trap(extent + 2 * MIB);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	move_in(extent + 2 * MIB, 2 * MIB);
	use_stale(fd, extent, 4 * MIB);
	expect_usable(fd);
}

/* The user may change protections. */
static void protected(void)
{
	int fd = device_open();
	char *extent = extent_by(fd, false, 4 * MIB);

	expect(mprotect(extent + MIB, MIB, PROT_READ) == 0);
	expect(mprotect(extent + 2 * MIB, MIB, PROT_NONE) == 0);
	expect(is_filled(extent, 2 * MIB, 1));
	expect_equal(device_decommit(fd, extent, 4 * MIB), 0);
	expect_trap(extent);
	expect_trap(extent + MIB);
	expect_trap(extent + 2 * MIB);
	expect_equal(device_commit(fd, extent, 4 * MIB), 0);
	expect(is_zero(extent, 2 * MIB));
	expect(write_traps(extent + MIB));
	expect_trap(extent + 2 * MIB);
	expect(mprotect(extent, 4 * MIB, PROT_READ | PROT_WRITE) == 0);
	expect(is_zero(extent, 4 * MIB));
	fill(extent, 4 * MIB, 3);
	expect(is_filled(extent, 4 * MIB, 3));
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect_consistent(fd);
}

/* Advice changes neither committed nor decommitted pages. */
static void advised(void)
{
	int fd = device_open();
	char *extent = extent_by(fd, false, 4 * MIB);

	expect_equal(device_decommit(fd, extent + 2 * MIB, MIB), 0);
	expect(madvise(extent + MIB, 2 * MIB, MADV_DONTNEED) == 0);
	expect(is_filled(extent, MIB, 1));
	expect(is_zero(extent + MIB, MIB));
	expect_trap_only(extent + 2 * MIB, MIB);
	expect(is_filled(extent + 3 * MIB, MIB, 1 + 3 * MIB));
	fill(extent + MIB, MIB, 2);
	expect(is_filled(extent + MIB, MIB, 2));
	/* Any advice may be refused; none may break anything. */
	for (int advice = 0; advice < 30; advice++)
		if (advice != MADV_REMOVE && advice != MADV_DONTFORK &&
		    advice != MADV_WIPEONFORK)
			madvise(extent + MIB, 2 * MIB, advice);
	expect(is_filled(extent, MIB, 1));
	expect_trap_only(extent + 2 * MIB, MIB);
	expect(is_filled(extent + 3 * MIB, MIB, 1 + 3 * MIB));
	expect_equal(device_commit(fd, extent, 4 * MIB), 0);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	stranger = extent;
	stranger_size = 0;
	expect_usable(fd);
}

/* The mappings outlive the descriptor, after which no call is possible. */
static void closed(void)
{
	int fd = device_open();
	char *extent = extent_by(fd, false, 4 * MIB), *fresh;

	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect(close(fd) == 0);
	expect(is_filled(extent, MIB, 1));
	expect_trap_only(extent + MIB, MIB);
	fill(extent + 2 * MIB, 2 * MIB, 2);
	expect_equal(device_decommit(fd, extent, MIB), EBADF);
	/* A new context knows nothing of the old mappings. */
	fd = device_open();
	expect_refusal(fd, ENOENT, device_decommit(fd, extent, MIB));
	expect_refusal(fd, ENOENT, device_dealloc(fd, extent, 4 * MIB));
	fresh = device_alloc(fd, 4 * MIB, MIB);
	fill(fresh, 4 * MIB, 3);
	expect(is_filled(extent + 2 * MIB, 2 * MIB, 2));
	expect(munmap(extent, 4 * MIB) == 0);
	expect_trap(extent);
	expect(is_filled(fresh, 4 * MIB, 3));
}

/* Unmap every page of a region, in random order: splits, holes, closes. */
static void shredded(void)
{
	int fd = device_open();
	size_t page = page_size(), pages = 4 * MIB / page;
	char *extent = extent_by(fd, true, 4 * MIB);

	for (size_t i = 0; i < pages; i++) {
		/* 7 and a power of two have no divisor in common. */
		size_t at = i * 7 % pages;

		expect(munmap(extent + at * page, page) == 0);
		expect_equal(device_commit(fd, extent + at * page, page),
			     i + 1 < pages ? ESTALE : ENOENT);
	}
	expect_equal(device_stats(fd).regions, 0);
	expect_equal(device_stats(fd).live_bytes, 0);
	stranger = extent;
	stranger_size = 0;
	expect_usable(fd);
}

static const struct tap_case cases[] = {
	{ "an extent by ALLOC replaced", alloc_replaced_whole },
	{ "an extent by mmap replaced", mmap_replaced_whole },
	{ "an extent by ALLOC replaced in part", alloc_replaced_in_part },
	{ "an extent by mmap replaced in part", mmap_replaced_in_part },
	{ "recycled address space replaced", free_space_replaced },
	{ "premapped address space replaced", premapped_replaced },
	{ "unmapped in part and whole", unmapped },
	{ "everything unmapped", all_unmapped },
	{ "replaced by another context's mapping", replaced_by_context },
	{ "replaced by the context's own mapping", replaced_by_own },
	{ "mremap to elsewhere is refused", moved },
	{ "mremap to a larger size", grown },
	{ "mremap to a larger size, cut up, and forked", grown_and_forked },
	{ "mremap to a smaller size", shrunk },
	{ "mprotect", protected },
	{ "madvise", advised },
	{ "close while mapped", closed },
	{ "unmapped page by page", shredded },
};

const struct tap_suite tap_suite = {
	.about = "Tests what is done behind the device's back",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
