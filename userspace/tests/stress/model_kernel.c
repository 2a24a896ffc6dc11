// SPDX-License-Identifier: MIT
/*
 * Operations of the kernel itself on memory: I/O past the page cache, pinned
 * pages, paging out, merging and moving pages. See model.h.
 *
 * An operation that the kernel or the machine does not have is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdalign.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>

#include <linux/mempolicy.h>

#include "kernel_file.h"
#include "loop_device.h"
#include "model.h"
#include "model_ring.h"

#define CGROUPS	"/sys/fs/cgroup"
#define KSM	"/sys/kernel/mm/ksm/"

/* Make a memory cgroup for this process alone, which can be told to reclaim. */
static int open_reclaim(void)
{
	put_text(CGROUPS "/cgroup.subtree_control", "+memory");
	if (mkdir(CGROUPS "/model", 0700) && errno != EEXIST)
		return -1;
	put_text(CGROUPS "/model/cgroup.procs", "0");
	return open(CGROUPS "/model/memory.reclaim", O_WRONLY | O_CLOEXEC);
}

/* Count the memory nodes. A kernel without nodes has no calls for them: 0. */
static unsigned int count_nodes(void)
{
	unsigned int count = 0;
	char path[64];

	do
		snprintf(path, sizeof(path), "/sys/devices/system/node/node%u",
			 count);
	while (!access(path, F_OK) && ++count < 8);
	return count;
}

/**
 * prepare_kernel() - find out what the kernel and the machine have
 * @m: the model
 */
void prepare_kernel(struct model *m)
{
	m->disk = geteuid() ? -1 : loop_open(MIB);
	m->reclaim = open_reclaim();
	m->nodes = count_nodes();
	ring_open();
	put_text(KSM "sleep_millisecs", "0");
	put_text(KSM "pages_to_scan", "10000");
}

/*
 * A way to read a page from the beginning of a file, or to write it there.
 * Returns bytes, or a negative errno.
 */
typedef int (*transfer)(struct model *m, bool write, int file, void *addr);

static int by_direct_io(struct model *m, bool write, int file, void *addr)
{
	ssize_t done = write ? pwrite(file, addr, PAGE, 0) :
			       pread(file, addr, PAGE, 0);

	m->seen[SEEN_DIRECT]++;
	return done < 0 ? -errno : done;
}

static int by_ring(struct model *m, bool write, int file, void *addr)
{
	m->seen[SEEN_RING]++;
	/* The request is done at once, or by a thread of the kernel. */
	return ring_do(write ? IORING_OP_WRITE : IORING_OP_READ, file, addr,
		       PAGE, below(m, 2) ? IOSQE_ASYNC : 0);
}

static alignas(PAGE_ROOM) uint64_t buffer[WORD_ROOM];

static void put_in_file(int file, uint32_t value)
{
	memset(buffer, 0, PAGE);
	put_value((char *)buffer, value);
	expect(pwrite(file, buffer, PAGE, 0) == (ssize_t)PAGE);
}

static void expect_in_file(int file, uint32_t value)
{
	expect(pread(file, buffer, PAGE, 0) == (ssize_t)PAGE);
	check_value(buffer, value);
}

static void write_out(struct model *m, const struct run *run, size_t i,
		      int file, transfer move)
{
	struct extent *e = run->extent;
	int done = move(m, true, file, e->addr + i * PAGE);

	expect_equal(done, page_traps(e, i) ? -EFAULT : (int)PAGE);
	if (!page_traps(e, i))
		expect_in_file(file, e->page[i].value);
}

static void read_in(struct model *m, const struct run *run, size_t i, int file,
		    transfer move)
{
	uint32_t value = random_next(&m->random) | 1;
	struct extent *e = run->extent;
	bool good = page_writable(e, i);

	/* The page could be written, but would not keep its contents. */
	if (!good && e->page[i].prot & PROT_WRITE && !page_traps(e, i))
		return;
	put_in_file(file, value);
	expect_equal(move(m, false, file, e->addr + i * PAGE),
		     good ? (int)PAGE : -EFAULT);
	if (good)
		e->page[i].value = value;
	check_page(m, e, i);
}

static void transfer_run(struct model *m, int file, transfer move)
{
	struct run run;

	if (!any_run(m, 6, &run))
		return;
	for (size_t i = run.first; i < run.first + run.count; i++) {
		if (below(m, 2))
			write_out(m, &run, i, file, move);
		else
			read_in(m, &run, i, file, move);
	}
}

static void op_direct(struct model *m)
{
	if (m->disk >= 0)
		transfer_run(m, m->disk, by_direct_io);
}

static void op_ring(struct model *m)
{
	if (ring_is_open())
		transfer_run(m, m->disk >= 0 && below(m, 2) ? m->disk : m->file,
			     by_ring);
}

/* Choose pages that can be written, none of them replaced. */
static bool any_writable_run(struct model *m, size_t most, struct run *run)
{
	if (!any_run(m, most, run) || run_is_replaced(run))
		return false;
	for (size_t i = run->first; i < run->first + run->count; i++)
		if (!page_writable(run->extent, i))
			return false;
	return true;
}

static void write_first(struct model *m, const struct run *run)
{
	uint32_t value = random_next(&m->random) | 1;

	put_value(run_addr(run), value);
	run->extent->page[run->first].value = value;
}

/* Decommit and commit the pages: they are zero then, whoever holds the old ones. */
static void renew(struct model *m, const struct run *run)
{
	expect_equal(call_range(run, CHUNK_IOC_DECOMMIT, CHUNK_DECOMMIT_LOCKED),
		     0);
	decommitted(run);
	if (!extent_is_huge(run->extent))
		check_not_resident(m, run);
	check_run(m, run);
	expect_equal(call_range(run, CHUNK_IOC_COMMIT, 0), 0);
	committed(run);
	check_run(m, run);
}

static void use_pinned(struct model *m, const struct run *run)
{
	uint32_t value = random_next(&m->random) | 1;
	struct page *page = &run->extent->page[run->first];
	char *addr = run_addr(run);

	/* As long as it is the same page, both see all writes. */
	put_in_file(m->file, value);
	expect_equal(ring_do(IORING_OP_READ_FIXED, m->file, addr, PAGE, 0),
		     PAGE);
	page->value = value;
	check_run(m, run);
	renew(m, run);
	/* The kernel still has the old page, with its contents, and reads into it. */
	expect_equal(ring_do(IORING_OP_WRITE_FIXED, m->file, addr, PAGE, 0),
		     PAGE);
	expect_in_file(m->file, value);
	put_in_file(m->file, value ^ 0x100);
	expect_equal(ring_do(IORING_OP_READ_FIXED, m->file, addr, PAGE, 0),
		     PAGE);
	check_run(m, run);
	write_first(m, run);
	expect_equal(ring_do(IORING_OP_WRITE_FIXED, m->file, addr, PAGE, 0),
		     PAGE);
	expect_in_file(m->file, value ^ 0x100);
}

/* Registering pins the page; kernels before 6.5 refuse any mapping of a file. */
static void op_pinned(struct model *m)
{
	struct run run;
	int error;

	if (!ring_is_open() || !any_writable_run(m, 6, &run))
		return;
	write_first(m, &run);
	error = ring_register(run_addr(&run), run.count * PAGE);
	if (error) {
		expect_equal(error, EOPNOTSUPP);
		m->seen[SEEN_UNPINNED]++;
	} else {
		use_pinned(m, &run);
		ring_unregister();
		m->seen[SEEN_PINNED]++;
	}
	check_run(m, &run);
}

/* A pipe that holds pages, of either backing, keeps their old contents. */
static void op_splice(struct model *m)
{
	struct iovec vector;
	struct run run;
	uint32_t value;
	int ends[2];

	if (!any_writable_run(m, 4, &run))
		return;
	if (below(m, 4))
		write_first(m, &run);
	value = run.extent->page[run.first].value;
	vector = (struct iovec) { run_addr(&run), PAGE };
	expect(pipe(ends) == 0);
	expect(vmsplice(ends[1], &vector, 1, 0) == (ssize_t)PAGE);
	renew(m, &run);
	write_first(m, &run);
	expect(read(ends[0], buffer, PAGE) == (ssize_t)PAGE);
	check_value(buffer, value);
	check_run(m, &run);
	close(ends[0]);
	close(ends[1]);
}

static void count_swapped(struct model *m, const struct run *run)
{
	uint64_t entry;

	for (size_t i = 0; i < run->count; i++) {
		expect(pread(m->pagemap, &entry, sizeof(entry),
			     ((uintptr_t)run_addr(run) / PAGE + i) *
			     sizeof(entry)) == sizeof(entry));
		m->seen[SEEN_SWAPPED] += entry >> 62 & 1;
	}
}

/* A page in swap stays there, is read back, or is decommitted before that. */
static void op_page_out(struct model *m)
{
	struct run run;

	if (!any_run(m, 32, &run))
		return;
	madvise(run_addr(&run), run.count * PAGE, MADV_PAGEOUT);
	count_swapped(m, &run);
	switch (below(m, 3)) {
	case 0:
		check_run(m, &run);
		break;
	case 1:
		if (!run_is_replaced(&run))
			renew(m, &run);
		break;
	}
}

static void op_reclaim(struct model *m)
{
	char text[16];

	if (m->reclaim < 0)
		return;
	snprintf(text, sizeof(text), "%zuM", 1 + below(m, 4));
	/* Reclaiming less than was asked for is an error, but no failure. */
	if (write(m->reclaim, text, strlen(text)) > 0 || errno == EAGAIN)
		m->seen[SEEN_RECLAIMED]++;
	check_some(m, 1);
}

static long ksm_figure(const char *name)
{
	char path[64], text[32] = "";
	int file;

	snprintf(path, sizeof(path), KSM "%s", name);
	file = open(path, O_RDONLY | O_CLOEXEC);
	if (file < 0)
		return -1;
	expect(read(file, text, sizeof(text) - 1) > 0);
	close(file);
	return atol(text);
}

/* The first scan finds pages that do not change, the second merges. Both may fail. */
static void scan_for_merges(struct model *m)
{
	long scans = ksm_figure("full_scans");

	put_text(KSM "run", "1");
	for (int i = 0; i < 100 && ksm_figure("full_scans") < scans + 3; i++)
		usleep(1000);
	put_text(KSM "run", "0");
	m->seen[SEEN_MERGED] += ksm_figure("pages_sharing");
}

static void op_merge(struct model *m)
{
	uint32_t value = random_next(&m->random) | 1;
	struct run run;

	if (ksm_figure("run") < 0 || !any_writable_run(m, 64, &run))
		return;
	for (size_t i = 0; i < run.count; i++) {
		put_value(run_addr(&run) + i * PAGE, value);
		run.extent->page[run.first + i].value = value;
	}
	madvise(run_addr(&run), run.count * PAGE, MADV_MERGEABLE);
	scan_for_merges(m);
	/* Pages are unmerged one at first, then some, then perhaps all. */
	write_first(m, &run);
	check_run(m, &run);
	run.count = 1 + below(m, run.count);
	renew(m, &run);
	check_some(m, 1);
	if (below(m, 4) == 0)
		put_text(KSM "run", "2");
	check_some(m, 1);
}

static void move_some(struct model *m, const struct run *run)
{
	int nodes[16], before[16], status[16], node = below(m, m->nodes);
	size_t count = run->count < 16 ? run->count : 16;
	void *pages[16];

	for (size_t i = 0; i < count; i++) {
		pages[i] = run_addr(run) + i * PAGE;
		nodes[i] = node;
		status[i] = -1;
	}
	/* Get the node of each page. */
	if (syscall(SYS_move_pages, 0, count, pages, NULL, before, 0))
		return;
	for (size_t i = 0; i < count; i++)
		if (page_hidden(run->extent, run->first + i))
			expect(before[i] < 0);
	syscall(SYS_move_pages, 0, count, pages, nodes, status, MPOL_MF_MOVE);
	for (size_t i = 0; i < count; i++)
		m->seen[SEEN_MOVED] += before[i] >= 0 && before[i] != node &&
				       status[i] == node;
}

static void bind_some(struct model *m, const struct run *run)
{
	static const int modes[] = {
		MPOL_DEFAULT, MPOL_PREFERRED, MPOL_INTERLEAVE, MPOL_BIND,
	};
	int mode = modes[below(m, TAP_COUNT(modes))];
	unsigned long mask = mode == MPOL_DEFAULT ? 0 :
			     1 + below(m, (1UL << m->nodes) - 1);

	if (below(m, 4) == 0 && mode != MPOL_BIND) {
		syscall(SYS_set_mempolicy, mode, &mask, 8 * sizeof(mask));
		return;
	}
	if (syscall(SYS_mbind, run_addr(run), run->count * PAGE, mode, &mask,
		    8 * sizeof(mask), below(m, 2) ? MPOL_MF_MOVE : 0))
		expect_equal(errno, EIO);
}

/**
 * op_numa() - bind, move and migrate pages between nodes
 * @m: the model
 *
 * Context: the process of the model, or a forked child.
 */
void op_numa(struct model *m)
{
	unsigned long from, to;
	struct run run;

	if (!m->nodes || !any_run(m, 64, &run))
		return;
	bind_some(m, &run);
	move_some(m, &run);
	if (below(m, 16) == 0) {
		from = 1UL << below(m, m->nodes);
		to = 1UL << below(m, m->nodes);
		syscall(SYS_migrate_pages, 0, 8 * sizeof(from), &from, &to);
		check_some(m, 1);
	}
	run.count = run.count < 16 ? run.count : 16;
	check_run(m, &run);
}

const struct operation kernel_operations[] = {
	{ "O_DIRECT", 20, op_direct },
	{ "io_uring", 20, op_ring },
	{ "io_uring with registered buffers", 20, op_pinned },
	{ "vmsplice", 20, op_splice },
	{ "paging out", 40, op_page_out },
	{ "memory cgroup pressure", 4, op_reclaim },
	{ "KSM", 4, op_merge },
	{ "mbind, set_mempolicy, move_pages, migrate_pages", 20, op_numa },
};

const size_t kernel_operations_count = TAP_COUNT(kernel_operations);
