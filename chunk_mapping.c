// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: what mmap(2) on the device makes, what the user may do to them
 * behind our back, and the calls by which we map and unmap ourselves.
 *
 * VMAs of ours carry no VM_SPECIAL flag, so that mlock, KSM, core dumps and the
 * rest treat them as private memory. Nothing but their offsets keeps two regions'
 * from being merged, then: see unique_offset().
 */
#include <linux/fs.h>
#include <linux/mm.h>
#include <linux/mman.h>
#include <linux/pkeys.h>
#include <linux/sched/mm.h>
#include <linux/sched/signal.h>
#include <linux/userfaultfd_k.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"

/**
 * chunk_mapping_ours() - is a mapping one of a context's?
 * @vma:     the mapping
 * @context: the context
 *
 * Context: mmap_lock held.
 */
bool chunk_mapping_ours(const struct vm_area_struct *vma,
			const struct chunk_context *context)
{
	return vma->vm_file && vma->vm_file->f_op == &chunk_fops &&
	       vma->vm_file->private_data == context;
}

/* Are we inside a vm_mmap or vm_munmap that this module itself called? */
static bool mapping_ourselves(const struct chunk_context *context)
{
	return READ_ONCE(context->mapper) == current;
}

/*
 * A VMA was copied: split in two, moved (which .mremap will refuse and undo),
 * or inherited by a child.
 */
static void vma_open(struct vm_area_struct *vma)
{
	struct chunk_region *region = vma->vm_private_data;

	if (!region)
		return;
	if (vma->vm_mm != region->mm) {
		vma->vm_private_data = chunk_region_inherit(region, vma->vm_mm);
		return;
	}
	chunk_region_get(region);
	if (region->context) {
		spin_lock(&region->context->lock);
		region->vmas++;
		/* Half of it is about to be given other flags, or to go. */
		if (!mapping_ourselves(region->context))
			region->may_have_holes = true;
		spin_unlock(&region->context->lock);
	}
}

/*
 * Is this what chunk_free_unmap() asked to be unmapped? If not, the user had
 * mapped something else in its place.
 */
static bool unmapping_ourselves(const struct chunk_context *context,
				const struct vm_area_struct *vma,
				const struct chunk_region *region)
{
	const struct chunk_extent *extent = context->unmapping;

	lockdep_assert_held(&context->lock);
	return mapping_ourselves(context) && extent &&
	       extent->owner == region && vma->vm_start >= extent->addr &&
	       vma->vm_end - extent->addr <= extent->size;
}

/*
 * Part of a region, or the last of it, was unmapped. mmap_lock may have been
 * downgraded to reading already. The VMA still pins the file, so the context
 * is there.
 */
static void vma_close(struct vm_area_struct *vma)
{
	struct chunk_region *region = vma->vm_private_data;
	struct chunk_context *context;
	bool gone;

	if (!region)
		return;
	context = region->context;
	if (!context) {
		chunk_region_put(region);
		return;
	}
	spin_lock(&context->lock);
	gone = !--region->vmas;
	if (gone) {
		list_del_init(&region->list);
		context->nr_regions--;
	}
	if (!unmapping_ourselves(context, vma, region))
		region->may_have_holes = true;
	spin_unlock(&context->lock);
	if (gone) {
		chunk_drop_range(context, region->start, region->start +
				     region->chunks * CHUNK_SIZE - 1, region);
		chunk_region_put(region);
	}
	chunk_region_put(region);
}

/* State is by address, and source pages must not be shared between offsets. */
static int vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/*
 * A protection changes, maybe of what is free: ALLOC must look at it before it
 * is handed out as readable and writable. Also called for pkey_mprotect(2).
 */
static int vma_mprotect(struct vm_area_struct *vma, unsigned long start,
			unsigned long end, unsigned long newflags)
{
	struct chunk_region *region = vma->vm_private_data;

	if (region && region->context) {
		spin_lock(&region->context->lock);
		region->may_have_holes = true;
		spin_unlock(&region->context->lock);
	}
	return 0;
}

const struct vm_operations_struct chunk_vm_ops = {
	.open = vma_open,
	.close = vma_close,
	.mremap = vma_mremap,
	.mprotect = vma_mprotect,
	.fault = chunk_fault,
	.map_pages = chunk_map_none,
};

/* The alignment that an mmap offset asks for, or 0 if it is no valid one */
static unsigned long offset_alignment(unsigned long pgoff)
{
	if (!pgoff)
		return CHUNK_SIZE;
	if (pgoff < CHUNK_SHIFT || pgoff >= BITS_PER_LONG - 1)
		return 0;
	return 1UL << pgoff;
}

/**
 * chunk_get_unmapped_area() - file_operations.get_unmapped_area: find a place
 * @file:  the device
 * @addr:  hint, or with MAP_FIXED the demand
 * @len:   bytes, page-aligned
 * @pgoff: log2 of the alignment, or 0
 * @flags: MAP_*
 *
 * Also called for MAP_FIXED, and before any merging of mappings, which makes
 * it the place to refuse an offset.
 *
 * Context: mmap_lock of current->mm held for writing.
 * Return: an aligned address, or -EINVAL or -ENOMEM as an unsigned long.
 */
unsigned long chunk_get_unmapped_area(struct file *file, unsigned long addr,
				      unsigned long len, unsigned long pgoff,
				      unsigned long flags)
{
	struct chunk_context *context = file->private_data;
	unsigned long alignment = offset_alignment(pgoff);
	unsigned long area;

	if (!alignment || !IS_ALIGNED(len, CHUNK_SIZE))
		return -EINVAL;
	if (len > CHUNK_LENGTH_MAX)
		return -ENOMEM;
	/* Address 0, which root could have, means that there is no extent. */
	if (flags & MAP_FIXED)
		return addr && IS_ALIGNED(addr, alignment) ? addr : -EINVAL;
	/* Nothing smaller can become huge. */
	if (READ_ONCE(context->huge) && len >= PMD_SIZE)
		alignment = max(alignment, PMD_SIZE);
	if (addr && IS_ALIGNED(addr, alignment)) {
		/* With the real length: a hole that fits exactly will do. */
		area = chunk_search_area(addr, len, flags);
		if (area == addr)
			return area;
	}
	if (len + (alignment - PAGE_SIZE) < len)
		return -ENOMEM;
	area = chunk_search_area(0, len + (alignment - PAGE_SIZE), flags);
	if (IS_ERR_VALUE(area))
		return area;
	return ALIGN(area, alignment);
}

/*
 * Is a mapping other than what ALLOC promises: readable and writable, with the
 * default protection key, there in a child, its faults nobody else's? Where there
 * are operations userfaultfd tracks writes, and handles no faults.
 */
static bool is_changed(struct vm_area_struct *vma)
{
	const unsigned long must = VM_READ | VM_WRITE;

	return (vma->vm_flags & must) != must ||
	       (vma->vm_flags & VM_DONTCOPY) || vma_pkey(vma) ||
	       (vma_is_anonymous(vma) && userfaultfd_armed(vma));
}

/*
 * Make the extent of a new region known: reserved if we map ahead ourselves,
 * live if the user called mmap(2).
 */
static int region_register(struct chunk_context *context,
			   struct chunk_region *region,
			   struct chunk_extent *extent)
{
	struct chunk_extent *free_nodes = NULL;
	bool ahead = mapping_ourselves(context);
	int err = 0;

	if (READ_ONCE(context->huge))
		chunk_huge_sweep(context);
	/* Whatever was here before, this mapping has replaced it. */
	chunk_drop_range(context, extent->addr,
			 extent->addr + extent->size - 1, NULL);
	if (!ahead)
		err = chunk_radix_store(&context->live, extent, GFP_KERNEL);
	if (err)
		return err;

	spin_lock(&context->lock);
	if (ahead) {
		chunk_region_close(region, extent->addr, extent->size);
		chunk_tree_claim(&context->retained, extent->size);
		err = chunk_tree_insert(&context->retained, extent, &free_nodes);
		WARN_ON_ONCE(err || free_nodes);
	} else {
		extent->live = true;
		extent->decommitted = 0;
		context->live_bytes += extent->size;
		context->live_extents++;
		context->counts.allocs++;
	}
	/* From here on nobody chooses another backing. */
	context->configured = true;
	/* Nobody hears it when a mapping of the huge backing changes. */
	region->may_have_holes |= context->huge;
	region->vmas = 1;
	region->bytes = extent->size;
	context->mapped += extent->size;
	context->nr_regions++;
	list_add_tail(&region->list, &context->regions);
	spin_unlock(&context->lock);
	return 0;
}

/*
 * The core merges what is mapped anew with what is mapped beside it, without a
 * word to us, if the file is the same and the offset goes on there: as it would
 * where the beginning of a region is mapped over. So no region's offsets go on
 * where another's end, nor where one asked for begins. Other contexts have other
 * files. The user sees none of this but in /proc/PID/maps. Should the number ever
 * wrap, two regions are taken for one only if they also begin at the same address:
 * their offsets minus their addresses are what is compared, by the core and by
 * chunk_vmas_of().
 *
 * Context: mmap_lock of context->mm held for writing.
 */
static unsigned long unique_offset(struct chunk_context *context)
{
	unsigned long offset;

	do {
		offset = ++context->offsets <<
			 order_base_2(TASK_SIZE_MAX >> PAGE_SHIFT);
	} while (!offset);
	return offset;
}

/**
 * chunk_mmap() - file_operations.mmap: a new region
 * @file: the device
 * @vma:  the mapping, private
 *
 * Context: may sleep; mmap_lock of current->mm held for writing.
 * Return: 0; -EPERM in another address space than the opener's; -EINVAL if
 * shared or misaligned; -ENOMEM.
 */
int chunk_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct chunk_context *context = file->private_data;
	unsigned long size = vma->vm_end - vma->vm_start;
	unsigned long alignment = offset_alignment(vma->vm_pgoff);
	struct chunk_region *region;
	struct chunk_extent *extent;
	int err = -ENOMEM;

	if (current->mm != context->mm || vma->vm_mm != context->mm)
		return -EPERM;
	if (mapping_ourselves(context))
		context->refused = false;
	/* A file open for reading only makes the core clear VM_SHARED. */
	if (vma->vm_flags & (VM_SHARED | VM_MAYSHARE))
		return -EINVAL;
	if (!alignment || !IS_ALIGNED(vma->vm_start, alignment) ||
	    !IS_ALIGNED(size, CHUNK_SIZE))
		return -EINVAL;
	/* As in chunk_get_unmapped_area(): the bitmaps are sized by it. */
	if (size > CHUNK_LENGTH_MAX)
		return -ENOMEM;
	if (mapping_ourselves(context) && size > context->charge_max &&
	    !(vma->vm_flags & VM_NORESERVE))
		return -ENOMEM;

	region = chunk_region_new(vma->vm_start, size);
	if (!region)
		return -ENOMEM;
	extent = chunk_extent_new(context);
	if (!extent)
		goto free_region;
	region->space = context->space;
	region->context = context;
	region->pgoff = unique_offset(context);
	if (mapping_ourselves(context))
		region->executable = vma->vm_flags & VM_EXEC;
	else
		region->may_have_holes = is_changed(vma) || (vma->vm_flags & VM_EXEC);
	chunk_region_charge(region, context->mm);
	extent->addr = vma->vm_start;
	extent->size = size;
	extent->owner = region;
	extent->type = ZEROED_CHUNK;
	extent->live = false;
	chunk_region_get(region); /* one for the list, one for the VMA */
	err = region_register(context, region, extent);
	if (err)
		goto free_extent;
	vma->vm_pgoff = region->pgoff;
	if (context->huge) {
		vma_set_anonymous(vma);
		chunk_region_put(region); /* there is only the list's */
		return 0;
	}
	vma->vm_ops = &chunk_vm_ops;
	vma->vm_private_data = region;
	return 0;

free_extent:
	chunk_extent_free(context, extent);
	chunk_region_put(region);
free_region:
	chunk_region_put(region);
	return err;
}

/* -ENOSPC: refused by the system, before the module had a say */
static int map_reserved(struct file *file, unsigned long size,
			unsigned long alignment)
{
	struct chunk_context *context = file->private_data;
	unsigned long addr;

	context->refused = true;
	/*
	 * MAP_NORESERVE because private writable mappings are charged in full
	 * before .mmap runs: what is mapped ahead must cost nothing.
	 */
	addr = vm_mmap(file, 0, size, PROT_READ | PROT_WRITE,
		       MAP_PRIVATE | MAP_NORESERVE,
		       (unsigned long)ilog2(alignment) << PAGE_SHIFT);
	if (!IS_ERR_VALUE(addr))
		return 0;
	if ((int)addr == -EINTR)
		return -EINTR;
	return context->refused ? -ENOSPC : -ENOMEM;
}

/**
 * chunk_map_grow() - map more address space and put it in reserve
 * @context:   the context, of current->mm
 * @file:      its file
 * @size:      bytes that are needed
 * @alignment: bytes, a power of two, at least CHUNK_SIZE
 *
 * Maps more than is needed, in proportion to what there is, so that the number
 * of mappings grows with the logarithm of the heap; but less where the system
 * charges for address space all the same (overcommit mode 2), and no more than
 * is needed where a limit forbids it.
 *
 * Context: may sleep; takes mmap_lock for writing. map_lock held.
 * Return: 0; -ENOSPC if the system refuses address space: a limit, overcommit,
 * too many mappings, no room; -ENOMEM if there is no memory for the module; -EINTR
 * after a fatal signal.
 */
int chunk_map_grow(struct chunk_context *context, struct file *file,
		   unsigned long size, unsigned long alignment)
{
	unsigned long ahead = min(READ_ONCE(context->mapped), CHUNK_GROW_MAX);
	unsigned long grow = min_t(u64, READ_ONCE(context->grow),
				   CHUNK_LENGTH_MAX);
	unsigned long step = max(grow, size);
	unsigned long steps[] = { max(ahead, step), step, size };
	int err = -ENOMEM;
	int i;

	lockdep_assert_held(&context->map_lock);
	context->charge_max = step;
	/* Large pieces of what begins where the registry's nodes do are cheap. */
	alignment = max(alignment, CHUNK_GROW_ALIGNMENT);
	WRITE_ONCE(context->mapper, current);
	for (i = 0; i < ARRAY_SIZE(steps) && err && err != -EINTR; i++) {
		if (!i || steps[i] < steps[i - 1])
			err = map_reserved(file, steps[i], alignment);
	}
	WRITE_ONCE(context->mapper, NULL);
	if (!err)
		WRITE_ONCE(context->grown, context->grown + 1);
	return err;
}

/**
 * chunk_unmap() - return address space to the system
 * @context: the context, of current->mm
 * @addr:    first byte of context->unmapping
 * @size:    bytes
 *
 * Context: may sleep; takes mmap_lock for writing. map_lock held.
 * Return: whether it worked; if not, nothing has changed.
 */
bool chunk_unmap(struct chunk_context *context, unsigned long addr,
		 unsigned long size)
{
	int err;

	lockdep_assert_held(&context->map_lock);
	WRITE_ONCE(context->mapper, current);
	err = vm_munmap(addr, size);
	WRITE_ONCE(context->mapper, NULL);
	return !err;
}

/* The mapping at an address, if it is ours. Most often it is the one before. */
static struct vm_area_struct *mapping_at(struct chunk_context *context,
					 unsigned long addr,
					 struct vm_area_struct *before)
{
	struct vm_area_struct *vma;

	if (before && before->vm_start <= addr && addr < before->vm_end)
		return before;
	vma = vma_lookup(context->mm, addr);
	return vma && chunk_mapping_ours(vma, context) ? vma : NULL;
}

static unsigned long traits_of(struct vm_area_struct *vma)
{
	unsigned long traits = 0;

	if (vma->vm_flags & VM_LOCKED)
		traits |= CHUNK_VMA_LOCKED;
	if (vma->vm_flags & VM_EXEC)
		traits |= CHUNK_VMA_EXEC;
	if (chunk_vma_keeps_contents(vma))
		traits |= CHUNK_VMA_SEALED;
	if (is_changed(vma))
		traits |= CHUNK_VMA_CHANGED;
	return traits;
}

static unsigned long base_of(const struct vm_area_struct *vma)
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
		vma = mapping_at(context, from, vma);
		if (!vma)
			return -ESTALE;
		if (from == addr)
			vmas->base = base_of(vma);
		else if (base_of(vma) != vmas->base)
			vmas->traits |= CHUNK_VMA_MIXED;
		vmas->traits |= traits_of(vma);
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
 * chunk_at_edge() - can a range be unmapped without one mapping more?
 * @addr: first byte, in a mapping of current->mm
 * @size: bytes
 *
 * Only where one mapping goes on at both sides of the range, two are left of it.
 *
 * Context: mmap_lock held.
 */
bool chunk_at_edge(unsigned long addr, unsigned long size)
{
	struct vm_area_struct *first = vma_lookup(current->mm, addr);
	struct vm_area_struct *last = vma_lookup(current->mm, addr + size - 1);

	return first && last &&
	       (first != last || first->vm_start == addr ||
		last->vm_end == addr + size);
}

/* Part of a mapping of ours; chunk_zap()'s return value */
static int zap_in_steps(struct vm_area_struct *vma, unsigned long addr,
			unsigned long end)
{
	unsigned long size;

	for (; addr < end; addr += size) {
		if (fatal_signal_pending(current))
			return -EINTR;
		size = min(end - addr, CHUNK_ZAP_STEP - addr % CHUNK_ZAP_STEP);
		chunk_zap_vma(vma, addr, size);
		cond_resched();
	}
	return 0;
}

/**
 * chunk_zap() - free the memory of a range, of those parts that are ours
 * @context: the context
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @only:    the mapping, if one is known to cover the whole range, or NULL
 *
 * Does nothing on a kernel that exports no way to (CHUNK_CAP_ZAP).
 *
 * Context: may sleep; mmap_lock held, no other lock.
 * Return: 0, or -EINTR after a fatal signal, with part of the memory freed.
 */
int chunk_zap(struct chunk_context *context, unsigned long addr,
	      unsigned long size, struct vm_area_struct *only)
{
	unsigned long end = addr + size;
	struct vm_area_struct *vma;
	int err = 0;

	lockdep_assert_held(&context->mm->mmap_lock);
	if (only)
		return zap_in_steps(only, addr, end);
	while (addr < end && !err) {
		unsigned long from, to;

		vma = find_vma(context->mm, addr);
		if (!vma || vma->vm_start >= end)
			break;
		from = max(addr, vma->vm_start);
		to = min(end, vma->vm_end);
		if (chunk_mapping_ours(vma, context))
			err = zap_in_steps(vma, from, to);
		addr = to;
	}
	return err;
}
