// SPDX-License-Identifier: GPL-2.0-only
/*
 * Charging the module's own memory to the process that causes it.
 *
 * A process that decommits one page of every 128 MiB makes the module allocate
 * a page bitmap of 4 KiB for each: memory that is in no RSS. The memory control
 * group counts it (GFP_KERNEL_ACCOUNT), but not every process has a limited
 * one, and the OOM killer chooses its victim by RSS, swap and page tables
 * alone: it would kill every other process first.
 *
 * Page tables had the same problem, so oom_badness() counts them now. The
 * module's memory for a process is of the same kind: it says which addresses
 * may be accessed, it grows with the address space in use, and it goes with the
 * address space. So it is counted with page tables, in mm->pgtables_bytes, and
 * shown as VmPTE in /proc/PID/status. Nothing is refused because of it: like
 * page tables it is bounded by the memory of the machine, and the OOM killer
 * finds its owner.
 *
 * A process is charged for page bitmaps and the other parts of a region,
 * extents, contexts and the pages of a fault gate; and for each region for the
 * most that the registry may need for its chunks, since an XArray does not tell
 * its size. A child is charged for its snapshots and its gate. Files and VMAs
 * are the kernel's own, limited by RLIMIT_NOFILE and by the number of mappings.
 *
 * Rejected: RLIMIT_MEMLOCK, as for perf's buffers, which the allocator's user
 * would have to raise, and which is infinite for root; a limit of the module's
 * for each user, which is too low for a large heap or too high for a small
 * machine; MM_ANONPAGES and the like, which have to match what is mapped.
 *
 * The kernel complains if an mm with page tables is freed (check_mm()). All
 * charges end before: a context holds the mm by mmgrab(), its regions go before
 * it, and a snapshot goes with the last VMA of its region in that mm.
 */
#include <linux/mm.h>

#include "chunk_module.h"

/**
 * chunk_charge() - charge memory to a process
 * @mm:    its address space
 * @bytes: bytes
 *
 * Context: any.
 */
void chunk_charge(struct mm_struct *mm, size_t bytes)
{
	atomic_long_add(bytes, &mm->pgtables_bytes);
}

/**
 * chunk_uncharge() - end a charge, for memory that is freed
 * @mm:    the address space; perhaps without users, but not yet freed
 * @bytes: bytes
 *
 * Context: any.
 */
void chunk_uncharge(struct mm_struct *mm, size_t bytes)
{
	atomic_long_sub(bytes, &mm->pgtables_bytes);
}
