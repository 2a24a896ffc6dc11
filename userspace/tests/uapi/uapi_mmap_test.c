// SPDX-License-Identifier: MIT
/* mmap(2) on the device: a live, aligned extent in one call. */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/resource.h>

#include "uapi.h"

#define FLAGS	(MAP_PRIVATE | MAP_NORESERVE)

static int try_mmap(int fd, void *addr, size_t length, int flags, __u64 offset)
{
	void *got = mmap(addr, length, PROT_READ | PROT_WRITE, flags, fd,
			 offset);

	return got == MAP_FAILED ? errno : 0;
}

static void live_at_once(void)
{
	int fd = device_open();
	char *extent = device_mmap(fd, 3 * MIB, 0);
	struct chunk_ioc_stats s = device_stats(fd);

	expect(is_zero(extent, 3 * MIB));
	fill(extent, 3 * MIB, 1);
	expect_equal(s.live_bytes, 3 * MIB);
	expect_equal(s.live_extents, 1);
	expect_equal(s.allocs, 1);
	expect_equal(s.regions, 1);
	expect_equal(s.mapped_bytes, 3 * MIB);
	expect_equal(device_state(fd, extent + MIB), CHUNK_STATE_LIVE);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect_trap_only(extent + MIB, MIB);
	expect_equal(device_commit(fd, extent + MIB, MIB), 0);
	expect(is_zero(extent + MIB, MIB));
	expect_equal(device_dealloc(fd, extent, MIB), EINVAL);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect_trap(extent);
	expect(device_alloc(fd, 3 * MIB, MIB) == extent);
	expect_consistent(fd);
}

static void every_alignment(void)
{
	int fd = device_open();
	/* There is no room for more in 32 bits. */
	unsigned int most = sizeof(void *) > 4 ? 38 : 28;

	for (unsigned int log2 = 20; log2 <= most; log2++) {
		char *a = device_mmap(fd, MIB, log2);
		char *b = device_mmap(fd, 3 * MIB, log2);

		expect(is_zero(a, page_size()));
		fill(a, MIB, log2);
		fill(b + 2 * MIB, MIB, log2);
		expect_equal(device_dealloc(fd, a, MIB), 0);
	}
	expect_consistent(fd);
}

static void bad_offsets(void)
{
	int fd = device_open();
	size_t page = page_size();

	for (unsigned int log2 = 1; log2 < 300; log2++) {
		if (log2 >= CHUNK_SHIFT && log2 < 63)
			continue;
		expect_refusal(fd, EINVAL, try_mmap(fd, NULL, MIB, FLAGS,
						    CHUNK_MMAP_ALIGN(log2,
								     page)));
	}
	/* No address space has room for these alignments. */
	for (unsigned int log2 = address_bits(); log2 < 63; log2++)
		expect_refusal(fd, ENOMEM, try_mmap(fd, NULL, MIB, FLAGS,
						    CHUNK_MMAP_ALIGN(log2,
								     page)));
	expect_refusal(fd, EINVAL, try_mmap(fd, NULL, MIB, FLAGS,
					    CHUNK_MMAP_ALIGN(21, page) + 1));
	expect_refusal(fd, EINVAL, try_mmap(fd, NULL, MIB, FLAGS,
					    (__u64)1 << 62));
}

static void bad_lengths(void)
{
	int fd = device_open();
	static const size_t bad[] = {
		4096, 8192, MIB - 4096, MIB + 4096, MIB + 1, 1,
		3 * MIB / 2, GIB + 4096,
	};

	for (size_t i = 0; i < TAP_COUNT(bad); i++) {
		size_t rounded = (bad[i] + page_size() - 1) & -page_size();

		if (rounded % MIB == 0)
			continue;
		expect_refusal(fd, EINVAL, try_mmap(fd, NULL, bad[i], FLAGS,
						    0));
	}
	expect_refusal(fd, EINVAL, try_mmap(fd, NULL, 0, FLAGS, 0));
	expect_refusal(fd, ENOMEM, try_mmap(fd, NULL, -MIB, FLAGS, 0));
#if SIZE_MAX > UINT32_MAX
	expect_refusal(fd, ENOMEM, try_mmap(fd, NULL, (size_t)1 << 47, FLAGS,
					    0));
	expect_refusal(fd, ENOMEM, try_mmap(fd, NULL, CHUNK_LENGTH_MAX + MIB,
					    FLAGS, 0));
#endif
}

/* With five-level page tables a hint above 47 bits asks for such an address. */
static void above_47_bits(void)
{
#if SIZE_MAX > UINT32_MAX
	void *hint = (void *)(uintptr_t)(1ULL << 48);
	void *high = mmap(hint, MIB, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS |
			  MAP_NORESERVE, -1, 0);
	int fd = device_open();
	char *extent;

	expect(high != MAP_FAILED);
	if ((uintptr_t)high >> 47 == 0)
		tap_skip("addresses have 47 bits");
	expect(munmap(high, MIB) == 0);
	for (unsigned int log2 = 44; log2 < 56; log2++)
		expect_refusal(fd, ENOMEM, try_mmap(fd, hint, (size_t)1 << log2,
						    FLAGS, 0));
	extent = mmap(hint, CHUNK_LENGTH_MAX, PROT_READ | PROT_WRITE, FLAGS,
		      fd, 0);
	expect(extent != MAP_FAILED && (uintptr_t)extent >> 47);
	fill(extent, MIB, 1);
	fill(extent + CHUNK_LENGTH_MAX - MIB, MIB, 2);
	expect_equal(device_decommit(fd, extent + page_size(),
				     CHUNK_LENGTH_MAX - MIB), 0);
	expect_trap(extent + CHUNK_LENGTH_MAX / 2);
	expect(is_filled(extent, page_size(), 1));
	expect_equal(device_dealloc(fd, extent, CHUNK_LENGTH_MAX), 0);
	expect_consistent(fd);
#else
	tap_skip("addresses have 32 bits");
#endif
}

static void shared(void)
{
	int fd = device_open(), reading = open(CHUNK_DEVICE_PATH, O_RDONLY);

	expect_refusal(fd, EINVAL, try_mmap(fd, NULL, MIB, MAP_SHARED, 0));
	expect_refusal(fd, EINVAL, try_mmap(fd, NULL, MIB, MAP_SHARED |
					    MAP_NORESERVE, 0));
	expect(mmap(NULL, MIB, PROT_READ, MAP_SHARED, fd, 0) == MAP_FAILED);
	expect_equal(errno, EINVAL);
	/* On a file open only for reading, a shared mapping looks like a private one. */
	expect(reading >= 0);
	expect(mmap(NULL, MIB, PROT_READ, MAP_SHARED, reading, 0) ==
	       MAP_FAILED);
	expect_equal(errno, EINVAL);
}

static void fixed(void)
{
	int fd = device_open();
	char *place = anonymous(16 * MIB, PROT_NONE);
	char *aligned = (char *)(((uintptr_t)place + 4 * MIB - 1) & -4 * MIB);
	size_t page = page_size();

	expect_refusal(fd, EINVAL, try_mmap(fd, aligned + page, MIB,
					    FLAGS | MAP_FIXED, 0));
	expect_refusal(fd, EINVAL, try_mmap(fd, aligned + MIB, MIB,
					    FLAGS | MAP_FIXED,
					    CHUNK_MMAP_ALIGN(22, page)));
	expect_refusal(fd, EINVAL, try_mmap(fd, aligned + MIB / 2, MIB,
					    FLAGS | MAP_FIXED_NOREPLACE, 0));
	expect_refusal(fd, EEXIST, try_mmap(fd, aligned, MIB,
					    FLAGS | MAP_FIXED_NOREPLACE, 0));
	expect(munmap(aligned + 4 * MIB, 4 * MIB) == 0);
	expect(mmap(aligned + 4 * MIB, 4 * MIB, PROT_READ | PROT_WRITE,
		    FLAGS | MAP_FIXED_NOREPLACE, fd,
		    CHUNK_MMAP_ALIGN(22, page)) == aligned + 4 * MIB);
	fill(aligned + 4 * MIB, 4 * MIB, 1);
	expect_equal(device_state(fd, aligned + 5 * MIB), CHUNK_STATE_LIVE);
	expect(mmap(aligned, MIB, PROT_READ | PROT_WRITE, FLAGS | MAP_FIXED,
		    fd, 0) == aligned);
	fill(aligned, MIB, 2);
	expect_equal(device_dealloc(fd, aligned, MIB), 0);
	expect(is_filled(aligned + 4 * MIB, 4 * MIB, 1));
}

static void hint(void)
{
	int fd = device_open();
	char *place = anonymous(32 * MIB, PROT_NONE), *got;
	char *aligned = (char *)(((uintptr_t)place + 8 * MIB - 1) & -8 * MIB);
	size_t page = page_size();

	/* A free hole that fits exactly is taken; a mapped one is not. */
	expect(munmap(aligned, 8 * MIB) == 0);
	got = mmap(aligned, 8 * MIB, PROT_READ | PROT_WRITE, FLAGS, fd,
		   CHUNK_MMAP_ALIGN(23, page));
	expect(got == aligned);
	got = mmap(aligned, MIB, PROT_READ | PROT_WRITE, FLAGS, fd, 0);
	expect(got != MAP_FAILED && got != aligned);
	expect_equal((uintptr_t)got % MIB, 0);
	/* A misaligned hint is no reason to fail. */
	got = mmap(aligned + 12 * MIB + page, MIB, PROT_READ | PROT_WRITE,
		   FLAGS, fd, CHUNK_MMAP_ALIGN(21, page));
	expect(got != MAP_FAILED);
	expect_equal((uintptr_t)got % (2 * MIB), 0);
}

static void protections(void)
{
	int fd = device_open();
	char *reading = mmap(NULL, MIB, PROT_READ, FLAGS, fd, 0);
	char *none = mmap(NULL, MIB, PROT_NONE, FLAGS, fd, 0);

	expect(reading != MAP_FAILED && none != MAP_FAILED);
	expect(is_zero(reading, MIB));
	expect(write_traps(reading));
	expect_trap(none);
	expect(mprotect(none, MIB, PROT_READ | PROT_WRITE) == 0);
	expect(mprotect(reading, MIB, PROT_READ | PROT_WRITE) == 0);
	expect(is_zero(none, MIB));
	fill(none, MIB, 1);
	fill(reading, MIB, 1);
}

static void populate(void)
{
	int fd = device_open();
	char *extent = mmap(NULL, 2 * MIB, PROT_READ | PROT_WRITE,
			    FLAGS | MAP_POPULATE, fd, 0);

	expect(extent != MAP_FAILED);
	expect_equal(resident_bytes(extent, 2 * MIB), 2 * MIB);
	expect(is_zero(extent, 2 * MIB));
	fill(extent, 2 * MIB, 1);
}

/* Adjoining mappings are two extents, although the kernel may merge them. */
static void neighbours(void)
{
	int fd = device_open();
	char *place = anonymous(8 * MIB, PROT_NONE);
	char *a = (char *)(((uintptr_t)place + MIB - 1) & -MIB);

	for (int i = 0; i < 4; i++)
		expect(mmap(a + i * MIB, MIB, PROT_READ | PROT_WRITE,
			    FLAGS | MAP_FIXED, fd, 0) == a + i * MIB);
	expect_equal(device_stats(fd).live_extents, 4);
	expect_equal(device_stats(fd).regions, 4);
	fill(a, 4 * MIB, 1);
	expect_equal(device_decommit(fd, a + MIB / 2, 2 * MIB), 0);
	expect_trap_only(a + MIB / 2, 2 * MIB);
	expect_equal(device_dealloc(fd, a + MIB, MIB), 0);
	expect_equal(device_dealloc(fd, a + 2 * MIB, MIB), 0);
	/* The extents are of different regions, so they never coalesce. */
	expect(device_alloc(fd, 2 * MIB, MIB) != a + MIB);
	expect(is_filled(a + 3 * MIB, MIB, 1 + 3 * MIB));
	expect_consistent(fd);
}

static void many(void)
{
	int fd = device_open();
	static char *extents[500];

	for (size_t i = 0; i < TAP_COUNT(extents); i++) {
		extents[i] = device_mmap(fd, MIB, 20 + i % 5);
		*extents[i] = 1;
	}
	for (size_t i = 0; i < TAP_COUNT(extents); i += 2)
		expect(munmap(extents[i], MIB) == 0);
	for (size_t i = 0; i < TAP_COUNT(extents); i++)
		expect_equal(device_dealloc(fd, extents[i], MIB),
			     i % 2 ? 0 : ENOENT);
	expect_equal(device_stats(fd).live_bytes, 0);
	expect_consistent(fd);
}

/* Premapping must not make a mapping fail that fits under the limit. */
static void growth_under_limit(void)
{
	int fd = device_open();
	struct rlimit limit;
	char *addr, *first;
	size_t count = 0;

	first = device_alloc(fd, MIB, MIB);
	fill(first, MIB, 1);
	expect(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = MIB;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	while (try_alloc(fd, MIB, MIB, &addr) == 0)
		fill(addr, page_size(), ++count);
	expect_refusal(fd, ENOMEM, try_alloc(fd, MIB, MIB, &addr));
	expect_refusal(fd, ENOMEM, try_mmap(fd, NULL, MIB, FLAGS, 0));
	expect(is_filled(first, MIB, 1));
	expect_equal(device_dealloc(fd, first, MIB), 0);
	expect(device_alloc(fd, MIB, MIB) == first);
	expect(is_zero(first, MIB));
	limit.rlim_cur = limit.rlim_max;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	expect_equal(try_alloc(fd, MIB, MIB, &addr), 0);
	expect_consistent(fd);
}

static const struct tap_case cases[] = {
	{ "mapped memory is live and committed", live_at_once },
	{ "alignments up to 256 GiB", every_alignment },
	{ "bad offsets", bad_offsets },
	{ "bad lengths", bad_lengths },
	{ "addresses above 47 bits", above_47_bits },
	{ "MAP_SHARED is refused", shared },
	{ "MAP_FIXED and MAP_FIXED_NOREPLACE", fixed },
	{ "hints", hint },
	{ "other protections", protections },
	{ "MAP_POPULATE", populate },
	{ "neighbours stay apart", neighbours },
	{ "hundreds of mappings, half of them unmapped", many },
	{ "growth that fails leaves everything usable", growth_under_limit },
};

const struct tap_suite tap_suite = {
	.about = "Tests mmap on the device",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
