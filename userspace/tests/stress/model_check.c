// SPDX-License-Identifier: MIT
/* Checks that the device is as the model says: see model.h. */
#include <errno.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/uio.h>

#include "model.h"

#define WORDS	(PAGE / sizeof(uint64_t))

static uint64_t word_of(uint32_t value, size_t i)
{
	return value ? (uint64_t)value * 0x100000001b3 + i : 0;
}

/**
 * put_value() - write the value that check_value() compares with
 * @page:  a page that can be written
 * @value: value, not 0
 */
void put_value(char *page, uint32_t value)
{
	uint64_t *words = (uint64_t *)(uintptr_t)page;

	words[0] = word_of(value, 0);
	words[WORDS - 1] = word_of(value, WORDS - 1);
}

/**
 * check_value() - check that a page, or a copy of one, holds a value
 * @page:  the page, or the copy
 * @value: the value, or 0: the page is zero
 */
void check_value(const void *page, uint32_t value)
{
	const uint64_t *words = page;

	expect_equal(words[0], word_of(value, 0));
	expect_equal(words[WORDS - 1], word_of(value, WORDS - 1));
	/* The middle word is never written. */
	expect_equal(words[WORDS / 2], 0);
}

/**
 * page_hidden() - tell whether even a debugger cannot see a page
 * @extent: its extent
 * @i:      its index
 */
bool page_hidden(const struct extent *extent, size_t i)
{
	return extent->page[i].dec && !extent->page[i].replaced &&
	       !extent_is_huge(extent);
}

/**
 * page_traps() - tell whether reading a page must fail
 * @extent: its extent
 * @i:      its index
 */
bool page_traps(const struct extent *extent, size_t i)
{
	return extent->page[i].prot == PROT_NONE || page_hidden(extent, i);
}

/**
 * page_writable() - tell whether a page can be written and keeps its contents
 * @extent: its extent
 * @i:      its index
 */
bool page_writable(const struct extent *extent, size_t i)
{
	const struct page *page = &extent->page[i];

	/* In the huge backing a write to a decommitted page would be lost some day. */
	return page->prot == (PROT_READ | PROT_WRITE) &&
	       (page->replaced || !page->dec);
}

static void expect_no_read(struct model *m, char *addr)
{
	uint64_t word;
	struct iovec local = { &word, sizeof(word) };
	struct iovec remote = { addr, sizeof(word) };

	/* Write by the processor, or by a system call. */
	if (below(m, 4) == 0) {
		expect(read_traps(addr));
		return;
	}
	expect(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) == -1);
	expect_equal(errno, EFAULT);
}

/**
 * check_page() - check a page against the model
 * @m:      the model
 * @extent: its extent
 * @i:      its index
 */
void check_page(struct model *m, const struct extent *extent, size_t i)
{
	char *addr = extent->addr + i * PAGE;
	uint64_t copy[WORD_ROOM];
	struct iovec local = { copy, PAGE }, remote = { addr, PAGE };

	take_back_run(m, &m->extent[extent - m->extent], i, 1);
	if (page_traps(extent, i)) {
		expect_no_read(m, addr);
		return;
	}
	if (below(m, 8)) {
		check_value(addr, extent->page[i].value);
		return;
	}
	expect(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
	       (ssize_t)PAGE);
	check_value(copy, extent->page[i].value);
}

/**
 * check_run() - check each page of a run against the model
 * @m:   the model
 * @run: the run
 */
void check_run(struct model *m, const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		check_page(m, run->extent, run->first + i);
}

/**
 * check_some() - check a few pages of every extent
 * @m:     the model
 * @pages: number of pages of each extent
 */
void check_some(struct model *m, size_t pages)
{
	for (size_t e = 0; e < EXTENTS; e++) {
		struct extent *extent = &m->extent[e];

		for (size_t i = 0; extent->addr && i < pages; i++)
			check_page(m, extent, below(m, extent->pages));
	}
}

/**
 * check_stats() - check the counters of a context against the model
 * @m:     the model
 * @owner: index of the context
 */
void check_stats(struct model *m, unsigned int owner)
{
	struct context *context = &m->context[owner];
	struct chunk_ioc_stats s = device_stats(context->fd);
	uint64_t live = 0, decommitted = 0;

	for (size_t e = 0; e < EXTENTS; e++) {
		struct extent *extent = &m->extent[e];

		if (!extent->addr || extent->owner != owner)
			continue;
		live += extent->pages;
		for (size_t i = 0; i < extent->pages; i++)
			decommitted += extent->page[i].dec;
	}
	expect_equal(s.live_extents, extents_of(m, owner));
	expect_equal(s.live_bytes, live * PAGE);
	expect_equal(s.decommitted_bytes, decommitted * PAGE);
	expect_equal(s.mapped_bytes,
		     s.live_bytes + s.recycled_bytes + s.reserved_bytes);
	expect(s.recycled_bytes <= s.recycle_limit);
	expect_equal(s.allocs, context->allocs);
	expect_equal(s.deallocs, context->deallocs);
	expect_equal(s.commits, context->commits);
	expect_equal(s.decommits, context->decommits);
	check_offered(m, owner, &s);
}

/**
 * check_not_resident() - check that no page has survived a decommit
 * @m:   the model
 * @run: the decommitted run, of a guarded context
 */
void check_not_resident(struct model *m, const struct run *run)
{
	const uint64_t there = (uint64_t)3 << 62;
	static uint64_t entries[MOST_PAGES];
	size_t bytes = run->count * sizeof(*entries);

	expect(pread(m->pagemap, entries, bytes, (uintptr_t)run_addr(run) /
		     PAGE * sizeof(*entries)) == (ssize_t)bytes);
	for (size_t i = 0; i < run->count; i++)
		expect_equal(entries[i] & there, 0);
}

/**
 * check_squatters() - check that others' pages in free address space are untouched
 * @m: the model
 */
void check_squatters(struct model *m)
{
	for (size_t i = 0; i < SQUATTERS; i++) {
		struct squatter *s = &m->squatter[i];

		if (s->addr)
			check_value(s->addr, s->value);
	}
}
