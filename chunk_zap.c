// SPDX-License-Identifier: GPL-2.0-only
/*
 * Zapping: freeing the memory of our mappings in a range.
 */
#include <linux/atomic.h>
#include <linux/ktime.h>
#include <linux/mm.h>
#include <linux/sched/signal.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"
#include "chunk_trace.h"

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

/* Inline, as if there were no zap_traced(). */
static __always_inline int zap_range(struct chunk_context *context,
				     unsigned long addr, unsigned long size,
				     struct vm_area_struct *only)
{
	unsigned long end = addr + size;
	struct vm_area_struct *vma;
	int err = 0;

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

static noinline int zap_traced(struct chunk_context *context, unsigned long addr,
			       unsigned long size, struct vm_area_struct *only)
{
	u64 start = ktime_get_ns();
	int err = zap_range(context, addr, size, only);

	trace_chunk_zap(addr, size, ktime_get_ns() - start, err);
	return err;
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
	lockdep_assert_held(&context->mm->mmap_lock);
	if (!CHUNK_HAVE_ZAP)
		return 0;
	if (trace_chunk_zap_enabled())
		return zap_traced(context, addr, size, only);
	return zap_range(context, addr, size, only);
}

/**
 * chunk_zap_is_private() - tell whether chunk_zap_vma() frees only a context's own
 *                          memory
 * @context: the context
 *
 * A zap function that the kernel exports is about one mapping. In its place there
 * is only unmap_mapping_pages(), which goes through all mappings of a range of the
 * file: forked children have some, with the same offsets, and would lose what
 * they inherited.
 *
 * Context: mmap_lock of context->mm held: no fork is under way, so the answer holds
 * until that is released.
 * Return: whether it does.
 */
bool chunk_zap_is_private(const struct chunk_context *context)
{
	lockdep_assert_held(&context->mm->mmap_lock);
	return CHUNK_HAVE_ZAP || !atomic_read(&context->inherited);
}
