// SPDX-License-Identifier: MIT
/*
 * /sys/kernel/debug/chunk: every context, and every extent of it, while they come
 * and go; and nothing else about the kernel.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/wait.h>

#include "random.h"
#include "words.h"

#define CONTEXTS	"/sys/kernel/debug/chunk/contexts"
#define EXTENTS		"/sys/kernel/debug/chunk/extents"

#define NOBODY	65534

static void need_debugfs(void)
{
	if (access(CONTEXTS, R_OK))
		tap_skip("%s cannot be read here", CONTEXTS);
}

/**
 * struct line - a line of EXTENTS
 * @context: number of the context
 * @pid:     its owner
 * @start:   first byte of the run
 * @end:     byte after it
 * @state:   name of the state
 * @from:    first byte of the extent
 * @to:      byte after it
 */
struct line {
	unsigned long long context;
	int pid;
	unsigned long long start;
	unsigned long long end;
	char state[16];
	unsigned long long from;
	unsigned long long to;
};

static void parse(const char *text, struct line *line)
{
	int length = 0;

	int fields = sscanf(text, "%llu %d %llx-%llx %15s %llx-%llx\n%n",
			    &line->context, &line->pid, &line->start, &line->end,
			    line->state, &line->from, &line->to, &length);

	expect_equal(fields, 7);
	expect_equal(text[length], '\0');
	expect(line->context > 0 && line->start < line->end);
	expect(line->from <= line->start && line->end <= line->to);
	/* No address of the kernel */
	expect(line->to <= 1ULL << 57);
}

/* Find the run of this process that contains an address. */
static bool find(const void *addr, struct line *line)
{
	FILE *file = fopen(EXTENTS, "re");
	char text[256];
	bool found = false;

	expect(file);
	while (fgets(text, sizeof(text), file)) {
		struct line now;

		parse(text, &now);
		if (now.pid != getpid() || now.start > (unsigned long)addr ||
		    now.end <= (unsigned long)addr)
			continue;
		expect(!found);
		found = true;
		*line = now;
	}
	fclose(file);
	return found;
}

static bool is(const void *addr, const char *state, size_t size)
{
	struct line line;

	if (!find(addr, &line))
		return false;
	if (strcmp(line.state, state) || line.end - (unsigned long)addr < size)
		tap_note("%llx-%llx %s", line.start, line.end, line.state);
	return !strcmp(line.state, state) &&
	       line.end - (unsigned long)addr >= size;
}

/* The value of a key in the record of a context of a process; -1: there is none */
static long long value_of(int pid, const char *key)
{
	FILE *file = fopen(CONTEXTS, "re");
	char text[256], name[64];
	long long value = -1, now;
	bool mine = false;

	expect(file);
	while (fgets(text, sizeof(text), file)) {
		if (*text == '\n') {
			mine = false;
			continue;
		}
		expect(sscanf(text, "%63[^:]:", name) == 1);
		expect(!strncmp(name, "chunk-", 6));
		if (!strcmp(name, "chunk-comm"))
			continue;
		now = strtoll(strchr(text, ':') + 1, NULL, 10);
		if (!strcmp(name, "chunk-pid"))
			mine = now == pid;
		else if (mine && !strcmp(name + 6, key))
			value = now;
	}
	fclose(file);
	return value;
}

/* Number of contexts, of all processes */
static size_t count(void)
{
	FILE *file = fopen(CONTEXTS, "re");
	char text[256];
	size_t nr = 0;

	expect(file);
	while (fgets(text, sizeof(text), file))
		nr += !strncmp(text, "chunk-context:", 14);
	fclose(file);
	return nr;
}

static void counters(void)
{
	struct chunk_ioc_stats stats;
	int fd;

	need_debugfs();
	expect_equal(value_of(getpid(), "live_bytes"), -1);
	fd = device_open();
	device_decommit(fd, device_alloc(fd, 4 * MIB, MIB), MIB);
	stats = device_stats(fd);
	expect_equal(value_of(getpid(), "live_bytes"), stats.live_bytes);
	expect_equal(value_of(getpid(), "decommitted_bytes"), MIB);
	expect_equal(value_of(getpid(), "mapped_bytes"), stats.mapped_bytes);
	expect_equal(value_of(getpid(), "allocs"), 1);
	close(fd);
}

static void states(void)
{
	char *extent, *kept;
	struct line line;
	int fd;

	need_debugfs();
	fd = device_open();
	extent = device_alloc(fd, 4 * MIB, MIB);
	kept = device_alloc(fd, 2 * MIB, MIB);
	expect(is(extent, "live", 4 * MIB));
	device_decommit(fd, extent + MIB, page_size());
	expect(is(extent, "live", MIB));
	expect(is(extent + MIB, "decommitted", page_size()));
	expect(find(extent + MIB, &line));
	expect_equal(line.start, (unsigned long)extent + MIB);
	expect_equal(line.end, line.start + page_size());
	expect_equal(line.from, (unsigned long)extent);
	expect_equal(line.to, line.from + 4 * MIB);
	expect_equal(device_dealloc(fd, kept, 2 * MIB), 0);
	expect(is(kept, "recycled", 2 * MIB));
	expect(!find(&line, &line));
	close(fd);
}

static void offered(void)
{
	struct owner owner;
	char *extent;
	int fd;

	need_debugfs();
	fd = device_open();
	if (!has_words(fd))
		tap_skip("this kernel cannot discard");
	owner = owner_of(fd);
	extent = device_alloc(fd, 4 * MIB, MIB);
	owner_offer(&owner, extent + MIB, 2 * MIB);
	expect(is(extent, "live", MIB));
	expect(is(extent + MIB, "offered", 2 * MIB));
	expect(!is(extent + MIB, "offered", 3 * MIB));
	expect(is(extent + 3 * MIB, "live", MIB));
}

/* Mappings keep the context of a closed descriptor; debugfs is all that shows it. */
static void closed(void)
{
	size_t before;
	char *extent;
	int fd;

	need_debugfs();
	before = count();
	fd = device_open();
	device_limit(fd, 0);
	extent = device_mmap(fd, 4 * MIB, 0);
	expect_equal(count(), before + 1);
	close(fd);
	expect_equal(count(), before + 1);
	expect(is(extent, "live", 4 * MIB));
	expect_equal(value_of(getpid(), "live_bytes"), 4 * MIB);
	expect(!munmap(extent, 4 * MIB));
	expect_equal(count(), before);
	expect(!is(extent, "live", MIB));
}

/* By their own modes: where debugfs is mounted, all may be let in. */
static void for_root(void)
{
	struct stat stat;

	need_debugfs();
	expect(!lstat(CONTEXTS, &stat) && (stat.st_mode & 07777) == 0400);
	expect(!lstat(EXTENTS, &stat) && (stat.st_mode & 07777) == 0400);
	expect(setgid(NOBODY) == 0 && setuid(NOBODY) == 0);
	expect(open(CONTEXTS, O_RDONLY) == -1 && errno == EACCES);
	expect(open(EXTENTS, O_RDONLY) == -1 && errno == EACCES);
}

/* Read all of a file, @step bytes at a time. */
static size_t read_by(int fd, char *text, size_t size, size_t step)
{
	size_t length = 0;
	ssize_t got;

	expect(!lseek(fd, 0, SEEK_SET));
	while ((got = read(fd, text + length, step)) > 0) {
		length += got;
		expect(length + step < size);
	}
	expect_equal(got, 0);
	return length;
}

/* Reads of any size and at any place give the same text, and hold no context. */
static void small_reads(void)
{
	static const char *const paths[] = { CONTEXTS, EXTENTS };
	static char all[1 << 18], text[1 << 18];
	size_t before;
	char *extent;
	int fd;

	need_debugfs();
	before = count();
	fd = device_open();
	device_limit(fd, 0);
	extent = device_mmap(fd, 4 * MIB, 0);
	for (size_t at = 0; at < MIB; at += 2 * page_size())
		expect_equal(device_decommit(fd, extent + at, page_size()), 0);
	for (size_t i = 0; i < TAP_COUNT(paths); i++) {
		int file = open(paths[i], O_RDONLY);
		size_t length = read_by(file, all, sizeof(all), 4096);

		tap_note("%s: %zu bytes", paths[i], length);
		expect(length > 100);
		expect_equal(read_by(file, text, sizeof(text), 7), length);
		expect(!memcmp(all, text, length));
		for (size_t at = 0; at < length; at += length / 5) {
			expect(pread(file, text, 16, at) > 0);
			expect(!memcmp(all + at, text, 1));
		}
		close(file);
	}
	close(fd);
	expect(!munmap(extent, 4 * MIB));
	expect_equal(count(), before);
}

/* A reader that is in the middle of a file holds up nobody, and leaves nothing. */
static void held(void)
{
	size_t before;
	char text[16];
	int fd, file;

	need_debugfs();
	before = count();
	fd = device_open();
	device_alloc(fd, MIB, MIB);
	file = open(EXTENTS, O_RDONLY);
	expect(read(file, text, sizeof(text)) > 0);
	close(fd);
	expect_equal(read(file, text, 1), 1);
	close(file);
	expect(count() <= before + 1);
}

/* A process with two contexts, one of which outlives its descriptor */
static void use_contexts(void)
{
	int fd = device_open(), other = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	device_decommit(fd, extent + MIB, page_size());
	device_alloc(other, 2 * MIB, MIB);
	device_mmap(other, MIB, 0);
	close(other);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	device_alloc(fd, 2 * MIB, MIB);
}

/* Let contexts come and go until the reader has seen enough. */
static void come_and_go(atomic_bool *stop)
{
	while (!atomic_load(stop)) {
		pid_t child = tap_fork();

		if (child == 0) {
			use_contexts();
			_exit(0);
		}
		tap_join(child);
	}
	_exit(0);
}

#define WORKERS	3

static void race(void)
{
	atomic_bool *stop;
	pid_t workers[WORKERS];
	size_t before, lines = 0;
	char text[256];

	need_debugfs();
	stop = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(stop != MAP_FAILED);
	before = count();
	for (size_t i = 0; i < WORKERS; i++) {
		workers[i] = tap_fork();
		if (workers[i] == 0)
			come_and_go(stop);
	}
	for (int round = 0; round < 300; round++) {
		FILE *file = fopen(round % 2 ? EXTENTS : CONTEXTS, "re");

		expect(file);
		while (fgets(text, sizeof(text), file)) {
			struct line line;

			if (round % 2)
				parse(text, &line);
			lines++;
		}
		fclose(file);
	}
	atomic_store(stop, true);
	for (size_t i = 0; i < WORKERS; i++)
		tap_join(workers[i]);
	tap_note("%zu lines", lines);
	expect(lines > 300);
	expect_equal(count(), before);
}

/* Read a file from its begin, @step bytes at a time, and not always to its end. */
static void read_some(const char *path, size_t step, size_t most)
{
	char text[4096];
	int fd = open(path, O_RDONLY | O_CLOEXEC);

	expect(fd >= 0);
	for (size_t nr = 0; nr < most && read(fd, text, step) > 0; nr++)
		continue;
	close(fd);
}

static void read_until(atomic_bool *stop, uint64_t random)
{
	while (!atomic_load(stop))
		read_some(random_below(&random, 2) ? EXTENTS : CONTEXTS,
			  1 + random_below(&random, 4096),
			  1 + random_below(&random, 40));
	_exit(0);
}

/* A process that has contexts, closed ones too, and no end of its own */
static void use_until_killed(void)
{
	for (;;)
		use_contexts();
}

#define READERS		6
#define KILLED		60

static void crowd(void)
{
	atomic_bool *stop;
	pid_t readers[READERS], child;
	uint64_t random = random_seed();
	size_t before;
	int status;

	need_debugfs();
	stop = mmap(NULL, page_size(), PROT_READ | PROT_WRITE,
		    MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	expect(stop != MAP_FAILED);
	before = count();
	for (size_t i = 0; i < READERS; i++) {
		readers[i] = tap_fork();
		if (readers[i] == 0)
			read_until(stop, random + i);
	}
	for (int round = 0; round < KILLED; round++) {
		child = tap_fork();
		if (child == 0)
			use_until_killed();
		usleep(random_below(&random, 30000));
		expect(!kill(child, SIGKILL));
		expect(waitpid(child, &status, 0) == child);
		expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGKILL);
	}
	atomic_store(stop, true);
	for (size_t i = 0; i < READERS; i++)
		tap_join(readers[i]);
	expect_equal(count(), before);
}

static const struct tap_case cases[] = {
	{ "the counters are those of STATS", counters },
	{ "the extents and the state of their pages", states },
	{ "offered chunks", offered },
	{ "a context whose descriptor is closed", closed },
	{ "only root can read them", for_root },
	{ "reads of any size and place", small_reads },
	{ "a reader in the middle holds up nobody", held },
	{ "contexts come and go under a reader", race },
	{ "many readers, of processes that are killed", crowd },
};

const struct tap_suite tap_suite = {
	.about = "Tests what the device shows in debugfs",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
