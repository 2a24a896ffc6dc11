// SPDX-License-Identifier: MIT
/* Tracepoints of the module: which there are, when they come, what they say. */
#include <errno.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mount.h>
#include <sys/stat.h>

#include "kernel_file.h"
#include "uapi.h"
#include "words.h"

#define TRACEFS		"/sys/kernel/tracing"
#define INSTANCE	TRACEFS "/instances/chunk-test"
#define EVENTS		INSTANCE "/events/chunk/"

/* Enough for the events of a case */
#define TEXT_MAX	(1U << 18)

static char text[TEXT_MAX];

static void remove_instance(void)
{
	rmdir(INSTANCE);
}

/* A buffer of our own, with the events of this process only */
static void trace_start(void)
{
	char pid[16];

	snprintf(pid, sizeof(pid), "%d", getpid());
	if (access(TRACEFS "/instances", F_OK) &&
	    mount("nodev", TRACEFS, "tracefs", 0, NULL))
		tap_skip("no tracefs: %s", strerror(errno));
	remove_instance();
	expect(!mkdir(INSTANCE, 0700));
	atexit(remove_instance);
	expect(put_text(INSTANCE "/set_event_pid", pid));
	expect(put_text(EVENTS "enable", "1"));
}

static void trace_stop(void)
{
	FILE *file;
	size_t size;

	expect(put_text(EVENTS "enable", "0"));
	file = fopen(INSTANCE "/trace", "r");
	expect(file);
	size = fread(text, 1, sizeof(text) - 1, file);
	text[size] = '\0';
	fclose(file);
	expect(size < sizeof(text) - 1);
}

/* Find an event in the part of the trace from *@at on, and move *@at behind it. */
static void __printf(2, 3) expect_event(const char **at, const char *format, ...)
{
	char event[256];
	const char *found;
	va_list args;

	va_start(args, format);
	vsnprintf(event, sizeof(event), format, args);
	va_end(args);
	found = strstr(*at, event);
	if (!found) {
		tap_note("the trace:\n%s", *at);
		tap_failed(__FILE__, __LINE__, event);
	}
	*at = found + strlen(event);
}

/* The ALLOC of two chunks */
static void expect_alloc(const char **at, const char *extent, bool recycled)
{
	expect_event(at, "chunk_alloc: addr=0x%lx size=0x200000 ",
		     (unsigned long)extent);
	expect_event(at, "alignment=0x100000 decommitted=0 recycled=%d err=0",
		     recycled);
}

static unsigned int count_events(const char *name)
{
	unsigned int count = 0;

	for (const char *at = strstr(text, name); at; at = strstr(at + 1, name))
		count++;
	return count;
}

static void calls_of_one(void)
{
	int fd = device_open();
	size_t page = page_size();
	const char *at = text;
	char *extent;

	trace_start();
	extent = device_alloc(fd, 2 * MIB, MIB);
	expect_equal(device_decommit(fd, extent, page), 0);
	expect_trap(extent);
	expect_equal(device_commit(fd, extent, page), 0);
	expect_equal(device_commit(fd, extent + 2 * MIB, page), ENOENT);
	expect_equal(device_dealloc(fd, extent, 2 * MIB), 0);
	expect_equal(device_dealloc(fd, extent, 2 * MIB), ENOENT);
	expect(device_alloc(fd, 2 * MIB, MIB) == extent);
	trace_stop();

	expect_event(&at, "chunk_grow: addr=0x");
	expect_event(&at, "err=0");
	expect_alloc(&at, extent, false);
	if (has_zap(fd))
		expect_event(&at, "chunk_zap: addr=0x%lx size=0x%zx ns=",
			     (unsigned long)extent, page);
	expect_event(&at, "chunk_decommit: addr=0x%lx size=0x%zx err=0",
		     (unsigned long)extent, page);
	expect_event(&at, "chunk_trap: addr=0x%lx write=0",
		     (unsigned long)extent);
	expect_event(&at, "chunk_commit: addr=0x%lx size=0x%zx err=0",
		     (unsigned long)extent, page);
	expect_event(&at, "chunk_commit: addr=0x%lx size=0x%zx err=-%d",
		     (unsigned long)extent + 2 * MIB, page, ENOENT);
	expect_event(&at, "chunk_dealloc: addr=0x%lx size=0x200000 recycled=0x200000 err=0",
		     (unsigned long)extent);
	expect_event(&at, "chunk_dealloc: addr=0x%lx size=0x200000 recycled=0x0 err=-%d",
		     (unsigned long)extent, ENOENT);
	expect_alloc(&at, extent, true);
}

static void what_becomes_of_free_extents(void)
{
	int fd = device_open();
	const char *at = text;
	char *extent;

	extent = device_alloc(fd, 3 * MIB, MIB);
	expect_equal(device_dealloc(fd, extent, 3 * MIB), 0);
	expect(device_alloc(fd, MIB, MIB) == extent);
	expect(device_alloc(fd, MIB, MIB) == extent + MIB);
	trace_start();
	expect_equal(device_dealloc(fd, extent, MIB), 0);
	expect_equal(device_dealloc(fd, extent + MIB, MIB), 0);
	device_limit(fd, 0);
	/* At the edge of a mapping, so it is unmapped. */
	extent = device_alloc(fd, 64 * MIB, MIB);
	expect_equal(device_dealloc(fd, extent, 64 * MIB), 0);
	trace_stop();

	expect_event(&at, "chunk_coalesce: addr=0x");
	expect_event(&at, "size=0x100000 into=0x");
	expect_event(&at, "into_size=0x300000");
	at = text;
	expect_event(&at, "chunk_trim: addr=0x");
	expect_event(&at, "err=0");
}

static void discarding(void)
{
	int fd = device_open();
	struct owner o;
	const char *at = text;
	char *extent;

	if (!has_words(fd))
		tap_skip("chunks cannot be offered on this kernel");
	o = owner_of(fd);
	extent = device_alloc(o.fd, MIB, MIB);
	touch(extent, MIB);
	owner_offer(&o, extent, MIB);
	trace_start();
	owner_press(&o);
	trace_stop();
	expect_equal(owner_take(&o, extent), TAKEN_ZERO);
	expect_event(&at, "chunk_discard: addr=0x");
	/* Neighbours are discarded together. */
	expect_event(&at, "owner=%d", getpid());
}

static void each_of_a_batch(void)
{
	struct chunk_ioc_op ops[100] = { 0 };
	struct chunk_ioc_batch batch = {
		.size = sizeof(batch),
		.what = CHUNK_BATCH_ALLOC,
		.ops = (uintptr_t)ops,
		.count = TAP_COUNT(ops),
	};
	int fd = device_open();

	for (size_t i = 0; i < TAP_COUNT(ops); i++) {
		ops[i].length = MIB;
		ops[i].alignment = MIB;
	}
	ops[7].alignment = 3;
	trace_start();
	expect_equal(call(fd, CHUNK_IOC_BATCH, &batch), 0);
	trace_stop();
	/* One was no operation at all. */
	expect_equal(count_events("chunk_alloc: "), TAP_COUNT(ops) - 1);
}

static void nothing_unless_wanted(void)
{
	int fd = device_open();

	trace_start();
	trace_stop();
	device_alloc(fd, MIB, MIB);
	trace_stop();
	expect_equal(count_events("chunk_"), 0);
}

static const struct tap_case cases[] = {
	{ "each call has its event, with its addresses and its error",
	  calls_of_one },
	{ "coalescing and unmapping of free extents have events",
	  what_becomes_of_free_extents },
	{ "discarding has an event, with the owner's process", discarding },
	{ "each operation of a batch has an event", each_of_a_batch },
	{ "nothing is traced unless it is wanted", nothing_unless_wanted },
};

const struct tap_suite tap_suite = {
	.about = "Tests of the module's tracepoints",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
