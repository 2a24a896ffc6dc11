// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults in guarded regions.
 *
 * A module cannot build an anonymous page itself, but it can give mm a page to
 * copy: in a private mapping mm handles a write fault by allocating and
 * charging a page, calling ->fault, copying the page that ->fault returns and
 * mapping the copy as anonymous memory. We return a source page, which is all
 * zeroes. Its lock, which mm holds until the copy is mapped, is taken before
 * the state is read: see chunk_gate.c.
 *
 * Read faults map the zero page, whose PTE is special, inside the gate, and
 * premap further ones for sequential readers. mm handles a later write to the
 * zero page without calling us; it checks under the page table lock that the
 * PTE is unchanged, so a zap in between makes the write fault again. The same
 * holds for swap-in.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>

#include "chunk_account.h"
#include "chunk_kcompat.h"
#include "chunk_module.h"
#include "chunk_trace.h"

/* Fault-around window for sequential reads, as large as mm has for files */
#define PREMAP_SIZE	(16 * PAGE_SIZE)

static vm_fault_t fault_trap(const struct vm_fault *vmf,
			     struct chunk_region *region)
{
	trace_chunk_trap(vmf->address, vmf->flags & FAULT_FLAG_WRITE);
	if (region->context)
		chunk_account_trap(region->context);
	return VM_FAULT_SIGSEGV;
}

/*
 * Premap the zero page behind the second of two sequential reads: that spares
 * most of the faults. Not for writes, which would have to replace the zero page
 * and to flush it from every CPU's TLB.
 */
static void fault_premap(struct vm_area_struct *vma, struct chunk_region *region,
			 unsigned long addr)
{
	unsigned long end = min(vma->vm_end, addr + PREMAP_SIZE);

	/* Within the page table of the page read: nothing may be allocated. */
	end = min(end, ALIGN(addr, PMD_SIZE));
	for (; addr < end; addr += PAGE_SIZE) {
		if (chunk_region_decommitted(region, addr) ||
		    chunk_insert_zero(vma, addr) != VM_FAULT_NOPAGE)
			break;
	}
	WRITE_ONCE(region->read_next, addr);
}

/* Context: inside the gate. */
static vm_fault_t fault_read(struct vm_fault *vmf, struct chunk_region *region)
{
	unsigned long next = (vmf->address & PAGE_MASK) + PAGE_SIZE;
	vm_fault_t ret = chunk_insert_zero(vmf->vma, vmf->address);

	if (ret != VM_FAULT_NOPAGE)
		return ret;
	/* With several threads reading this is a guess. */
	if (READ_ONCE(region->read_next) == next - PAGE_SIZE)
		fault_premap(vmf->vma, region, next);
	else
		WRITE_ONCE(region->read_next, next);
	return ret;
}

/*
 * do_fault() of mm/memory.c has a page table at hand for a page that ->fault
 * returns, but not for one that ->fault inserts.
 */
static bool fault_add_page_table(struct vm_fault *vmf)
{
	return !pmd_none(READ_ONCE(*vmf->pmd)) ||
	       !apply_to_page_range(vmf->vma->vm_mm, vmf->address & PAGE_MASK,
				    PAGE_SIZE, NULL, NULL);
}

/**
 * chunk_fault() - vm_operations_struct.fault: handle faults in guarded regions
 * @vmf: the fault, maybe on behalf of another process (ptrace, GUP)
 *
 * Context: may sleep; mmap_lock held, or only the lock of the mapping. No task
 * that may wait for this fault holds a lock of ours.
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

	/* The state of the pages is unknown here: see chunk_fork.c. */
	if (unlikely(!region))
		return VM_FAULT_SIGBUS;
	if (!(vmf->flags & FAULT_FLAG_WRITE) && !fault_add_page_table(vmf))
		return VM_FAULT_OOM;
	page = chunk_gate_enter(region->space->gate);
	if (unlikely(!page))
		return VM_FAULT_OOM;
	if (chunk_region_decommitted(region, vmf->address)) {
		chunk_gate_exit(page);
		return fault_trap(vmf, region);
	}
	if (vmf->flags & FAULT_FLAG_WRITE) {
		vmf->page = page;
		chunk_gate_give(page);
		return VM_FAULT_LOCKED;
	}
	/*
	 * Another thread's madvise() may have reclaimed the page table again.
	 * Then a new one comes from the memory reserves: waiting for memory
	 * here would let others wait.
	 */
	noreclaim = memalloc_noreclaim_save();
	ret = fault_read(vmf, region);
	memalloc_noreclaim_restore(noreclaim);
	chunk_gate_exit(page);
	return ret;
}
