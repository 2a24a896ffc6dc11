// SPDX-License-Identifier: MIT
/*
 * The device's memory behaves like any other for mlock, for the kernel's own
 * accesses, for debuggers, core dumps and fork; and none of these can access
 * decommitted pages.
 */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "core_file.h"
#include "loop_device.h"
#include "uapi.h"

static void read_then_write(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	expect(is_zero(extent, 4 * MIB));
	/* Reading alone takes no memory, and writing then works. */
	for (size_t at = 0; at < 4 * MIB; at += page_size()) {
		expect_equal(extent[at], 0);
		extent[at] = 1;
		expect_equal(extent[at + 1], 0);
	}
	expect(is_zero(extent + page_size() + 1, page_size() - 1));
	fill(extent, 4 * MIB, 1);
	expect(is_filled(extent, 4 * MIB, 1));
}

static long faults(void)
{
	struct rusage usage;

	expect(getrusage(RUSAGE_SELF, &usage) == 0);
	return usage.ru_minflt;
}

static void read_pages(const char *addr, size_t count)
{
	for (size_t i = 0; i < count; i++)
		expect_equal(*(const volatile char *)(addr + i * page_size()),
			     0);
}

/* Fault-around spares a sequential reader most faults, but maps no decommitted page. */
static void read_on(void)
{
	int fd = device_open();
	size_t page = page_size();
	char *extent = device_alloc(fd, (83 * page + MIB - 1) & -MIB, MIB);
	long before;

	extent[60 * page] = 1;
	device_decommit(fd, extent + 40 * page, page);
	before = faults();
	read_pages(extent, 40);
	expect(faults() - before <= 10);
	expect_trap_only(extent + 40 * page, page);
	read_pages(extent + 41 * page, 19);
	expect_equal(extent[60 * page], 1);
	extent[50 * page] = 2;
	expect_equal(extent[51 * page], 0);
	/* Pages that fault-around mapped are decommitted like others. */
	read_pages(extent + 61 * page, 10);
	device_decommit(fd, extent + 62 * page, 20 * page);
	for (size_t i = 62; i < 82; i++)
		expect_trap(extent + i * page);
	expect_no_trap(extent + 82 * page);
}

/* A page that is read, or written for the first time, is always zero before. */
static void many_faults(void)
{
	int fd = device_open();
	size_t page = page_size();
	char *extent = device_alloc(fd, 2 * MIB, MIB);

	for (int round = 0; round < 40; round++) {
		for (size_t at = 0; at < 2 * MIB; at += page) {
			if ((at / page + round) % 2)
				expect_equal(extent[at + round], 0);
			else
				extent[at + round] = 1;
		}
		for (size_t at = 0; at < 2 * MIB; at += page)
			expect_equal(extent[at + round],
				     (at / page + round) % 2 ? 0 : 1);
		expect_equal(device_decommit(fd, extent, 2 * MIB), 0);
		expect_trap(extent);
		expect_equal(device_commit(fd, extent, 2 * MIB), 0);
	}
	expect(is_zero(extent, 2 * MIB));
}

static int decommit_locked(int fd, char *addr, size_t length)
{
	return device_range(fd, CHUNK_IOC_DECOMMIT, CHUNK_DECOMMIT_LOCKED, addr,
			    length);
}

static void locked(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	fill(extent, 4 * MIB, 1);
	expect(mlock(extent + MIB, MIB) == 0);
	expect_refusal(fd, EINVAL, device_decommit(fd, extent + MIB, MIB));
	expect_refusal(fd, EINVAL, device_decommit(fd, extent, 4 * MIB));
	expect_refusal(fd, EINVAL, device_decommit(fd, extent + MIB,
						   page_size()));
	expect(is_filled(extent, 4 * MIB, 1));
	expect_equal(device_decommit(fd, extent + 2 * MIB, MIB), 0);
	expect_equal(decommit_locked(fd, extent, 2 * MIB), 0);
	expect_trap(extent + MIB);
	expect_trap(extent + 3 * MIB - 1);
	expect_equal(resident_bytes(extent, 3 * MIB), 0);
	expect(is_filled(extent + 3 * MIB, MIB, 1 + 3 * MIB));
	expect_equal(device_commit(fd, extent, 4 * MIB), 0);
	expect(is_zero(extent, 3 * MIB));
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	extent = device_alloc(fd, 4 * MIB, MIB);
	expect(is_zero(extent, 4 * MIB));
	expect_consistent(fd);
}

static void lock_decommitted(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 2 * MIB, MIB);

	fill(extent, 2 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect(mlock(extent, 2 * MIB) == -1);
	expect(errno == ENOMEM || errno == EFAULT || errno == EAGAIN);
	expect_trap(extent + MIB);
	expect_no_trap(extent + MIB - 1);
}

static void lock_everything(void)
{
	int fd = device_open();
	char *before = device_alloc(fd, 2 * MIB, MIB), *after;

	fill(before, 2 * MIB, 1);
	expect_equal(device_decommit(fd, before, MIB), 0);
	if (mlockall(MCL_CURRENT | MCL_FUTURE))
		tap_skip("mlockall: %s", strerror(errno));
	/* Premapped space must neither be filled nor make the calls fail. */
	for (int i = 0; i < 100; i++) {
		after = device_alloc(fd, 2 * MIB, MIB);
		expect(is_zero(after, 2 * MIB));
		fill(after, 2 * MIB, 2);
	}
	expect_trap(before);
	expect(is_filled(before + MIB, MIB, 1 + MIB));
	expect_equal(device_dealloc(fd, after, 2 * MIB), 0);
	expect_trap(after);
	expect(munlockall() == 0);
	expect_consistent(fd);
}

static void by_pipe(void)
{
	int fd = device_open(), ends[2];
	size_t page = page_size();
	char *extent = device_alloc(fd, MIB, MIB);
	char bytes[64];

	expect(pipe(ends) == 0);
	fill(extent, page, 1);
	expect_equal(device_decommit(fd, extent + page, page), 0);
	expect(write(ends[1], extent + page, 64) == -1 && errno == EFAULT);
	expect(write(ends[1], extent, 64) == 64);
	expect(read(ends[0], extent + page, 64) == -1 && errno == EFAULT);
	expect(read(ends[0], bytes, 64) == 64);
	expect(is_filled(bytes, 64, 1));
	/* The kernel is the first to read and write untouched memory. */
	expect(write(ends[1], extent + 2 * page, 64) == 64);
	expect(read(ends[0], bytes, 64) == 64);
	expect(is_zero(bytes, 64));
	expect(write(ends[1], extent, 64) == 64);
	expect(read(ends[0], extent + 3 * page + 8, 64) == 64);
	expect(!memcmp(extent + 3 * page + 8, extent, 64));
	expect(is_zero(extent + 3 * page, 8));
	expect(is_zero(extent + 3 * page + 72, page - 72));
}

/* The pages that the pipe holds are the memory's own, not copies. */
static void by_vmsplice(void)
{
	int fd = device_open(), ends[2];
	char *extent = device_alloc(fd, MIB, MIB);
	struct iovec vector = { extent, page_size() };
	char bytes[64];

	expect(pipe(ends) == 0);
	fill(extent, MIB, 1);
	expect(vmsplice(ends[1], &vector, 1, 0) == (ssize_t)page_size());
	expect_equal(device_decommit(fd, extent, MIB), 0);
	expect_equal(device_commit(fd, extent, MIB), 0);
	expect(is_zero(extent, MIB));
	memset(extent, 0xee, MIB);
	/* The pipe still has the old contents. */
	expect(read(ends[0], bytes, 64) == 64);
	expect(is_filled(bytes, 64, 1));
	vector.iov_base = extent;
	expect_equal(device_decommit(fd, extent, MIB), 0);
	expect(vmsplice(ends[1], &vector, 1, 0) == -1 && errno == EFAULT);
}

static void by_direct_io(void)
{
	int fd = device_open(), file;
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	if (geteuid())
		tap_skip("not root");
	file = loop_open(4 * MIB);
	if (file < 0)
		tap_skip("no block device to be had for O_DIRECT");
	fill(extent, MIB, 1);
	expect(pwrite(file, extent, MIB, 0) == (ssize_t)MIB);
	/* Read into untouched memory. */
	expect(pread(file, extent + MIB, MIB, 0) == (ssize_t)MIB);
	expect(is_filled(extent + MIB, MIB, 1));
	/* Write from untouched memory. */
	expect(pwrite(file, extent + 2 * MIB, MIB, 0) == (ssize_t)MIB);
	expect(pread(file, extent, MIB, 0) == (ssize_t)MIB);
	expect(is_zero(extent, MIB));
	expect_equal(device_decommit(fd, extent, MIB), 0);
	expect(pwrite(file, extent, MIB, 0) == -1 && errno == EFAULT);
	expect(pread(file, extent, MIB, 0) == -1 && errno == EFAULT);
	expect_trap(extent);
}

/**
 * struct subject - a child that has memory of the device, and waits
 * @pid:    process ID
 * @extent: address of its extent of 4 MiB
 */
struct subject {
	pid_t pid;
	char *extent;
};

static void be_subject(int to)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect_equal(device_decommit(fd, extent + 2 * MIB, MIB), 0);
	expect_equal(device_commit(fd, extent + 2 * MIB, MIB), 0);
	expect(write(to, &extent, sizeof(extent)) == sizeof(extent));
	for (;;)
		pause();
}

static struct subject start_subject(void)
{
	struct subject subject;
	int ends[2];

	close(device_open());
	expect(pipe(ends) == 0);
	subject.pid = tap_fork();
	if (subject.pid == 0)
		be_subject(ends[1]);
	close(ends[1]);
	expect(read(ends[0], &subject.extent, sizeof(subject.extent)) ==
	       sizeof(subject.extent));
	return subject;
}

static ssize_t remote(const struct subject *subject, bool write, void *local,
		      char *addr, size_t size)
{
	struct iovec here = { local, size }, there = { addr, size };

	return write ? process_vm_writev(subject->pid, &here, 1, &there, 1, 0) :
		       process_vm_readv(subject->pid, &here, 1, &there, 1, 0);
}

static void by_another_process(void)
{
	struct subject s = start_subject();
	char *buffer = anonymous(4 * MIB, PROT_READ | PROT_WRITE);

	expect(remote(&s, false, buffer, s.extent, MIB) == (ssize_t)MIB);
	expect(is_filled(buffer, MIB, 1));
	expect(remote(&s, false, buffer, s.extent + MIB, 64) == -1);
	expect_equal(errno, EFAULT);
	expect(remote(&s, true, buffer, s.extent + MIB, 64) == -1);
	expect_equal(errno, EFAULT);
	/* The transfer stops at the decommitted page. */
	expect(remote(&s, false, buffer, s.extent + MIB / 2, MIB) ==
	       (ssize_t)MIB / 2);
	/* Untouched memory is read, and then written, by another process. */
	expect(remote(&s, false, buffer, s.extent + 2 * MIB, MIB) ==
	       (ssize_t)MIB);
	expect(is_zero(buffer, MIB));
	fill(buffer, MIB, 5);
	expect(remote(&s, true, buffer, s.extent + 2 * MIB, MIB) ==
	       (ssize_t)MIB);
	memset(buffer, 0, MIB);
	expect(remote(&s, false, buffer, s.extent + 2 * MIB, MIB) ==
	       (ssize_t)MIB);
	expect(is_filled(buffer, MIB, 5));
	kill(s.pid, SIGKILL);
}

static void by_debugger(void)
{
	struct subject s = start_subject();
	int status;

	expect(ptrace(PTRACE_ATTACH, s.pid, NULL, NULL) == 0);
	expect(waitpid(s.pid, &status, 0) == s.pid && WIFSTOPPED(status));
	errno = 0;
	expect(ptrace(PTRACE_PEEKDATA, s.pid, s.extent, NULL) != 0);
	expect_equal(errno, 0);
	expect(ptrace(PTRACE_PEEKDATA, s.pid, s.extent + MIB, NULL) == -1);
	expect_equal(errno, EIO);
	expect(ptrace(PTRACE_POKEDATA, s.pid, s.extent + MIB, 1L) == -1);
	expect_equal(errno, EIO);
	expect(ptrace(PTRACE_POKEDATA, s.pid, s.extent + 2 * MIB, 1L) == 0);
	errno = 0;
	expect_equal(ptrace(PTRACE_PEEKDATA, s.pid, s.extent + 2 * MIB, NULL),
		     1);
	expect_equal(errno, 0);
	kill(s.pid, SIGKILL);
}

static void write_text(const char *path, const char *text)
{
	int file = open(path, O_WRONLY | O_CLOEXEC);

	if (file < 0)
		tap_skip("%s: %s", path, strerror(errno));
	if (write(file, text, strlen(text)) != (ssize_t)strlen(text))
		tap_skip("%s: %s", path, strerror(errno));
	close(file);
}

static void dump_core(void)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };
	int fd = device_open();
	char *extent = device_alloc(fd, 64 * MIB, 2 * MIB);

	expect(setrlimit(RLIMIT_CORE, &unlimited) == 0);
	fill(extent, MIB, 1);
	/* Pages that were read, never touched, or written and decommitted */
	expect(is_zero(extent + MIB, MIB));
	fill(extent + 60 * MIB, 2 * MIB, 2);
	expect_equal(device_decommit(fd, extent + 60 * MIB, 2 * MIB), 0);
	fill(extent + 63 * MIB, MIB, 3);
	expect(write(STDERR_FILENO, &extent, sizeof(extent)) ==
	       sizeof(extent));
	signal(SIGSEGV, SIG_DFL);
	__atomic_store_n(extent + 60 * MIB, 1, __ATOMIC_SEQ_CST);
}

static char core_path[64];

static void check_core(const char *extent)
{
	static char memory[64 << 20];
	int core = open(core_path, O_RDONLY | O_CLOEXEC);
	struct stat status;
	off_t at;

	expect(core >= 0);
	at = core_offset(core, extent);
	expect(at > 0);
	expect(pread(core, memory, sizeof(memory), at) == sizeof(memory));
	expect(is_filled(memory, MIB, 1));
	expect(is_zero(memory + MIB, 62 * MIB));
	expect(is_filled(memory + 63 * MIB, MIB, 3));
	expect(fstat(core, &status) == 0);
	tap_note("a core of %zu KiB takes %zu", (size_t)status.st_size >> 10,
		 (size_t)status.st_blocks / 2);
	expect((size_t)status.st_blocks * 512 < 32 * MIB);
}

static void core_dump(void)
{
	char pattern[128] = "", *extent;
	int file = open("/proc/sys/kernel/core_pattern", O_RDONLY), ends[2];
	int status;
	pid_t child;

	close(device_open());
	expect(file >= 0 && read(file, pattern, sizeof(pattern) - 1) > 0);
	snprintf(core_path, sizeof(core_path), "/tmp/chunk-core-%d", getpid());
	write_text("/proc/sys/kernel/core_pattern", core_path);
	expect(pipe(ends) == 0);
	child = tap_fork();
	if (child == 0) {
		dup2(ends[1], STDERR_FILENO);
		dump_core();
		_exit(0);
	}
	expect(waitpid(child, &status, 0) == child);
	write_text("/proc/sys/kernel/core_pattern", pattern);
	expect(WIFSIGNALED(status) && WTERMSIG(status) == SIGSEGV);
	expect(WCOREDUMP(status));
	expect(read(ends[0], &extent, sizeof(extent)) == sizeof(extent));
	check_core(extent);
	unlink(core_path);
}

static void gate_wait(const int *gate)
{
	char byte;

	expect(read(gate[0], &byte, 1) == 1);
}

static void gate_open(const int *gate)
{
	expect(write(gate[1], "", 1) == 1);
}

/* The child's guards are those of the fork, whatever the parent does. */
static void fork_snapshot(void)
{
	int fd = device_open(), gate[2];
	char *extent = device_alloc(fd, 4 * MIB, MIB);
	char *freed = device_alloc(fd, 2 * MIB, MIB);
	pid_t child;

	expect(pipe(gate) == 0);
	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	expect_equal(device_dealloc(fd, freed, 2 * MIB), 0);
	child = tap_fork();
	if (child == 0) {
		gate_wait(gate);
		expect(is_filled(extent, MIB, 1));
		expect_trap_only(extent + MIB, MIB);
		expect(is_filled(extent + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
		expect_trap(freed);
		fill(extent, MIB, 9);
		_exit(0);
	}
	expect_equal(device_commit(fd, extent, 2 * MIB), 0);
	fill(extent, 2 * MIB, 5);
	expect_equal(device_decommit(fd, extent + 2 * MIB, MIB), 0);
	expect(device_alloc(fd, 2 * MIB, MIB) == freed);
	fill(freed, 2 * MIB, 6);
	gate_open(gate);
	tap_join(child);
	expect(is_filled(extent, 2 * MIB, 5));
	expect_trap_only(extent + 2 * MIB, MIB);
	expect(is_filled(freed, 2 * MIB, 6));
}

/* Partly decommitted chunks and many regions are copied as well. */
static void fork_snapshot_of_many(void)
{
	int fd = device_open();
	size_t page = page_size();
	static char *extents[64];
	pid_t child;

	for (size_t i = 0; i < 64; i++) {
		size_t at = i * page % (MIB / 2);

		extents[i] = i % 2 ? device_mmap(fd, 2 * MIB, 0) :
				     device_alloc(fd, 2 * MIB, MIB);
		fill(extents[i], 2 * MIB, i);
		expect_equal(device_decommit(fd, extents[i] + at, page), 0);
		expect_equal(device_decommit(fd, extents[i] + MIB, MIB / 2),
			     0);
	}
	child = tap_fork();
	for (size_t i = 0; i < 64; i++) {
		size_t at = i * page % (MIB / 2);

		expect(read_traps(extents[i]) == !at);
		expect_trap(extents[i] + at);
		expect_no_trap(extents[i] + at + page);
		expect_trap_only(extents[i] + MIB, MIB / 2);
		expect(is_filled(extents[i] + MIB + MIB / 2, MIB / 2,
				 i + MIB + MIB / 2));
		fill(extents[i] + MIB + MIB / 2, MIB / 2, child);
	}
	for (size_t i = 0; i < 64; i++)
		expect(is_filled(extents[i] + MIB + MIB / 2, MIB / 2, child));
	if (child == 0)
		_exit(0);
	tap_join(child);
}

/* The mappings were split at pages, not at chunks, and copied repeatedly. */
static void fork_of_split(void)
{
	int fd = device_open();
	size_t page = page_size();
	char *extent = device_mmap(fd, 4 * MIB, 0);
	char *hole = extent + 2 * MIB + 5 * page;
	pid_t child;

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB + 3 * page, page), 0);
	expect_equal(device_decommit(fd, extent + MIB + 5 * page, page), 0);
	expect_equal(device_decommit(fd, extent + MIB + 4 * page, page), 0);
	expect_equal(device_decommit(fd, extent + 3 * MIB, MIB - page), 0);
	expect_equal(device_commit(fd, extent + MIB + 4 * page, page), 0);
	expect_equal(device_decommit(fd, extent + MIB + 4 * page, page), 0);
	expect(mprotect(extent + MIB + 4 * page, 4 * page, PROT_READ) == 0);
	expect(munmap(hole, page) == 0);
	child = tap_fork();
	if (child == 0) {
		expect_no_trap(extent + MIB + 3 * page - 1);
		expect(read_traps(extent + MIB + 3 * page));
		expect(mprotect(extent + page, page, PROT_READ) == 0);
		child = tap_fork();
		if (child == 0) {
			expect(munmap(extent, page) == 0);
			child = tap_fork();
		}
		expect(read_traps(extent + MIB + 4 * page));
		expect(read_traps(extent + MIB + 5 * page));
		expect_no_trap(extent + MIB + 8 * page);
		expect_trap_only(extent + 3 * MIB, MIB - page);
		expect(read_traps(hole));
		if (child)
			tap_join(child);
		_exit(0);
	}
	tap_join(child);
	expect(munmap(extent + MIB + 6 * page, page) == 0);
	expect(read_traps(extent + MIB + 3 * page));
	expect_trap_only(extent + 3 * MIB, MIB - page);
}

/* In the child the user may change the mappings as if they were its own. */
static void child_tampers(void)
{
	int fd = device_open();
	char *extent = device_alloc(fd, 4 * MIB, MIB);
	pid_t child;

	fill(extent, 4 * MIB, 1);
	expect_equal(device_decommit(fd, extent + MIB, MIB), 0);
	child = tap_fork();
	if (child == 0) {
		char *over = mmap(extent + MIB, MIB, PROT_READ | PROT_WRITE,
				  MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
				  0);

		expect(over == extent + MIB);
		fill(over, MIB, 2);
		expect(is_filled(extent, MIB, 1));
		expect(madvise(extent, MIB, MADV_DONTNEED) == 0);
		expect(is_zero(extent, MIB));
		expect(munmap(extent + 2 * MIB, MIB) == 0);
		expect(mprotect(extent + 3 * MIB, MIB, PROT_READ) == 0);
		expect(write_traps(extent + 3 * MIB));
		child = tap_fork();
		if (child == 0) {
			expect(is_filled(over, MIB, 2));
			expect_trap(extent + 2 * MIB);
			_exit(0);
		}
		tap_join(child);
		_exit(0);
	}
	tap_join(child);
	expect(is_filled(extent, MIB, 1));
	expect_trap_only(extent + MIB, MIB);
	expect(is_filled(extent + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
	expect_equal(device_dealloc(fd, extent, 4 * MIB), 0);
	expect_consistent(fd);
}

static const struct tap_case cases[] = {
	{ "reading untouched memory, then writing", read_then_write },
	{ "many faults of both kinds", many_faults },
	{ "sequential reads take few faults, and reach no decommitted page",
	  read_on },
	{ "mlock: DECOMMIT only with CHUNK_DECOMMIT_LOCKED", locked },
	{ "mlock of decommitted memory fails", lock_decommitted },
	{ "mlockall", lock_everything },
	{ "pipes: EFAULT where decommitted", by_pipe },
	{ "vmsplice", by_vmsplice },
	{ "O_DIRECT", by_direct_io },
	{ "process_vm_readv and process_vm_writev", by_another_process },
	{ "ptrace", by_debugger },
	{ "a core dump has what was written and holes elsewhere", core_dump },
	{ "fork: guards as they were, then independent", fork_snapshot },
	{ "fork: many regions, partly decommitted chunks",
	  fork_snapshot_of_many },
	{ "fork: mappings split at pages", fork_of_split },
	{ "fork: the child changes its mappings", child_tampers },
};

const struct tap_suite tap_suite = {
	.about = "Tests that the device's memory is memory",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
