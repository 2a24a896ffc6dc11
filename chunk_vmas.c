// SPDX-License-Identifier: GPL-2.0-only
/*
 * Checks of VMAs: which mappings cover a range, whose they are, and whether the
 * user has changed them.
 */
#include <linux/mm.h>
#include <linux/pkeys.h>
#include <linux/userfaultfd_k.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

/**
 * chunk_vma_is_ours() - tell whether a mapping is one of a context's regions
 * @vma:     the mapping
 * @context: the context
 *
 * Each context has an address_space of its own, so that identifies its file.
 * Mappings of words are shared, those of regions never.
 *
 * Context: mmap_lock held.
 * Return: whether it is.
 */
bool chunk_vma_is_ours(const struct vm_area_struct *vma,
		       const struct chunk_context *context)
{
	return vma->vm_file && vma->vm_file->f_mapping == &context->mapping &&
	       !(vma->vm_flags & VM_SHARED);
}

/**
 * chunk_vma_changed() - tell whether a mapping is other than ALLOC promises
 * @vma: the mapping
 *
 * ALLOC promises that it is readable and writable, with the default protection
 * key, inherited by children, its faults handled by nobody else. userfaultfd
 * tracks writes to mappings with operations, but handles no faults of theirs.
 *
 * Context: mmap_lock held.
 * Return: whether it is, but for VM_EXEC.
 */
bool chunk_vma_changed(struct vm_area_struct *vma)
{
	const unsigned long must = VM_READ | VM_WRITE;

	return (vma->vm_flags & must) != must ||
	       (vma->vm_flags & VM_DONTCOPY) || vma_pkey(vma) ||
	       (vma_is_anonymous(vma) && userfaultfd_armed(vma));
}

/* Find our mapping at an address; most often it is the one before. */
static struct vm_area_struct *vma_at(struct chunk_context *context,
				     unsigned long addr,
				     struct vm_area_struct *before)
{
	struct vm_area_struct *vma;

	if (before && before->vm_start <= addr && addr < before->vm_end)
		return before;
	vma = vma_lookup(context->mm, addr);
	return vma && chunk_vma_is_ours(vma, context) ? vma : NULL;
}

static unsigned long vma_traits(struct vm_area_struct *vma)
{
	unsigned long traits = 0;

	if (vma->vm_flags & VM_LOCKED)
		traits |= CHUNK_VMA_LOCKED;
	if (vma->vm_flags & VM_EXEC)
		traits |= CHUNK_VMA_EXEC;
	if (chunk_vma_keeps_contents(vma))
		traits |= CHUNK_VMA_SEALED;
	if (chunk_vma_changed(vma))
		traits |= CHUNK_VMA_CHANGED;
	return traits;
}

static unsigned long vma_base(const struct vm_area_struct *vma)
{
	return vma->vm_pgoff - (vma->vm_start >> PAGE_SHIFT);
}

/**
 * chunk_check_vmas() - check that our mappings cover a range
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @vmas:    out: the mappings; in: @only, a mapping found before, may be NULL
 *
 * Context: mmap_lock held. Time grows with the number of mappings, which mm
 * limits (vm.max_map_count).
 * Return: 0, or -ESTALE if part of the range is not covered.
 */
int chunk_check_vmas(struct chunk_context *context, unsigned long addr,
		     unsigned long size, struct chunk_vmas *vmas)
{
	struct vm_area_struct *vma = vmas->only;
	unsigned long from = addr;
	unsigned long end = addr + size;

	lockdep_assert_held(&context->mm->mmap_lock);
	vmas->only = NULL;
	vmas->traits = 0;
	while (from < end) {
		vma = vma_at(context, from, vma);
		if (!vma)
			return -ESTALE;
		if (from == addr)
			vmas->base = vma_base(vma);
		else if (vma_base(vma) != vmas->base)
			vmas->traits |= CHUNK_VMA_MIXED;
		vmas->traits |= vma_traits(vma);
		from = vma->vm_end;
	}
	if (vma && vma->vm_start <= addr)
		vmas->only = vma;
	return 0;
}

/**
 * chunk_vmas_of() - tell whether mappings are a region's own, at their addresses
 * @vmas:   mappings of the region's context
 * @region: the region
 *
 * Another region of the same context may have been mapped over it.
 *
 * Context: any.
 * Return: whether they are.
 */
bool chunk_vmas_of(const struct chunk_vmas *vmas,
		   const struct chunk_region *region)
{
	return !(vmas->traits & CHUNK_VMA_MIXED) &&
	       vmas->base == region->pgoff - (region->start >> PAGE_SHIFT);
}

/**
 * chunk_vmas_changed() - tell whether mappings are other than ALLOC promises
 * @vmas:   mappings of the region
 * @region: the region
 *
 * Context: any.
 * Return: whether they are.
 */
bool chunk_vmas_changed(const struct chunk_vmas *vmas,
			const struct chunk_region *region)
{
	return (vmas->traits & CHUNK_VMA_CHANGED) ||
	       ((vmas->traits & CHUNK_VMA_EXEC) && !region->executable);
}

/**
 * chunk_check_mapped() - check that the contents of a range may be discarded
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @locked:  mlocked pages are acceptable
 * @only:    in: a mapping found before, may be NULL; out: the mapping, if one
 *           covers the whole range, else NULL. Good for as long as mmap_lock is
 *           held
 *
 * Context: mmap_lock held.
 * Return: 0, -ESTALE if not all of it is mapped, -EINVAL if some of it is
 * mlocked and may not be, -EACCES if mseal() keeps some of it.
 */
int chunk_check_mapped(struct chunk_context *context, unsigned long addr,
		       unsigned long size, bool locked,
		       struct vm_area_struct **only)
{
	struct chunk_vmas vmas = { .only = *only };
	int err;

	err = chunk_check_vmas(context, addr, size, &vmas);
	*only = vmas.only;
	if (err)
		return err;
	if ((vmas.traits & CHUNK_VMA_LOCKED) && !locked)
		return -EINVAL;
	return vmas.traits & CHUNK_VMA_SEALED ? -EACCES : 0;
}

/**
 * chunk_vmas_at_edge() - tell whether unmapping a range splits no mapping
 * @addr: first byte, in a mapping of current->mm
 * @size: bytes
 *
 * A mapping is split only if it continues at both sides of the range.
 *
 * Context: mmap_lock held.
 * Return: whether it splits none.
 */
bool chunk_vmas_at_edge(unsigned long addr, unsigned long size)
{
	struct vm_area_struct *first = vma_lookup(current->mm, addr);
	struct vm_area_struct *last = vma_lookup(current->mm, addr + size - 1);

	return first && last &&
	       (first != last || first->vm_start == addr ||
		last->vm_end == addr + size);
}
