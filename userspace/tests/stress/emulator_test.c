// SPDX-License-Identifier: MIT
/*
 * The machine below the tests runs what is in memory. QEMU before 8.1 does not
 * always: it may keep the translation of code that another processor changed
 * while it was being translated, and then runs that for ever. A kernel that
 * patches its own code meets this now and then, and stands still.
 */
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include <sys/mman.h>

#include "common.h"

/* How long code is changed, and how long a change may take to be seen */
#define SECONDS	4
#define PATIENCE	5

static atomic_uint seen;

static uint64_t seconds(void)
{
	struct timespec now;

	clock_gettime(CLOCK_MONOTONIC, &now);
	return (uint64_t)now.tv_sec;
}

#if defined(__x86_64__)
/*
 * "mov $number, %eax; ret" behind instructions that do nothing, which keep the
 * translator busy. The number is aligned, so it changes at once.
 */
#define BEFORE		403
#define NUMBER_AT	(BEFORE + 1)

static uint32_t *write_code(unsigned char *code)
{
	memset(code, 0x90, BEFORE);
	code[BEFORE] = 0xb8;
	memset(code + NUMBER_AT, 0, sizeof(uint32_t));
	code[NUMBER_AT + sizeof(uint32_t)] = 0xc3;
	return (uint32_t *)(code + NUMBER_AT);
}
#else
static uint32_t *write_code(unsigned char *code)
{
	(void)code;
	tap_skip("other processors want to be told of changed code");
}
#endif

static void *run(void *code)
{
	unsigned int (*number)(void);

	memcpy(&number, &code, sizeof(number));
	for (;;)
		atomic_store(&seen, number());
	return NULL;
}

static void sees_changes(void)
{
	int fd = memfd_create("code", MFD_CLOEXEC);
	unsigned char *code, *writable;
	unsigned int changes = 0;
	atomic_uint *number;
	pthread_t thread;
	uint64_t end;

	if (sysconf(_SC_NPROCESSORS_ONLN) < 2)
		tap_skip("one processor");
	expect(fd >= 0 && ftruncate(fd, (off_t)page_size()) == 0);
	writable = mmap(NULL, page_size(), PROT_READ | PROT_WRITE, MAP_SHARED,
			fd, 0);
	code = mmap(NULL, page_size(), PROT_READ | PROT_EXEC, MAP_SHARED, fd, 0);
	expect(writable != MAP_FAILED && code != MAP_FAILED);
	number = (atomic_uint *)write_code(writable);
	expect(!pthread_create(&thread, NULL, run, code));

	end = seconds() + SECONDS;
	while (seconds() < end) {
		uint64_t late = seconds() + PATIENCE;

		atomic_store(number, ++changes);
		while (atomic_load(&seen) != changes)
			expect(seconds() < late);
		/* The next change comes at some moment of the translation. */
		for (volatile unsigned int i = changes % 3001; i; i--)
			continue;
	}
	tap_note("%u changes", changes);
}

static const struct tap_case cases[] = {
	{ "code that another processor changed is run as it is in memory",
	  sees_changes },
};

const struct tap_suite tap_suite = {
	.about = "Tests of the virtual machine that the other tests run in",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
