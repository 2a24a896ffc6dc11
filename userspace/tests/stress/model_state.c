// SPDX-License-Identifier: MIT
/* State of the model: see model.h. */
#include <string.h>

#include <sys/mman.h>

#include "model.h"
#include "words.h"

/**
 * below() - get a random number below a bound
 * @m:     the model
 * @bound: bound, at least 1
 */
size_t below(struct model *m, size_t bound)
{
	return random_below(&m->random, bound);
}

/**
 * any_run() - choose random pages of a random extent
 * @m:    the model
 * @most: the most pages
 * @run:  receives the pages
 *
 * Return: false if the place chosen holds no extent.
 */
bool any_run(struct model *m, size_t most, struct run *run)
{
	struct extent *extent = &m->extent[below(m, EXTENTS)];

	if (!extent->addr)
		return false;
	run->extent = extent;
	run->first = below(m, extent->pages);
	/* Whole chunks are chosen often: they are another case. */
	if (below(m, 4) == 0)
		run->first -= run->first % (MIB / PAGE);
	if (most > extent->pages - run->first)
		most = extent->pages - run->first;
	run->count = 1 + below(m, most);
	if (below(m, 4) == 0)
		run->count = most;
	take_back_run(m, extent, run->first, run->count);
	return true;
}

/**
 * run_addr() - get the address of a run
 * @run: the run
 */
char *run_addr(const struct run *run)
{
	return run->extent->addr + run->first * PAGE;
}

/**
 * run_is_replaced() - tell whether some of a run was replaced by other memory
 * @run: the run
 */
bool run_is_replaced(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->extent->page[run->first + i].replaced)
			return true;
	return false;
}

/**
 * run_has_locked() - tell whether some of a run is mlocked
 * @run: the run
 */
bool run_has_locked(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		if (run->extent->page[run->first + i].locked)
			return true;
	return false;
}

/**
 * run_clear() - update the model: a run has become zero
 * @run: the run
 */
void run_clear(const struct run *run)
{
	for (size_t i = 0; i < run->count; i++)
		run->extent->page[run->first + i].value = 0;
}

/* Check that no live extent overlaps a new one. */
static void expect_unused(struct model *m, char *addr, size_t size)
{
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		expect(!e->addr || addr + size <= e->addr ||
		       addr >= e->addr + e->pages * PAGE);
	}
	for (size_t i = 0; i < SQUATTERS; i++)
		expect(!m->squatter[i].addr ||
		       m->squatter[i].addr < addr ||
		       m->squatter[i].addr >= addr + size);
}

/**
 * add_extent() - update the model: an extent was handed out
 * @m:      the model, with a place for it
 * @addr:   its first byte
 * @pages:  number of pages
 * @owner:  index of its context
 * @mapped: the extent is of mmap
 */
struct extent *add_extent(struct model *m, char *addr, size_t pages,
			  unsigned int owner, bool mapped)
{
	struct extent *extent = m->extent;

	expect_unused(m, addr, pages * PAGE);
	while (extent->addr)
		extent++;
	expect(extent < m->extent + EXTENTS);
	extent->addr = addr;
	extent->pages = pages;
	extent->owner = owner;
	extent->mapped = mapped;
	extent->nofork = false;
	for (size_t i = 0; i < pages; i++)
		extent->page[i] = (struct page) {
			.prot = PROT_READ | PROT_WRITE,
		};
	m->context[owner].allocs++;
	atomic_store(&m->hot[extent - m->extent], (uintptr_t)addr);
	return extent;
}

/**
 * drop_extent() - update the model: an extent is live no longer
 * @m:      the model
 * @extent: the extent
 * @reset:  the device has reset its words
 */
void drop_extent(struct model *m, struct extent *extent, bool reset)
{
	forget_offered(m, extent, reset);
	atomic_store(&m->hot[extent - m->extent], 0);
	extent->addr = NULL;
}

/**
 * open_context() - open a new context in place of an old one
 * @m:     the model
 * @index: index of the context
 */
void open_context(struct model *m, unsigned int index)
{
	struct chunk_ioc_configure args = {
		.size = sizeof(args),
		/* Grow by little at a time, so that it happens more often. */
		.grow = (index + 1) * 8 * MIB,
	};

	m->context[index] = (struct context) { .fd = device_open() };
	m->huge = has_zap(m->context[index].fd);
	args.backing = m->huge && index == HUGE_CONTEXT ? CHUNK_BACKING_HUGE :
							  CHUNK_BACKING_GUARDED;
	if (has_words(m->context[index].fd))
		m->context[index].words = words_map(m->context[index].fd);
	expect_equal(call(m->context[index].fd, CHUNK_IOC_CONFIGURE, &args), 0);
}

/**
 * extent_is_huge() - tell whether an extent has the huge backing
 * @extent: the extent
 */
bool extent_is_huge(const struct extent *extent)
{
	return model.huge && extent->owner == HUGE_CONTEXT;
}

/**
 * extents_of() - count the extents of a context
 * @m:     the model
 * @owner: index of the context
 */
size_t extents_of(const struct model *m, unsigned int owner)
{
	size_t count = 0;

	for (size_t i = 0; i < EXTENTS; i++)
		count += m->extent[i].addr && m->extent[i].owner == owner;
	return count;
}
