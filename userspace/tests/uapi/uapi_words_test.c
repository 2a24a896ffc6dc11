// SPDX-License-Identifier: MIT
/*
 * Words of offered chunks: how they can be mapped, who has them, how long they
 * last, and the counters. The discarding is the subject of uapi_offer_test.c.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "pass_fd.h"
#include "uapi.h"
#include "words.h"

#ifndef MADV_PAGEOUT
#define MADV_PAGEOUT	21
#endif

#define RW		(PROT_READ | PROT_WRITE)

static struct owner open_owner(void)
{
	return owner_of(device_open());
}

static size_t span(void)
{
	return CHUNK_WORDS_SPAN(page_size());
}

/* The number of pages that the words of all address space have */
static uint64_t pages_of_words(void)
{
	return ((uint64_t)1 << address_bits()) / span();
}

static void expect_no_words(int fd, uint64_t first, size_t length,
			    int protection, int flags, int error)
{
	expect(try_words(fd, first, length, protection, flags) == MAP_FAILED);
	expect_equal(errno, error);
}

/*
 * The page number behind the last page of words, or a later one: a program of 32 bits
 * may map all words of a kernel of 64, whose addresses have up to 57 bits.
 */
static uint64_t after_words(void)
{
	return sizeof(void *) == 4 ? (1ULL << 57) / span() : pages_of_words();
}

static void no_extent(void)
{
	struct owner o = open_owner();
	size_t bait = (uintptr_t)o.bait / span();
	size_t words = page_size() / sizeof(*o.words);
	size_t pages = pages_of_words(), step = pages > 64 ? pages / 64 : 1;

	for (size_t page = 0; page < pages; page += step) {
		if (page != bait)
			expect_trap(o.words + page * words);
	}
	/* The first page, and the last one of address space */
	expect_trap(o.words);
	if (bait != pages - 1)
		expect_trap(o.words + pages * words - 1);
	expect_no_trap(owner_word(&o, o.bait));
	expect_no_trap(owner_word(&o, (char *)((uintptr_t)o.bait & -span())));
}

/* A word that has been touched stays when the last extent beside it goes. */
static void after_last_extent(void)
{
	struct owner o = open_owner();
	/* The greatest alignment first, for which 32 bits have room only once */
	char *far = device_alloc(o.fd, MIB, 2 * span());
	char *extent = device_alloc(o.fd, MIB, span());

	atomic_store(owner_word(&o, extent), 0);
	expect_equal(device_dealloc(o.fd, extent, MIB), 0);
	/* The owner of free space may offer it, which means nothing. */
	atomic_store(owner_word(&o, extent), CHUNK_WORD_OFFERED);
	owner_press(&o);
	expect(is_zero(device_alloc(o.fd, MIB, span()), MIB));
	/* Words that were never touched have no page. */
	expect_equal(device_dealloc(o.fd, far, MIB), 0);
	device_limit(o.fd, 0);
	if ((uintptr_t)far / span() != (uintptr_t)o.bait / span())
		expect_trap(owner_word(&o, far));
}

static void refused(void)
{
	size_t page = page_size();
	uint64_t most = after_words();
	struct owner o = open_owner();
	int fd = o.fd;

	expect_no_words(fd, 0, page, RW, MAP_PRIVATE, EINVAL);
	expect_no_words(fd, 0, page, RW | PROT_EXEC, MAP_SHARED, EINVAL);
	expect_no_words(fd, 0, page, PROT_READ, MAP_PRIVATE, EINVAL);
	/* Beyond the last address: by the place, by the length, by both */
	expect_no_words(fd, most, page, RW, MAP_SHARED, EINVAL);
	expect_no_words(fd, most - 1, 2 * page, RW, MAP_SHARED, EINVAL);
	expect_no_words(fd, 1, most * page, RW, MAP_SHARED, EINVAL);
	expect_no_words(fd, 1ULL << 40, page, RW, MAP_SHARED, EINVAL);
	expect_no_words(fd, -1ULL >> 12, page, RW, MAP_SHARED, EINVAL);
	/* Before the words: the offset of an extent */
	expect_no_words(fd, -1, page, RW, MAP_SHARED, EINVAL);
	expect_no_words(fd, -1, 2 * page, RW, MAP_SHARED, EINVAL);
	most = pages_of_words();
	expect(try_words(fd, most - 1, page, RW, MAP_SHARED) != MAP_FAILED);
}

static void read_only(void)
{
	struct owner o = open_owner();
	int fd = open(CHUNK_DEVICE_PATH, O_RDONLY | O_CLOEXEC);
	uint32_t *words;

	expect(fd >= 0);

	/* Another mapping of the words may be read-only, another file may not. */
	words = try_words(o.fd, (uintptr_t)o.bait / span(), page_size(),
			  PROT_READ, MAP_SHARED);
	expect(words != MAP_FAILED);
	word_offer(owner_word(&o, o.bait));
	expect_equal(words[(uintptr_t)o.bait % span() / MIB],
		     CHUNK_WORD_OFFERED);
	expect(write_traps(words));
	expect_no_words(fd, 0, page_size(), RW, MAP_SHARED, EACCES);
	expect_no_words(fd, 0, page_size(), PROT_READ, MAP_SHARED, EINVAL);
}

/* Later changes to the mapping of words that are there */
static void changed(void)
{
	size_t page = page_size();
	struct owner o = open_owner();
	char *words = (char *)words_page(o.fd, o.bait);
	char *place = anonymous(4 * page, PROT_NONE);
	void *moved;

	words = (char *)((uintptr_t)words & -page);
	expect(words);
	*(uint32_t *)words = 5 * CHUNK_WORD_TAKE;
	expect(mprotect(words, page, RW | PROT_EXEC) == -1);
	expect_equal(errno, EACCES);
	expect(mprotect(words, page, PROT_READ | PROT_EXEC) == -1);
	moved = mremap(words, page, page, MREMAP_MAYMOVE | MREMAP_FIXED, place);
	expect(moved == MAP_FAILED);
	expect(mremap(words, page, 2 * page, MREMAP_MAYMOVE) == MAP_FAILED);
	expect(mremap(words, page, 2 * page, 0) == MAP_FAILED);
	/* A second mapping of the same words, by a length of 0 */
	expect(mremap(words, 0, page, MREMAP_MAYMOVE) == MAP_FAILED);
	expect(madvise(words, page, MADV_DONTNEED) == 0);
	expect_equal(*(uint32_t *)words, 5 * CHUNK_WORD_TAKE);
	madvise(words, page, MADV_PAGEOUT);
	madvise(words, page, MADV_REMOVE);
	madvise(words, page, MADV_FREE);
	expect_equal(*(uint32_t *)words, 5 * CHUNK_WORD_TAKE);
	expect(mprotect(words, page, PROT_READ) == 0);
	expect_equal(*(uint32_t *)words, 5 * CHUNK_WORD_TAKE);
	expect(write_traps(words));
	/* Unmapped and mapped anew, they are the same. */
	expect(munmap(words, page) == 0);
	words = (char *)words_page(o.fd, (void *)((uintptr_t)o.bait & -span()));
	expect_equal(*(uint32_t *)words, 5 * CHUNK_WORD_TAKE);
}

static void mapped_twice(void)
{
	struct owner o = open_owner();
	atomic_uint *one = words_page(o.fd, o.bait);
	atomic_uint *other = words_page(o.fd, o.bait);

	expect(one && other && one != other);
	fill(o.bait, MIB, 3);
	word_offer(one);
	expect_equal(atomic_load(other), CHUNK_WORD_OFFERED);
	expect_equal(word_take(other), TAKEN_INTACT);
	expect_equal(atomic_load(owner_word(&o, o.bait)), CHUNK_WORD_TAKE);
}

/* MAP_POPULATE and mlock fault words in before they are touched. */
static void populated(void)
{
	struct owner o = open_owner();
	uint64_t first = (uintptr_t)o.bait / span();
	size_t before = first < 7 ? first : 7;
	char *words = try_words(o.fd, first, page_size(), RW, MAP_SHARED |
				MAP_POPULATE);

	expect(words != MAP_FAILED);
	expect_no_trap(words);
	expect(mlock(words, page_size()) == 0 || errno == EAGAIN ||
	       errno == ENOMEM);
	expect_no_trap(words);
	/* Most of these have no page. The last of all words may come next. */
	words = try_words(o.fd, first - before, (before + 1) * page_size(), RW,
			  MAP_SHARED | MAP_POPULATE);
	expect(words != MAP_FAILED);
	expect_no_trap(words + before * page_size());
}

/* A system call reads and writes words as it does other memory, or refuses to. */
static void by_the_kernel(void)
{
	struct owner o = open_owner();
	atomic_uint *word = owner_word(&o, o.bait);
	uint32_t value = 7 * CHUNK_WORD_TAKE;
	int ends[2];

	atomic_store(word, 0);
	expect(pipe(ends) == 0);
	expect(write(ends[1], &value, sizeof(value)) == sizeof(value));
	expect(read(ends[0], (void *)word, sizeof(value)) == sizeof(value));
	expect_equal(atomic_load(word), value);
	expect(write(ends[1], (void *)word, sizeof(value)) == sizeof(value));
	/* Words without a page: EFAULT, and no signal */
	expect(write(ends[1], (void *)o.words, sizeof(value)) == -1);
	expect_equal(errno, EFAULT);
	expect(read(ends[0], (void *)o.words, sizeof(value)) == -1);
	expect_equal(errno, EFAULT);
}

/*
 * A kernel without zap could only free the child's memory with the parent's: nothing
 * is discarded until there is no child.
 */
static void expect_kept(const struct owner *o, char *chunk)
{
	for (unsigned int i = 0; i < 20; i++)
		expect(drop_slab());
	expect_equal(device_stats(o->fd).discards, 0);
	expect_equal(owner_take(o, chunk), TAKEN_INTACT);
	expect(is_filled(chunk, MIB, 1));
}

static void expect_discarded(const struct owner *o, char *chunk)
{
	owner_press(o);
	expect_equal(owner_take(o, chunk), TAKEN_ZERO);
	expect(is_zero(chunk, MIB));
}

/* Chunks that the parent has offered, in the child */
static void forked(void)
{
	struct owner o = open_owner();
	char *extent = device_alloc(o.fd, 2 * MIB, MIB), byte;
	int ready[2];
	pid_t child;

	fill(extent, 2 * MIB, 1);
	owner_offer(&o, extent, 2 * MIB);
	expect(pipe(ready) == 0);
	child = tap_fork();
	if (child == 0) {
		close(ready[1]);
		expect(read(ready[0], &byte, 1) == 0);
		expect_trap(owner_word(&o, extent));
		expect(is_filled(extent, 2 * MIB, 1));
		fill(extent, MIB, 2);
		expect(is_filled(extent, MIB, 2));
		expect_no_words(o.fd, 0, page_size(), RW, MAP_SHARED, EPERM);
		_exit(0);
	}
	if (has_zap(o.fd))
		expect_discarded(&o, extent);
	else
		expect_kept(&o, extent);
	fill(extent, MIB, 3);
	close(ready[1]);
	tap_join(child);
	expect(is_filled(extent, MIB, 3));
	expect_discarded(&o, extent + MIB);
}

/* Nothing gives words to a child. */
static void not_for_children(void)
{
	size_t size = pages_of_words() * page_size();
	struct owner o = open_owner();
	pid_t child;

	atomic_store(owner_word(&o, o.bait), 0);
	expect(madvise(o.words, size, MADV_DOFORK) == -1);
	expect_equal(errno, EINVAL);
	child = tap_fork();
	if (child == 0) {
		expect_trap(owner_word(&o, o.bait));
		expect(munmap(o.words, size) == 0);
		_exit(0);
	}
	tap_join(child);
	expect_no_trap(owner_word(&o, o.bait));
}

/* A child discards nothing of what it inherited, and has words of its own. */
static void childs_own(void)
{
	struct owner o = open_owner();
	pid_t child;

	fill(o.bait, MIB, 1);
	word_offer(owner_word(&o, o.bait));
	child = tap_fork();
	if (child == 0) {
		struct owner own = owner_of(device_open());
		atomic_uint *word = words_page(own.fd, o.bait);

		/* Its own words for an inherited chunk */
		expect(word);
		if (!write_traps((void *)word))
			atomic_store(word, CHUNK_WORD_OFFERED);
		owner_press(&own);
		expect(is_filled(o.bait, MIB, 1));
		_exit(0);
	}
	tap_join(child);
	expect(owner_take(&o, o.bait) != TAKEN_IN_USE);
}

static void passed_descriptor(void)
{
	int sockets[2], fd;
	char byte, *chunk;
	pid_t child;

	close(device_open());
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	child = tap_fork();
	if (child == 0) {
		struct owner o = open_owner();

		fill(o.bait, MIB, 1);
		word_offer(owner_word(&o, o.bait));
		send_fd(sockets[1], o.fd);
		expect(write(sockets[1], &o.bait, sizeof(o.bait)) ==
		       sizeof(o.bait));
		expect(read(sockets[1], &byte, 1) == 1);
		_exit(0);
	}
	fd = receive_fd(sockets[0]);
	expect(read(sockets[0], &chunk, sizeof(chunk)) == sizeof(chunk));
	expect_no_words(fd, (uintptr_t)chunk / span(), page_size(), RW,
			MAP_SHARED, EPERM);
	expect(write(sockets[0], "", 1) == 1);
	tap_join(child);
	/* The opener has ended, its words are still in the file. */
	expect_no_words(fd, 0, page_size(), RW, MAP_SHARED, EPERM);
	expect(drop_slab());
	close(fd);
	expect(drop_slab());
}

/* Variable for the executed program, which runs a case of its own, with the descriptor */
#define EXEC_FD	"TEST_EXEC_WORDS"

static void after_exec(void)
{
	const char *fd = getenv(EXEC_FD);

	if (!fd)
		tap_skip("part of another case");
	expect_no_words(atoi(fd), 0, page_size(), RW, MAP_SHARED, EPERM);
	expect(drop_slab());
}

static void executed(void)
{
	static char path[PATH_MAX], variable[64];
	char *const argv[] = { path, "after exec", NULL };
	char *const environment[] = { variable, NULL };
	struct owner o = open_owner();
	struct tap_outcome outcome;
	int fd = dup(o.fd);

	fill(o.bait, MIB, 1);
	word_offer(owner_word(&o, o.bait));
	expect(readlink("/proc/self/exe", path, PATH_MAX - 1) > 0);
	snprintf(variable, sizeof(variable), EXEC_FD "=%d", fd);
	tap_exec(&outcome, argv, environment);
	expect_equal(outcome.status, 0);
	expect(owner_take(&o, o.bait) != TAKEN_IN_USE);
}

/* The mappings outlive the descriptor, and chunks are discarded as before. */
static void closed(void)
{
	struct owner o = open_owner();
	char *extent = device_alloc(o.fd, 2 * MIB, MIB);
	char *far = device_alloc(o.fd, MIB, 2 * span());

	fill(extent, 2 * MIB, 1);
	close(o.fd);
	owner_offer(&o, extent, 2 * MIB);
	owner_press(&o);
	expect_equal(owner_take(&o, extent), TAKEN_ZERO);
	expect(is_zero(extent, MIB));
	expect(munmap(extent, 2 * MIB) == 0);
	/* A page of words that is touched only now */
	expect_no_trap(owner_word(&o, far));
	/* The words are the last mapping, and go when the process ends. */
	expect(munmap(o.bait, MIB) == 0 && munmap(far, MIB) == 0);
	atomic_store(owner_word(&o, extent), CHUNK_WORD_OFFERED);
	expect(drop_slab());
	expect_equal(word_state(owner_word(&o, extent)), CHUNK_WORD_OFFERED);
}

/* Descriptor and words go first; the memory stays. */
static void unmapped_first(void)
{
	struct owner o = open_owner(), other = open_owner();
	char *extent = device_alloc(o.fd, MIB, MIB);

	fill(extent, MIB, 1);
	word_offer(owner_word(&o, extent));
	expect(munmap(o.words, pages_of_words() * page_size()) == 0);
	owner_press(&other);
	/* Nobody can say any more which of the two it is. */
	expect(is_zero(extent, MIB) || is_filled(extent, MIB, 1));
	close(o.fd);
	expect(munmap(extent, MIB) == 0 && munmap(o.bait, MIB) == 0);
	owner_press(&other);
}

static void several_contexts(void)
{
	struct owner a = open_owner(), b = open_owner();
	char *of_a = device_alloc(a.fd, 2 * MIB, MIB);
	char *of_b = device_alloc(b.fd, 2 * MIB, MIB);
	size_t step = MIB;

	fill(of_a, 2 * MIB, 1);
	fill(of_b, 2 * MIB, 2);
	owner_offer(&a, of_a, step);
	owner_offer(&b, of_b + step, step);
	/* Each offers the other's chunk, which means nothing. */
	if (!write_traps((char *)owner_word(&a, of_b)))
		owner_offer(&a, of_b, step);
	if (!write_traps((char *)owner_word(&b, of_a)))
		owner_offer(&b, of_a + step, step);
	owner_press(&a);
	owner_press(&b);
	expect_equal(owner_take(&a, of_a), TAKEN_ZERO);
	expect(is_zero(of_a, MIB));
	expect(is_filled(of_a + MIB, MIB, 1 + MIB));
	expect(is_filled(of_b, MIB, 2));
	expect_equal(owner_take(&b, of_b + MIB), TAKEN_ZERO);
	expect(is_zero(of_b + MIB, MIB));
	expect_equal(atomic_load(owner_word(&b, of_b)), 0);
	expect_equal(atomic_load(owner_word(&a, of_a + MIB)), 0);
}

/* Read the value of @field in fdinfo. */
static unsigned long long fdinfo_value(int fd, const char *field)
{
	unsigned long long value = -1ULL;
	char path[64], line[256], *at;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "re");
	expect(file);
	while (fgets(line, sizeof(line), file)) {
		at = strstr(line, field);
		if (at && at[strlen(field)] == ':')
			expect(sscanf(at + strlen(field), ": %llu", &value) == 1);
	}
	fclose(file);
	return value;
}

static void expect_counts(const struct owner *o, __u64 offered, __u64 discarded,
			  __u64 discards, __u64 takes)
{
	struct chunk_ioc_stats s = device_stats(o->fd);

	expect_equal(s.offered_bytes, offered * MIB);
	expect_equal(s.discarded_bytes, discarded * MIB);
	expect_equal(s.discards, discards);
	expect_equal(s.takes, takes);
	expect_equal(fdinfo_value(o->fd, "offered_bytes"), s.offered_bytes);
	expect_equal(fdinfo_value(o->fd, "discarded_bytes"), s.discarded_bytes);
	expect_equal(fdinfo_value(o->fd, "discards"), s.discards);
	expect_equal(fdinfo_value(o->fd, "takes"), s.takes);
}

/* The bait is discarded twice each time that owner_press() is called. */
static void counters(void)
{
	struct owner o = open_owner(), other = open_owner();
	char *extent = device_alloc(o.fd, 6 * MIB, MIB);

	expect_counts(&o, 0, 0, 0, 0);
	touch(extent, 6 * MIB);
	owner_offer(&o, extent, 4 * MIB);
	expect_counts(&o, 4, 0, 0, 0);
	for (size_t c = 0; c < 3; c++)
		expect_equal(owner_take(&o, extent + c * MIB), TAKEN_INTACT);
	expect_counts(&o, 1, 0, 0, 3);
	owner_offer(&o, extent, 2 * MIB);
	owner_press(&o);
	expect_counts(&o, 0, 3, 5, 3);
	expect_equal(owner_take(&o, extent), TAKEN_ZERO);
	expect_counts(&o, 0, 2, 5, 3);
	owner_offer(&o, extent, MIB);
	expect_equal(owner_take(&o, extent), TAKEN_INTACT);
	expect_counts(&o, 0, 2, 5, 4);
	/* An extent takes what it counted along, into the past. */
	expect_equal(device_dealloc(o.fd, extent, 6 * MIB), 0);
	expect_counts(&o, 0, 0, 5, 4);
	extent = device_alloc(o.fd, 6 * MIB, MIB);
	owner_offer(&o, extent, MIB);
	expect_equal(owner_take(&o, extent), TAKEN_INTACT);
	expect_counts(&o, 0, 0, 5, 5);
	expect_counts(&other, 0, 0, 0, 0);
}

/* A program that was built before chunks could be offered */
static void old_size(void)
{
	struct chunk_ioc_stats stats;
	struct owner o = open_owner();

	touch(o.bait, MIB);
	word_offer(owner_word(&o, o.bait));
	memset(&stats, 0x55, sizeof(stats));
	stats.size = CHUNK_STATS_SIZE_1;
	stats.flags = 0;
	expect_equal(call(o.fd, CHUNK_IOC_STATS, &stats), 0);
	expect_equal(stats.size, sizeof(stats));
	expect_equal(stats.live_extents, 1);
	expect_equal(stats.traps, 0);
	expect_equal(stats.offered_bytes, 0x5555555555555555);
	expect_equal(stats.takes, 0x5555555555555555);
}

static const struct tap_case cases[] = {
	{ "words trap where no extent is live", no_extent },
	{ "words after the last extent beside them has gone",
	  after_last_extent },
	{ "private, executable, misplaced and overlong mappings", refused },
	{ "read-only mappings", read_only },
	{ "mappings of words that are changed", changed },
	{ "two mappings of the same words", mapped_twice },
	{ "words that are populated or locked", populated },
	{ "words in system calls", by_the_kernel },
	{ "fork: a child has contents as of the fork, and no words", forked },
	{ "fork: nothing gives words to a child", not_for_children },
	{ "fork: a child's own context", childs_own },
	{ "a passed descriptor", passed_descriptor },
	{ "after exec", after_exec },
	{ "exec", executed },
	{ "closed while mapped", closed },
	{ "words that are unmapped while chunks are offered", unmapped_first },
	{ "several contexts in one process", several_contexts },
	{ "counters, in STATS and fdinfo", counters },
	{ "STATS in its first size", old_size },
};

const struct tap_suite tap_suite = {
	.about = "Tests the words of offered chunks",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
