// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making pages present at once, for callers about to write to all of them.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>

#include "chunk_module.h"

/* At a time: mmap_lock is held so long, and no signal is looked at. */
#define POPULATE_STEP	PMD_SIZE

static int populate_one(unsigned long addr, unsigned long size)
{
	unsigned long end = addr + size;

	for (; addr < end; addr += size) {
		size = min(end, round_down(addr, POPULATE_STEP) +
				POPULATE_STEP) - addr;
		/* It writes nothing: each page is made writable as by a write. */
		if (fault_in_safe_writeable((const char __user *)addr, size))
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}

/**
 * chunk_populate() - make all pages of ranges present and writable
 * @jobs: ranges in current->mm: first byte and size in bytes, page-aligned.
 *        Those with an @err are left alone; it is set to -ENOMEM if there is
 *        not enough memory, or somebody decommits the pages meanwhile, or to
 *        -EINTR after a fatal signal
 * @nr:   how many
 *
 * Context: may sleep, and take long; no lock held.
 */
void chunk_populate(struct chunk_job *jobs, unsigned int nr)
{
	unsigned int i;

	for (i = 0; i < nr; i++) {
		if (!jobs[i].err)
			jobs[i].err = populate_one(jobs[i].addr, jobs[i].size);
	}
}
