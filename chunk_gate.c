// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault gates: decommit waits at the gate for the faults that are under way.
 *
 * A gate consists of source pages, for one context's regions in one address
 * space. A source page is a page of zeroes for mm to copy. To enter the gate is
 * to lock one: from before the fault handler reads the state until the copy is
 * mapped. So a task that marks a range decommitted and then finds every source
 * page unlocked, or waits until it was unlocked once, knows that every handler
 * that saw the old state has its page mapped, where the zap that follows finds
 * it, and that every later one traps. Truncation uses page locks the same way.
 *
 * A gate belongs to one context, or to one forked child. A task can be
 * preempted or throttled while it holds a source page, for as long as its
 * scheduling class and its control group say; so no lock of a gate may ever be
 * waited for on behalf of another address space. docs/shared-state.md lists the
 * state that all users of the module still share, and for how long each holds
 * it.
 *
 * A gate begins without pages. A fault takes the page that its CPU's number
 * leads to, or the next one; if both are taken the gate gets one more, up to
 * one for each CPU. So a single thread has one page, threads that fault at the
 * same time come to have one each, and the memory, which is charged to them, is
 * bounded. Only where all pages are taken by faults of the same address space
 * does one more fault of it wait.
 *
 * We allocate nothing inside the gate: one task of the process that is short of
 * memory would hold up the others. mm has the page and the page table of a
 * write fault before it calls us, see __do_fault() in mm/memory.c. Where page
 * tables are reclaimed (7.3, madvise(MADV_DONTNEED) by another thread)
 * finish_fault() may find no table and allocate a new one inside the gate. Only
 * the same process waits for that; and the allocation waits for reclaim or the
 * OOM killer, which need no lock that a waiter holds: mmap_lock for reading,
 * and map_lock. Page tables of read faults are our own concern: see
 * chunk_fault.c. Lockdep is told of all this.
 *
 * mm drops its reference to a source page when the fault ends; none stays in a
 * page table. Only the holder of the lock takes one, so there are two at most,
 * but for speculative ones (compaction) for a moment.
 *
 * A page whose memory turned out to be broken (PageHWPoison) is passed over
 * from then on, and stays in its place until the gate is freed, since a waiter
 * may be looking at it.
 */
#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/mm.h>
#include <linux/pagemap.h>
#include <linux/sched/mm.h>
#include <linux/slab.h>

#include "chunk_module.h"

/* Least room of a gate, in pages: with few CPUs, too, some may be broken. */
#define CHUNK_GATE_PAGES_MIN	4U

/**
 * struct chunk_gate - the source pages of one address space
 * @mm:    the address space charged for them, may be NULL: none (invariant)
 * @max:   room in @pages (invariant)
 * @nr:    number of pages in use, perhaps too low for a moment
 * @pages: the pages; once set, an entry stays. The rest is NULL
 */
struct chunk_gate {
	struct mm_struct *mm;
	unsigned int max;
	unsigned int nr;
	struct page *pages[];
};

#ifdef CONFIG_LOCKDEP
static struct lockdep_map gate_map =
	STATIC_LOCKDEP_MAP_INIT("chunk_gate", &gate_map);
#endif

/* Tell lockdep that reclaim waits at the gate, so nothing is allocated inside. */
static void gate_forbid_allocation(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	lock_map_acquire(&gate_map);
	lock_map_release(&gate_map);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * chunk_gate_new() - make a gate
 * @mm: the address space to charge for its pages, may be NULL: none
 *
 * Context: may sleep. Charged to the caller's memcg.
 * Return: a gate without pages, or NULL without memory.
 */
struct chunk_gate *chunk_gate_new(struct mm_struct *mm)
{
	unsigned int max = max(nr_cpu_ids, CHUNK_GATE_PAGES_MIN);
	struct chunk_gate *gate;

	gate = kvzalloc(struct_size(gate, pages, max), GFP_KERNEL_ACCOUNT);
	if (!gate)
		return NULL;
	gate->max = max;
	gate->mm = mm;
	gate_forbid_allocation();
	return gate;
}

/**
 * chunk_gate_free() - free a gate and its pages
 * @gate: the gate; no VMA leads to it any more
 *
 * Context: may sleep.
 */
void chunk_gate_free(struct chunk_gate *gate)
{
	unsigned int i;

	for (i = 0; i < gate->max && gate->pages[i]; i++)
		put_page(gate->pages[i]);
	if (gate->mm)
		chunk_uncharge(gate->mm, i * PAGE_SIZE);
	kvfree(gate);
}

static __always_inline struct page *gate_try_page(struct chunk_gate *gate,
						  unsigned int i)
{
	struct page *page = READ_ONCE(gate->pages[i]);

	if (!trylock_page(page))
		return NULL;
	if (likely(!PageHWPoison(page)))
		return page;
	unlock_page(page);
	return NULL;
}

/* Add a page, locked; NULL without memory or room. */
static struct page *gate_add_page(struct chunk_gate *gate, unsigned int nr)
{
	/* Do not try hard if the fault can wait for another page. */
	gfp_t more = nr ? __GFP_NORETRY | __GFP_NOWARN : 0;
	struct page *page;

	if (nr >= gate->max)
		return NULL;
	page = alloc_page(GFP_KERNEL_ACCOUNT | __GFP_ZERO | more);
	if (!page)
		return NULL;
	/* Nobody else knows it yet. */
	lock_page(page);
	for (; nr < gate->max; nr++) {
		if (!cmpxchg(&gate->pages[nr], NULL, page)) {
			WRITE_ONCE(gate->nr, nr + 1);
			if (gate->mm)
				chunk_charge(gate->mm, PAGE_SIZE);
			return page;
		}
	}
	unlock_page(page);
	put_page(page);
	return NULL;
}

static struct page *gate_try_all(struct chunk_gate *gate, unsigned int nr)
{
	struct page *page = NULL;
	unsigned int i;

	for (i = 0; i < nr && !page; i++)
		page = gate_try_page(gate, i);
	return page;
}

/*
 * Wait for a page that is not broken: all are taken, by faults of this address
 * space. If all are broken, mm reports it.
 */
static struct page *gate_wait_page(struct chunk_gate *gate, unsigned int nr,
				   unsigned int home)
{
	struct page *page = gate->pages[home];
	unsigned int i;

	for (i = 0; i < nr && PageHWPoison(page); i++)
		page = gate->pages[i];
	lock_map_acquire(&gate_map);
	lock_page(page);
	lock_map_release(&gate_map);
	return page;
}

/*
 * Lock another page than the one at @home, which is taken or does not exist. Not
 * inline: no fault is to save registers that only this needs.
 */
static noinline struct page *gate_lock_another(struct chunk_gate *gate,
					       unsigned int nr,
					       unsigned int home)
{
	struct page *page = NULL;

	if (nr > 1)
		page = gate_try_page(gate, (home + 1) % nr);
	if (!page)
		page = gate_add_page(gate, nr);
	if (!page)
		page = gate_try_all(gate, nr);
	if (!page && nr)
		page = gate_wait_page(gate, nr, home);
	return page;
}

/**
 * chunk_gate_enter() - enter the gate for a fault: lock a source page
 * @gate: gate of the faulting region
 *
 * The state read after this is as new as chunk_gate_synchronize() promises.
 *
 * Context: may sleep. Nothing may be allocated before the gate is left.
 * Return: the page, locked, with a reference, for chunk_gate_give() or
 * chunk_gate_exit(); NULL without memory while the gate has no page.
 */
struct page *chunk_gate_enter(struct chunk_gate *gate)
{
	unsigned int nr = READ_ONCE(gate->nr), home = 0;
	struct page *page = NULL;

	/* Any page will do, so it does not matter if the task migrates. */
	if (likely(nr)) {
		home = raw_smp_processor_id() % nr;
		page = gate_try_page(gate, home);
	}
	if (unlikely(!page)) {
		page = gate_lock_another(gate, nr, home);
		if (!page)
			return NULL;
	}
	lock_map_acquire(&gate_map);
	get_page(page);
	/*
	 * Pairs with smp_mb() in chunk_gate_synchronize(): the state is read
	 * after the page can be seen, and seen locked.
	 */
	smp_mb__after_atomic();
	return page;
}

/**
 * chunk_gate_give() - leave the exit to mm, which will unlock the source page
 * @page: from chunk_gate_enter(); to be returned by VM_FAULT_LOCKED
 */
void chunk_gate_give(struct page *page)
{
	lock_map_release(&gate_map);
}

/**
 * chunk_gate_exit() - leave the gate: unlock the source page
 * @page: from chunk_gate_enter()
 */
void chunk_gate_exit(struct page *page)
{
	lock_map_release(&gate_map);
	unlock_page(page);
	put_page(page);
}

/**
 * chunk_gate_synchronize() - wait for faults that may have seen an older state
 * @gate: gate of the regions whose state was changed
 *
 * After it, every fault in these regions that found a page committed before the
 * state was changed has been completed, and every other sees the change.
 *
 * Context: may sleep, for as long as a fault of the same address space takes to
 * map its page. mmap_lock may be held for reading: a fault inside the gate asks
 * for no lock that this excludes.
 */
void chunk_gate_synchronize(struct chunk_gate *gate)
{
	unsigned int i;

	lock_map_acquire(&gate_map);
	/*
	 * Either the handler's page and its lock are seen here, or this
	 * caller's change is seen there: pairs with the barrier in
	 * chunk_gate_enter().
	 */
	smp_mb();
	for (i = 0; i < gate->max; i++) {
		struct page *page = READ_ONCE(gate->pages[i]);

		if (!page)
			break;
		/* Until it is unlocked once: it may be taken again at once. */
		if (PageLocked(page))
			folio_wait_locked(page_folio(page));
	}
	/* The pages those faults mapped are seen by the zap that follows. */
	smp_mb();
	lock_map_release(&gate_map);
}
