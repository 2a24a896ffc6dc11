/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Differences between kernel versions, from 6.1 to 7.3.
 */
#ifndef CHUNK_KCOMPAT_H
#define CHUNK_KCOMPAT_H

#include <linux/list_lru.h>
#include <linux/mm.h>
#include <linux/mmu_context.h>
#include <linux/pfn.h>
#include <linux/sched.h>
#include <linux/shrinker.h>
#include <linux/swap.h>
#include <linux/userfaultfd_k.h>
#include <linux/version.h>
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
#include <linux/pfn_t.h>
#endif

#ifndef CONFIG_MMU
#error "chunk needs an MMU"
#endif
#ifndef CONFIG_XARRAY_MULTI
#error "chunk needs multi-index XArrays: enable CONFIG_TRANSPARENT_HUGEPAGE"
#endif

/* class->devnode cannot change the device since 6.2. */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 2, 0)
#define CHUNK_DEVNODE_DEVICE	struct device
#else
#define CHUNK_DEVNODE_DEVICE	const struct device
#endif

/* The probe is in Kbuild, since a symbol's presence is not its export. */
#if defined(CHUNK_ZAP_PAGE_RANGE) || defined(CHUNK_ZAP_SINGLE) || \
	defined(CHUNK_ZAP_VMA_RANGE)
#define CHUNK_HAVE_ZAP	1
#else
#define CHUNK_HAVE_ZAP	0
#endif

/* userfaultfd takes no mapping of ours before 6.7, which brought WP_ASYNC. */
#if LINUX_VERSION_CODE >= KERNEL_VERSION(6, 7, 0) && \
	defined(CONFIG_PTE_MARKER_UFFD_WP)

/* Does userfaultfd track writes here, by markers in entries without a page? */
static inline bool chunk_tracked(struct vm_area_struct *vma)
{
	return unlikely(userfaultfd_wp(vma)) && !vma_is_anonymous(vma);
}

static inline bool chunk_is_marker(pte_t pte)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
	return pte_marker_uffd_wp(pte);
#else
	return pte_is_uffd_wp_marker(pte);
#endif
}

/* A read-only entry for the zero page, tracked as not written since */
static inline pte_t chunk_tracked_zero(struct vm_area_struct *vma,
				       unsigned long addr)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	return pte_mkuffd_wp(pte_mkspecial(pfn_pte(my_zero_pfn(addr),
						   vma->vm_page_prot)));
#else
	return pte_mkuffd(pte_mkspecial(pfn_pte(zero_pfn(addr),
						vma->vm_page_prot)));
#endif
}

/* Context: the page table locked, by apply_to_page_range(). */
static inline int chunk_drop_marker(pte_t *pte, unsigned long addr, void *data)
{
	struct vm_area_struct *vma = data;

	if (chunk_is_marker(ptep_get(pte)))
		pte_clear(vma->vm_mm, addr, pte);
	return 0;
}

/* The same. The new entry means what the marker meant: nothing was written. */
static inline int chunk_marker_to_zero(pte_t *pte, unsigned long addr,
				       void *data)
{
	struct vm_area_struct *vma = data;

	if (chunk_is_marker(ptep_get(pte)))
		set_pte_at(vma->vm_mm, addr, pte,
			   chunk_tracked_zero(vma, addr));
	return 0;
}

/*
 * Is there a page table for this address? Only the last level may be freed
 * meanwhile.
 *
 * Context: mmap_lock or the lock of the mapping held.
 */
static inline bool chunk_has_table(struct mm_struct *mm, unsigned long addr)
{
	pgd_t *pgd = pgd_offset(mm, addr);
	p4d_t *p4d;
	pud_t *pud;

	if (pgd_none(READ_ONCE(*pgd)))
		return false;
	p4d = p4d_offset(pgd, addr);
	if (p4d_none(READ_ONCE(*p4d)))
		return false;
	pud = pud_offset(p4d, addr);
	if (pud_none(READ_ONCE(*pud)))
		return false;
	return !pmd_none(READ_ONCE(*pmd_offset(pud, addr)));
}

/*
 * Call @fn for the entries of each existing table. apply_to_page_range() would
 * make the others; 7.3 exports no walker of existing tables only.
 */
static inline void chunk_for_markers(struct vm_area_struct *vma,
				     unsigned long addr, unsigned long size,
				     pte_fn_t fn)
{
	unsigned long end = addr + size, next;

	for (; addr < end; addr = next) {
		next = min(end, ALIGN(addr + 1, PMD_SIZE));
		if (chunk_has_table(vma->vm_mm, addr))
			apply_to_page_range(vma->vm_mm, addr, next - addr, fn,
					    vma);
		cond_resched();
	}
}

#else

static inline bool chunk_tracked(struct vm_area_struct *vma)
{
	return false;
}

#define chunk_drop_marker	NULL
#define chunk_marker_to_zero	NULL

static inline void chunk_for_markers(struct vm_area_struct *vma,
				     unsigned long addr, unsigned long size,
				     pte_fn_t fn)
{
}

#endif

/**
 * chunk_zap_vma() - free the memory of part of one mapping
 * @vma:   the mapping
 * @start: first byte, within @vma
 * @size:  bytes; the range ends within @vma, since 6.1 would go on into the
 *         next mapping and 7.3 does not check
 *
 * Frees private copies and swap entries, too. Source: mm/memory.c of each
 * version. In mappings with operations mm leaves userfaultfd's markers, or puts
 * some where tracked pages were: they say that a page was not written since.
 * But its contents are not the same any more, so the markers are dropped.
 *
 * Where no zap is exported, this unmaps from the file, and so frees forked
 * children's copies, too: only where chunk_zap_is_private().
 *
 * Context: may sleep; mmap_lock held.
 */
static inline void chunk_zap_vma(struct vm_area_struct *vma,
				 unsigned long start, unsigned long size)
{
#if defined(CHUNK_ZAP_PAGE_RANGE)
	zap_page_range(vma, start, size);
#elif defined(CHUNK_ZAP_SINGLE)
	zap_page_range_single(vma, start, size, NULL);
#elif defined(CHUNK_ZAP_VMA_RANGE)
	zap_vma_range(vma, start, size);
#else
	unmap_mapping_pages(vma->vm_file->f_mapping,
			    vma->vm_pgoff +
			    ((start - vma->vm_start) >> PAGE_SHIFT),
			    size >> PAGE_SHIFT, true);
#endif
	if (chunk_tracked(vma))
		chunk_for_markers(vma, start, size, chunk_drop_marker);
}

/**
 * chunk_vma_keeps_contents() - tell whether mseal(2) keeps a mapping's contents
 * @vma: a private mapping
 *
 * It does if the caller could not write to the mapping either, as for anonymous
 * memory. Source: can_madvise_modify() in mm/madvise.c.
 *
 * Context: mmap_lock of current->mm held.
 * Return: whether discarding is forbidden.
 */
static inline bool chunk_vma_keeps_contents(const struct vm_area_struct *vma)
{
#ifdef VM_SEALED
	if (!(vma->vm_flags & VM_SEALED))
		return false;
	return !(vma->vm_flags & VM_WRITE) ||
	       !arch_vma_access_permitted((struct vm_area_struct *)vma, true,
					  false, false);
#else
	return false;
#endif
}

/**
 * chunk_search_area() - let mm choose address space
 * @addr:  hint, or 0
 * @len:   bytes
 * @flags: MAP_*
 *
 * Context: mmap_lock of current->mm held for writing.
 * Return: an address or a negative error, as an unsigned long.
 */
static inline unsigned long chunk_search_area(unsigned long addr,
					      unsigned long len,
					      unsigned long flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 10, 0)
	return current->mm->get_unmapped_area(NULL, addr, len, 0, flags);
#elif LINUX_VERSION_CODE < KERNEL_VERSION(6, 19, 0)
	return mm_get_unmapped_area(current->mm, NULL, addr, len, 0, flags);
#else
	return mm_get_unmapped_area(NULL, addr, len, 0, flags);
#endif
}

/**
 * chunk_insert_zero() - map the zero page, read-only
 * @vma:  a private mapping
 * @addr: user address of the page
 *
 * The PTE is special: no page is referenced, and a later write copies nothing.
 * vmf_insert_mixed() takes userfaultfd's markers for present pages, and the
 * fault would come again for ever: so markers are replaced before.
 *
 * Context: in a fault handler of @vma.
 * Return: VM_FAULT_NOPAGE or an error.
 */
static inline vm_fault_t chunk_insert_zero(struct vm_area_struct *vma,
					   unsigned long addr)
{
	if (chunk_tracked(vma))
		chunk_for_markers(vma, addr & PAGE_MASK, PAGE_SIZE,
				  chunk_marker_to_zero);
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 17, 0)
	return vmf_insert_mixed(vma, addr, pfn_to_pfn_t(my_zero_pfn(addr)));
#elif LINUX_VERSION_CODE < KERNEL_VERSION(7, 0, 0)
	return vmf_insert_mixed(vma, addr, my_zero_pfn(addr));
#else
	return vmf_insert_mixed(vma, addr, zero_pfn(addr));
#endif
}

#ifdef CONFIG_PER_VMA_LOCK

/**
 * chunk_map_none() - vm_operations_struct.map_pages: premap nothing
 * @vmf:   a read fault
 * @first: first page offset around it
 * @last:  last page offset
 *
 * mm calls ->fault under the lock of one mapping only if there is ->map_pages,
 * too; else each fault begins anew under mmap_lock. Source:
 * vmf_can_call_fault() in mm/memory.c.
 *
 * Context: RCU read lock held, on some versions.
 * Return: 0, so that ->fault is called.
 */
static inline vm_fault_t chunk_map_none(struct vm_fault *vmf, pgoff_t first,
					pgoff_t last)
{
	return 0;
}

#else

/* Without locks of mappings ->map_pages would only cost read faults time. */
#define chunk_map_none	NULL

#endif /* CONFIG_PER_VMA_LOCK */

/* The flag of mappings that mseal(2) has sealed, since 6.10 */
#ifdef VM_SEALED
#define CHUNK_VM_SEALED		VM_SEALED
#else
#define CHUNK_VM_SEALED		VM_NONE
#endif

/* Context: mmap_lock held for writing. */
static inline void chunk_vm_flags_set(struct vm_area_struct *vma,
				      vm_flags_t flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags |= flags;
#else
	vm_flags_set(vma, flags);
#endif
}

static inline void chunk_vm_flags_clear(struct vm_area_struct *vma,
					vm_flags_t flags)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 3, 0)
	vma->vm_flags &= ~flags;
#else
	vm_flags_clear(vma, flags);
#endif
}

/* Items of a list_lru whose node and memcg are those of their slab object */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 8, 0)
#define chunk_lru_add(lru, item)	list_lru_add(lru, item)
#define chunk_lru_del(lru, item)	list_lru_del(lru, item)
#else
#define chunk_lru_add(lru, item)	list_lru_add_obj(lru, item)
#define chunk_lru_del(lru, item)	list_lru_del_obj(lru, item)
#endif

/* Parameters of a list_lru_walk_cb, but for the last */
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 13, 0)
#define CHUNK_LRU_WALK_ARGS(item)	struct list_head *(item), \
					struct list_lru_one *list, \
					spinlock_t *lock
#else
#define CHUNK_LRU_WALK_ARGS(item)	struct list_head *(item), \
					struct list_lru_one *list
#endif

/* Tell the reclaim that calls a shrinker how many pages it has freed. */
static inline void chunk_account_reclaimed(unsigned long pages)
{
#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 4, 0)
	if (current->reclaim_state)
		current->reclaim_state->reclaimed_slab += pages;
#else
	mm_account_reclaimed_pages(pages);
#endif
}

typedef unsigned long (*chunk_shrink_fn)(struct shrinker *shrinker,
					 struct shrink_control *sc);

#define CHUNK_SHRINKER_FLAGS	(SHRINKER_MEMCG_AWARE | SHRINKER_NUMA_AWARE)

#if LINUX_VERSION_CODE < KERNEL_VERSION(6, 7, 0)

/* A shrinker for a list by memory control groups */
struct chunk_shrinker {
	struct shrinker shrinker;
};

/*
 * Register a shrinker and initialise its list, which needs the number that the
 * shrinker gets only as it is registered. So @count may be called too early: it
 * must return 0 until *@ready, which it reads with acquire.
 */
static inline int chunk_shrinker_start(struct chunk_shrinker *shrinker,
				       struct list_lru *lru,
				       chunk_shrink_fn count,
				       chunk_shrink_fn scan, int seeks,
				       long batch, bool *ready)
{
	int err;

	shrinker->shrinker = (struct shrinker) {
		.count_objects = count,
		.scan_objects = scan,
		.seeks = seeks,
		.batch = batch,
		.flags = CHUNK_SHRINKER_FLAGS,
	};
	err = register_shrinker(&shrinker->shrinker, "chunk");
	if (err)
		return err;
	err = list_lru_init_memcg(lru, &shrinker->shrinker);
	if (err)
		unregister_shrinker(&shrinker->shrinker);
	else
		/* Pairs with smp_load_acquire() in @count. */
		smp_store_release(ready, true);
	return err;
}

/* Waits for calls that are running. The list is empty. */
static inline void chunk_shrinker_stop(struct chunk_shrinker *shrinker,
				       struct list_lru *lru)
{
	unregister_shrinker(&shrinker->shrinker);
	list_lru_destroy(lru);
}

#else

struct chunk_shrinker {
	struct shrinker *shrinker;
};

static inline int chunk_shrinker_start(struct chunk_shrinker *shrinker,
				       struct list_lru *lru,
				       chunk_shrink_fn count,
				       chunk_shrink_fn scan, int seeks,
				       long batch, bool *ready)
{
	struct shrinker *new = shrinker_alloc(CHUNK_SHRINKER_FLAGS, "chunk");
	int err;

	if (!new)
		return -ENOMEM;
	new->count_objects = count;
	new->scan_objects = scan;
	new->seeks = seeks;
	new->batch = batch;
	err = list_lru_init_memcg(lru, new);
	if (err) {
		shrinker_free(new);
		return err;
	}
	/* Pairs with smp_load_acquire() in @count. */
	smp_store_release(ready, true);
	shrinker_register(new);
	shrinker->shrinker = new;
	return 0;
}

static inline void chunk_shrinker_stop(struct chunk_shrinker *shrinker,
				       struct list_lru *lru)
{
	shrinker_free(shrinker->shrinker);
	list_lru_destroy(lru);
}

#endif

#endif /* CHUNK_KCOMPAT_H */
