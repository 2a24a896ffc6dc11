// SPDX-License-Identifier: MIT
/*
 * OfferVirtualMemory and ReclaimVirtualMemory, replaced by the test's own: few
 * systems that the test runs on have them. While memory is offered it cannot be
 * accessed.
 */
#include <errno.h>
#include <string.h>

#include "os.h"
#include "os_windows.h"

#include "common.h"

#define ERROR_OURS	4711

/**
 * struct offers - results to come, and counters
 * @refused:   number of the call to offer, from 1, that fails; 0: none
 * @lost:      number of the call to reclaim, from 1, that has lost contents
 * @broken:    number of the call to reclaim, from 1, that fails; 0: none
 * @offered:   calls to offer
 * @reclaimed: calls to reclaim
 * @most:      the largest range, in bytes
 */
static struct offers {
	unsigned int refused;
	unsigned int lost;
	unsigned int broken;
	unsigned int offered;
	unsigned int reclaimed;
	size_t most;
} offers;

static char *chunk;

static DWORD protect(const void *addr, SIZE_T size, DWORD protection)
{
	DWORD before;

	if (offers.most < size)
		offers.most = size;
	return VirtualProtect((void *)addr, size, protection, &before) ?
	       ERROR_SUCCESS : ERROR_INVALID_PARAMETER;
}

static DWORD WINAPI offer(void *addr, SIZE_T size, int priority)
{
	expect(priority >= 1 && priority <= 4);
	SetLastError(ERROR_INVALID_FUNCTION);
	if (++offers.offered == offers.refused)
		return ERROR_NOT_SUPPORTED;
	return protect(addr, size, PAGE_NOACCESS);
}

static DWORD WINAPI reclaim(const void *addr, SIZE_T size)
{
	DWORD error;

	SetLastError(ERROR_INVALID_FUNCTION);
	if (++offers.reclaimed == offers.broken)
		return ERROR_NOT_ENOUGH_MEMORY;
	error = protect(addr, size, PAGE_READWRITE);
	if (offers.reclaimed != offers.lost)
		return error;
	/* The contents are not defined now. */
	memset((void *)addr, 0xee, size);
	return ERROR_BUSY;
}

/* Chunks with a decommitted part, and the test's calls */
static void prepare(void)
{
	size_t page = page_size();

	chunk = alloc_mib(3);
	fill(chunk, 3 * MIB, 1);
	pages_decommit(chunk + MIB + page, page);
	chunk_windows.offer = offer;
	chunk_windows.reclaim = reclaim;
	chunk_os_caps.offer_way = OFFER_CALLS;
	expect_equal(chunk_offer_way(), OFFER_CALLS);
}

/* Neither call changes the thread's last error. */
static void offer_all(void)
{
	SetLastError(ERROR_OURS);
	chunk_offer(chunk, 3 * MIB);
	expect_equal(GetLastError(), ERROR_OURS);
}

static bool reclaim_all(void)
{
	bool good;

	SetLastError(ERROR_OURS);
	good = chunk_reclaim(chunk, 3 * MIB);
	expect_equal(GetLastError(), ERROR_OURS);
	return good;
}

static void expect_contents(bool intact)
{
	size_t page = page_size(), tail = MIB + 2 * page;

	expect_trap_only(chunk + MIB + page, page);
	if (intact) {
		expect(is_filled(chunk, MIB + page, 1));
		expect(is_filled(chunk + tail, 3 * MIB - tail, 1 + tail));
	} else {
		expect(is_zero(chunk, MIB + page));
		expect(is_zero(chunk + tail, 3 * MIB - tail));
	}
}

/* A range of one mapping and one chunk at a time, and committed pages only */
static void intact(void)
{
	prepare();
	offer_all();
	expect_equal(offers.offered, 4);
	expect_equal(offers.most, MIB);
	expect_trap(chunk);
	expect_trap(chunk + 3 * MIB - 1);
	expect(reclaim_all());
	expect_equal(offers.reclaimed, 4);
	expect_contents(true);
}

static void one_is_lost(void)
{
	prepare();
	for (unsigned int i = 1; i <= 4; i++) {
		fill(chunk, MIB + page_size(), 1);
		offers = (struct offers) { .lost = i };
		offer_all();
		expect(!reclaim_all());
		expect_contents(false);
	}
}

/* Memory that the system does not let go is committed anew. */
static void one_is_broken(void)
{
	prepare();
	for (unsigned int i = 1; i <= 4; i++) {
		fill(chunk, MIB + page_size(), 1);
		offers = (struct offers) { .broken = i };
		offer_all();
		expect(!reclaim_all());
		expect_contents(false);
	}
}

/* Memory that the system refuses to offer keeps its contents. */
static void one_is_refused(void)
{
	prepare();
	for (unsigned int i = 1; i <= 4; i++) {
		offers = (struct offers) { .refused = i };
		offer_all();
		expect(reclaim_all());
		expect_contents(true);
	}
}

static void given_back(void)
{
	prepare();
	chunk_offer(chunk, 3 * MIB);
	dealloc_mib(chunk, 3);
	for (int i = 0; i < 4; i++) {
		chunk = alloc_mib(1);
		expect(is_zero(chunk, MIB));
		fill(chunk, MIB, 1);
		chunk_offer(chunk, MIB);
		dealloc_mib(chunk, 1);
	}
	expect_stats_consistent();
}

static void keep_all(char **chunks, size_t count)
{
	for (size_t i = 0; i < count; i++)
		dealloc_mib(chunks[i], 1);
	expect_equal(stats_now().offered_bytes, count * MIB);
}

static bool is_unmapped(const void *addr)
{
	MEMORY_BASIC_INFORMATION info;

	expect(VirtualQuery(addr, &info, sizeof(info)));
	return info.State == MEM_FREE;
}

/* Each chunk is a mapping of its own, and goes back as one. */
static void kept_for_reuse(void)
{
	char *chunks[8], *pair;

	prepare();
	expect(chunk_set_reuse(REUSE_OFFERED, 64 * MIB));
	for (size_t i = 0; i < TAP_COUNT(chunks); i++) {
		chunks[i] = alloc_mib(1);
		fill(chunks[i], MIB, i);
	}
	keep_all(chunks, TAP_COUNT(chunks));
	expect_trap(chunks[0]);
	pair = alloc_mib(2);
	expect(is_zero(pair, 2 * MIB));
	dealloc_mib(pair, 2);
	expect_equal(stats_now().offered_bytes, TAP_COUNT(chunks) * MIB);
	for (size_t i = 0; i < TAP_COUNT(chunks); i++) {
		chunks[i] = alloc_mib(1);
		expect(is_zero(chunks[i], MIB));
	}
	expect_equal(stats_now().offered_taken, TAP_COUNT(chunks) * MIB);
	keep_all(chunks, TAP_COUNT(chunks));
	expect(chunk_set_reuse(REUSE_TRAPPED, 0));
	expect_equal(stats_now().offered_bytes, 0);
	for (size_t i = 0; i < TAP_COUNT(chunks); i++)
		expect(is_unmapped(chunks[i]));
	expect_stats_consistent();
}

/*
 * The system is asked for one chunk at a time. If it refuses the first, it is not
 * asked again; any other is merely not offered. All are taken back.
 */
static void in_one_range(void)
{
	prepare();
	pages_commit(chunk, 3 * MIB);
	for (unsigned int i = 1; i <= 3; i++) {
		offers = (struct offers) { .refused = i };
		expect_equal(chunk_os_offer(chunk, 3 * MIB),
			     i == 1 ? -EOPNOTSUPP : 0);
		expect_equal(offers.offered, i == 1 ? 1 : 3);
		expect_equal(chunk_os_take(chunk, 3 * MIB), 0);
		offers = (struct offers) { .lost = i };
		expect_equal(chunk_os_offer(chunk, 3 * MIB), 0);
		expect_equal(chunk_os_take(chunk, 3 * MIB), -EAGAIN);
		expect_equal(offers.reclaimed, 3);
		expect_equal(offers.most, MIB);
	}
}

static void before_windows_8_1(void)
{
	prepare();
	chunk_windows.offer = NULL;
	chunk_windows.reclaim = NULL;
	offer_all();
	expect(reclaim_all());
	expect_contents(true);
	expect_equal(chunk_os_take(chunk, MIB), -EAGAIN);
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "offered and reclaimed, chunk by chunk", intact },
	{ "one range has lost its contents: all are zero", one_is_lost },
	{ "one range cannot be reclaimed: all are zero", one_is_broken },
	{ "one range is not offered", one_is_refused },
	{ "offered chunks are given back", given_back },
	{ "kept for reuse", kept_for_reuse },
	{ "chunks of one range, one of which is refused or lost", in_one_range },
	{ "a Windows without these calls", before_windows_8_1 },
};

const struct tap_suite tap_suite = {
	.about = "Tests offering memory to Windows",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
