// SPDX-License-Identifier: MIT
/*
 * The device's own calls, for programs: with structures of any size anywhere,
 * and the checks after successful calls.
 */
#include <errno.h>
#include <string.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "fuzz.h"
#include "uapi.h"

#define OPS		100	/* the most elements of a batch */
#define PRESENT		MIB	/* the most bytes to be made present */

static uint32_t size_of(const struct fuzz_kind *kind, uint64_t difference)
{
	return kind->size + difference;
}

/* Get the place of the structure for the first argument, which is 0 for a good one. */
static uintptr_t place_of(const struct fuzz_run *run, uint64_t where)
{
	if (where == 0)
		return (uintptr_t)run->user;
	return where == -1ULL ? (uintptr_t)run->constant : where;
}

static void put(struct fuzz_run *run, uintptr_t place, const void *from,
		size_t size)
{
	size_t part = size;

	if (place == (uintptr_t)run->constant) {
		memcpy(run->alias, from, size);
		return;
	}
	/* Write as much of the structure as can be written. */
	while (part && !fuzz_write(place, from, part))
		part -= 8;
}

/* Write the structure, and data behind it if it claims to be much larger, and call. */
static int do_ioctl(struct fuzz_run *run, const struct fuzz_call *call,
		    unsigned long command, const uint64_t *args,
		    void *structure)
{
	const struct fuzz_kind *kind = fuzz_kind(call->kind);
	uintptr_t place = place_of(run, args[0]);
	uint32_t size = size_of(kind, args[1]);

	memcpy(structure, &size, sizeof(size));
	if (place == (uintptr_t)run->user) {
		memset(run->user, 0, 2 * FUZZ_PAGE);
		memcpy(run->user, structure, kind->size);
		if (size > kind->size + 8)
			run->user[kind->size + 9] = 1;
	} else {
		put(run, place, structure, kind->size);
	}
	if (ioctl(run->fds[call->fd], command, place))
		return -errno;
	fuzz_read(place, structure, kind->size);
	return 0;
}

/* While another thread runs, results may be overwritten before they are checked. */
static bool returned(const struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	return !run->racing && args[0] == 0 && call->fd != FUZZ_FD_FOREIGN;
}

static void must_read_zero(uintptr_t addr)
{
	uint64_t word;

	if (!fuzz_read(addr, &word, sizeof(word)))
		fuzz_fail("%#zx is committed, but traps", (size_t)addr);
	if (word)
		fuzz_fail("%#zx is new, but not zero", (size_t)addr);
}

static void must_trap(const struct fuzz_run *run, const struct fuzz_call *call,
		      uintptr_t addr, size_t length)
{
	if (!fuzz_quiet(run) || run->huge[call->fd])
		return;
	if (fuzz_readable(addr) || fuzz_readable(addr + length - FUZZ_PAGE))
		fuzz_fail("%#zx bytes at %#zx do not trap", length,
			  (size_t)addr);
}

static void allocated(struct fuzz_run *run, const struct fuzz_call *call,
		      const struct chunk_ioc_alloc *alloc)
{
	uintptr_t addr = alloc->addr;

	if (addr % alloc->alignment)
		fuzz_fail("%#zx is no multiple of %#llx", (size_t)addr,
			  (unsigned long long)alloc->alignment);
	fuzz_remember(run, call->fd, addr, alloc->length);
	if (!fuzz_quiet(run))
		return;
	if (alloc->flags & CHUNK_ALLOC_DECOMMITTED) {
		must_trap(run, call, addr, alloc->length);
		return;
	}
	must_read_zero(addr);
	must_read_zero(addr + alloc->length - FUZZ_PAGE);
}

/* Leave out flags that make much memory present: that takes long. */
static uint32_t flags_for(const struct fuzz_run *run, uint64_t flags,
			  uint32_t populate, uint64_t length)
{
	if (run->roomy || length > PRESENT)
		flags &= ~(uint64_t)populate;
	return flags;
}

static int run_info(struct fuzz_run *run, const struct fuzz_call *call,
		    const uint64_t *args)
{
	struct chunk_ioc_info info = { .size = 0 };
	int err = do_ioctl(run, call, CHUNK_IOC_INFO, args, &info);

	if (!err && returned(run, call, args) &&
	    (info.abi != CHUNK_ABI || info.chunk_size != MIB))
		fuzz_fail("it says that it is another device");
	return err;
}

/* STRUCT, SIZE, FLAGS, backing, PAD, grow */
static int run_configure(struct fuzz_run *run, const struct fuzz_call *call,
			 const uint64_t *args)
{
	struct chunk_ioc_configure configure = {
		.flags = args[2],
		.backing = args[3],
		.pad = args[4],
		.grow = args[5],
	};
	bool huge = configure.backing == CHUNK_BACKING_HUGE;
	int err = do_ioctl(run, call, CHUNK_IOC_CONFIGURE, args, &configure);

	/*
	 * The flag is never cleared: another thread may look while the context
	 * is configured.
	 */
	if (!err && args[0])
		run->tampered = true;
	else if (!err)
		run->huge[call->fd] = huge;
	return err;
}

/* STRUCT, SIZE, FLAGS, length, ALIGNMENT */
static int run_alloc(struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	struct chunk_ioc_alloc alloc = {
		.flags = flags_for(run, args[2], CHUNK_ALLOC_POPULATE, args[3]),
		.length = args[3],
		.alignment = args[4],
	};
	int err = do_ioctl(run, call, CHUNK_IOC_ALLOC, args, &alloc);

	if (!err && returned(run, call, args))
		allocated(run, call, &alloc);
	return err;
}

/* STRUCT, SIZE, TYPE, address, WHOLE */
static int run_dealloc(struct fuzz_run *run, const struct fuzz_call *call,
		       const uint64_t *args)
{
	struct chunk_ioc_dealloc dealloc = {
		.type = args[2],
		.addr = args[3],
		.length = args[4],
	};
	int err;

	if (fuzz_quiet(run))
		free_before(run->fds[call->fd], CHUNK_IOC_DEALLOC, &dealloc);
	err = do_ioctl(run, call, CHUNK_IOC_DEALLOC, args, &dealloc);
	if (err && err != -ESTALE)
		return err;
	fuzz_drop_extent(run, call->fd, args[3]);
	if (!err && args[0] == 0)
		must_trap(run, call, args[3], args[4]);
	return err;
}

/* STRUCT, SIZE, FLAGS, address, length */
static int run_commit(struct fuzz_run *run, const struct fuzz_call *call,
		      const uint64_t *args)
{
	struct chunk_ioc_range range = {
		.flags = flags_for(run, args[2], CHUNK_COMMIT_POPULATE, args[4]),
		.addr = args[3],
		.length = args[4],
	};
	int err = do_ioctl(run, call, CHUNK_IOC_COMMIT, args, &range);

	if (!err && args[0] == 0 && fuzz_quiet(run) &&
	    (!fuzz_readable(args[3]) ||
	     !fuzz_readable(args[3] + args[4] - FUZZ_PAGE)))
		fuzz_fail("%#llx is committed, but traps",
			  (unsigned long long)args[3]);
	return err;
}

/* STRUCT, SIZE, FLAGS, address, length */
static int run_decommit(struct fuzz_run *run, const struct fuzz_call *call,
			const uint64_t *args)
{
	struct chunk_ioc_range range = {
		.flags = args[2],
		.addr = args[3],
		.length = args[4],
	};
	int err = do_ioctl(run, call, CHUNK_IOC_DECOMMIT, args, &range);

	if (!err && args[0] == 0) {
		if (fuzz_quiet(run))
			free_after(run->fds[call->fd], CHUNK_IOC_DECOMMIT, &range);
		must_trap(run, call, args[3], args[4]);
	}
	return err;
}

/* STRUCT, SIZE, FLAGS, address */
static int run_lookup(struct fuzz_run *run, const struct fuzz_call *call,
		      const uint64_t *args)
{
	struct chunk_ioc_lookup lookup = { .flags = args[2], .addr = args[3] };
	int err = do_ioctl(run, call, CHUNK_IOC_LOOKUP, args, &lookup);

	if (err || !returned(run, call, args))
		return err;
	if (lookup.state & ~(CHUNK_STATE_LIVE | CHUNK_STATE_RECYCLED |
			     CHUNK_STATE_DECOMMITTED))
		fuzz_fail("state %#x", lookup.state);
	if (lookup.length &&
	    (args[3] < lookup.addr || args[3] - lookup.addr >= lookup.length))
		fuzz_fail("%#llx is said to be elsewhere",
			  (unsigned long long)args[3]);
	return 0;
}

/* STRUCT, SIZE, FLAGS, LIMIT */
static int run_limit(struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	struct chunk_ioc_limit limit = { .flags = args[2], .limit = args[3] };

	return do_ioctl(run, call, CHUNK_IOC_LIMIT, args, &limit);
}

/* STRUCT, SIZE, FLAGS */
static int run_stats(struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	struct chunk_ioc_stats stats = { .flags = args[2] };

	return do_ioctl(run, call, CHUNK_IOC_STATS, args, &stats);
}

/* Fill in the known extents, one after the other; ALLOC has no address. */
static void fill_ops(const struct fuzz_run *run, const uint64_t *args,
		     struct chunk_ioc_op *ops, unsigned int nr)
{
	for (unsigned int i = 0; i < nr; i++) {
		const struct fuzz_extent *extent =
			&run->extents[(args[7] / MIB + i) % FUZZ_EXTENTS];
		bool part = args[2] > CHUNK_BATCH_DEALLOC;

		ops[i] = (struct chunk_ioc_op) { .addr = 0 };
		if (args[2] == CHUNK_BATCH_ALLOC) {
			ops[i].length = MIB * (1 + i % 2);
			ops[i].alignment = MIB << i % 3;
		} else {
			ops[i].addr = extent->addr + part * i * FUZZ_PAGE;
			ops[i].length = part ? FUZZ_PAGE : extent->length;
		}
	}
}

static bool is_error_of_batch(uint32_t what, uint32_t error)
{
	switch (error) {
	case 0:
	case EINVAL:
	case ENOMEM:
		return true;
	case ENOENT:
	case ESTALE:
		return what != CHUNK_BATCH_ALLOC;
	}
	return false;
}

/* The elements may be the other thread's before their errors are read. */
static void batch_done(struct fuzz_run *run, const struct fuzz_call *call,
		       const struct chunk_ioc_batch *batch,
		       const struct chunk_ioc_op *ops, unsigned int nr)
{
	unsigned int succeeded = 0;

	for (unsigned int i = 0; i < nr; i++) {
		if (!is_error_of_batch(batch->what, ops[i].error))
			fuzz_fail("batch %u: %s is not documented", batch->what,
				  strerror(ops[i].error));
		succeeded += !ops[i].error;
		if (batch->what == CHUNK_BATCH_DEALLOC &&
		    (!ops[i].error || ops[i].error == ESTALE))
			fuzz_drop_extent(run, call->fd, ops[i].addr);
		if (batch->what == CHUNK_BATCH_ALLOC && !ops[i].error)
			allocated(run, call, &(struct chunk_ioc_alloc) {
				.flags = batch->flags,
				.addr = ops[i].addr,
				.length = ops[i].length,
				.alignment = ops[i].alignment,
			});
	}
	if (succeeded != batch->done)
		fuzz_fail("%u elements succeeded, %u are said to have",
			  succeeded, batch->done);
}

/* Free what the elements are about to give back, whose place may not be readable. */
static void free_filled(struct fuzz_run *run, const struct fuzz_call *call,
			const struct chunk_ioc_op *ops, unsigned int nr)
{
	struct chunk_ioc_batch batch = {
		.what = CHUNK_BATCH_DEALLOC,
		.count = nr,
		.ops = (uintptr_t)ops,
	};

	free_before(run->fds[call->fd], CHUNK_IOC_BATCH, &batch);
}

/* STRUCT, SIZE, what, FLAGS, COUNT, PAD, where the elements are, which extents */
static int run_batch(struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	struct chunk_ioc_op *ops = (void *)(run->user + FUZZ_PAGE);
	unsigned int nr = args[4] < OPS ? args[4] : OPS;
	struct chunk_ioc_batch batch = {
		.what = args[2],
		.flags = nr > 2 ? args[3] & ~1ULL : args[3],
		.count = args[4],
		.pad = args[5],
		.ops = args[6] ? args[6] : (uintptr_t)ops,
	};
	struct chunk_ioc_op filled[OPS];
	uint32_t size = size_of(fuzz_kind(call->kind), args[1]);
	int err;

	batch.size = size;
	fill_ops(run, args, filled, nr);
	/* The structure is placed as for other calls; elements are behind it. */
	memset(run->user, 0, 2 * FUZZ_PAGE);
	memcpy(run->user, &batch, sizeof(batch));
	if (args[0])
		put(run, place_of(run, args[0]), &batch, sizeof(batch));
	put(run, batch.ops, filled, nr * sizeof(*ops));
	if (batch.what == CHUNK_BATCH_DEALLOC && fuzz_quiet(run))
		free_filled(run, call, filled, nr);
	err = ioctl(run->fds[call->fd], CHUNK_IOC_BATCH,
		    place_of(run, args[0])) ? -errno : 0;
	if (run->racing)
		return err;
	if (err || args[0] || args[6] || args[4] > OPS) {
		/* Part of the batch may be done, so the state is unknown. */
		run->tampered = true;
		return err;
	}
	memcpy(&batch, run->user, sizeof(batch));
	if (fuzz_quiet(run))
		free_after(run->fds[call->fd], CHUNK_IOC_BATCH, &batch);
	batch_done(run, call, &batch, ops, nr);
	return 0;
}

static bool is_command(unsigned long command)
{
	return command >= CHUNK_IOC_INFO && command <= CHUNK_IOC_BATCH;
}

/* STRUCT, command */
static int run_unknown(struct fuzz_run *run, const struct fuzz_call *call,
		       const uint64_t *args)
{
	/* Other magic numbers are the kernel's own. */
	unsigned long command = (args[1] & 0xffff00ff) | CHUNK_IOC_MAGIC << 8;

	if (is_command(command))
		command |= 1UL << 31;
	return ioctl(run->fds[call->fd], command, place_of(run, args[0])) ?
	       -errno : 0;
}

#define STRUCT(type)	sizeof(struct chunk_ioc_##type)

const struct fuzz_kind fuzz_device_kinds[] = {
	{ "info", 2, STRUCT(info), 2, { FUZZ_STRUCT, FUZZ_SIZE }, run_info,
	  { 0 } },
	{ "configure", 3, STRUCT(configure), 6,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_FLAGS, FUZZ_FLAGS, FUZZ_PAD,
	    FUZZ_LIMIT },
	  run_configure, { EBUSY, EOPNOTSUPP } },
	{ "alloc", 24, STRUCT(alloc), 5,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_FLAGS, FUZZ_EXTENT_LENGTH,
	    FUZZ_ALIGNMENT },
	  run_alloc, { ENOMEM } },
	{ "dealloc", 16, STRUCT(dealloc), 5,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_TYPE, FUZZ_BEGIN, FUZZ_WHOLE },
	  run_dealloc, { ENOENT, ESTALE } },
	{ "commit", 10, STRUCT(range), 5,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_FLAGS, FUZZ_ADDRESS, FUZZ_PAGES },
	  run_commit, { ENOENT, ESTALE, ENOMEM } },
	{ "decommit", 14, STRUCT(range), 5,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_FLAGS, FUZZ_ADDRESS, FUZZ_PAGES },
	  run_decommit, { ENOENT, ESTALE, ENOMEM } },
	{ "lookup", 4, STRUCT(lookup), 4,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_PAD, FUZZ_ADDRESS }, run_lookup,
	  { 0 } },
	{ "limit", 3, STRUCT(limit), 4,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_PAD, FUZZ_LIMIT }, run_limit,
	  { ENOMEM } },
	{ "stats", 2, STRUCT(stats), 3, { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_PAD },
	  run_stats, { 0 } },
	{ "batch", 10, STRUCT(batch), 8,
	  { FUZZ_STRUCT, FUZZ_SIZE, FUZZ_TYPE, FUZZ_FLAGS, FUZZ_COUNT,
	    FUZZ_PAD, FUZZ_STRUCT, FUZZ_LIMIT },
	  run_batch, { 0 } },
	{ "unknown", 1, 0, 2, { FUZZ_STRUCT, FUZZ_COMMAND }, run_unknown,
	  { ENOTTY, EPERM } },
	{ 0 }
};
