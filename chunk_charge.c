// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charging the module's own memory to the process that causes it.
 *
 * A process that decommits one page of every 128 MiB makes the module allocate
 * a page bitmap of 4 KiB for each: memory that is in no RSS. The memory control
 * group counts it (GFP_KERNEL_ACCOUNT), but not every process has a limited one,
 * and the OOM killer chooses its victim by RSS, swap and page tables alone: it
 * would kill every other process first.
 *
 * Page tables had the same problem, and oom_badness() counts them since. What the
 * module keeps for a process is of the same kind: it says which addresses may be
 * accessed, it grows with the address space in use, and it goes with the address
 * space. So it is counted there, in mm->pgtables_bytes, and shown as VmPTE in
 * /proc/PID/status. Nothing is refused for it: like page tables it is bounded by
 * the memory there is, and the OOM killer finds who has it.
 *
 * Charged are: page bitmaps and the other parts of a region, extents, contexts,
 * and for each region the most that the registry may need for its chunks, since
 * an XArray does not tell how large it is; and the pages of a fault gate. A child
 * is charged for its snapshots and its gate.
 * Files and VMAs are the kernel's own, limited by RLIMIT_NOFILE and by the
 * number of mappings.
 *
 * Rejected: RLIMIT_MEMLOCK, as for perf's buffers, which the allocator's user
 * would have to raise, and which is infinite for root; a limit of the module's
 * for each user, which is too low for a large heap or too high for a small
 * machine; MM_ANONPAGES and the like, which have to match what is mapped.
 *
 * The kernel complains if an mm with page tables is freed (check_mm()). All is
 * uncharged before: a context holds the mm by mmgrab(), its regions go before it,
 * and a snapshot goes with the last VMA of its region in that mm.
 */
#include <linux/mm.h>

#include "chunk_module.h"

/**
 * chunk_charge() - count memory as caused by a process
 * @mm:    its address space
 * @bytes: how much
 *
 * Context: any.
 */
void chunk_charge(struct mm_struct *mm, size_t bytes)
{
	atomic_long_add(bytes, &mm->pgtables_bytes);
}

/**
 * chunk_uncharge() - memory that was charged is free again
 * @mm:    the address space; perhaps without users, but not yet freed
 * @bytes: how much
 *
 * Context: any.
 */
void chunk_uncharge(struct mm_struct *mm, size_t bytes)
{
	atomic_long_sub(bytes, &mm->pgtables_bytes);
}
