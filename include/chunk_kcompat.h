/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * All that differs between kernel versions, from 6.1 to 7.3.
 */
#ifndef CHUNK_KCOMPAT_H
#define CHUNK_KCOMPAT_H

#include <linux/mm.h>
#include <linux/pfn.h>
#include <linux/sched.h>
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

/**
 * chunk_zap_vma() - free the memory of part of one mapping
 * @vma:   the mapping
 * @start: first byte, within @vma
 * @size:  bytes; the range ends within @vma, since 6.1 would go on into the
 *         next mapping and 7.3 does not check
 *
 * Private copies and swap entries go too. Source: mm/memory.c of each version.
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
#endif
}

/**
 * chunk_search_area() - the kernel's choice of address space
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
 *
 * Context: in a fault handler of @vma.
 * Return: VM_FAULT_NOPAGE or an error.
 */
static inline vm_fault_t chunk_insert_zero(struct vm_area_struct *vma,
					   unsigned long addr)
{
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
 * chunk_map_none() - vm_operations_struct.map_pages: map nothing ahead
 * @vmf:   a read fault
 * @first: first page offset around it
 * @last:  last page offset
 *
 * The core calls ->fault under the lock of one mapping only where it is offered
 * ->map_pages, too; else each fault begins anew under mmap_lock. Source:
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

/* It would only cost read faults. */
#define chunk_map_none	NULL

#endif /* CONFIG_PER_VMA_LOCK */

#endif /* CHUNK_KCOMPAT_H */
