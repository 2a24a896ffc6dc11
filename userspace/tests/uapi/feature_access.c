// SPDX-License-Identifier: MIT
/* The kernel and other processes read and write the device's memory: see feature.h. */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <linux/futex.h>
#include <linux/io_uring.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "core_file.h"
#include "feature.h"
#include "kernel_file.h"
#include "loop_device.h"
#include "uapi.h"

/* Seed of the bytes that are read into the target */
#define SEED	77

/*
 * Check that both directions had the same result: @done of reading into the
 * target, @put of writing from it. The target is left with the bytes that were
 * written.
 */
static int judge(const struct site *site, int done, int put)
{
	char *target = site_target(site);

	expect_equal(done, put);
	if (done)
		expect_kept(site);
	else
		expect(is_filled(target, site->page, SEED));
	return done;
}

int try_pipe(const struct site *site)
{
	char *target = site_target(site), bytes[PAGE_ROOM];
	int ends[2], out, in;

	expect(pipe(ends) == 0);
	out = write(ends[1], target, site->page) < 0 ? errno : WORKS;
	if (!out)
		expect(read(ends[0], bytes, site->page) == (ssize_t)site->page);
	fill(bytes, site->page, SEED);
	expect(write(ends[1], bytes, site->page) == (ssize_t)site->page);
	in = read(ends[0], target, site->page) < 0 ? errno : WORKS;
	return judge(site, out, in);
}

int try_direct(const struct site *site)
{
	char *target = site_target(site);
	char *other = anonymous(site->page, PROT_READ | PROT_WRITE);
	int file, out, in;

	if (geteuid())
		untested("not root");
	file = loop_open(MIB);
	if (file < 0)
		untested("no block device to be had");
	out = pwrite(file, target, site->page, 0) < 0 ? errno : WORKS;
	fill(other, site->page, SEED);
	expect(pwrite(file, other, site->page, 0) == (ssize_t)site->page);
	in = pread(file, target, site->page, 0) < 0 ? errno : WORKS;
	return judge(site, out, in);
}

/* The pipe has the page itself, not a copy. */
int try_vmsplice(const struct site *site)
{
	struct iovec vector = { site_target(site), site->page };
	char byte, was;
	int ends[2];

	expect(pipe(ends) == 0);
	if (vmsplice(ends[1], &vector, 1, 0) < 0) {
		expect_kept(site);
		return errno;
	}
	was = *(char *)vector.iov_base;
	expect_equal(device_decommit(site->fd, vector.iov_base, site->page), 0);
	expect(read(ends[0], &byte, 1) == 1);
	expect_equal(byte, was);
	return WORKS;
}

/**
 * struct ring - an io_uring
 * @fd:    its descriptor
 * @sq:    the submission queue
 * @cq:    the completion queue
 * @sqe:   the only entry
 * @setup: offsets of the parts, as the kernel returned them
 */
struct ring {
	int fd;
	char *sq;
	char *cq;
	struct io_uring_sqe *sqe;
	struct io_uring_params setup;
};

static void *ring_map(const struct ring *ring, off_t what)
{
	void *addr = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED,
			  ring->fd, what);

	expect(addr != MAP_FAILED);
	return addr;
}

static void ring_open(struct ring *ring)
{
	memset(ring, 0, sizeof(*ring));
	ring->fd = syscall(SYS_io_uring_setup, 1, &ring->setup);
	if (ring->fd < 0)
		untested("no io_uring: %s", strerror(errno));
	ring->sq = ring_map(ring, IORING_OFF_SQ_RING);
	ring->cq = ring_map(ring, IORING_OFF_CQ_RING);
	ring->sqe = ring_map(ring, IORING_OFF_SQES);
}

/* Submit one operation on one page, wait for its end, and return its result. */
static int ring_do(struct ring *ring, int operation, int file, char *addr,
		   unsigned int length)
{
	unsigned int *tail = (void *)(ring->sq + ring->setup.sq_off.tail);
	unsigned int *array = (void *)(ring->sq + ring->setup.sq_off.array);
	unsigned int *head = (void *)(ring->cq + ring->setup.cq_off.head);
	unsigned int *mask = (void *)(ring->cq + ring->setup.cq_off.ring_mask);
	struct io_uring_cqe *cqes = (void *)(ring->cq + ring->setup.cq_off.cqes);
	int result;

	memset(ring->sqe, 0, sizeof(*ring->sqe));
	ring->sqe->opcode = operation;
	ring->sqe->fd = file;
	ring->sqe->addr = (uintptr_t)addr;
	ring->sqe->len = length;
	array[0] = 0;
	__atomic_store_n(tail, *tail + 1, __ATOMIC_RELEASE);
	expect(syscall(SYS_io_uring_enter, ring->fd, 1, 1,
		       IORING_ENTER_GETEVENTS, NULL, 0) == 1);
	result = cqes[*head & *mask].res;
	__atomic_store_n(head, *head + 1, __ATOMIC_RELEASE);
	return result < 0 ? -result : WORKS;
}

static int ring_both_ways(const struct site *site, struct ring *ring, int write,
			  int read)
{
	char *target = site_target(site), bytes[PAGE_ROOM];
	int file = memfd_create("bytes", MFD_CLOEXEC), out, in;

	expect(file >= 0);
	out = ring_do(ring, write, file, target, site->page);
	fill(bytes, site->page, SEED);
	expect(pwrite(file, bytes, site->page, 0) == (ssize_t)site->page);
	in = ring_do(ring, read, file, target, site->page);
	return judge(site, out, in);
}

int try_ring(const struct site *site)
{
	struct ring ring;

	ring_open(&ring);
	return ring_both_ways(site, &ring, IORING_OP_WRITE, IORING_OP_READ);
}

/* Registered buffers are pinned until they are unregistered. */
int try_ring_fixed(const struct site *site)
{
	struct iovec range = { site->addr, site->length };
	struct ring ring;
	int error;

	ring_open(&ring);
	if (syscall(SYS_io_uring_register, ring.fd, IORING_REGISTER_BUFFERS,
		    &range, 1)) {
		error = errno;
		expect_kept(site);
		return error;
	}
	error = ring_both_ways(site, &ring, IORING_OP_WRITE_FIXED,
			       IORING_OP_READ_FIXED);
	expect(syscall(SYS_io_uring_register, ring.fd,
		       IORING_UNREGISTER_BUFFERS, NULL, 0) == 0);
	return error;
}

/* Use the futex as private, and as one between processes. */
int try_futex(const struct site *site)
{
	const int waits[] = { FUTEX_WAIT_PRIVATE, FUTEX_WAIT };
	const struct timespec soon = { 0, 1000 };
	int *word = (int *)site_target(site), error;

	for (size_t i = 0; i < TAP_COUNT(waits); i++) {
		int value = site->hole && !site->huge ? 0 : *word;

		expect(syscall(SYS_futex, word, waits[i], value, &soon, NULL,
			       0) == -1);
		error = errno;
		if (error != ETIMEDOUT)
			return error;
		expect(syscall(SYS_futex, word, waits[i], value + 1, &soon,
			       NULL, 0) == -1 && errno == EAGAIN);
	}
	expect_kept(site);
	return WORKS;
}

static ssize_t remote(pid_t pid, bool write, char *there, void *bytes,
		      size_t length)
{
	struct iovec here = { bytes, length }, other = { there, length };

	return write ? process_vm_writev(pid, &here, 1, &other, 1, 0) :
		       process_vm_readv(pid, &here, 1, &other, 1, 0);
}

/* The process accesses its own memory; uapi_memory_test.c accesses another's. */
int try_process_vm(const struct site *site)
{
	char *target = site_target(site), bytes[PAGE_ROOM];
	int out, in;

	out = remote(getpid(), false, target, bytes, site->page) < 0 ?
	      errno : WORKS;
	fill(bytes, site->page, SEED);
	in = remote(getpid(), true, target, bytes, site->page) < 0 ?
	     errno : WORKS;
	return judge(site, out, in);
}

int try_proc_mem(const struct site *site)
{
	int file = open("/proc/self/mem", O_RDWR | O_CLOEXEC), out, in;
	char *target = site_target(site), bytes[PAGE_ROOM];
	off_t at = (off_t)(uintptr_t)target;

	expect(file >= 0);
	out = pread(file, bytes, site->page, at) < 0 ? errno : WORKS;
	fill(bytes, site->page, SEED);
	in = pwrite(file, bytes, site->page, at) < 0 ? errno : WORKS;
	return judge(site, out, in);
}

/* The child's memory is a copy; uapi_memory_test.c has another debugger. */
int try_ptrace(const struct site *site)
{
	char *target = site_target(site);
	pid_t child = tap_fork();
	int status, out, in;

	if (!child) {
		ptrace(PTRACE_TRACEME, 0, NULL, NULL);
		raise(SIGSTOP);
		_exit(0);
	}
	expect(waitpid(child, &status, 0) == child && WIFSTOPPED(status));
	errno = 0;
	ptrace(PTRACE_PEEKDATA, child, target, NULL);
	out = errno;
	errno = 0;
	in = ptrace(PTRACE_POKEDATA, child, target, 1L) ? errno : WORKS;
	expect_equal(out, in);
	if (!in)
		expect_equal(ptrace(PTRACE_PEEKDATA, child, target, NULL), 1);
	kill(child, SIGKILL);
	waitpid(child, &status, 0);
	expect_kept(site);
	return out;
}

int try_fork(const struct site *site)
{
	pid_t child = tap_fork();

	expect_kept(site);
	if (!child) {
		touch(site->addr, site->page);
		expect_equal(device_commit(site->fd, site->addr, site->page),
			     EPERM);
		_exit(0);
	}
	tap_join(child);
	expect_kept(site);
	return WORKS;
}

static void dump(const struct site *site)
{
	const struct rlimit unlimited = { RLIM_INFINITY, RLIM_INFINITY };

	expect(setrlimit(RLIMIT_CORE, &unlimited) == 0);
	/* The dump shall have no memory but the range. */
	expect(madvise(site->addr + site->length, site->extent + EXTENT_SIZE -
		       site->addr - site->length, MADV_DONTDUMP) == 0);
	signal(SIGABRT, SIG_DFL);
	raise(SIGABRT);
}

static void check_core(const struct site *site, const char *path)
{
	int core = open(path, O_RDONLY | O_CLOEXEC);
	char page[4096];

	expect(core >= 0);
	for (size_t at = 0; at < site->length; at += site->page) {
		off_t offset = core_offset(core, site->addr + at);

		expect(offset > 0);
		expect(pread(core, page, sizeof(page), offset) == sizeof(page));
		if (site->addr + at == site->hole)
			expect(is_zero(page, sizeof(page)));
		else
			expect(is_filled(page, sizeof(page), 1 + at));
	}
	expect(core_offset(core, site->addr + site->length) == -1);
	close(core);
}

/* uapi_memory_test.c checks the size of such a dump. */
int try_core(const struct site *site)
{
	static const char pattern[] = "/proc/sys/kernel/core_pattern";
	int file = open(pattern, O_RDONLY | O_CLOEXEC), status;
	char before[128] = "", path[64];
	pid_t child;

	expect(file >= 0 && read(file, before, sizeof(before) - 1) > 0);
	snprintf(path, sizeof(path), "/tmp/chunk-core-%d", getpid());
	if (!put_text(pattern, path))
		untested("not root");
	child = tap_fork();
	if (!child)
		dump(site);
	expect(waitpid(child, &status, 0) == child);
	put_text(pattern, before);
	expect(WIFSIGNALED(status) && WCOREDUMP(status));
	check_core(site, path);
	unlink(path);
	return WORKS;
}
