// SPDX-License-Identifier: MIT
/*
 * Arguments of the device's calls: where they lie, how long they are, and which
 * fields must be zero. A refused call must have changed nothing.
 */
#include <errno.h>
#include <stddef.h>
#include <string.h>

#include <sys/mman.h>

#include "uapi.h"

/**
 * struct command - one ioctl
 * @number: CHUNK_IOC_*
 * @size:   bytes of its structure
 * @least:  bytes of the structure's first version, or 0: those of today
 * @output: the call writes to its argument
 * @zeros:  offsets of 32-bit fields that must be zero, up to the first 0
 * @known:  bits that may be set in the first of these fields
 */
struct command {
	unsigned long number;
	size_t size;
	size_t least;
	bool output;
	size_t zeros[4];
	__u32 known;
};

static const struct command commands[] = {
	{ CHUNK_IOC_INFO, sizeof(struct chunk_ioc_info), 0, true, { 0 }, 0 },
	{ CHUNK_IOC_CONFIGURE, sizeof(struct chunk_ioc_configure), 0, false,
	  { offsetof(struct chunk_ioc_configure, flags),
	    offsetof(struct chunk_ioc_configure, pad) }, 0 },
	{ CHUNK_IOC_ALLOC, sizeof(struct chunk_ioc_alloc), 0, true,
	  { offsetof(struct chunk_ioc_alloc, flags) },
	  CHUNK_ALLOC_POPULATE | CHUNK_ALLOC_DECOMMITTED },
	{ CHUNK_IOC_DEALLOC, sizeof(struct chunk_ioc_dealloc), 0, false, { 0 }, 0 },
	{ CHUNK_IOC_COMMIT, sizeof(struct chunk_ioc_range), 0, false,
	  { offsetof(struct chunk_ioc_range, flags) }, CHUNK_COMMIT_POPULATE },
	{ CHUNK_IOC_DECOMMIT, sizeof(struct chunk_ioc_range), 0, false,
	  { offsetof(struct chunk_ioc_range, flags) }, CHUNK_DECOMMIT_LOCKED },
	{ CHUNK_IOC_LOOKUP, sizeof(struct chunk_ioc_lookup),
	  CHUNK_LOOKUP_SIZE_1, true,
	  { offsetof(struct chunk_ioc_lookup, flags) }, 0 },
	{ CHUNK_IOC_LIMIT, sizeof(struct chunk_ioc_limit), 0, true,
	  { offsetof(struct chunk_ioc_limit, flags) }, 0 },
	{ CHUNK_IOC_STATS, sizeof(struct chunk_ioc_stats),
	  CHUNK_STATS_SIZE_1, true,
	  { offsetof(struct chunk_ioc_stats, flags) }, 0 },
	{ CHUNK_IOC_BATCH, sizeof(struct chunk_ioc_batch), 0, true,
	  { offsetof(struct chunk_ioc_batch, flags),
	    offsetof(struct chunk_ioc_batch, pad) },
	  CHUNK_ALLOC_POPULATE | CHUNK_ALLOC_DECOMMITTED },
};

#define END	(commands + TAP_COUNT(commands))

/* The structure of any command, with room for a longer one */
union args {
	__u32 size;
	struct chunk_ioc_info info;
	struct chunk_ioc_configure configure;
	struct chunk_ioc_alloc alloc;
	struct chunk_ioc_dealloc dealloc;
	struct chunk_ioc_range range;
	struct chunk_ioc_lookup lookup;
	struct chunk_ioc_limit limit;
	struct chunk_ioc_stats stats;
	struct chunk_ioc_batch batch;
	char bytes[512];
};

/*
 * A context in which every command would succeed with prepare()'s arguments;
 * CONFIGURE goes to a fresh context each time.
 */
static int fd, fresh_fd;
static char *extent;
static struct chunk_ioc_op op;

static int device_for(const struct command *command)
{
	return command->number == CHUNK_IOC_CONFIGURE ? fresh_fd : fd;
}

static void set_up(void)
{
	fd = device_open();
	fresh_fd = device_open();
	extent = device_alloc(fd, 2 * MIB, MIB);
	fill(extent, 2 * MIB, 1);
	/* A call may change recycled and retained extents by mistake, so make some. */
	expect_equal(device_dealloc(fd, device_alloc(fd, 3 * MIB, MIB),
				    3 * MIB), 0);
	expect_equal(device_decommit(fd, extent + MIB, MIB / 2), 0);
}

static void prepare(const struct command *command, union args *args)
{
	memset(args, 0, sizeof(*args));
	args->size = command->size;
	switch (command->number) {
	case CHUNK_IOC_CONFIGURE:
		args->configure.grow = 8 * MIB;
		break;
	case CHUNK_IOC_ALLOC:
		args->alloc.length = MIB;
		args->alloc.alignment = MIB;
		break;
	case CHUNK_IOC_DEALLOC:
		args->dealloc.addr = (uintptr_t)extent;
		args->dealloc.length = 2 * MIB;
		break;
	case CHUNK_IOC_COMMIT:
	case CHUNK_IOC_DECOMMIT:
		args->range.addr = (uintptr_t)extent + MIB / 4;
		args->range.length = MIB;
		break;
	case CHUNK_IOC_LOOKUP:
		args->lookup.addr = (uintptr_t)extent;
		break;
	case CHUNK_IOC_LIMIT:
		args->limit.limit = MIB;
		break;
	case CHUNK_IOC_BATCH:
		op = (struct chunk_ioc_op) { .length = MIB, .alignment = MIB };
		args->batch.what = CHUNK_BATCH_ALLOC;
		args->batch.count = 1;
		args->batch.ops = (uintptr_t)&op;
		break;
	}
}

/* No counter has changed, nor anything that can be read. */
static void refused_at(int line, const struct command *command, int error,
		       void *arg)
{
	int device = device_for(command);
	struct chunk_ioc_stats before = device_stats(device), after;
	int got = call(device, command->number, arg);

	after = device_stats(device);
	if (got != error)
		tap_unequal(__FILE__, line, "error of the call", got, error);
	if (!same_stats(&before, &after) || !is_filled(extent, MIB, 1) ||
	    !read_traps(extent + MIB) || read_traps(extent + MIB - 1))
		tap_failed(__FILE__, line, "nothing to change");
}

#define expect_refused(command, error, arg)				\
	refused_at(__LINE__, command, error, arg)

static void bad_pointers(void)
{
	/* NULL, the first page, a hole, non-canonical, the kernel's, the end */
	void *const pointers[] = {
		NULL, (void *)8, page_before_hole(),
		(void *)(uintptr_t)(1ULL << 56),
		(void *)(uintptr_t)0xffff888000000000,
		(void *)(uintptr_t)0xffffffff81000000,
		(void *)-4096, (void *)-4, (void *)-1,
	};

	set_up();
	for (const struct command *c = commands; c < END; c++)
		for (size_t i = 0; i < TAP_COUNT(pointers); i++)
			expect_refused(c, EFAULT, pointers[i]);
}

/* The argument begins in a mapped page and ends in an unmapped one. */
static void partly_mapped(void)
{
	char *hole = page_before_hole();
	union args args;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		prepare(c, &args);
		for (size_t part = 1; part < c->size; part++) {
			memcpy(hole - part, &args, part);
			expect_refused(c, EFAULT, hole - part);
		}
	}
}

static void unreadable(void)
{
	char *page = anonymous(page_size(), PROT_READ | PROT_WRITE);

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		expect(mprotect(page, page_size(), PROT_WRITE) == 0);
		prepare(c, (union args *)page);
		expect(mprotect(page, page_size(), PROT_NONE) == 0);
		expect_refused(c, EFAULT, page);
	}
}

static void read_only(void)
{
	char *page = anonymous(page_size(), PROT_READ | PROT_WRITE);
	union args before;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		expect(mprotect(page, page_size(), PROT_WRITE) == 0);
		prepare(c, (union args *)page);
		expect(mprotect(page, page_size(), PROT_READ) == 0);
		memcpy(&before, page, sizeof(before));
		if (c->output) {
			expect_refused(c, EFAULT, page);
			expect(!memcmp(&before, page, sizeof(before)));
		}
	}
}

/* The end of the argument can be read and not written, or written. */
static void read_only_tail(void)
{
	char *pages = anonymous(2 * page_size(), PROT_READ | PROT_WRITE);
	char *edge = pages + page_size();
	union args args;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		if (!c->output)
			continue;
		prepare(c, &args);
		for (size_t part = 4; part < c->size; part += 4) {
			expect(mprotect(edge, page_size(), PROT_READ |
					PROT_WRITE) == 0);
			memcpy(edge - part, &args, c->size);
			expect(mprotect(edge, page_size(), PROT_READ) == 0);
			/* The output of other commands may end before the edge. */
			if (c->number == CHUNK_IOC_INFO ||
			    c->number == CHUNK_IOC_STATS ||
			    part <= c->size - 8)
				expect_refused(c, EFAULT, edge - part);
		}
	}
}

/* A call that writes no output accepts a constant argument. */
static void constant_input(void)
{
	union args *args = anonymous(page_size(), PROT_READ | PROT_WRITE);

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		if (c->output || c->number == CHUNK_IOC_DEALLOC)
			continue;
		expect(mprotect(args, page_size(), PROT_WRITE) == 0);
		prepare(c, args);
		expect(mprotect(args, page_size(), PROT_READ) == 0);
		expect_equal(call(device_for(c), c->number, args), 0);
	}
}

/* The structure is shorter than in the first version of the interface. */
static void too_short(void)
{
	union args args;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		prepare(c, &args);
		for (args.size = 0; args.size < (c->least ?: c->size);
		     args.size++)
			expect_refused(c, EINVAL, &args);
	}
}

/* The structure is of a later version of the interface, and asks for nothing new. */
static void longer(void)
{
	static const size_t more[] = { 1, 4, 8, 64, 200 };
	union args args;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		for (size_t i = 0; i < TAP_COUNT(more); i++) {
			if (c->number == CHUNK_IOC_DEALLOC)
				continue;
			prepare(c, &args);
			args.size += more[i];
			expect_equal(call(device_for(c), c->number, &args), 0);
		}
	}
}

static void longer_not_zero(void)
{
	union args args;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		for (size_t at = c->size; at < c->size + 40; at++) {
			prepare(c, &args);
			args.size = c->size + 40;
			args.bytes[at] = 1;
			expect_refused(c, E2BIG, &args);
		}
	}
}

static void absurdly_long(void)
{
	static const __u32 sizes[] = {
		4097, 65536, 0x7fffffff, 0x80000000, 0xffffffff,
	};
	union args *args = (union args *)page_before_hole() - 1;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		for (size_t i = 0; i < TAP_COUNT(sizes); i++) {
			int error;

			prepare(c, args);
			args->size = sizes[i];
			error = call(device_for(c), c->number, args);
			expect(error == E2BIG || error == EFAULT);
		}
		/* The longer structure ends in unmapped memory. */
		prepare(c, args);
		args->size = sizeof(*args) + 8;
		expect_refused(c, EFAULT, args);
	}
}

static void must_be_zero(void)
{
	union args args;
	__u32 bits;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		for (size_t i = 0; c->zeros[i]; i++) {
			for (bits = 1; bits; bits <<= 1) {
				if (!i && bits & c->known)
					continue;
				prepare(c, &args);
				memcpy(args.bytes + c->zeros[i], &bits, 4);
				expect_refused(c, EINVAL, &args);
			}
		}
	}
}

static void unknown_flags(void)
{
	const struct command *decommit = &commands[5], *dealloc = &commands[3];
	const struct command *configure = &commands[1];
	union args args;

	set_up();
	for (__u32 flags = 1; flags; flags <<= 1) {
		prepare(decommit, &args);
		args.range.flags = flags | CHUNK_DECOMMIT_LOCKED;
		if (flags != CHUNK_DECOMMIT_LOCKED)
			expect_refused(decommit, EINVAL, &args);
	}
	for (__u32 type = CHUNK_TYPE_RECYCLED + 1; type; type <<= 1) {
		prepare(dealloc, &args);
		args.dealloc.type = type;
		expect_refused(dealloc, EINVAL, &args);
	}
	for (__u32 backing = CHUNK_BACKING_HUGE + 1; backing; backing <<= 1) {
		prepare(configure, &args);
		args.configure.backing = backing;
		expect_refused(configure, EINVAL, &args);
	}
}

static void unknown_commands(void)
{
	union args args;

	set_up();
	prepare(&commands[6], &args);
	for (unsigned int n = 0; n < 256; n++) {
		/* Known commands with another direction, size or magic number */
		unsigned long unknown[] = {
			_IOC(_IOC_NONE, CHUNK_IOC_MAGIC + 1, n, 0),
			_IOC(_IOC_NONE, CHUNK_IOC_MAGIC, n, 8),
			_IOC(_IOC_READ, CHUNK_IOC_MAGIC, n, 0),
			_IOWR(CHUNK_IOC_MAGIC, n, union args),
			_IOC(_IOC_NONE, CHUNK_IOC_MAGIC, n > 9 ? n : 255, 0),
		};

		for (size_t i = 0; i < TAP_COUNT(unknown); i++)
			expect_refusal(fd, ENOTTY, call(fd, unknown[i], &args));
	}
	expect_refusal(fd, ENOTTY, call(fd, 0, NULL));
	expect_refusal(fd, ENOTTY, call(fd, ~0u, NULL));
}

/* Arguments at odd addresses are accepted. */
static void unaligned(void)
{
	char bytes[sizeof(union args) + 1];
	union args args;

	set_up();
	for (const struct command *c = commands; c < END; c++) {
		if (c->number == CHUNK_IOC_DEALLOC)
			continue;
		prepare(c, &args);
		memcpy(bytes + 1, &args, sizeof(args));
		expect_equal(call(device_for(c), c->number, bytes + 1), 0);
	}
}

/* The argument lies in the device's own memory, even in memory that the call changes. */
static void in_own_memory(void)
{
	union args *args;

	set_up();
	args = (union args *)extent;
	for (const struct command *c = commands; c < END; c++) {
		prepare(c, args);
		expect_equal(call(device_for(c), c->number, args), 0);
		/* DEALLOC comes last: the memory of the arguments goes with it. */
		if (c->number == CHUNK_IOC_DEALLOC)
			break;
	}
	/* A caller that has to free the memory needed it for the argument until now. */
	if (!has_zap(fd))
		expect(madvise(extent, 2 * MIB, MADV_DONTNEED) == 0);
	expect_trap(extent);

	/* The call decommits the page that holds its own argument. */
	extent = device_alloc(fd, 2 * MIB, MIB);
	args = (union args *)extent;
	prepare(&commands[5], args);
	args->range.addr = (uintptr_t)extent;
	args->range.length = page_size();
	expect_equal(device_call(fd, CHUNK_IOC_DECOMMIT, args), 0);
	expect_trap(extent);
}

/* Arguments in decommitted memory are as inaccessible as unmapped ones. */
static void in_decommitted_memory(void)
{
	set_up();
	for (const struct command *c = commands; c < END; c++)
		expect_refused(c, EFAULT, extent + MIB + 64);
	/* The size can be read, the rest of the structure cannot. */
	for (const struct command *c = commands; c < END; c++) {
		__u32 size = c->size;

		memcpy(extent + MIB - sizeof(size), &size, sizeof(size));
		expect_refusal(device_for(c), EFAULT,
			       call(device_for(c), c->number,
				    extent + MIB - sizeof(size)));
	}
}

static void info(void)
{
	struct chunk_ioc_info args = { .size = sizeof(args) };

	fd = device_open();
	expect_equal(call(fd, CHUNK_IOC_INFO, &args), 0);
	expect_equal(args.size, sizeof(args));
	expect_equal(args.abi, CHUNK_ABI);
	expect_equal(args.chunk_size, CHUNK_SIZE);
	expect_equal(args.page_size, page_size());
	expect(args.caps & CHUNK_CAP_GUARDED);
	expect(args.max_recycle_limit >= 128 * MIB);
	expect_equal(args.caps & ~(CHUNK_CAP_GUARDED | CHUNK_CAP_HUGE |
				   CHUNK_CAP_ZAP | CHUNK_CAP_OFFER), 0);
}

static const struct tap_case cases[] = {
	{ "INFO has the documented values", info },
	{ "pointers to nothing: EFAULT", bad_pointers },
	{ "arguments that end in a hole: EFAULT", partly_mapped },
	{ "unreadable arguments: EFAULT", unreadable },
	{ "read-only arguments that are written to: EFAULT", read_only },
	{ "arguments whose tail is read-only: EFAULT", read_only_tail },
	{ "read-only arguments that are only read", constant_input },
	{ "structures that are too short: EINVAL", too_short },
	{ "longer structures with zeros", longer },
	{ "longer structures without: E2BIG", longer_not_zero },
	{ "absurdly long structures: E2BIG or EFAULT", absurdly_long },
	{ "flags and pads that must be zero: EINVAL", must_be_zero },
	{ "unknown flags, types and backings: EINVAL", unknown_flags },
	{ "unknown commands: ENOTTY", unknown_commands },
	{ "unaligned arguments", unaligned },
	{ "arguments in the device's own memory", in_own_memory },
	{ "arguments in decommitted memory: EFAULT", in_decommitted_memory },
};

const struct tap_suite tap_suite = {
	.about = "Tests the arguments of the device's calls",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
