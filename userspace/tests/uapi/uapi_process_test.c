// SPDX-License-Identifier: MIT
/*
 * Ownership of a context: it belongs to the address space that opened it, and to
 * nobody else. And several contexts, threads and exits of processes at once.
 */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/wait.h>

#include "pass_fd.h"
#include "rounds.h"
#include "uapi.h"

/* Make every call, with arguments that would be valid for the owner. */
static void expect_forbidden(int fd, char *extent)
{
	static const unsigned long commands[] = {
		CHUNK_IOC_INFO, CHUNK_IOC_CONFIGURE, CHUNK_IOC_ALLOC,
		CHUNK_IOC_DEALLOC, CHUNK_IOC_COMMIT, CHUNK_IOC_DECOMMIT,
		CHUNK_IOC_LOOKUP, CHUNK_IOC_LIMIT, CHUNK_IOC_STATS,
	};
	char *addr;

	expect_equal(try_alloc(fd, MIB, MIB, &addr), EPERM);
	expect_equal(device_commit(fd, extent, MIB), EPERM);
	expect_equal(device_decommit(fd, extent, MIB), EPERM);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), EPERM);
	for (size_t i = 0; i < TAP_COUNT(commands); i++) {
		__u32 args[64] = { 128 };

		expect_equal(call(fd, commands[i], args), EPERM);
		expect_equal(call(fd, commands[i], NULL), EPERM);
	}
	expect(mmap(NULL, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE, fd, 0) == MAP_FAILED);
	expect_equal(errno, EPERM);
}

static char *prepared(int fd)
{
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	return extent;
}

static void expect_untouched(int fd, char *extent)
{
	expect(is_filled(extent, MIB, 1));
	expect_trap_only(extent + MIB, MIB);
	expect(is_filled(extent + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	expect_equal(device_stats(fd).live_bytes, 4 * MIB);
	expect_equal(device_stats(fd).decommitted_bytes, MIB);
}

static void forked_child(void)
{
	int fd = device_open();
	char *extent = prepared(fd);
	pid_t child = tap_fork();

	if (child == 0) {
		int own = device_open();
		char *chunk;

		expect_forbidden(fd, extent);
		/* In a context of its own the child can use all but inherited memory. */
		chunk = device_alloc(own, 4 * MIB, MIB);
		expect(is_zero(chunk, 4 * MIB));
		fill(chunk, 4 * MIB, 2);
		expect_equal(device_state(own, extent), 0);
		expect_refusal(own, ENOENT, device_decommit(own, extent, MIB));
		expect_refusal(own, ENOENT, device_dealloc(own, extent,
							   4 * MIB));
		expect(is_filled(extent, MIB, 1));
		expect_equal(device_dealloc(own, chunk, 4 * MIB), 0);
		_exit(0);
	}
	tap_join(child);
	expect_untouched(fd, extent);
}

/* The child closes and unmaps all that it inherited. */
static void child_lets_go(void)
{
	int fd = device_open();
	char *extent = prepared(fd);
	pid_t child = tap_fork();

	if (child == 0) {
		close(fd);
		expect(munmap(extent, 4 * MIB) == 0);
		expect_trap(extent);
		_exit(0);
	}
	tap_join(child);
	expect_untouched(fd, extent);
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
}

/* The parent exits first, its context with it; the child keeps its memory. */
static void parent_goes_first(void)
{
	int ends[2], ready[2];
	char byte;
	pid_t child;

	close(device_open());
	expect(pipe(ends) == 0 && pipe(ready) == 0);
	child = tap_fork();
	if (child == 0) {
		int fd = device_open();
		char *extent = prepared(fd);

		child = tap_fork();
		if (child)
			_exit(0);
		/* Wait until the parent has exited, and with it its end of the pipe. */
		close(ends[1]);
		expect(read(ends[0], &byte, 1) == 0);
		expect(is_filled(extent, MIB, 1));
		expect_trap_only(extent + MIB, MIB);
		fill(extent + 2 * MIB, 2 * MIB, 3);
		expect_forbidden(fd, extent);
		expect(write(ready[1], "", 1) == 1);
		_exit(0);
	}
	tap_join(child);
	close(ends[1]);
	close(ready[1]);
	expect(read(ready[0], &byte, 1) == 1);
}

static void passed_descriptor(void)
{
	int sockets[2], fd;
	char *extent, byte;
	pid_t child;

	close(device_open());
	expect(socketpair(AF_UNIX, SOCK_STREAM, 0, sockets) == 0);
	child = tap_fork();
	if (child == 0) {
		/* The device is opened after the fork, so nothing is inherited. */
		fd = device_open();
		extent = prepared(fd);
		send_fd(sockets[1], fd);
		expect(write(sockets[1], &extent, sizeof(extent)) ==
		       sizeof(extent));
		expect(read(sockets[1], &byte, 1) == 1);
		expect_untouched(fd, extent);
		close(fd);
		expect(write(sockets[1], "", 1) == 1);
		_exit(0);
	}
	fd = receive_fd(sockets[0]);
	expect(read(sockets[0], &extent, sizeof(extent)) == sizeof(extent));
	expect_forbidden(fd, extent);
	expect(write(sockets[0], "", 1) == 1);
	expect(read(sockets[0], &byte, 1) == 1);
	tap_join(child);
	/* By now the opener has exited. */
	expect_forbidden(fd, extent);
}

/* Variable for the executed program, which runs a case of its own, with the descriptor */
#define EXEC_FD	"TEST_EXEC_FD"

static void after_exec(void)
{
	const char *fd = getenv(EXEC_FD);

	if (!fd)
		tap_skip("part of another case");
	expect_forbidden(atoi(fd), (char *)MIB);
	expect(is_zero(device_alloc(device_open(), MIB, MIB), MIB));
}

static void executed(void)
{
	static char path[PATH_MAX], variable[64];
	char *const argv[] = { path, "after exec", NULL };
	char *const environment[] = { variable, NULL };
	struct tap_outcome outcome;
	int fd = dup(device_open());
	char *extent;

	expect(fd >= 0);
	expect(readlink("/proc/self/exe", path, PATH_MAX - 1) > 0);
	extent = prepared(fd);
	snprintf(variable, sizeof(variable), EXEC_FD "=%d", fd);
	tap_exec(&outcome, argv, environment);
	expect_equal(outcome.status, 0);
	expect_untouched(fd, extent);
}

/* A process that shares the address space may use the context. */
static int share(void *arg)
{
	int fd = *(int *)arg;
	char *addr;

	if (try_alloc(fd, MIB, MIB, &addr) || !is_zero(addr, MIB))
		_exit(1);
	fill(addr, MIB, 4);
	_exit(device_dealloc(fd, addr, MIB));
}

static void shared_address_space(void)
{
	int fd = device_open();
	char *stack = anonymous(256 << 10, PROT_READ | PROT_WRITE);
	pid_t child = clone(share, stack + (256 << 10), CLONE_VM | SIGCHLD,
			    &fd);

	expect(child > 0);
	tap_join(child);
	expect_equal(device_stats(fd).allocs, 1);
}

static void two_contexts(void)
{
	int a = device_open(), b = device_open(), duplicate = dup(a);
	char *of_a = prepared(a), *of_b = prepared(b);
	struct chunk_ioc_stats before, after;

	expect(of_a + 4 * MIB <= of_b || of_b + 4 * MIB <= of_a);
	expect_refusal(a, ENOENT, device_dealloc(a, of_b, 4 * MIB));
	expect_refusal(b, ENOENT, device_decommit(b, of_a, MIB));
	expect_equal(device_state(a, of_b), 0);
	device_limit(a, 0);
	expect_equal(device_stats(b).recycle_limit, 128 * MIB);
	before = device_stats(b);
	expect_equal(device_dealloc(a, of_a, 4 * MIB), 0);
	for (int i = 0; i < 50; i++)
		device_alloc(a, 2 * MIB, MIB);
	after = device_stats(b);
	expect(same_stats(&before, &after));
	/* One context does not hand out what another has recycled. */
	expect_equal(device_dealloc(b, of_b, 4 * MIB), 0);
	for (int i = 0; i < 50; i++) {
		char *chunk = device_alloc(a, 4 * MIB, MIB);

		expect(chunk + 4 * MIB <= of_b || of_b + 4 * MIB <= chunk);
	}
	/* A duplicate of the descriptor is the same context. */
	expect_equal(device_stats(duplicate).live_bytes,
		     device_stats(a).live_bytes);
	close(a);
	expect(is_zero(device_alloc(duplicate, MIB, MIB), MIB));
	close(duplicate);
	of_b = device_alloc(b, 4 * MIB, MIB);
	expect(is_zero(of_b, 4 * MIB));
	expect_consistent(b);
}

/* Read the value of @field in fdinfo, whatever its unit. */
static bool fdinfo_value(int fd, const char *field, unsigned long long *value)
{
	char path[64], line[256];
	bool found = false;
	FILE *file;

	snprintf(path, sizeof(path), "/proc/self/fdinfo/%d", fd);
	file = fopen(path, "r");
	expect(file);
	while (!found && fgets(line, sizeof(line), file)) {
		char *at = strstr(line, field);

		if (at)
			at = strchr(at, ':');
		found = at && sscanf(at + 1, "%llu", value) == 1;
	}
	fclose(file);
	return found;
}

static void fdinfo(void)
{
	static const char *const fields[] = {
		"mapped", "live_bytes", "live_extents", "decommitted",
		"recycled", "limit", "reserved", "regions", "allocs",
		"deallocs", "commits", "decommits", "traps",
	};
	unsigned long long value;
	int fd = device_open();

	prepared(fd);
	for (size_t i = 0; i < TAP_COUNT(fields); i++) {
		if (!fdinfo_value(fd, fields[i], &value))
			tap_note("no %s", fields[i]);
		expect(fdinfo_value(fd, fields[i], &value));
	}
	expect(fdinfo_value(fd, "live_bytes", &value));
	expect(value == 4 * MIB || value == 4096);
	expect(fdinfo_value(fd, "live_extents", &value));
	expect_equal(value, 1);
	/* fdinfo can be read, too, if the owner is another process. */
	if (tap_fork() == 0) {
		expect(fdinfo_value(fd, "live_extents", &value));
		expect_equal(value, 1);
		_exit(0);
	}
	expect(wait(NULL) > 0);
}

static void named(void)
{
	int fd = device_open();
	char name[128];

	expect(mapping_name(prepared(fd), name, sizeof(name)));
	tap_note("by ALLOC: %s", name);
	expect(strstr(name, "chunk"));
	expect(mapping_name(device_mmap(fd, MIB, 0), name, sizeof(name)));
	tap_note("by mmap: %s", name);
	expect(strstr(name, "chunk"));
}

static void not_a_file(void)
{
	int fd = device_open();
	char *extent = prepared(fd), byte = 0;

	expect(read(fd, &byte, 1) == -1 && errno == EINVAL);
	expect(write(fd, &byte, 1) == -1 && errno == EINVAL);
	expect(pread(fd, &byte, 1, 0) == -1);
	expect(ftruncate(fd, 0) == -1);
	expect(posix_fallocate(fd, 0, 4096) != 0);
	expect(madvise(extent, MIB, MADV_REMOVE) == -1);
	expect_untouched(fd, extent);
}

/* Threads of processes that end in the midst of calls */
static void *always_busy(void *arg)
{
	int fd = *(int *)arg;

	for (;;) {
		char *chunk = device_alloc(fd, 2 * MIB, MIB);

		touch(chunk, MIB);
		if (device_decommit(fd, chunk, MIB))
			break;
		if (device_dealloc(fd, chunk, 2 * MIB))
			break;
	}
	expect(!"the end");
	return NULL;
}

static void exit_in_the_middle(void)
{
	close(device_open());
	for (unsigned int i = 0; i < rounds(40); i++) {
		pid_t child = tap_fork();
		pthread_t thread;
		int fd, status;

		if (child == 0) {
			fd = device_open();
			for (int j = 0; j < 3; j++)
				expect(pthread_create(&thread, NULL,
						      always_busy, &fd) == 0);
			while (device_stats(fd).deallocs < 5 + i)
				;
			if (i % 2)
				_exit(0);
			kill(getpid(), SIGKILL);
		}
		expect(waitpid(child, &status, 0) == child);
		expect(i % 2 ? status == 0 : WIFSIGNALED(status));
	}
}

/* Threads allocate at once, and each checks that its extents are its own. */
static atomic_int thread_fd;

static void *own_and_check(void *arg)
{
	uint64_t seed = (uint64_t)(uintptr_t)arg << 32;
	size_t page = page_size();
	int fd = thread_fd;
	char *chunks[8] = { 0 };

	for (size_t i = 0; i < rounds(500); i++) {
		size_t at = (i * 5 + seed) % 8, size = (1 + at % 3) * MIB;

		if (!chunks[at]) {
			chunks[at] = device_alloc(fd, size, MIB << at % 4);
			expect(is_zero(chunks[at], page));
			fill(chunks[at], page, seed + at);
			continue;
		}
		expect(is_filled(chunks[at], page, seed + at));
		expect_equal(device_decommit(fd, chunks[at] + page, page), 0);
		expect(read_traps(chunks[at] + page));
		if (i % 3 == 0) {
			expect_equal(device_commit(fd, chunks[at], size), 0);
			expect(is_zero(chunks[at] + page, page));
		}
		expect(is_filled(chunks[at], page, seed + at));
		expect_equal(device_dealloc(fd, chunks[at], size), 0);
		chunks[at] = NULL;
	}
	for (size_t i = 0; i < 8; i++)
		if (chunks[i])
			expect_equal(device_dealloc(fd, chunks[i],
						    (1 + i % 3) * MIB), 0);
	return NULL;
}

static void threads(void)
{
	pthread_t ids[8];

	thread_fd = device_open();
	device_limit(thread_fd, 9 * MIB);
	for (size_t i = 0; i < TAP_COUNT(ids); i++)
		expect(pthread_create(&ids[i], NULL, own_and_check,
				      (void *)(i + 1)) == 0);
	for (size_t i = 0; i < TAP_COUNT(ids); i++)
		expect(pthread_join(ids[i], NULL) == 0);
	expect_equal(device_stats(thread_fd).live_bytes, 0);
	expect_equal(device_stats(thread_fd).decommitted_bytes, 0);
	expect_consistent(thread_fd);
}

/* Several threads give the same extent back at once: exactly one succeeds. */
static char *contested;
static atomic_uint winners, round_number, done;

static void *compete(void *arg)
{
	for (unsigned int i = 1; i <= 500; i++) {
		while (atomic_load(&round_number) < i)
			;
		if (device_dealloc(thread_fd, contested, 2 * MIB) == 0)
			atomic_fetch_add(&winners, 1);
		atomic_fetch_add(&done, 1);
	}
	return arg;
}

static void contested_dealloc(void)
{
	pthread_t ids[3];

	thread_fd = device_open();
	for (size_t i = 0; i < TAP_COUNT(ids); i++)
		expect(pthread_create(&ids[i], NULL, compete, NULL) == 0);
	for (unsigned int i = 1; i <= 500; i++) {
		contested = device_alloc(thread_fd, 2 * MIB, MIB);
		atomic_store(&round_number, i);
		while (atomic_load(&done) < i * TAP_COUNT(ids))
			;
		expect_equal(atomic_load(&winners), i);
		expect_equal(device_stats(thread_fd).recycled_bytes, 2 * MIB);
	}
	for (size_t i = 0; i < TAP_COUNT(ids); i++)
		expect(pthread_join(ids[i], NULL) == 0);
	expect_consistent(thread_fd);
}

static const struct tap_case cases[] = {
	{ "a forked child: EPERM", forked_child },
	{ "a forked child closes and unmaps what it inherited", child_lets_go },
	{ "the parent exits first", parent_goes_first },
	{ "a descriptor passed over a socket: EPERM", passed_descriptor },
	{ "a descriptor kept over exec: EPERM", executed },
	{ "after exec", after_exec },
	{ "another process in the same address space",
	  shared_address_space },
	{ "two contexts in one process", two_contexts },
	{ "/proc/self/fdinfo shows the counters", fdinfo },
	{ "/proc/self/maps names the mappings", named },
	{ "the device is no file", not_a_file },
	{ "processes that exit or are killed in the middle of calls",
	  exit_in_the_middle },
	{ "threads", threads },
	{ "several threads give the same extent back", contested_dealloc },
};

const struct tap_suite tap_suite = {
	.about = "Tests whose a context is",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
