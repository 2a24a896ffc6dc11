// SPDX-License-Identifier: GPL-2.0-only
/*
 * Source pages: pages of zeroes for the core to copy, and their locks, by which
 * decommit waits for the faults that are under way.
 *
 * There is one for each CPU, since the core holds a page's lock while it copies
 * it. Any serves any fault, so where one is taken (by a task that was preempted,
 * or that runs on the same page by chance) another is used: nobody who faults
 * waits for a single other task.
 *
 * A source page's lock is held from before the fault handler looks at the state
 * until the page is mapped. So whoever marks a range decommitted and then finds
 * every source page unlocked, or waits until it was unlocked once, knows that
 * every handler that saw the old state has its page mapped, where the zap that
 * follows finds it, and that every later one traps. Truncation uses page locks
 * the same way. Each lock says whose fault it is held for, and only those of
 * one's own address space are waited for.
 *
 * Nothing is allocated under such a lock. Otherwise one process that is short of
 * memory, in its cgroup maybe, would hold up others. The core has the page and
 * the page table of a write fault before it calls us, see __do_fault() in
 * mm/memory.c; those of read faults are our own concern, see chunk_fault.c.
 * Lockdep is told so.
 *
 * Every reference to a source page is dropped by the core when the fault ends;
 * none stays in a page table, so the count is bounded by the number of tasks.
 */
#include <linux/gfp.h>
#include <linux/lockdep.h>
#include <linux/pagemap.h>
#include <linux/percpu.h>
#include <linux/sched/mm.h>

#include "chunk_module.h"

/**
 * struct source - a source page
 * @page: zeroes
 * @mm:   whose fault its lock is held for, or was held for last; only compared
 */
struct source {
	struct page *page;
	struct mm_struct *mm;
};

static struct source __percpu *sources;

#ifdef CONFIG_LOCKDEP
static struct lockdep_map source_map =
	STATIC_LOCKDEP_MAP_INIT("chunk_source", &source_map);
#endif

/* Reclaim may wait for a source page, as far as lockdep knows. */
static void forbid_allocation(void)
{
	fs_reclaim_acquire(GFP_KERNEL);
	lock_map_acquire(&source_map);
	lock_map_release(&source_map);
	fs_reclaim_release(GFP_KERNEL);
}

/**
 * chunk_source_init() - allocate the source pages
 *
 * Context: may sleep. Module init.
 * Return: 0 or -ENOMEM.
 */
int chunk_source_init(void)
{
	int cpu;

	sources = alloc_percpu(struct source);
	if (!sources)
		return -ENOMEM;
	for_each_possible_cpu(cpu) {
		struct page *page = alloc_pages_node(cpu_to_node(cpu),
						     GFP_KERNEL | __GFP_ZERO,
						     0);

		if (!page) {
			chunk_source_exit();
			return -ENOMEM;
		}
		per_cpu_ptr(sources, cpu)->page = page;
	}
	forbid_allocation();
	return 0;
}

/**
 * chunk_source_exit() - free the source pages
 *
 * Context: module exit; no VMA of ours exists any more.
 */
void chunk_source_exit(void)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct page *page = per_cpu_ptr(sources, cpu)->page;

		if (page)
			put_page(page);
	}
	free_percpu(sources);
}

/* The one of this CPU is taken. Waits only if all are. */
static struct source *lock_another(struct source *source)
{
	int cpu;

	for_each_possible_cpu(cpu) {
		struct source *other = per_cpu_ptr(sources, cpu);

		if (trylock_page(other->page))
			return other;
	}
	lock_page(source->page);
	return source;
}

/**
 * chunk_source_lock() - take a source page, for a fault
 * @mm: the address space that the fault is in
 *
 * What is read after it is what chunk_source_wait() promises.
 *
 * Context: may sleep. Until the page is unlocked nothing may be allocated.
 * Return: the page, locked, with a reference; to be given to the core or to
 * chunk_source_unlock().
 */
struct page *chunk_source_lock(struct mm_struct *mm)
{
	/* Any will do, so it does not matter if the task moves on. */
	struct source *source = raw_cpu_ptr(sources);

	lock_map_acquire(&source_map);
	if (unlikely(!trylock_page(source->page)))
		source = lock_another(source);
	get_page(source->page);
	/*
	 * Pairs with smp_mb() in chunk_source_wait(): the state is read after
	 * the lock and its holder can be seen.
	 */
	smp_store_mb(source->mm, mm);
	return source->page;
}

/**
 * chunk_source_give() - leave a source page to the core, which will unlock it
 * @page: from chunk_source_lock(); to be returned by VM_FAULT_LOCKED
 */
void chunk_source_give(struct page *page)
{
	lock_map_release(&source_map);
}

/**
 * chunk_source_unlock() - put a source page back
 * @page: from chunk_source_lock()
 */
void chunk_source_unlock(struct page *page)
{
	lock_map_release(&source_map);
	unlock_page(page);
	put_page(page);
}

static void wait_for(struct source *source)
{
	lock_page(source->page);
	unlock_page(source->page);
}

/**
 * chunk_source_wait() - wait for faults that may have seen an older state
 * @mm: the address space whose state was changed
 *
 * After it, every fault in @mm that found a page committed before the state was
 * changed has been completed, and every other sees the change.
 *
 * Context: may sleep, for as long as a fault of @mm takes from here to the core's
 * mapping of its page. mmap_lock may be held for reading: a fault that holds a
 * source page asks for no more locks than that.
 */
void chunk_source_wait(struct mm_struct *mm)
{
	int cpu;

	lock_map_acquire(&source_map);
	/*
	 * Either the handler's lock is seen here, or this caller's change is
	 * seen there: pairs with smp_store_mb() in chunk_source_lock().
	 */
	smp_mb();
	for_each_possible_cpu(cpu) {
		struct source *source = per_cpu_ptr(sources, cpu);

		if (!PageLocked(source->page))
			continue;
		/*
		 * If another's fault has it by now, then ours is over: its
		 * holder is read after its lock.
		 */
		smp_rmb();
		if (READ_ONCE(source->mm) == mm)
			wait_for(source);
	}
	/* The pages those faults mapped are seen by the zap that follows. */
	smp_mb();
	lock_map_release(&source_map);
}
