// SPDX-License-Identifier: GPL-2.0-only
/*
 * Faults in guarded regions, and waiting for those in flight.
 *
 * A module cannot build an anonymous page itself, but it can give the core a
 * page to copy: a write fault in a private mapping allocates and charges a page,
 * calls ->fault, copies what it returns and maps the copy as anonymous memory.
 * We return a page of zeroes, one of a few "source pages", one for each CPU
 * since the core holds its lock over the copy.
 *
 * That lock is also what makes decommit safe without mmap_lock for writing. The
 * handler locks its source page first and looks at the state then; the core
 * unlocks it after the page is mapped. So whoever marks a range decommitted and
 * then finds every source page unlocked, or waits until it was unlocked once,
 * knows that every handler that saw the old state has its page mapped, where
 * the zap that follows finds it, and that every later one traps. Truncation
 * uses page locks the same way.
 *
 * Read faults map the zero page, whose PTE is special, while holding the lock;
 * if reads go on, further ones.
 * A later write to it goes through the core without calling us; it checks under
 * the page table lock that the PTE is unchanged, so a zap in between makes it
 * fault again. The same holds for swap-in.
 *
 * Every reference to a source page is dropped by the core when the fault ends;
 * none stays in a page table, so the count is bounded by the number of tasks.
 */
#include <linux/gfp.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

/* So much is mapped ahead of who reads on, as the kernel does for files */
#define AHEAD_SIZE	(16 * PAGE_SIZE)

static struct page * __percpu *sources;

/**
 * chunk_fault_init() - allocate the source pages
 *
 * Context: may sleep. Module init.
 * Return: 0 or -ENOMEM.
 */
int chunk_fault_init(void)
{
	int cpu;

	sources = alloc_percpu(struct page *);
	if (!sources)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct page *page = alloc_pages_node(cpu_to_node(cpu),
						     GFP_KERNEL | __GFP_ZERO,
						     0);

		if (!page) {
			chunk_fault_exit();
			return -ENOMEM;
		}
		*per_cpu_ptr(sources, cpu) = page;
	}
	return 0;
}

/**
 * chunk_fault_exit() - free the source pages
 *
 * Context: module exit; no VMA of ours exists any more.
 */
void chunk_fault_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		if (*per_cpu_ptr(sources, cpu))
			put_page(*per_cpu_ptr(sources, cpu));
	}
	free_percpu(sources);
}

/* Any source page will do, so it does not matter if the task moves on. */
static struct page *source_lock(void)
{
	struct page *page = *raw_cpu_ptr(sources);

	get_page(page);
	lock_page(page);
	/* Pairs with smp_mb() in chunk_fault_wait(): state is read after. */
	smp_mb__after_atomic();
	return page;
}

static void source_unlock(struct page *page)
{
	unlock_page(page);
	put_page(page);
}

static vm_fault_t trap(struct chunk_region *region)
{
	if (region->context)
		atomic_long_inc(&region->context->traps);
	return VM_FAULT_SIGSEGV;
}

/*
 * Whoever reads page after page is spared most of the faults: at the second in a
 * row the zero page is mapped ahead, too. Not for writes, which would then have
 * to replace it and to flush it from every CPU's TLB.
 */
static void read_ahead(struct vm_area_struct *vma, struct chunk_region *region,
		       unsigned long addr)
{
	unsigned long end = min(vma->vm_end, addr + AHEAD_SIZE);

	/* Page tables are made only where something was accessed. */
	end = min(end, ALIGN_DOWN(addr, PMD_SIZE) + PMD_SIZE);
	for (; addr < end; addr += PAGE_SIZE) {
		if (chunk_region_decommitted(region, addr) ||
		    chunk_insert_zero(vma, addr) != VM_FAULT_NOPAGE)
			break;
	}
	WRITE_ONCE(region->read_next, addr);
}

/* Context: source page locked. */
static vm_fault_t read_fault(struct vm_fault *vmf, struct chunk_region *region)
{
	unsigned long next = (vmf->address & PAGE_MASK) + PAGE_SIZE;
	vm_fault_t ret = chunk_insert_zero(vmf->vma, vmf->address);

	if (!region || ret != VM_FAULT_NOPAGE)
		return ret;
	/* Several threads may read: a guess at worst. */
	if (READ_ONCE(region->read_next) == next - PAGE_SIZE)
		read_ahead(vmf->vma, region, next);
	else
		WRITE_ONCE(region->read_next, next);
	return ret;
}

/**
 * chunk_fault() - vm_operations_struct.fault of guarded regions
 * @vmf: the fault, maybe on behalf of another process (ptrace, GUP)
 *
 * Context: may sleep; mmap_lock held for reading, or more, or only the lock of
 * the one mapping. No lock of ours may be held by anyone who could be waiting
 * for this.
 * Return: VM_FAULT_SIGSEGV for decommitted pages, VM_FAULT_LOCKED with a source
 * page for writes, VM_FAULT_NOPAGE or an error for reads.
 */
vm_fault_t chunk_fault(struct vm_fault *vmf)
{
	/* NULL in a child whose snapshot failed: it has lost its guards. */
	struct chunk_region *region = vmf->vma->vm_private_data;
	struct page *page = source_lock();
	vm_fault_t ret;

	if (region && chunk_region_decommitted(region, vmf->address)) {
		source_unlock(page);
		return trap(region);
	}
	if (vmf->flags & FAULT_FLAG_WRITE) {
		vmf->page = page;
		return VM_FAULT_LOCKED;
	}
	ret = read_fault(vmf, region);
	source_unlock(page);
	return ret;
}

/**
 * chunk_fault_wait() - wait for faults that may have seen an older state
 *
 * After it, every fault that found a page committed before the state was
 * changed has been completed, and every other sees the change.
 *
 * Context: may sleep, for as long as one fault takes. mmap_lock may be held for
 * reading: a fault that holds a source page asks for no more locks than that.
 */
void chunk_fault_wait(void)
{
	int cpu;

	/*
	 * Either the handler's lock is seen here, or this caller's change is
	 * seen there: pairs with smp_mb__after_atomic() in source_lock().
	 */
	smp_mb();
	for_each_possible_cpu(cpu) {
		struct page *page = *per_cpu_ptr(sources, cpu);

		if (PageLocked(page)) {
			lock_page(page);
			unlock_page(page);
		}
	}
	/* The pages those faults mapped are seen by the zap that follows. */
	smp_mb();
}
