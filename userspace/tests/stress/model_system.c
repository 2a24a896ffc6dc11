// SPDX-License-Identifier: MIT
/*
 * Other operations on memory: the process's own accesses, and the system calls
 * that change the device's mappings. See model.h.
 */
#include <errno.h>
#include <stdio.h>
#include <stdnoreturn.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/uio.h>
#include <sys/wait.h>

#include "model.h"

#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_COLLAPSE
#define MADV_COLLAPSE		25
#endif

/* Write by the processor, by another's system call, or from a file. */
static void write_page(struct model *m, char *addr, uint32_t value)
{
	static uint64_t copy[WORD_ROOM];
	struct iovec local = { copy, PAGE }, remote = { addr, PAGE };
	size_t how = below(m, 16);

	if (how > 1) {
		put_value(addr, value);
		return;
	}
	put_value((char *)copy, value);
	if (how == 0) {
		expect(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) ==
		       (ssize_t)PAGE);
		return;
	}
	expect(pwrite(m->file, copy, PAGE, 0) == (ssize_t)PAGE);
	expect(pread(m->file, addr, PAGE, 0) == (ssize_t)PAGE);
}

static void op_write(struct model *m)
{
	struct run run;

	if (!any_run(m, 6, &run))
		return;
	for (size_t i = run.first; i < run.first + run.count; i++) {
		uint32_t value = random_next(&m->random) | 1;

		if (!page_writable(run.extent, i))
			continue;
		write_page(m, run.extent->addr + i * PAGE, value);
		run.extent->page[i].value = value;
	}
}

static void op_check(struct model *m)
{
	struct run run;

	if (any_run(m, 8, &run))
		check_run(m, &run);
}

/* A write to memory that is not writable must be refused. */
static void op_refused_write(struct model *m)
{
	uint64_t word = 1;
	struct iovec local = { &word, sizeof(word) }, remote;
	struct run run;

	if (!any_run(m, 1, &run) || !page_traps(run.extent, run.first))
		return;
	remote = (struct iovec) { run_addr(&run), sizeof(word) };
	expect(process_vm_writev(getpid(), &local, 1, &remote, 1, 0) == -1);
	expect(pread(m->file, run_addr(&run), 8, 0) == -1);
	expect_equal(errno, EFAULT);
}

/* Foreign memory replaces part of an extent. */
static void op_replace(struct model *m)
{
	uint32_t value = random_next(&m->random) | 1;
	struct run run;
	char *addr;

	if (!any_run(m, 40, &run))
		return;
	addr = run_addr(&run);
	if (below(m, 2))
		expect(munmap(addr, run.count * PAGE) == 0);
	expect(mmap(addr, run.count * PAGE, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) == addr);
	for (size_t i = 0; i < run.count; i++) {
		struct page *page = &run.extent->page[run.first + i];

		put_value(addr + i * PAGE, value);
		page->replaced = true;
		page->locked = false;
		page->prot = PROT_READ | PROT_WRITE;
		page->value = value;
	}
	/* The new mapping does not inherit MADV_DONTFORK, so set it again. */
	if (run.extent->nofork)
		expect(madvise(addr, run.count * PAGE, MADV_DONTFORK) == 0);
}

/* Unmap an extent as a whole: the device drops it at once, or when told of it. */
static void op_munmap(struct model *m)
{
	struct extent *e = &m->extent[below(m, EXTENTS)];
	struct context *context = &m->context[e->owner];
	size_t size = e->pages * PAGE;
	int error;

	if (!e->addr)
		return;
	expect(munmap(e->addr, size) == 0);
	error = device_dealloc(context->fd, e->addr, size);
	/* With its last mapping the whole region is dropped. */
	if (e->mapped && !extent_is_huge(e))
		expect_equal(error, ENOENT);
	else if (error != ENOENT)
		expect_equal(error, ESTALE);
	context->deallocs += error == ESTALE;
	drop_extent(m, e, false);
}

/* A mapping of the same context replaces a chunk. */
static void op_remap(struct model *m)
{
	struct extent *e = &m->extent[below(m, EXTENTS)];
	unsigned int owner = e->owner;
	size_t pages = e->pages;
	char *addr = e->addr, *chunk;

	if (!addr)
		return;
	chunk = addr + below(m, pages * PAGE / MIB) * MIB;
	expect(mmap(chunk, MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, m->context[owner].fd, 0) ==
	       chunk);
	expect(munmap(addr, chunk - addr) == 0 || chunk == addr);
	expect(munmap(chunk + MIB, addr + pages * PAGE - chunk - MIB) == 0 ||
	       chunk + MIB == addr + pages * PAGE);
	drop_extent(m, e, false);
	e = add_extent(m, chunk, MIB / PAGE, owner, true);
	check_page(m, e, below(m, e->pages));
}

/* A foreign page is mapped into free space of the device, which must not touch it. */
static void op_squat(struct model *m)
{
	struct squatter *s = &m->squatter[m->next++ % SQUATTERS];
	struct extent *e = &m->extent[below(m, EXTENTS)];
	struct context *context = &m->context[e->owner];
	char *addr = e->addr;

	if (!addr || e->mapped || e->pages != MIB / PAGE)
		return;
	for (size_t i = 0; i < e->pages; i++)
		if (e->page[i].replaced || e->page[i].locked || e->nofork ||
		    e->page[i].prot == PROT_NONE)
			return;
	if (s->addr)
		expect(munmap(s->addr, PAGE) == 0);
	s->addr = NULL;
	expect(mprotect(addr, MIB, PROT_READ | PROT_WRITE) == 0);
	/* The free space is recycled, so that it is still mapped. */
	device_limit(context->fd, 64 * MIB);
	expect_equal(device_dealloc(context->fd, addr, MIB), 0);
	context->deallocs++;
	drop_extent(m, e, true);
	/* At either end the page lies at the edge of a mapping. */
	addr += below(m, 2) ? 0 : below(m, MIB / PAGE) * PAGE;
	expect(mmap(addr, PAGE, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_ANONYMOUS | MAP_FIXED, -1, 0) == addr);
	s->addr = addr;
	s->value = random_next(&m->random) | 1;
	put_value(addr, s->value);
}

static void op_mprotect(struct model *m)
{
	static const int prots[] = {
		PROT_NONE, PROT_READ, PROT_READ | PROT_WRITE,
		PROT_READ | PROT_WRITE, PROT_READ | PROT_WRITE,
	};
	int prot = prots[below(m, TAP_COUNT(prots))];
	struct run run;

	if (!any_run(m, 200, &run))
		return;
	expect(mprotect(run_addr(&run), run.count * PAGE, prot) == 0);
	for (size_t i = 0; i < run.count; i++)
		run.extent->page[run.first + i].prot = prot;
}

/* Advice that changes no contents, whatever it returns */
static const int idle_advice[] = {
	MADV_NORMAL, MADV_RANDOM, MADV_SEQUENTIAL, MADV_WILLNEED,
	MADV_HUGEPAGE, MADV_NOHUGEPAGE, MADV_MERGEABLE, MADV_UNMERGEABLE,
	MADV_DONTDUMP, MADV_DODUMP, MADV_COLD, MADV_PAGEOUT,
	MADV_POPULATE_READ, MADV_POPULATE_WRITE, MADV_COLLAPSE, MADV_REMOVE,
};

static void op_madvise(struct model *m)
{
	struct run run;

	if (any_run(m, 300, &run))
		madvise(run_addr(&run), run.count * PAGE,
			idle_advice[below(m, TAP_COUNT(idle_advice))]);
}

static void op_madvise_free(struct model *m)
{
	bool locked = below(m, 2);
	struct run run;

	if (!any_run(m, 300, &run) || (!locked && run_has_locked(&run)))
		return;
	expect(madvise(run_addr(&run), run.count * PAGE, locked ?
		       MADV_DONTNEED_LOCKED : MADV_DONTNEED) == 0);
	run_clear(&run);
	/* Only anonymous memory can be freed lazily. */
	if (run_is_replaced(&run) || extent_is_huge(run.extent))
		return;
	expect(madvise(run_addr(&run), run.count * PAGE, MADV_FREE) == -1);
	expect(madvise(run_addr(&run), run.count * PAGE, MADV_WIPEONFORK) ==
	       -1);
}

static void op_dontfork(struct model *m)
{
	struct extent *e = &m->extent[below(m, EXTENTS)];

	if (!e->addr)
		return;
	e->nofork = !e->nofork;
	expect(madvise(e->addr, e->pages * PAGE, e->nofork ? MADV_DONTFORK :
		       MADV_DOFORK) == 0);
}

/* mlock may fail because a page traps, and locks the range all the same. */
static void op_mlock(struct model *m)
{
	bool lock = below(m, 2);
	struct run run;

	if (!any_run(m, 40, &run))
		return;
	if (lock)
		mlock2(run_addr(&run), run.count * PAGE,
		       below(m, 2) ? MLOCK_ONFAULT : 0);
	else
		expect(munlock(run_addr(&run), run.count * PAGE) == 0);
	for (size_t i = 0; i < run.count; i++)
		run.extent->page[run.first + i].locked = lock;
}

static void op_mremap(struct model *m)
{
	struct run run;
	char *place;

	if (!any_run(m, 100, &run) || run_is_replaced(&run) ||
	    extent_is_huge(run.extent))
		return;
	place = anonymous(run.count * PAGE, PROT_NONE);
	expect(mremap(run_addr(&run), run.count * PAGE, run.count * PAGE,
		      MREMAP_MAYMOVE | MREMAP_FIXED, place) == MAP_FAILED);
	munmap(place, run.count * PAGE);
	run.count = run.count < 8 ? run.count : 8;
	check_run(m, &run);
}

/* Lock all memory at once, free space included; that makes no page present. */
static void op_mlockall(struct model *m)
{
	struct run run;

	expect(mlockall(MCL_CURRENT | MCL_ONFAULT) == 0);
	for (size_t i = 0; i < 4; i++)
		if (any_run(m, 8, &run))
			expect_equal(call_range(&run, CHUNK_IOC_DECOMMIT, 0),
				     run_is_replaced(&run) ? ESTALE : EINVAL);
	check_some(m, 1);
	expect(munlockall() == 0);
	for (size_t i = 0; i < EXTENTS; i++)
		for (size_t j = 0; j < MOST_PAGES; j++)
			m->extent[i].page[j].locked = false;
}

/* In a child, do any operation that needs no descriptor of the device. */
static void any_forked(struct model *m)
{
	static void (*const operations[])(struct model *m) = {
		op_write, op_check, op_refused_write, op_replace, op_mprotect,
		op_mprotect, op_madvise, op_madvise, op_madvise_free, op_mlock,
		op_mremap, op_numa,
	};

	operations[below(m, TAP_COUNT(operations))](m);
}

/* A child inherits neither locks nor extents of MADV_DONTFORK. */
static void inherit(struct model *m)
{
	inherit_offered(m);
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		if (e->nofork)
			e->addr = NULL;
		/* Write an entry only if it changes: writing copies the model's memory. */
		for (size_t j = 0; j < MOST_PAGES; j++)
			if (e->page[j].locked)
				e->page[j].locked = false;
	}
	/* The parent goes on with its own file. */
	m->file = memfd_create("model-child", MFD_CLOEXEC);
	expect(m->file >= 0 && ftruncate(m->file, PAGE) == 0);
}

#define FORKED_OPERATIONS	16
#define GENERATIONS		2

/* Check and use, in a child, the memory that is its own now; the context is not. */
static void live_forked(struct model *m)
{
	struct chunk_ioc_stats args = { .size = sizeof(args) };

	inherit(m);
	check_some(m, 2);
	for (size_t i = 0; i < FORKED_OPERATIONS; i++)
		any_forked(m);
	check_some(m, 2);
	for (size_t i = 0; i < CONTEXTS; i++)
		expect_equal(call(m->context[i].fd, CHUNK_IOC_STATS, &args),
			     EPERM);
}

/* The child may fork as well. */
static noreturn void as_child(struct model *m)
{
	for (unsigned int i = 1; i <= GENERATIONS; i++) {
		pid_t child;

		live_forked(m);
		if (i == GENERATIONS || below(m, 2))
			break;
		child = tap_fork();
		if (child == 0)
			continue;
		any_forked(m);
		tap_join(child);
		check_some(m, 2);
		break;
	}
	_exit(0);
}

static void op_fork(struct model *m)
{
	pid_t child;

	take_back_hidden(m);
	child = tap_fork();
	if (child == 0)
		as_child(m);
	/* Changes that the parent makes are not seen by the child, either. */
	if (below(m, 2))
		op_write(m);
	tap_join(child);
	check_some(m, 2);
}

/* Unmap all that is still mapped of the device, free space included. */
static void unmap_device(void)
{
	static struct { unsigned long start, end; } ranges[4096];
	FILE *maps = fopen("/proc/self/maps", "r");
	size_t count = 0;
	char line[512];

	expect(maps);
	while (count < TAP_COUNT(ranges) && fgets(line, sizeof(line), maps)) {
		if (!strstr(line, CHUNK_DEVICE_PATH))
			continue;
		expect(sscanf(line, "%lx-%lx", &ranges[count].start,
			      &ranges[count].end) == 2);
		count++;
	}
	fclose(maps);
	while (count--)
		expect(munmap((void *)ranges[count].start, ranges[count].end -
			      ranges[count].start) == 0);
}

/* The mappings outlive the descriptors, with their state. */
static void op_close(struct model *m)
{
	for (unsigned int i = 0; i < CONTEXTS; i++) {
		check_stats(m, i);
		close(m->context[i].fd);
	}
	check_some(m, 4);
	check_squatters(m);
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		if (!e->addr)
			continue;
		expect(munmap(e->addr, e->pages * PAGE) == 0);
		drop_extent(m, e, false);
	}
	for (size_t i = 0; i < SQUATTERS; i++) {
		if (m->squatter[i].addr)
			expect(munmap(m->squatter[i].addr, PAGE) == 0);
		m->squatter[i].addr = NULL;
	}
	unmap_device();
	for (unsigned int i = 0; i < CONTEXTS; i++)
		open_context(m, i);
}

const struct operation system_operations[] = {
	{ "write", 5000, op_write },
	{ "read", 5000, op_check },
	{ "refused write", 400, op_refused_write },
	{ "MAP_FIXED over part of an extent", 120, op_replace },
	{ "munmap of an extent", 60, op_munmap },
	{ "mmap of the device over an extent", 60, op_remap },
	{ "MAP_FIXED in free space", 60, op_squat },
	{ "mprotect", 400, op_mprotect },
	{ "madvise", 800, op_madvise },
	{ "madvise that frees", 200, op_madvise_free },
	{ "MADV_DONTFORK", 40, op_dontfork },
	{ "mlock", 160, op_mlock },
	{ "mlockall", 4, op_mlockall },
	{ "mremap", 80, op_mremap },
	{ "fork", 20, op_fork },
	{ "close while mapped", 20, op_close },
};

const size_t system_operations_count = TAP_COUNT(system_operations);
