// SPDX-License-Identifier: MIT
/*
 * libchunk on kernels that lack system calls, and on emulators: a filter that the
 * kernel runs refuses calls, or reports success without doing anything. libchunk
 * keeps all its promises.
 */
#include <endian.h>
#include <errno.h>
#include <fcntl.h>
#include <stddef.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>

#include "common.h"
#include "kernel_file.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#endif

/* 32-bit machines have another call. */
#ifdef SYS_mmap2
#define MAPPING_CALL	SYS_mmap2
#else
#define MAPPING_CALL	SYS_mmap
#endif

#define DATA(offset)	BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offset)
#define UNLESS(value, skip) BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, value, 0, skip)
#define RETURN(value)	BPF_STMT(BPF_RET | BPF_K, value)

/* Return the offset of the lower half of an argument. */
static unsigned int argument(unsigned int nr)
{
	const bool big = htobe16(1) == 1;

	return offsetof(struct seccomp_data, args) + nr * sizeof(__u64) +
	       (big ? sizeof(__u32) : 0);
}

static void install(struct sock_filter *filter, unsigned short length)
{
	struct sock_fprog program = { .len = length, .filter = filter };

	expect(prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0);
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &program))
		tap_skip("system calls cannot be filtered here");
}

/* Let all calls of one number return an error, or 0 without doing anything. */
static void answer(int call, int error)
{
	struct sock_filter filter[] = {
		DATA(offsetof(struct seccomp_data, nr)),
		UNLESS(call, 1),
		RETURN(SECCOMP_RET_ERRNO | error),
		RETURN(SECCOMP_RET_ALLOW),
	};

	install(filter, TAP_COUNT(filter));
}

/* Do the same only for calls with this value as an argument. */
static void answer_if(int call, unsigned int nr, unsigned int value, int error)
{
	struct sock_filter filter[] = {
		DATA(offsetof(struct seccomp_data, nr)),
		UNLESS(call, 3),
		DATA(argument(nr)),
		UNLESS(value, 1),
		RETURN(SECCOMP_RET_ERRNO | error),
		RETURN(SECCOMP_RET_ALLOW),
	};

	install(filter, TAP_COUNT(filter));
}

static void use_pages(char *chunk)
{
	fill(chunk, 4 * MIB, 1);
	pages_decommit(chunk + MIB, MIB);
	expect_trap_only(chunk + MIB, MIB);
	expect(pages_commit(chunk, 2 * MIB));
	expect(is_zero(chunk + MIB, MIB));
	fill(chunk + MIB, MIB, 2);
	expect(pages_purge(chunk + MIB, MIB, true));
	expect(is_zero(chunk + MIB, MIB));
	expect(pages_populate(chunk + MIB, MIB));
	expect(is_zero(chunk + MIB, MIB));
	expect(is_filled(chunk, MIB, 1));
	expect(is_filled(chunk + 2 * MIB, 2 * MIB, 1 + 2 * MIB));
}

/* Use a bit of everything. */
static void use(void)
{
	char *chunk = alloc_mib(4), *again;

	expect(is_zero(chunk, 4 * MIB));
	use_pages(chunk);
	dealloc_mib(chunk, 4);
	expect_trap(chunk);
	again = alloc_mib(4);
	expect(is_zero(again, 4 * MIB));
	expect_stats_consistent();
	dealloc_mib(again, 4);
}

static void use_in_a_child_too(void)
{
	char *chunk = alloc_mib(4);
	pid_t child;

	fill(chunk, 4 * MIB, 1);
	child = tap_fork();
	if (child == 0) {
		expect(is_filled(chunk, 4 * MIB, 1));
		use();
		use_pages(chunk);
		dealloc_mib(chunk, 4);
		_exit(0);
	}
	use();
	tap_join(child);
	expect(is_filled(chunk, 4 * MIB, 1));
	dealloc_mib(chunk, 4);
}

static void no_names(void)
{
	answer_if(SYS_prctl, 0, PR_SET_VMA, EINVAL);
	use();
}

static void not_wiped_in_children(void)
{
	answer_if(SYS_madvise, 2, MADV_WIPEONFORK, EINVAL);
	use_in_a_child_too();
}

/* libchunk cannot be asked: its first use must come after the filter. */
static void not_on_device(const char *why)
{
	const char *wanted = getenv("TEST_BACKEND");

	if (wanted && !strcmp(wanted, "device"))
		tap_skip("%s", why);
}

static void advice_is_pretence(void)
{
	not_on_device("no such kernel has the module");
	answer(SYS_madvise, 0);
	use_in_a_child_too();
}

static void no_advice(void)
{
	not_on_device("no such kernel has the module");
	answer(SYS_madvise, EINVAL);
	use_in_a_child_too();
}

static void no_files(void)
{
	not_on_device("the device is a file");
	answer(SYS_openat, ENOENT);
	use();
}

/* Errors of open(2), the word of each, and what libchunk's message must have */
static const struct refusal {
	int error;
	const char *word;
	const char *advice;
} refusals[] = {
	{ ENOENT, "no-module", "load the module" },
	{ ENXIO, "no-module", "load the module" },
	{ ENODEV, "no-module", "load the module" },
	{ EACCES, "permission", "permission to read and write" },
	{ EPERM, "forbidden", "control group" },
	{ EMFILE, "files", "RLIMIT_NOFILE" },
	{ ENFILE, "files", "fs.file-max" },
	{ ENOMEM, "memory", "memory" },
	{ ELOOP, "error", "cannot be opened" },
};

/* The same where the module is loaded */
static const struct refusal hidden = { ENOENT, "no-node", "the module is loaded" };

static const struct refusal *refusal_at(size_t i)
{
	if (refusals[i].error == ENOENT && !access("/sys/class/chunk", F_OK))
		return &hidden;
	return &refusals[i];
}

static void demand_device(void *arg)
{
	const struct refusal *refusal = arg;

	answer(SYS_openat, refusal->error);
	tap_setenv("CHUNK_OPTIONS", "backend:device");
	chunks_init();
}

static void do_without_device(void *arg)
{
	const struct refusal *refusal = arg;

	answer(SYS_openat, refusal->error);
	tap_setenv("CHUNK_OPTIONS", "verbose:on");
	use();
	expect(!strcmp(chunk_backend_reason(), refusal->word));
	expect(!on_device());
}

static void need_filters(void)
{
	if (plain_posix())
		tap_skip("without the device there is none to be refused");
	/* Only probe: the children install the filters. */
	if (prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, NULL) && errno != EFAULT)
		tap_skip("system calls cannot be filtered here");
}

static void refused_device(void)
{
	need_filters();
	for (size_t i = 0; i < TAP_COUNT(refusals); i++) {
		const struct refusal *refusal = refusal_at(i);
		struct tap_outcome outcome;

		tap_child(&outcome, demand_device, (void *)refusal);
		tap_note("%.*s", (int)strcspn(outcome.text, "\n"), outcome.text);
		expect(tap_aborted(&outcome));
		expect_equal(outcome.lines, 1);
		expect(strstr(outcome.text, refusal->advice));
		/* Only a missing module is a reason to load it. */
		expect(!strstr(outcome.text, "load the module") ==
		       !!strcmp(refusal->advice, "load the module"));
	}
}

static void reasons(void)
{
	need_filters();
	if (overcommit_mode() == 2)
		tap_skip("the device is not even tried");
	for (size_t i = 0; i < TAP_COUNT(refusals); i++) {
		const struct refusal *refusal = refusal_at(i);
		struct tap_outcome outcome;

		tap_child(&outcome, do_without_device, (void *)refusal);
		tap_note("%.*s", (int)strcspn(outcome.text, "\n"), outcome.text);
		expect_equal(outcome.status, 0);
		expect_equal(outcome.lines, 1);
		expect(strstr(outcome.text, refusal->word));
		expect(strstr(outcome.text, refusal->advice));
	}
}

/* No mapping can be replaced, and locked memory cannot be purged. */
static void locked_and_no_mapping_left(void)
{
	char *chunk;

	not_on_device("no such kernel has the module");
	chunk = alloc_mib(4);
	if (mlock(chunk, 4 * MIB))
		tap_skip("4 MiB cannot be locked here");
	fill(chunk, 4 * MIB, 1);
	answer_if(MAPPING_CALL, 2, PROT_NONE, ENOMEM);
	answer_if(SYS_madvise, 2, MADV_DONTNEED_LOCKED, EINVAL);
	pages_decommit(chunk + MIB, MIB);
	expect_resident(chunk + MIB, MIB, 0);
	expect(pages_commit(chunk, 4 * MIB));
	expect(is_zero(chunk + MIB, MIB));
	expect(is_filled(chunk, MIB, 1));
	dealloc_mib(chunk, 4);
	expect(is_zero(alloc_mib(4), 4 * MIB));
}

/* Filters of services know what they allow. Pages that were freed are zero or gone. */
static void pages_cannot_be_freed(void)
{
	char *chunk = alloc_mib(4), *again;

	fill(chunk, 4 * MIB, 1);
	answer_if(SYS_madvise, 2, MADV_DONTNEED, EPERM);
	pages_decommit(chunk + MIB, MIB);
	expect(pages_commit(chunk, 4 * MIB));
	expect(is_zero(chunk + MIB, MIB));
	expect(is_filled(chunk, MIB, 1));
	dealloc_mib(chunk, 4);
	again = alloc_mib(4);
	expect(is_zero(again, 4 * MIB));
	fill(again, 4 * MIB, 2);
	dealloc_mib(again, 4);
	expect_stats_consistent();
}

static const struct tap_case cases[] = {
	BACKEND_CASE,
	{ "memory cannot be named", no_names },
	{ "memory cannot be wiped in children", not_wiped_in_children },
	{ "advice is taken and ignored", advice_is_pretence },
	{ "no advice is taken", no_advice },
	{ "pages cannot be freed by advice", pages_cannot_be_freed },
	{ "no file can be opened", no_files },
	{ "each refusal of the device is told in its own words",
	  refused_device },
	{ "a program that goes on without the device can learn the reason",
	  reasons },
	{ "locked memory cannot be purged, and nothing replaced",
	  locked_and_no_mapping_left },
};

const struct tap_suite tap_suite = {
	.about = "Tests libchunk on kernels that lack what this one has",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
