// SPDX-License-Identifier: MIT
/*
 * Discardable memory when memory is short, after fork, with the descriptor of the
 * device closed and without address space for its words.
 */
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>

#include <linux/chunk.h>

#include "common.h"
#include "kernel_file.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define DROP		"/proc/sys/vm/drop_caches"
#define THREADS		4
#define DROPS		rounds(200)

/* Capabilities of the device: CHUNK_CAP_* */
static unsigned long long device_caps(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	int fd = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);

	expect(fd >= 0);
	expect(ioctl(fd, CHUNK_IOC_INFO, &info) == 0);
	close(fd);
	return info.caps;
}

/* Words are used if the device has them. */
static void words_are_used(void)
{
	if (!on_device())
		tap_skip("there are no words of chunks");
	expect_equal(chunk_offer_way() == OFFER_WORDS,
		     !!(device_caps() & CHUNK_CAP_OFFER));
}

/* Let the kernel free whatever it can free without writing. */
static void drop(void)
{
	expect(put_text(DROP, "2"));
}

static void need_words(void)
{
	if (chunk_offer_way() != OFFER_WORDS)
		tap_skip("there are no words of chunks");
	if (geteuid())
		tap_skip("not root");
}

static void need_advice(void)
{
	if (chunk_offer_way() != OFFER_ADVICE)
		tap_skip("memory is not offered by advice here");
	if (!residency_known())
		tap_skip("it cannot be seen which memory is freed here");
}

/* Drop until a chunk is gone: reclaim passes over a process that is busy. */
static void drop_all_of(char *chunk, size_t size)
{
	for (int tries = 0; tries < 100; tries++) {
		drop();
		if (resident_bytes(chunk, size) == 0)
			return;
	}
	tap_failed(__FILE__, __LINE__, "what is offered is discarded");
}

static void discarded_when_short(void)
{
	char *chunk = alloc_mib(4);

	need_words();
	fill(chunk, 4 * MIB, 1);
	chunk_offer(chunk, 2 * MIB);
	drop_all_of(chunk, 2 * MIB);
	expect_equal(resident_bytes(chunk + 2 * MIB, 2 * MIB), 2 * MIB);
	errno = EXDEV;
	expect(!chunk_reclaim(chunk, 2 * MIB));
	expect_equal(errno, EXDEV);
	expect(is_zero(chunk, 2 * MIB));
	expect(is_filled(chunk + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	/* It is in use now. */
	fill(chunk, 2 * MIB, 2);
	drop();
	expect(is_filled(chunk, 2 * MIB, 2));
	chunk_offer(chunk, 2 * MIB);
	expect(chunk_reclaim(chunk, 2 * MIB));
	expect(is_filled(chunk, 2 * MIB, 2));
}

/* The kernel keeps what is locked, so the chunks around it are lost without it. */
static void survivors_are_zeroed(void)
{
	static const size_t places[] = { 0, 1, 3 };

	need_words();
	for (size_t i = 0; i < TAP_COUNT(places); i++) {
		char *chunk = alloc_mib(4), *locked = chunk + places[i] * MIB;
		size_t hole = places[i] * MIB + MIB / 2;

		fill(chunk, 4 * MIB, 1);
		pages_decommit(chunk + hole, page_size());
		if (mlock(locked, page_size()))
			tap_skip("memory cannot be locked here");
		chunk_offer(chunk, 4 * MIB);
		for (int tries = 0; tries < 100; tries++) {
			drop();
			if (resident_bytes(chunk, 4 * MIB) <= MIB)
				break;
		}
		expect_equal(resident_bytes(locked, MIB), MIB - page_size());
		munlock(locked, page_size());
		expect(!chunk_reclaim(chunk, 4 * MIB));
		expect(is_zero(chunk, hole));
		expect_trap_only(chunk + hole, page_size());
		expect(is_zero(chunk + hole + page_size(),
			       4 * MIB - hole - page_size()));
		dealloc_mib(chunk, 4);
	}
}

/* Pages that the advice has freed and pages that it has not */
static void advice_frees_memory(void)
{
	char *chunk = alloc_mib(2);

	need_advice();
	fill(chunk, 2 * MIB, 1);
	chunk_offer(chunk, 2 * MIB);
	if (madvise(chunk, MIB, MADV_PAGEOUT))
		tap_skip("this kernel cannot page out on demand");
	tap_note("%zu bytes are left of the half that was paged out",
		 resident_bytes(chunk, MIB));
	expect(resident_bytes(chunk, MIB) < MIB);
	expect_equal(resident_bytes(chunk + MIB, MIB), MIB);
	expect(!chunk_reclaim(chunk, 2 * MIB));
	expect_equal(resident_bytes(chunk, 2 * MIB), 0);
	expect(is_zero(chunk, 2 * MIB));
	fill(chunk, 2 * MIB, 2);
	madvise(chunk, 2 * MIB, MADV_PAGEOUT);
	expect(is_filled(chunk, 2 * MIB, 2));
}

/* The system takes no advice about memory that is locked. */
static void locked_by_the_program(void)
{
	char *chunk = alloc_mib(2);

	fill(chunk, 2 * MIB, 1);
	if (mlock(chunk + page_size(), page_size()))
		tap_skip("memory cannot be locked here");
	chunk_offer(chunk, 2 * MIB);
	if (chunk_reclaim(chunk, 2 * MIB))
		expect(is_filled(chunk, 2 * MIB, 1));
	else
		expect(is_zero(chunk, 2 * MIB));
}

/* A child finds memory of mmap as the parent left it; of the device all is lost. */
static void child_takes(void)
{
	char *chunk = alloc_mib(3);
	bool was_certain = !on_device() && chunk_offer_way() != OFFER_ADVICE;
	pid_t child;

	fill(chunk, 3 * MIB, 1);
	chunk_offer(chunk, 2 * MIB);
	child = tap_fork();
	if (child == 0) {
		expect_equal(chunk_reclaim(chunk, 2 * MIB), was_certain);
		expect(was_certain || is_zero(chunk, 2 * MIB));
		expect(is_filled(chunk + 2 * MIB, MIB, 1 + 2 * MIB));
		fill(chunk, 2 * MIB, 3);
		chunk_offer(chunk, 2 * MIB);
		if (!chunk_reclaim(chunk, 2 * MIB))
			expect(is_zero(chunk, 2 * MIB));
		dealloc_mib(chunk, 3);
		expect_stats_consistent();
		_exit(0);
	}
	tap_join(child);
	if (chunk_reclaim(chunk, 2 * MIB))
		expect(is_filled(chunk, 2 * MIB, 1));
	else
		expect(is_zero(chunk, 2 * MIB));
}

/* A child of a child offers chunks of its own in the same way as its parent. */
static void child_offers(int depth)
{
	char *chunk = alloc_mib(2);
	enum chunk_offer_way way = chunk_offer_way();
	pid_t child;

	fill(chunk, 2 * MIB, depth);
	chunk_offer(chunk, 2 * MIB);
	expect_equal(chunk_reclaim(chunk, 2 * MIB), way != OFFER_ADVICE);
	chunk_offer(chunk, MIB);
	if (depth < 3) {
		child = tap_fork();
		if (child == 0) {
			expect_equal(chunk_offer_way(), way);
			child_offers(depth + 1);
			_exit(0);
		}
		tap_join(child);
	}
	expect_equal(chunk_reclaim(chunk, MIB), way != OFFER_ADVICE);
	dealloc_mib(chunk, 2);
}

static void children_offer(void)
{
	child_offers(0);
}

/*
 * The parent's chunks are discarded; the child has them as they were at the fork. A
 * kernel without a zap function discards nothing before the child's end: it would
 * take the memory from both.
 */
static void discarded_in_the_parent(void)
{
	char *chunk = alloc_mib(2), byte = 0;
	int ends[2];
	pid_t child;

	need_words();
	fill(chunk, 2 * MIB, 1);
	expect(pipe(ends) == 0);
	chunk_offer(chunk, 2 * MIB);
	child = tap_fork();
	if (child == 0) {
		expect(read(ends[0], &byte, 1) == 1);
		expect(is_filled(chunk, 2 * MIB, 1));
		expect(!chunk_reclaim(chunk, 2 * MIB));
		expect(is_zero(chunk, 2 * MIB));
		_exit(0);
	}
	if (device_caps() & CHUNK_CAP_ZAP) {
		drop_all_of(chunk, 2 * MIB);
	} else {
		drop();
		expect_equal(resident_bytes(chunk, 2 * MIB), 2 * MIB);
	}
	expect(write(ends[1], &byte, 1) == 1);
	tap_join(child);
	drop_all_of(chunk, 2 * MIB);
	expect(!chunk_reclaim(chunk, 2 * MIB));
}

static void close_all_files(void)
{
	if (syscall(SYS_close_range, 3, TAP_FD - 1, 0))
		tap_skip("this kernel cannot close files by range");
	expect(syscall(SYS_close_range, TAP_FD + TAP_FDS, ~0U, 0) == 0);
}

/* Words outlive the descriptor. */
static void files_closed(void)
{
	char *chunk = alloc_mib(4), *fresh;
	bool certain = chunk_offer_way() != OFFER_ADVICE;
	bool words = chunk_offer_way() == OFFER_WORDS;

	fill(chunk, 4 * MIB, 1);
	chunk_offer(chunk, MIB);
	chunk_offer(chunk + MIB, MIB);
	close_all_files();
	expect_equal(chunk_reclaim(chunk, MIB), certain);
	if (words && !geteuid()) {
		drop_all_of(chunk + MIB, MIB);
		expect(!chunk_reclaim(chunk + MIB, MIB));
		expect(is_zero(chunk + MIB, MIB));
	}
	/* libchunk notices, and opens the device again. */
	fresh = alloc_mib(2);
	fill(fresh, 2 * MIB, 2);
	chunk_offer(fresh, 2 * MIB);
	chunk_offer(chunk + 2 * MIB, 2 * MIB);
	expect_equal(chunk_reclaim(fresh, 2 * MIB), certain);
	expect(!certain || is_filled(fresh, 2 * MIB, 2));
	/* Without words, the memory of a lost descriptor was freed at once. */
	certain = on_device() ? words : certain;
	expect_equal(chunk_reclaim(chunk + 2 * MIB, 2 * MIB), certain);
	expect(!certain || is_filled(chunk + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	dealloc_mib(chunk, 4);
	dealloc_mib(fresh, 2);
	expect(is_zero(alloc_mib(4), 4 * MIB));
}

/* Closed before anything was offered: there are no words any more. */
static void closed_before(void)
{
	char *chunk = alloc_mib(2);

	fill(chunk, 2 * MIB, 1);
	close_all_files();
	dealloc_mib(alloc_mib(1), 1);
	chunk_offer(chunk, 2 * MIB);
	if (chunk_reclaim(chunk, 2 * MIB))
		expect(is_filled(chunk, 2 * MIB, 1));
	else
		expect(is_zero(chunk, 2 * MIB));
	fill(chunk, 2 * MIB, 2);
	dealloc_mib(chunk, 2);
}

/* Without address space for words, contents stay. */
static void no_room_for_words(void)
{
	char *chunk = alloc_mib(2);
	struct rlimit limit;

	need_limit(RLIMIT_AS);
	if (chunk_offer_way() != OFFER_WORDS)
		tap_skip("there are no words of chunks");
	fill(chunk, 2 * MIB, 1);
	expect(getrlimit(RLIMIT_AS, &limit) == 0);
	limit.rlim_cur = status_bytes("VmSize");
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	chunk_offer(chunk, MIB);
	limit.rlim_cur = limit.rlim_max;
	expect(setrlimit(RLIMIT_AS, &limit) == 0);
	/* There is room again, which is noticed. */
	chunk_offer(chunk + MIB, MIB);
	if (!geteuid())
		drop_all_of(chunk + MIB, MIB);
	expect(chunk_reclaim(chunk, MIB));
	expect(is_filled(chunk, MIB, 1));
	chunk_reclaim(chunk + MIB, MIB);
	fill(chunk, MIB, 2);
	chunk_offer(chunk, MIB);
	if (!geteuid())
		drop_all_of(chunk, MIB);
	dealloc_mib(chunk, 2);
}

static atomic_bool over;
static atomic_ulong intact, lost;

static void *offer_own(void *arg)
{
	uint64_t random = (uintptr_t)arg;
	size_t page = page_size();
	char *chunk = alloc_mib(2);

	while (!over) {
		uint64_t seed = random_next(&random);

		for (size_t at = 0; at < 2 * MIB; at += 8 * page)
			fill(chunk + at, page, seed + at);
		chunk_offer(chunk, 2 * MIB);
		for (size_t i = random_below(&random, 3); i; i--)
			sched_yield();
		if (chunk_reclaim(chunk, 2 * MIB)) {
			for (size_t at = 0; at < 2 * MIB; at += 8 * page)
				expect(is_filled(chunk + at, page, seed + at));
			intact++;
		} else {
			for (size_t at = 0; at < 2 * MIB; at += 8 * page)
				expect(is_zero(chunk + at, page));
			lost++;
		}
	}
	dealloc_mib(chunk, 2);
	return NULL;
}

static void fork_once(void)
{
	pid_t child = tap_fork();

	if (child == 0) {
		char *chunk = alloc_mib(1);

		fill(chunk, MIB, 1);
		chunk_offer(chunk, MIB);
		if (chunk_reclaim(chunk, MIB))
			expect(is_filled(chunk, MIB, 1));
		_exit(0);
	}
	tap_join(child);
}

/* Threads offer and take, memory is dropped, and the process forks meanwhile. */
static void threads_while_dropped(void)
{
	pthread_t threads[THREADS];

	need_words();
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_create(&threads[i], NULL, offer_own,
				      (void *)(i + 1)) == 0);
	for (unsigned int i = 0; i < DROPS; i++) {
		drop();
		if (i % 50 == 0)
			fork_once();
	}
	over = true;
	for (size_t i = 0; i < THREADS; i++)
		expect(pthread_join(threads[i], NULL) == 0);
	tap_note("%lu ranges of 2 MiB taken intact, %lu lost", intact, lost);
	expect(lost > 0);
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "words are used if the device has them", words_are_used },
	{ "offered chunks are discarded when memory is short",
	  discarded_when_short },
	{ "what survives beside discarded chunks is zeroed",
	  survivors_are_zeroed },
	{ "advice frees memory, and chunk_reclaim() the rest",
	  advice_frees_memory },
	{ "locked memory is offered", locked_by_the_program },
	{ "a child takes what its parent offered", child_takes },
	{ "children offer as their parents do", children_offer },
	{ "what the parent loses stays in the child", discarded_in_the_parent },
	{ "all files closed while chunks are offered", files_closed },
	{ "all files closed before chunks are offered", closed_before },
	{ "no address space for words", no_room_for_words },
	{ "threads offer and take while memory is dropped",
	  threads_while_dropped },
};

const struct tap_suite tap_suite = {
	"Discardable memory under pressure, after fork and without files.",
	cases, TAP_COUNT(cases),
};
