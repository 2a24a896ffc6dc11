// SPDX-License-Identifier: GPL-2.0-only
/*
 * Premapping: our own vm_mmap() calls, so that allocations need none.
 */
#include <linux/err.h>
#include <linux/fs.h>
#include <linux/log2.h>
#include <linux/minmax.h>
#include <linux/mm.h>
#include <linux/mman.h>

#include "chunk_module.h"
#include "chunk_trace.h"

/* A context premaps as many bytes as it has mapped, but no more than this. */
#define CHUNK_GROW_MAX		(16384 * CHUNK_SIZE)

/* vm_mmap(); -ENOSPC if the system refused, before it asked the module */
static int grow_mmap(struct file *file, unsigned long size,
		     unsigned long alignment)
{
	struct chunk_context *context = file->private_data;
	unsigned long addr;

	context->refused = true;
	/*
	 * MAP_NORESERVE because private writable mappings are charged in full
	 * before .mmap runs, and premapping must cost nothing.
	 */
	addr = vm_mmap(file, 0, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_NORESERVE,
		       (unsigned long)ilog2(alignment) << PAGE_SHIFT);
	trace_chunk_grow(IS_ERR_VALUE(addr) ? 0 : addr, size,
			 IS_ERR_VALUE(addr) ? (int)addr : 0);
	if (!IS_ERR_VALUE(addr))
		return 0;
	if ((int)addr == -EINTR)
		return -EINTR;
	return context->refused ? -ENOSPC : -ENOMEM;
}

/**
 * chunk_grow() - premap: map more address space, into the retained tree
 * @context:   the context, of current->mm
 * @file:      its file
 * @size:      bytes, at least so many are mapped
 * @alignment: bytes, a power of two, at least CHUNK_SIZE
 *
 * Maps more than @size, in proportion to the bytes mapped already, so that the
 * number of mappings grows with the logarithm of the heap; but less where the
 * system charges for address space all the same (overcommit mode 2), and no
 * more than @size where a limit forbids it. The place is one for nodes of the
 * registry that no other region is in, unless there is no such room, as in the
 * 4 GiB of a program of 32 bits.
 *
 * Context: may sleep; takes mmap_lock for writing. map_lock held.
 * Return: 0; -ENOSPC if the system refuses address space: a limit, overcommit,
 * too many mappings, no room; -ENOMEM if there is no memory for the module;
 * -EINTR after a fatal signal.
 */
int chunk_grow(struct chunk_context *context, struct file *file,
	       unsigned long size, unsigned long alignment)
{
	unsigned long premap = min(READ_ONCE(context->account.mapped),
				   CHUNK_GROW_MAX);
	unsigned long grow = min_t(u64, READ_ONCE(context->grow),
				   CHUNK_LENGTH_MAX);
	unsigned long step = max(grow, size);
	unsigned long apart = max(alignment, CHUNK_RADIX_NODE_BYTES);
	const struct {
		unsigned long size, alignment;
	} tries[] = {
		{ max(premap, step), apart }, { step, apart }, { size, apart },
		{ size, alignment },
	};
	int err = -ENOMEM;
	int i;

	lockdep_assert_held(&context->map_lock);
	context->charge_max = step;
	WRITE_ONCE(context->mapper, current);
	for (i = 0; i < ARRAY_SIZE(tries) && err && err != -EINTR; i++) {
		if (!i || tries[i].size < tries[i - 1].size ||
		    tries[i].alignment < tries[i - 1].alignment)
			err = grow_mmap(file, tries[i].size, tries[i].alignment);
	}
	WRITE_ONCE(context->mapper, NULL);
	if (!err)
		WRITE_ONCE(context->grown, context->grown + 1);
	return err;
}
