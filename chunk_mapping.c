// SPDX-License-Identifier: GPL-2.0-only
/*
 * Mappings: the regions that mmap(2) on the device makes, and the changes that
 * the user makes to their VMAs without asking us.
 *
 * VMAs of ours carry no VM_SPECIAL flag, so that mlock, KSM, core dumps and the
 * rest treat them as private memory. So only their offsets keep mm from merging
 * the VMAs of two regions: see mapping_unique_offset().
 */
#include <linux/fs.h>
#include <linux/mm.h>

#include "chunk_account.h"
#include "chunk_kcompat.h"
#include "chunk_module.h"
#include "chunk_words.h"

/* Count a VMA that comes or goes, if it is a forked child's. */
static void mapping_count_inherited(const struct vm_area_struct *vma, int nr)
{
	struct chunk_context *context = vma->vm_file->private_data;

	if (vma->vm_mm != context->mm)
		atomic_add(nr, &context->inherited);
}

/*
 * A VMA was copied: split in two, moved (which .mremap will refuse and undo),
 * or inherited by a child.
 */
static void chunk_vma_open(struct vm_area_struct *vma)
{
	struct chunk_region *region = vma->vm_private_data;

	mapping_count_inherited(vma, 1);
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
		if (!chunk_mapping_ourselves(region->context))
			region->may_have_holes = true;
		spin_unlock(&region->context->lock);
	}
}

/*
 * Did chunk_free_unmap() ask for this VMA to be unmapped? If not, the user had
 * mapped something else in its place.
 */
static bool vma_unmapped_by_us(const struct chunk_context *context,
			       const struct vm_area_struct *vma,
			       const struct chunk_region *region)
{
	const struct chunk_extent *extent = context->unmapping;

	lockdep_assert_held(&context->lock);
	return chunk_mapping_ourselves(context) && extent &&
	       extent->owner == region && vma->vm_start >= extent->addr &&
	       vma->vm_end - extent->addr <= extent->size;
}

/*
 * Part of a region, or the last of it, was unmapped. mmap_lock may have been
 * downgraded to reading already. The VMA still pins the file, so the context
 * is there.
 */
static void chunk_vma_close(struct vm_area_struct *vma)
{
	struct chunk_region *region = vma->vm_private_data;
	struct chunk_context *context;
	bool last;

	mapping_count_inherited(vma, -1);
	if (!region)
		return;
	context = region->context;
	if (!context) {
		chunk_region_put(region);
		return;
	}
	spin_lock(&context->lock);
	last = !--region->vmas;
	if (last)
		chunk_unlink_region(context, region);
	if (!vma_unmapped_by_us(context, vma, region))
		region->may_have_holes = true;
	spin_unlock(&context->lock);
	if (last)
		chunk_drop_region(context, region);
	chunk_region_put(region);
}

/* State is by address, and source pages must not be shared between offsets. */
static int chunk_vma_mremap(struct vm_area_struct *vma)
{
	return -EINVAL;
}

/*
 * A protection changes, maybe that of a free extent: ALLOC must look at the
 * mapping before it hands it out as readable and writable. mm also calls this
 * for pkey_mprotect(2).
 */
static int chunk_vma_mprotect(struct vm_area_struct *vma, unsigned long start,
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

static const struct vm_operations_struct chunk_vm_ops = {
	.open = chunk_vma_open,
	.close = chunk_vma_close,
	.mremap = chunk_vma_mremap,
	.mprotect = chunk_vma_mprotect,
	.fault = chunk_fault,
	.map_pages = chunk_map_none,
};

/* Put the extent of a region that we map ourselves into the retained tree. */
static void mapping_retain(struct chunk_context *context,
			   struct chunk_region *region,
			   struct chunk_extent *extent)
{
	struct chunk_extent *free_nodes = NULL;
	int err;

	chunk_region_close(region, extent->addr, extent->size);
	chunk_tree_claim(&context->retained, extent->size);
	err = chunk_tree_insert(&context->retained, extent, &free_nodes);
	WARN_ON_ONCE(err || free_nodes);
}

/*
 * Make a new region and its extent known: retained if we premap, live if the
 * user called mmap(2). 0 or a negative error number
 */
static int mapping_register(struct chunk_context *context,
			    struct chunk_region *region,
			    struct chunk_extent *extent)
{
	bool premap = chunk_mapping_ourselves(context);
	int err = 0;

	if (chunk_is_huge(context))
		chunk_huge_sweep(context);
	/* This mapping has replaced all mappings that were here before. */
	chunk_drop_range(context, extent->addr,
			 extent->addr + extent->size - 1, NULL);
	if (!premap && chunk_has_words(context))
		chunk_words_reset(context, extent->addr, extent->size);
	if (!premap)
		err = chunk_radix_store(&context->live, extent, GFP_KERNEL);
	if (err)
		return err;

	spin_lock(&context->lock);
	if (premap)
		mapping_retain(context, region, extent);
	else
		chunk_publish_extent(context, extent, 0, false);
	/* From here on nobody chooses another backing. */
	context->configured = true;
	/* mm does not tell us when a mapping of the huge backing changes. */
	region->may_have_holes |= chunk_is_huge(context);
	region->vmas = 1;
	chunk_account_region(context, region, region->chunks * CHUNK_SIZE);
	list_add_tail(&region->list, &context->regions);
	spin_unlock(&context->lock);
	return 0;
}

/*
 * mm merges adjacent VMAs of one file with contiguous vm_pgoff without telling
 * us: as it would where the beginning of a region is mapped over. So each
 * region gets a range of offsets of its own, which continues no other's, nor
 * ends where an offset that a user may ask for begins. Other contexts have
 * other files. The user sees the offsets in /proc/PID/maps only. Should the
 * number ever wrap, two regions are taken for one only if they also begin at
 * the same address: mm and chunk_vmas_of() compare offsets minus addresses.
 *
 * Context: mmap_lock of context->mm held for writing.
 */
static unsigned long mapping_unique_offset(struct chunk_context *context)
{
	unsigned long offset;

	do {
		offset = ++context->offsets <<
			 order_base_2(TASK_SIZE_MAX >> PAGE_SHIFT);
	} while (!offset);
	return offset;
}

/* May a region be made of this VMA? 0 or a negative error number */
static int mapping_check(struct chunk_context *context,
			 const struct vm_area_struct *vma)
{
	unsigned long size = vma->vm_end - vma->vm_start;
	unsigned long alignment = chunk_offset_alignment(vma->vm_pgoff);

	/* With a file that is open for reading only mm clears VM_SHARED. */
	if (vma->vm_flags & (VM_SHARED | VM_MAYSHARE))
		return -EINVAL;
	if (!alignment || !IS_ALIGNED(vma->vm_start, alignment) ||
	    !IS_ALIGNED(size, CHUNK_SIZE))
		return -EINVAL;
	/* As in chunk_get_unmapped_area(): it bounds the size of the bitmaps. */
	if (size > CHUNK_LENGTH_MAX)
		return -ENOMEM;
	if (chunk_mapping_ourselves(context) && size > context->charge_max &&
	    !(vma->vm_flags & VM_NORESERVE))
		return -ENOMEM;
	return 0;
}

/* The region of a VMA, with one reference, or NULL without memory */
static struct chunk_region *mapping_new_region(struct chunk_context *context,
					       struct vm_area_struct *vma)
{
	struct chunk_region *region;

	region = chunk_region_new(vma->vm_start, vma->vm_end - vma->vm_start);
	if (!region)
		return NULL;
	region->space = context->space;
	region->context = context;
	region->pgoff = mapping_unique_offset(context);
	if (chunk_mapping_ourselves(context))
		region->executable = vma->vm_flags & VM_EXEC;
	else
		region->may_have_holes = chunk_vma_changed(vma) ||
					 (vma->vm_flags & VM_EXEC);
	chunk_region_charge(region, context->mm);
	return region;
}

/* The only extent of a new region, or NULL without memory */
static struct chunk_extent *mapping_new_extent(struct chunk_context *context,
					       struct chunk_region *region)
{
	struct chunk_extent *extent = chunk_extent_new(context);

	if (!extent)
		return NULL;
	extent->addr = region->start;
	extent->size = region->chunks * CHUNK_SIZE;
	extent->owner = region;
	extent->type = ZEROED_CHUNK;
	extent->live = false;
	return extent;
}

static int mapping_add(struct chunk_context *context,
		       struct vm_area_struct *vma)
{
	struct chunk_region *region;
	struct chunk_extent *extent;
	int err;

	if (chunk_mapping_ourselves(context))
		context->refused = false;
	err = mapping_check(context, vma);
	if (err)
		return err;

	region = mapping_new_region(context, vma);
	if (!region)
		return -ENOMEM;
	err = -ENOMEM;
	extent = mapping_new_extent(context, region);
	if (!extent)
		goto free_region;
	chunk_region_get(region); /* one for the list, one for the VMA */
	err = mapping_register(context, region, extent);
	if (err)
		goto free_extent;
	vma->vm_pgoff = region->pgoff;
	if (chunk_is_huge(context)) {
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

/**
 * chunk_mmap() - file_operations.mmap: make a region, or map words
 * @file: the device
 * @vma:  the mapping: private for a region, shared for words
 *
 * Context: may sleep; mmap_lock of current->mm held for writing.
 * Return: 0; -EPERM in another address space than the opener's; -EINVAL if the
 * mapping has the wrong kind or is misaligned; -ENOMEM.
 */
int chunk_mmap(struct file *file, struct vm_area_struct *vma)
{
	struct chunk_context *context = file->private_data;

	if (current->mm != context->mm || vma->vm_mm != context->mm)
		return -EPERM;
	if (chunk_words_offset(vma->vm_pgoff))
		return chunk_words_mmap(context, vma);
	return mapping_add(context, vma);
}
