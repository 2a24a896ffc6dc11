// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults in guarded regions.
 *
 * A module cannot build an anonymous page itself, but it can give the core a
 * page to copy: a write fault in a private mapping allocates and charges a page,
 * calls ->fault, copies what it returns and maps the copy as anonymous memory.
 * We return a source page, which is all zeroes. Its lock, which the core holds
 * until the copy is mapped, is taken before the state is looked at: see
 * chunk_gate.c.
 *
 * Read faults map the zero page, whose PTE is special, while holding that lock;
 * if reads go on, further ones.
 * A later write to it goes through the core without calling us; it checks under
 * the page table lock that the PTE is unchanged, so a zap in between makes it
 * fault again. The same holds for swap-in.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "chunk_account.h"
#include "chunk_kcompat.h"
#include "chunk_module.h"

/* So much is mapped ahead of who reads on, as the kernel does for files */
#define PREMAP_SIZE	(16 * PAGE_SIZE)

static vm_fault_t fault_trap(struct chunk_region *region)
{
	if (region->context)
		chunk_account_trap(region->context);
	return VM_FAULT_SIGSEGV;
}

/*
 * Whoever reads page after page is spared most of the faults: at the second in a
 * row the zero page is mapped ahead, too. Not for writes, which would then have
 * to replace it and to flush it from every CPU's TLB.
 */
static void fault_premap(struct vm_area_struct *vma, struct chunk_region *region,
			 unsigned long addr)
{
	unsigned long end = min(vma->vm_end, addr + PREMAP_SIZE);

	/* Within the page table of what was read: nothing may be allocated. */
	end = min(end, ALIGN(addr, PMD_SIZE));
	for (; addr < end; addr += PAGE_SIZE) {
		if (chunk_region_decommitted(region, addr) ||
		    chunk_insert_zero(vma, addr) != VM_FAULT_NOPAGE)
			break;
	}
	WRITE_ONCE(region->read_next, addr);
}

/* Context: source page locked. */
static vm_fault_t fault_read(struct vm_fault *vmf, struct chunk_region *region)
{
	unsigned long next = (vmf->address & PAGE_MASK) + PAGE_SIZE;
	vm_fault_t ret = chunk_insert_zero(vmf->vma, vmf->address);

	if (ret != VM_FAULT_NOPAGE)
		return ret;
	/* Several threads may read: a guess at worst. */
	if (READ_ONCE(region->read_next) == next - PAGE_SIZE)
		fault_premap(vmf->vma, region, next);
	else
		WRITE_ONCE(region->read_next, next);
	return ret;
}

/*
 * Source: do_fault() of mm/memory.c has one at hand for pages that are returned,
 * but to insert one looks for its own.
 */
static bool fault_add_page_table(struct vm_fault *vmf)
{
	return !pmd_none(READ_ONCE(*vmf->pmd)) ||
	       !apply_to_page_range(vmf->vma->vm_mm, vmf->address & PAGE_MASK,
				    PAGE_SIZE, NULL, NULL);
}

/**
 * chunk_fault() - vm_operations_struct.fault of guarded regions
 * @vmf: the fault, maybe on behalf of another process (ptrace, GUP)
 *
 * Context: may sleep; mmap_lock held for reading, or more, or only the lock of
 * the one mapping. No lock of ours may be held by anyone who could be waiting
 * for this.
 * Return: VM_FAULT_SIGSEGV for decommitted pages, VM_FAULT_LOCKED with a source
 * page for writes, VM_FAULT_NOPAGE or an error for reads; VM_FAULT_SIGBUS in a
 * forked child that has no snapshot.
 */
vm_fault_t chunk_fault(struct vm_fault *vmf)
{
	struct chunk_region *region = vmf->vma->vm_private_data;
	unsigned int noreclaim;
	struct page *page;
	vm_fault_t ret;

	/* Nobody knows what is committed here: see chunk_fork.c. */
	if (unlikely(!region))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & FAULT_FLAG_WRITE) && !fault_add_page_table(vmf))
		return VM_FAULT_OOM;
	page = chunk_gate_enter(region->space->gate);
	if (unlikely(!page))
		return VM_FAULT_OOM;
	if (chunk_region_decommitted(region, vmf->address)) {
		chunk_gate_exit(page);
		return fault_trap(region);
	}
	if (vmf->flags & FAULT_FLAG_WRITE) {
		vmf->page = page;
		chunk_gate_give(page);
		return VM_FAULT_LOCKED;
	}
	/*
	 * Where page tables are reclaimed, by another thread's madvise(), it may
	 * be gone again. Then the new one comes from the reserves: to wait for
	 * memory here would be to let others wait.
	 */
	noreclaim = memalloc_noreclaim_save();
	ret = fault_read(vmf, region);
	memalloc_noreclaim_restore(noreclaim);
	chunk_gate_exit(page);
	return ret;
}
