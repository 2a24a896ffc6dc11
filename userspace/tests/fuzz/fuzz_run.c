// SPDX-License-Identifier: MIT
/*
 * Runs a program in a process of its own, and checks that meanwhile:
 *
 * - a call that fails has an error that is documented for it, and has changed no
 *   counter
 * - memory of other contexts and processes is unchanged
 * - while only one thread runs, and memory is not changed behind the device's
 * back,
 *   new memory is zero and freed memory traps (see fuzz_device.c)
 */
#include <errno.h>
#include <pthread.h>
#include <stdarg.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/uio.h>

#include "fuzz.h"
#include "kernel_file.h"
#include "uapi.h"

#define CANARY_HOLE	(5 * FUZZ_PAGE)
/* More address space than the process has, to which the canary brought a part */
#define ROOM		(448 * MIB)
#define PATIENCE	120	/* seconds after which a program hangs */

static struct fuzz_shared *shared;

/**
 * fuzz_fail() - report a failure, and end the process
 * @format: message, as for printf()
 */
void fuzz_fail(const char *format, ...)
{
	va_list args;

	va_start(args, format);
	vsnprintf(shared->why, sizeof(shared->why), format, args);
	va_end(args);
	_exit(1);
}

/**
 * fuzz_quiet() - tell whether only the program itself can have changed memory
 * @run: the run
 *
 * Return: true if no other thread runs the program, and no memory was changed
 * behind the device's back.
 */
bool fuzz_quiet(const struct fuzz_run *run)
{
	return !run->racing && !run->tampered;
}

/**
 * fuzz_read() - read memory that may trap
 * @addr: first byte
 * @to:   receives the bytes
 * @size: bytes
 *
 * Return: whether all of it can be read.
 */
bool fuzz_read(uintptr_t addr, void *to, size_t size)
{
	struct iovec local = { to, size }, remote = { (void *)addr, size };

	return process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
	       (ssize_t)size;
}

/**
 * fuzz_write() - write memory that may trap
 * @addr: first byte
 * @from: the bytes
 * @size: bytes
 *
 * Return: whether all of it can be written.
 */
bool fuzz_write(uintptr_t addr, const void *from, size_t size)
{
	struct iovec local = { (void *)from, size };
	struct iovec remote = { (void *)addr, size };

	return process_vm_writev(getpid(), &local, 1, &remote, 1, 0) ==
	       (ssize_t)size;
}

/**
 * fuzz_readable() - tell whether a byte can be read
 * @addr: the byte
 *
 * Return: false if it traps.
 */
bool fuzz_readable(uintptr_t addr)
{
	char byte;

	return fuzz_read(addr, &byte, 1);
}

/**
 * fuzz_remember() - remember the extent that a call returned, for later calls
 * @run:    the run
 * @fd:     enum fuzz_fd
 * @addr:   first byte of the extent
 * @length: bytes
 */
void fuzz_remember(struct fuzz_run *run, unsigned int fd, uintptr_t addr,
		   size_t length)
{
	for (unsigned int i = 0; i < FUZZ_EXTENTS && fuzz_quiet(run); i++) {
		const struct fuzz_extent *other = &run->extents[i];

		if (other->live && other->addr < addr + length &&
		    addr < other->addr + other->length)
			fuzz_fail("%#zx bytes at %#zx were handed out already",
				  length, (size_t)addr);
	}
	run->extents[run->next++ % FUZZ_EXTENTS] = (struct fuzz_extent) {
		.fd = fd, .live = true, .addr = addr, .length = length,
	};
}

/**
 * fuzz_drop_extent() - note that an extent was given back; its address stays known
 * @run:  the run
 * @fd:   enum fuzz_fd
 * @addr: first byte of the extent
 */
void fuzz_drop_extent(struct fuzz_run *run, unsigned int fd, uintptr_t addr)
{
	for (unsigned int i = 0; i < FUZZ_EXTENTS; i++) {
		if (run->extents[i].addr == addr && run->extents[i].fd == fd)
			run->extents[i].live = false;
	}
}

/**
 * fuzz_set_up() - set up the state that all programs have in common
 * @run: the run, filled in but for descriptors
 *
 * Context: the process that starts the others, once.
 */
void fuzz_set_up(struct fuzz_run *run)
{
	int file = memfd_create("fuzz", MFD_CLOEXEC);

	expect(file >= 0 && ftruncate(file, FUZZ_PAGE) == 0);
	run->constant = mmap(NULL, FUZZ_PAGE, PROT_READ, MAP_SHARED, file, 0);
	run->alias = mmap(NULL, FUZZ_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
			  file, 0);
	run->user = mmap(NULL, 3 * FUZZ_PAGE, PROT_READ | PROT_WRITE,
			 MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect(run->constant != MAP_FAILED && run->alias != MAP_FAILED);
	expect(run->user != MAP_FAILED);
	expect(mprotect(run->user + 2 * FUZZ_PAGE, FUZZ_PAGE, PROT_NONE) == 0);
	close(file);
	run->word = memfd_create("fuzz-word", MFD_CLOEXEC);
	expect(run->word >= 0 && ftruncate(run->word, FUZZ_PAGE) == 0);
}

static uint64_t evaluate(const struct fuzz_run *run, struct fuzz_value value)
{
	const struct fuzz_extent *extent = &run->extents[value.slot];
	uint64_t number = value.number;

	switch (value.base) {
	case FUZZ_START:
		return extent->addr + number;
	case FUZZ_END:
		return extent->addr + extent->length + number;
	case FUZZ_LENGTH:
		return extent->length + number;
	case FUZZ_HOLE:
		return (uintptr_t)run->user + 2 * FUZZ_PAGE + number;
	default:
		return number;
	}
}

/* Compare the counters that only successful calls change. */
static bool same_counts(const struct chunk_ioc_stats *a,
			const struct chunk_ioc_stats *b)
{
	return a->live_bytes == b->live_bytes &&
	       a->live_extents == b->live_extents &&
	       a->decommitted_bytes == b->decommitted_bytes &&
	       a->allocs == b->allocs && a->deallocs == b->deallocs &&
	       a->commits == b->commits && a->decommits == b->decommits;
}

/*
 * An ALLOC that is refused address space returns free space to the system. With
 * the last extent of a region its replaced extents are dropped.
 */
static bool only_dropped(const struct chunk_ioc_stats *before,
			 const struct chunk_ioc_stats *after)
{
	return after->live_bytes <= before->live_bytes &&
	       after->live_extents < before->live_extents &&
	       after->decommitted_bytes <= before->decommitted_bytes &&
	       after->allocs == before->allocs &&
	       after->deallocs == before->deallocs;
}

/*
 * These fail late: part of a batch is done, ESTALE drops the extent, populating
 * comes after committing.
 */
static bool may_change(const struct fuzz_kind *kind, int err)
{
	return err == ESTALE || !strcmp(kind->name, "batch") ||
	       (err == ENOMEM && !strcmp(kind->name, "commit"));
}

/* Tell whether the error is about the structure, or about another address space. */
static bool common(int err)
{
	return err == EFAULT || err == E2BIG || err == EINVAL || err == EPERM;
}

static bool documented(const struct fuzz_kind *kind, int err)
{
	if (kind->size && common(err))
		return true;
	for (unsigned int i = 0; kind->errors[i]; i++) {
		if (kind->errors[i] == err)
			return true;
	}
	return !kind->errors[0] && !kind->size;
}

static void judge(const struct fuzz_kind *kind, const struct fuzz_call *call,
		  int err)
{
	if (err < 0 || err >= FUZZ_ERRORS)
		fuzz_fail("%s: error %d is none", kind->name, err);
	__atomic_add_fetch(&shared->outcomes[call->kind][err], 1,
			   __ATOMIC_RELAXED);
	__atomic_add_fetch(&shared->done, 1, __ATOMIC_RELAXED);
	if (err && !documented(kind, err))
		fuzz_fail("%s: %s is not documented", kind->name, strerror(err));
	if (kind->size && call->fd == FUZZ_FD_FOREIGN && err != EPERM)
		fuzz_fail("%s through another process' descriptor: %s",
			  kind->name, err ? strerror(err) : "succeeded");
}

static void do_call(struct fuzz_run *run, const struct fuzz_call *call)
{
	const struct fuzz_kind *kind = fuzz_kind(call->kind);
	int counted = run->fds[call->fd == FUZZ_FD_2 ? FUZZ_FD_2 : FUZZ_FD];
	bool counts = kind->size && !run->racing;
	struct chunk_ioc_stats before = { 0 }, after;
	uint64_t args[FUZZ_ARGS];
	int err;

	for (unsigned int i = 0; i < kind->nr; i++)
		args[i] = evaluate(run, call->args[i]);
	if (counts)
		before = device_stats(counted);
	err = -kind->run(run, call, args);
	judge(kind, call, err);
	if (!counts || !err || may_change(kind, err))
		return;
	after = device_stats(counted);
	if (err == ENOMEM && !strcmp(kind->name, "alloc") &&
	    only_dropped(&before, &after))
		return;
	if (!same_counts(&before, &after))
		fuzz_fail("%s failed, %s, and has changed something",
			  kind->name, strerror(err));
}

/**
 * struct job - program that a thread runs
 * @run:     the run, which threads share
 * @program: the program
 */
struct job {
	struct fuzz_run *run;
	const struct fuzz_program *program;
};

static void *do_program(void *arg)
{
	const struct job *job = arg;

	for (unsigned int i = 0; i < job->program->calls; i++) {
		shared->at = i;
		do_call(job->run, &job->program->call[i]);
	}
	return NULL;
}

static void do_it(struct job *job)
{
	pthread_t other;

	if (!job->run->racing) {
		do_program(job);
		return;
	}
	expect(pthread_create(&other, NULL, do_program, job) == 0);
	do_program(job);
	expect(pthread_join(other, NULL) == 0);
}

static char *canary_new(int fd)
{
	char *canary = device_alloc(fd, 2 * MIB, MIB);

	fill(canary, 2 * FUZZ_PAGE, 42);
	expect_equal(device_decommit(fd, canary + CANARY_HOLE, FUZZ_PAGE), 0);
	return canary;
}

static void canary_check(const char *canary)
{
	if (!is_filled(canary, 2 * FUZZ_PAGE, 42))
		fuzz_fail("another context's memory was changed");
	if (fuzz_readable((uintptr_t)canary + CANARY_HOLE))
		fuzz_fail("another context's guard is missing");
}

static void check_counts(const struct fuzz_run *run)
{
	for (unsigned int i = 0; i < FUZZ_FD_FOREIGN; i++) {
		struct chunk_ioc_stats s = device_stats(run->fds[i]);

		if (s.live_bytes + s.recycled_bytes + s.reserved_bytes >
		    s.mapped_bytes || s.recycled_bytes > s.recycle_limit ||
		    s.decommitted_bytes > s.live_bytes ||
		    s.live_extents * MIB > s.live_bytes)
			fuzz_fail("the counters contradict one another");
	}
}

/**
 * fuzz_run() - run a program, and end the process
 * @run:     the run of fuzz_set_up(), with the foreign descriptor
 * @program: the program
 * @report:  receives the results
 *
 * The process exits with 0 if all checks hold. Otherwise @report describes the
 * failure, or a signal ends the process.
 */
void fuzz_run(struct fuzz_run *run, const struct fuzz_program *program,
	      struct fuzz_shared *report)
{
	struct job job = { .run = run, .program = program };
	int other = device_open();
	char *canary = canary_new(other);

	shared = report;
	alarm(PATIENCE);
	run->fds[FUZZ_FD] = device_open();
	run->fds[FUZZ_FD_2] = device_open();
	run->racing = program->racing;
	run->roomy = program->roomy;
	if (!run->roomy) {
		rlim_t most = status_bytes("VmSize") + ROOM;

		setrlimit(RLIMIT_AS, &(struct rlimit) { most, most });
	}
	do_it(&job);
	canary_check(canary);
	check_counts(run);
	_exit(0);
}
