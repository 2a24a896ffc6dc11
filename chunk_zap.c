// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zapping: freeing the memory of our mappings in a range.
 */
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

/* Zap part of one of our mappings; returns what chunk_zap() does. */
static int chunk_zap_steps(struct vm_area_struct *vma, unsigned long addr,
			   unsigned long end)
{
	unsigned long size;

	for (; addr < end; addr += size) {
		if (fatal_signal_pending(current))
			return -EINTR;
		size = min(end - addr, CHUNK_ZAP_STEP - addr % CHUNK_ZAP_STEP);
		chunk_zap_vma(vma, addr, size);
		cond_resched();
	}
	return 0;
}

/**
 * chunk_zap() - free the memory of our mappings in a range
 * @context: the context
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @only:    the mapping, if one is known to cover the whole range; may be NULL:
 *           look the mappings up
 *
 * Does nothing on a kernel that exports no zap (CHUNK_CAP_ZAP).
 *
 * Context: may sleep; mmap_lock held, no other lock.
 * Return: 0, or -EINTR after a fatal signal, with part of the memory freed.
 */
int chunk_zap(struct chunk_context *context, unsigned long addr,
	      unsigned long size, struct vm_area_struct *only)
{
	unsigned long end = addr + size;
	struct vm_area_struct *vma;
	int err = 0;

	lockdep_assert_held(&context->mm->mmap_lock);
	if (only)
		return chunk_zap_steps(only, addr, end);
	while (addr < end && !err) {
		unsigned long from, to;

		vma = find_vma(context->mm, addr);
		if (!vma || vma->vm_start >= end)
			break;
		from = max(addr, vma->vm_start);
		to = min(end, vma->vm_end);
		if (chunk_vma_is_ours(vma, context))
			err = chunk_zap_steps(vma, from, to);
		addr = to;
	}
	return err;
}
