// SPDX-License-Identifier: GPL-2.0-only
/*
 * Making pages present at once, for callers about to write to all of them.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/signal.h>
#include <linux/sizes.h>

#include "chunk_module.h"

/* At a time: mmap_lock is held so long, and no signal is looked at. */
#define POPULATE_STEP	SZ_2M

/**
 * chunk_range_populate() - make all pages of a range present and writable
 * @addr: first byte, page-aligned, in current->mm
 * @size: bytes, page-aligned
 *
 * Context: may sleep, and take long; no lock held.
 * Return: 0; -ENOMEM if there is not enough memory, or somebody decommits the
 * pages meanwhile; -EINTR after a fatal signal.
 */
int chunk_range_populate(unsigned long addr, unsigned long size)
{
	unsigned long end = addr + size;

	for (; addr < end; addr += size) {
		size = min(end, round_down(addr, POPULATE_STEP) +
				POPULATE_STEP) - addr;
		/* Writes nothing, but makes each page writable as a write does. */
		if (fault_in_safe_writeable((const char __user *)addr, size))
			return fatal_signal_pending(current) ? -EINTR : -ENOMEM;
		if (fatal_signal_pending(current))
			return -EINTR;
		cond_resched();
	}
	return 0;
}
