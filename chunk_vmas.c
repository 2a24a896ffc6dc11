// SPDX-License-Identifier: GPL-2.0-only
/*
 * Looking at VMAs: which mappings cover a range, whose are they, and did the user
 * change them?
 */
#include <linux/mm.h>
#include <linux/pkeys.h>
#include <linux/userfaultfd_k.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

/**
 * chunk_vma_is_ours() - is a mapping one of a context's?
 * @vma:     the mapping
 * @context: the context
 *
 * Each context has an address_space of its own, so that identifies its file.
 *
 * Context: mmap_lock held.
 * Return: whether it is.
 */
bool chunk_vma_is_ours(const struct vm_area_struct *vma,
		       const struct chunk_context *context)
{
	return vma->vm_file && vma->vm_file->f_mapping == &context->mapping;
}

/**
 * chunk_vma_changed() - is a mapping other than ALLOC promises?
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
 * chunk_check_vmas() - is a range still covered by our mappings, and by which?
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @vmas:    filled; in: @only is a mapping found before, or NULL
 *
 * Context: mmap_lock held. Time grows with the number of mappings, of which the
 * kernel limits the number (vm.max_map_count).
 * Return: 0 or -ESTALE if not.
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
 * chunk_vmas_of() - are mappings a region's, where the region put them?
 * @vmas:   mappings of the region's context
 * @region: the region
 *
 * Another region of the same context may have been mapped over it.
 */
bool chunk_vmas_of(const struct chunk_vmas *vmas,
		   const struct chunk_region *region)
{
	return !(vmas->traits & CHUNK_VMA_MIXED) &&
	       vmas->base == region->pgoff - (region->start >> PAGE_SHIFT);
}

/**
 * chunk_vmas_changed() - are mappings other than what ALLOC hands out?
 * @vmas:   mappings of the region
 * @region: the region
 */
bool chunk_vmas_changed(const struct chunk_vmas *vmas,
			const struct chunk_region *region)
{
	return (vmas->traits & CHUNK_VMA_CHANGED) ||
	       ((vmas->traits & CHUNK_VMA_EXEC) && !region->executable);
}

/**
 * chunk_check_mapped() - may the contents of a range be discarded?
 * @context: the context, of current->mm
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @locked:  mlocked pages are acceptable
 * @only:    a mapping that this has found before, or NULL. Set to the mapping if
 *           one covers the whole range, else to NULL; good for as long as
 *           mmap_lock is held
 *
 * Context: mmap_lock held.
 * Return: 0, -ESTALE if not all of it is mapped, -EINVAL if some of it is mlocked
 * and may not be, -EACCES if mseal() keeps some of it.
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
 * chunk_vmas_at_edge() - can a range be unmapped without one mapping more?
 * @addr: first byte, in a mapping of current->mm
 * @size: bytes
 *
 * Only where one mapping goes on at both sides of the range, two are left of it.
 *
 * Context: mmap_lock held.
 */
bool chunk_vmas_at_edge(unsigned long addr, unsigned long size)
{
	struct vm_area_struct *first = vma_lookup(current->mm, addr);
	struct vm_area_struct *last = vma_lookup(current->mm, addr + size - 1);

	return first && last &&
	       (first != last || first->vm_start == addr ||
		last->vm_end == addr + size);
}
