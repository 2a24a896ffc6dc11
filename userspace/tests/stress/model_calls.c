// SPDX-License-Identifier: MIT
/* The device's own calls, as operations of the model: see model.h. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>

#include "model.h"

static bool full(const struct model *m)
{
	for (size_t i = 0; i < EXTENTS; i++)
		if (!m->extent[i].addr)
			return false;
	return true;
}

/* Small sizes are chosen more often. */
static size_t any_size(struct model *m)
{
	return MIB << (below(m, 4) ? 0 : below(m, 3));
}

static void op_alloc(struct model *m)
{
	unsigned int owner = below(m, CONTEXTS);
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = below(m, 32) ? 0 : CHUNK_ALLOC_POPULATE,
		.length = any_size(m),
		.alignment = MIB << below(m, 5),
	};
	struct extent *extent;

	if (full(m))
		return;
	expect_equal(call(m->context[owner].fd, CHUNK_IOC_ALLOC, &args), 0);
	expect_equal(args.addr % args.alignment, 0);
	extent = add_extent(m, (char *)(uintptr_t)args.addr,
			    args.length / PAGE, owner, false);
	for (size_t i = 0; i < 8; i++)
		check_page(m, extent, below(m, extent->pages));
}

static void op_mmap(struct model *m)
{
	unsigned int owner = below(m, CONTEXTS);
	unsigned int log2 = below(m, 2) ? 20 + below(m, 5) : 0;
	size_t size = any_size(m);

	if (full(m))
		return;
	add_extent(m, device_mmap(m->context[owner].fd, size, log2),
		   size / PAGE, owner, true);
}

/* Undo changes of the mappings, which would outlive the extent. */
static void make_ordinary(struct extent *extent)
{
	struct run all = { extent, 0, extent->pages };
	bool odd = false;

	for (size_t i = 0; i < extent->pages; i++)
		odd |= extent->page[i].prot != (PROT_READ | PROT_WRITE);
	if (run_has_locked(&all))
		expect(munlock(extent->addr, extent->pages * PAGE) == 0);
	if (odd)
		expect(mprotect(extent->addr, extent->pages * PAGE,
				PROT_READ | PROT_WRITE) == 0);
	if (extent->nofork)
		expect(madvise(extent->addr, extent->pages * PAGE,
			       MADV_DOFORK) == 0);
	for (size_t i = 0; i < extent->pages; i++) {
		extent->page[i].prot = PROT_READ | PROT_WRITE;
		extent->page[i].locked = false;
	}
	extent->nofork = false;
}

/* Foreign memory in the extent is untouched; then it is unmapped. */
static void expect_others_safe(struct model *m, struct extent *extent)
{
	for (size_t i = 0; i < extent->pages; i++)
		if (extent->page[i].replaced)
			check_page(m, extent, i);
	expect(munmap(extent->addr, extent->pages * PAGE) == 0);
}

static void given_back(struct model *m, struct extent *extent, int error)
{
	struct run all = { extent, 0, extent->pages };
	bool replaced = run_is_replaced(&all);

	expect_equal(error, replaced ? ESTALE : 0);
	m->context[extent->owner].deallocs++;
	forget_offered(m, extent, !error);
	if (replaced)
		expect_others_safe(m, extent);
	drop_extent(m, extent, !error);
}

static void op_dealloc(struct model *m)
{
	struct extent *extent = &m->extent[below(m, EXTENTS)];
	size_t size = extent->pages * PAGE;
	int fd = m->context[extent->owner].fd;
	char *addr = extent->addr;

	if (!addr)
		return;
	if (below(m, 8) == 0)
		expect_equal(device_dealloc(fd, addr, size + MIB), EINVAL);
	if (below(m, 8) == 0 && size > MIB)
		expect_equal(device_dealloc(fd, addr + MIB, size - MIB),
			     EINVAL);
	make_ordinary(extent);
	given_back(m, extent, device_dealloc(fd, addr, size));
	if (below(m, 8) == 0)
		expect_equal(device_dealloc(fd, addr, size), ENOENT);
}

/**
 * call_range() - call CHUNK_IOC_COMMIT or CHUNK_IOC_DECOMMIT on a run
 * @run:     pages to commit or decommit
 * @command: which of the two
 * @flags:   flags of the call
 *
 * Return: 0 or an errno.
 */
int call_range(const struct run *run, unsigned long command,
	       unsigned int flags)
{
	return device_range(model.context[run->extent->owner].fd, command,
			    flags, run_addr(run), run->count * PAGE);
}

/**
 * decommitted() - update the model: a run was decommitted
 * @run: the run
 */
void decommitted(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		run->extent->page[run->first + i].dec = true;
	run_clear(run);
	model.context[run->extent->owner].decommits++;
}

/**
 * committed() - update the model: a run was committed
 * @run: the run
 */
void committed(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		run->extent->page[run->first + i].dec = false;
	model.context[run->extent->owner].commits++;
}

static int decommit_error(const struct run *run, bool locked)
{
	int error = run_has_locked(run) && !locked ? EINVAL : 0;

	return run_is_replaced(run) ? ESTALE : error;
}

static void op_decommit(struct model *m)
{
	bool locked = below(m, 2);
	struct run run;
	int error;

	if (!any_run(m, 1 << below(m, 11), &run))
		return;
	error = decommit_error(&run, locked);
	expect_equal(call_range(&run, CHUNK_IOC_DECOMMIT,
				locked ? CHUNK_DECOMMIT_LOCKED : 0), error);
	if (error)
		return;
	decommitted(&run);
	if (!extent_is_huge(run.extent))
		check_not_resident(m, &run);
}

static bool can_populate(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->extent->page[run->first + i].prot !=
		    (PROT_READ | PROT_WRITE))
			return false;
	return true;
}

static void op_commit(struct model *m)
{
	struct run run;
	bool populate;
	int error;

	if (!any_run(m, 1 << below(m, 11), &run))
		return;
	populate = run.count <= 64 && can_populate(&run) && below(m, 4) == 0;
	error = run_is_replaced(&run) ? ESTALE : 0;
	expect_equal(call_range(&run, CHUNK_IOC_COMMIT,
				populate ? CHUNK_COMMIT_POPULATE : 0), error);
	if (error)
		return;
	committed(&run);
	run.count = run.count < 4 ? run.count : 4;
	check_run(m, &run);
}

static void op_lookup(struct model *m)
{
	struct chunk_ioc_lookup l;
	unsigned int owner;
	struct run run;

	if (!any_run(m, 1, &run))
		return;
	for (owner = 0; owner < CONTEXTS; owner++) {
		l = device_lookup(m->context[owner].fd, run_addr(&run) + 7);
		if (owner != run.extent->owner) {
			expect(!(l.state & CHUNK_STATE_LIVE));
			continue;
		}
		expect_equal(l.addr, (uintptr_t)run.extent->addr);
		expect_equal(l.length, run.extent->pages * PAGE);
		expect_equal(l.state, CHUNK_STATE_LIVE |
			     (run.extent->page[run.first].dec ?
			      CHUNK_STATE_DECOMMITTED : 0));
	}
}

static void op_stats(struct model *m)
{
	check_stats(m, below(m, CONTEXTS));
}

static void op_limit(struct model *m)
{
	device_limit(m->context[below(m, CONTEXTS)].fd, below(m, 24) * MIB);
	check_squatters(m);
}

#define BATCH	16

static int batch(unsigned int owner, unsigned int what, unsigned int flags,
		 struct chunk_ioc_op *ops, size_t count)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.flags = flags,
		.count = count,
		.ops = (uintptr_t)ops,
	};
	unsigned int good = 0;
	int error = device_call(model.context[owner].fd, CHUNK_IOC_BATCH, &args);

	for (size_t i = 0; !error && i < count; i++)
		good += !ops[i].error;
	if (!error)
		expect_equal(args.done, good);
	return error;
}

/* The runs are of one context's extents, and may overlap. */
static void op_batch_ranges(struct model *m)
{
	bool commit = below(m, 2);
	struct chunk_ioc_op ops[BATCH] = { 0 };
	struct run runs[BATCH];
	size_t count = 0;

	for (size_t i = 0; i < 3 * BATCH && count < BATCH; i++) {
		if (!any_run(m, 64, &runs[count]) ||
		    runs[count].extent->owner != runs[0].extent->owner)
			continue;
		ops[count].addr = (uintptr_t)run_addr(&runs[count]);
		ops[count].length = runs[count].count * PAGE;
		count++;
	}
	if (!count)
		return;
	expect_equal(batch(runs[0].extent->owner, commit ? CHUNK_BATCH_COMMIT :
			   CHUNK_BATCH_DECOMMIT, 0, ops, count), 0);
	for (size_t i = 0; i < count; i++) {
		int error = commit && run_is_replaced(&runs[i]) ? ESTALE : 0;

		if (!commit)
			error = decommit_error(&runs[i], false);
		expect_equal(ops[i].error, error);
		if (error)
			continue;
		if (commit)
			committed(&runs[i]);
		else
			decommitted(&runs[i]);
	}
}

static void op_batch_alloc(struct model *m)
{
	unsigned int owner = below(m, CONTEXTS);
	struct chunk_ioc_op ops[BATCH] = { 0 };
	size_t room = 0, count;

	for (size_t i = 0; i < EXTENTS; i++)
		room += !m->extent[i].addr;
	if (!room)
		return;
	count = 1 + below(m, room < BATCH ? room : BATCH);
	for (size_t i = 0; i < count; i++) {
		ops[i].length = any_size(m);
		ops[i].alignment = MIB << below(m, 3);
	}
	expect_equal(batch(owner, CHUNK_BATCH_ALLOC, 0, ops, count), 0);
	for (size_t i = 0; i < count; i++) {
		expect_equal(ops[i].error, 0);
		add_extent(m, (char *)(uintptr_t)ops[i].addr,
			   ops[i].length / PAGE, owner, false);
	}
}

static void op_batch_dealloc(struct model *m)
{
	unsigned int owner = below(m, CONTEXTS);
	struct chunk_ioc_op ops[BATCH] = { 0 };
	struct extent *extents[BATCH];
	size_t count = 0;

	for (size_t i = 0; i < EXTENTS && count < BATCH; i++) {
		struct extent *e = &m->extent[i];

		if (!e->addr || e->owner != owner || below(m, 2))
			continue;
		make_ordinary(e);
		ops[count].addr = (uintptr_t)e->addr;
		ops[count].length = e->pages * PAGE;
		ops[count].type = below(m, 5);
		extents[count++] = e;
	}
	if (!count)
		return;
	expect_equal(batch(owner, CHUNK_BATCH_DEALLOC, 0, ops, count), 0);
	for (size_t i = 0; i < count; i++)
		given_back(m, extents[i], ops[i].error);
}

const struct operation device_operations[] = {
	{ "ALLOC", 1200, op_alloc },
	{ "mmap", 400, op_mmap },
	{ "DEALLOC", 1200, op_dealloc },
	{ "DECOMMIT", 2400, op_decommit },
	{ "COMMIT", 2400, op_commit },
	{ "LOOKUP", 1600, op_lookup },
	{ "STATS", 400, op_stats },
	{ "LIMIT", 200, op_limit },
	{ "BATCH of ranges", 400, op_batch_ranges },
	{ "BATCH of ALLOC", 120, op_batch_alloc },
	{ "BATCH of DEALLOC", 80, op_batch_dealloc },
};

const size_t device_operations_count = TAP_COUNT(device_operations);
