/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's own structures: contexts, regions, and how they hang together.
 *
 * Objects
 *
 *   file -> context -> regions, and extents in two trees and a registry
 *   VMA  -> region, and VMA -> file
 *
 * A context is one open file. It lives until .release; VMAs pin the file, so
 * no region of the context has a VMA left by then. It holds the opener's
 * mm_struct by mmgrab() only: with mmget() the mm would own the VMA, the VMA
 * the file and the file the mm, for ever.
 *
 * A region is what one mmap created: a range of address space and a bitmap of
 * what in it is decommitted. It never learns VMA pointers. The user may unmap,
 * replace or split its VMAs at any time: the region only counts them, and every
 * operation that acts on memory looks them up afresh.
 *
 * A region is referenced by each of its VMAs and, while it has any, by its
 * context's list. Extents name their region without a reference: when the last
 * VMA goes, the extents are forgotten before the region is.
 *
 * After fork the child's VMAs point to snapshots, regions without a context:
 * the guards stay as they were at the moment of fork. All VMAs of a region share
 * one snapshot of the whole region, since the core moves the borders between
 * them without telling us: see chunk_fork.c.
 *
 * The VMAs of the huge backing are anonymous: they have no operations, hence no
 * region, and nobody hears when they go. A region of that backing stays on its
 * context's list until a sweep finds that nothing of it is mapped, and whatever
 * acts on it looks first, as where a region was tampered with. Nothing traps
 * there: what is decommitted is zapped again when it is handed out or committed.
 *
 * Invariant: every byte of a region's address space that is still mapped belongs
 * to exactly one extent, and chunk_drop_range() finds that extent. The extent
 * is live (in the registry), recycled or reserved (in one of the trees), or
 * context->unmapping. An operation that takes an extent out of all of these and
 * drops context->lock keeps mmap_lock until the extent is back: while mmap_lock is
 * held nobody unmaps or replaces a mapping, so nobody has an extent to forget.
 * chunk_unmap() cannot hold mmap_lock, which is why context->unmapping exists.
 * chunk_verify.c checks the invariant; docs/ownership.md lists who relies on it.
 *
 * Locks, outermost first
 *
 *   context->map_lock   our own vm_mmap and vm_munmap calls, one at a time, so
 *                       that .mmap and ->close know them from the user's; and
 *                       commits of the huge backing, of which each frees what
 *                       it finds decommitted
 *   mmap_lock, or in a fault the lock of one VMA, which excludes fork, split
 *                       and unmapping of that VMA as well
 *   source page lock    held from before the fault handler looks at the state
 *                       until the page is mapped: see chunk_gate.c
 *   context->lock       spinlock: trees, registry, lists, counters, and writing
 *                       a region's state. Innermost but for the XArray's own
 *                       lock. Nothing sleeps, faults or zaps under it
 *
 * The fault path reads a region's state with no lock at all.
 *
 * Dealloc and decommit hold mmap_lock for reading from the check of the VMAs to
 * the end, so that what they act on stays what they checked. Alloc takes it
 * only where a region was tampered with (region->may_have_holes): where the user unmapped
 * or replaced part of it, split its mapping, or changed a protection.
 */
#ifndef CHUNK_MODULE_H
#define CHUNK_MODULE_H

#include <linux/atomic.h>
#include <linux/bits.h>
#include <linux/fs.h>
#include <linux/list.h>
#include <linux/mm_types.h>
#include <linux/mutex.h>
#include <linux/refcount.h>
#include <linux/spinlock.h>

#include <linux/chunk.h>

#include "chunk_radix.h"
#include "chunk_tree.h"

#define CHUNK_PAGES	(CHUNK_SIZE / PAGE_SIZE)

/* What is kept for reuse unless asked otherwise: as much as mozjemalloc does. */
#define CHUNK_RECYCLE_LIMIT	(128 * CHUNK_SIZE)

/* As much as there is, is mapped ahead, but no more than this. */
#define CHUNK_GROW_MAX		(16384 * CHUNK_SIZE)
#define CHUNK_GROW_ALIGNMENT	(64 * CHUNK_SIZE)

/*
 * Most of a range that is gone over at a time with context->lock held: 8 page
 * bitmaps, some 0.1 ms. See docs/loops.md.
 */
#define CHUNK_STEP		(1024 * CHUNK_SIZE)

/* Most memory that is freed before others are let in: 65,536 pages */
#define CHUNK_ZAP_STEP		(256 * CHUNK_SIZE)

struct chunk_gate;

/**
 * struct chunk_space - an address space that has regions of one context
 * @refs:  one while there are @users, one of the parent's @heir
 * @users: the context; in a forked child its snapshots
 * @mm:    the address space; only compared
 * @gate:  the fault gate of its regions
 * @heir:  the latest forked child, or NULL: none yet; mmap_lock of @mm held for
 *         writing, or no user left
 * @forks: number of the latest fork; mmap_lock of @mm held for writing
 */
struct chunk_space {
	refcount_t refs;
	atomic_long_t users;
	struct mm_struct *mm;
	struct chunk_gate *gate;
	struct chunk_space *heir;
	unsigned long forks;
};

/**
 * struct chunk_region - address space from one mmap
 * @refs:      VMAs, plus one while on the context's list
 * @mm:        the address space it lies in, only charged: see chunk_charge.c
 * @space:     the same with its fault gate (invariant)
 * @copy:      its snapshot in the child of fork number @copied, or NULL: there
 *             was no memory; valid only during that fork
 * @copied:    space->forks when @copy was made; mmap_lock of @mm held for writing
 * @context:   whose it is, or NULL in a forked child's snapshot
 * @list:      in context->regions; context->lock
 * @vmas:      how many VMAs there are; context->lock. 0: gone
 * @bytes:     of it that belong to an extent; context->lock
 * @may_have_holes: part of it was unmapped, replaced, split or protected by the user,
 *             or may have been, unnoticed, since the backing is huge; context->lock
 * @start:     first byte, a multiple of CHUNK_SIZE (invariant)
 * @chunks:    size in chunks (invariant)
 * @pgoff:     offset of its first page, by which its VMAs are known (invariant)
 * @executable: mapped ahead, and executable all the same, since the process wants
 *             all of its memory to be (READ_IMPLIES_EXEC) (invariant)
 * @verified:  bytes in extents as chunk_verify() counts them; context->lock
 * @read_next: where a read fault would be the next in a row; a hint, no lock
 * @nr_page_bitmaps: page bitmaps there are; context->lock
 * @decommitted_chunks: bitmap: chunks that are wholly decommitted
 * @page_bitmaps: for each run of CHUNK_PAGE_BITMAP_CHUNKS chunks a bitmap of pages, or
 *             NULL: what is decommitted of the other chunks. Meaningless
 *             for chunks that are
 */
struct chunk_region {
	refcount_t refs;
	struct mm_struct *mm;
	struct chunk_space *space;
	struct chunk_region *copy;
	unsigned long copied;
	struct chunk_context *context;
	struct list_head list;
	unsigned long vmas;
	unsigned long bytes;
	bool may_have_holes;
	unsigned long start;
	unsigned long chunks;
	unsigned long pgoff;
	bool executable;
	unsigned long verified;
	unsigned long read_next;
	unsigned long nr_page_bitmaps;
	unsigned long *decommitted_chunks;
	unsigned long *page_bitmaps[];
};

/**
 * struct chunk_counts - what happened since open; context->lock
 * @allocs:          extents handed out
 * @allocs_recycled: of these, by reuse
 * @deallocs:        extents taken back
 * @commits:         commit calls
 * @decommits:       decommit calls
 */
struct chunk_counts {
	u64 allocs;
	u64 allocs_recycled;
	u64 deallocs;
	u64 commits;
	u64 decommits;
};

/**
 * struct chunk_context - one open file
 * @mm:          the opener's address space, pinned by mmgrab() (invariant)
 * @space:       the same with its fault gate (invariant)
 * @mapping:     file->f_mapping, without pages: of VMAs of this file only. That of
 *               the inode would have those of all users, and a lock that they
 *               wait for in mmap, munmap and fork
 * @offsets:     how many ranges of file offsets were given to regions; mmap_lock of
 *               @mm held for writing
 * @map_lock:    serialises our own vm_mmap and vm_munmap
 * @mapper:      the task inside one of them; written under @map_lock
 * @refused:     its vm_mmap has not come as far as .mmap; @map_lock
 * @grown:       how often we mapped ahead; written under @map_lock
 * @charge_max:  the most bytes to map ahead where that is charged; @map_lock
 * @lock:        see above
 * @recycled:    free extents kept for reuse, up to the limit
 * @retained:    free extents that are mapped but have not been used, or could
 *               not be unmapped without splitting a mapping
 * @live:        extents handed out
 * @unmapping:   extent in no tree that chunk_free_unmap() is unmapping, or NULL
 *               where there is none or its address space was lost meanwhile
 * @free_nodes:      nodes in no use, a few
 * @regions:     regions that have VMAs
 * @nr_regions:  how many
 * @sweep:       of the huge backing: look for regions that are gone from so many
 * @mapped:      bytes in them
 * @live_bytes:  in live extents
 * @live_extents: how many
 * @decommitted: decommitted pages of live extents
 * @grow:        bytes to map at a time
 * @huge:        CHUNK_BACKING_HUGE; constant once @configured
 * @configured:  there was an extent: the backing is settled
 * @counts:      for statistics
 * @traps:       faults on decommitted pages
 */
struct chunk_context {
	struct mm_struct *mm;
	struct chunk_space *space;
	struct address_space mapping;
	unsigned long offsets;
	/* outermost */
	struct mutex map_lock;
	struct task_struct *mapper;
	bool refused;
	unsigned long grown;
	unsigned long charge_max;
	/* innermost */
	spinlock_t lock;
	struct chunk_tree recycled;
	struct chunk_tree retained;
	struct chunk_radix live;
	struct chunk_extent *unmapping;
	struct chunk_extent *free_nodes;
	struct list_head regions;
	unsigned long nr_regions;
	unsigned long sweep;
	unsigned long mapped;
	unsigned long live_bytes;
	unsigned long live_extents;
	unsigned long decommitted;
	unsigned long grow;
	bool huge;
	bool configured;
	struct chunk_counts counts;
	atomic_long_t traps;
};

/* What a user may have made of mappings */
#define CHUNK_VMA_LOCKED	BIT(0)	/* mlocked */
#define CHUNK_VMA_SEALED	BIT(1)	/* mseal() keeps its contents */
#define CHUNK_VMA_CHANGED	BIT(2)	/* not as ALLOC hands it out */
#define CHUNK_VMA_EXEC		BIT(3)	/* executable, too */
#define CHUNK_VMA_MIXED		BIT(4)	/* of several regions */

/**
 * struct chunk_vmas - the mappings of a range, as chunk_check_vmas() found them
 * @only:   the mapping, if one covers the whole range; else NULL. Good for as
 *          long as mmap_lock is held
 * @base:   offset of address 0, in pages, if the first one's offsets went on
 *          down to there: differs from region to region
 * @traits: CHUNK_VMA_* that one of them has at least
 */
struct chunk_vmas {
	struct vm_area_struct *only;
	unsigned long base;
	unsigned long traits;
};

/* The most extents that one call of chunk_alloc() or the like deals with. */
#define CHUNK_JOBS	32

/**
 * struct chunk_job - one of several things to be done by one call
 * @addr:      first byte
 * @size:      bytes
 * @alignment: bytes, for chunk_alloc()
 * @decommitted: for chunk_alloc(): as what the extent is handed out
 * @err:       what came of it: 0 or a negative error number
 * @extent:    for chunk_alloc() and chunk_dealloc() themselves: the extent, once
 *             taken or retired
 * @recycled:  by chunk_alloc(): it had been kept for reuse
 * @region:    its region, with a reference
 * @room:      how much of it may be kept for reuse
 * @vma:       for chunk_decommit() itself: the mapping, if it is only one
 * @mapped:    for chunk_dealloc() itself: what chunk_check_vmas() said
 * @vmas:      for chunk_dealloc() itself: its mappings
 */
struct chunk_job {
	unsigned long addr;
	unsigned long size;
	unsigned long alignment;
	bool decommitted;
	int err;
	struct chunk_extent *extent;
	bool recycled;
	struct chunk_region *region;
	size_t room;
	struct vm_area_struct *vma;
	int mapped;
	struct chunk_vmas vmas;
};

/* chunkmod.c */
extern const struct file_operations chunk_fops;
unsigned long chunk_max_recycle_limit(void);
unsigned long chunk_default_grow(void);
u64 chunk_caps(void);

/* chunk_node.c */
int chunk_extent_cache_init(void);
void chunk_extent_cache_exit(void);
struct chunk_extent *chunk_extent_new(struct chunk_context *context);
void chunk_extent_free(struct chunk_context *context,
		       struct chunk_extent *extent);
void chunk_nodes_free(struct chunk_context *context,
		      struct chunk_extent *free_nodes);
void chunk_nodes_keep(struct chunk_context *context,
		      struct chunk_extent **free_nodes);
int chunk_nodes_refill(struct chunk_context *context);

/* chunk_charge.c */
void chunk_charge(struct mm_struct *mm, size_t bytes);
void chunk_uncharge(struct mm_struct *mm, size_t bytes);

/* chunk_context.c */
struct chunk_context *chunk_context_new(struct mm_struct *mm);
void chunk_context_free(struct chunk_context *context);
void chunk_unregister(struct chunk_context *context,
		      struct chunk_extent *extent);
void chunk_unaccount(struct chunk_context *context,
		     const struct chunk_extent *extent);
void chunk_drop_range(struct chunk_context *context, unsigned long start,
		      unsigned long last, struct chunk_region *owner);
void chunk_context_stats(struct chunk_context *context,
			 struct chunk_ioc_stats *stats);
void chunk_context_lookup(struct chunk_context *context,
			  struct chunk_ioc_lookup *lookup);

/* chunk_free.c */
void chunk_drop_extent(struct chunk_context *context,
		       struct chunk_extent *extent);
void chunk_free_put(struct chunk_context *context, struct chunk_tree *tree,
		    struct chunk_extent *extent, struct chunk_extent **free_nodes);
void chunk_free_retain(struct chunk_context *context,
		       struct chunk_extent *extent,
			struct chunk_extent **free_nodes);
void chunk_free_unmap(struct chunk_context *context, unsigned long addr);
bool chunk_free_trim(struct chunk_context *context, bool split);
unsigned long chunk_recycle_limit(struct chunk_context *context);
int chunk_set_limit(struct chunk_context *context, unsigned long limit);

/* chunk_alloc.c */
void chunk_alloc(struct chunk_context *context, struct file *file,
		 struct chunk_job *jobs, unsigned int nr);

/* chunk_dealloc.c */
void chunk_dealloc(struct chunk_context *context, struct chunk_job *jobs,
		   unsigned int nr);
void chunk_alloc_undo(struct chunk_context *context, struct chunk_job *job);

/* chunk_range.c */
void chunk_commit(struct chunk_context *context, struct chunk_job *jobs,
		  unsigned int nr);
void chunk_decommit(struct chunk_context *context, struct chunk_job *jobs,
		    unsigned int nr, bool locked);

/* chunk_populate.c */
void chunk_populate(struct chunk_job *jobs, unsigned int nr);

/* chunk_ioctl.c */
long chunk_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* chunk_mapping.c */
bool chunk_mapping_ours(const struct vm_area_struct *vma,
			const struct chunk_context *context);
extern const struct vm_operations_struct chunk_vm_ops;
int chunk_mmap(struct file *file, struct vm_area_struct *vma);
unsigned long chunk_get_unmapped_area(struct file *file, unsigned long addr,
				      unsigned long len, unsigned long pgoff,
				      unsigned long flags);
int chunk_map_grow(struct chunk_context *context, struct file *file,
		   unsigned long size, unsigned long alignment);
bool chunk_unmap(struct chunk_context *context, unsigned long addr,
		 unsigned long size);
int chunk_check_mapped(struct chunk_context *context, unsigned long addr,
		       unsigned long size, bool locked,
		       struct vm_area_struct **only);
int chunk_check_vmas(struct chunk_context *context, unsigned long addr,
		     unsigned long size, struct chunk_vmas *vmas);
bool chunk_vmas_of(const struct chunk_vmas *vmas,
		   const struct chunk_region *region);
bool chunk_vmas_changed(const struct chunk_vmas *vmas,
			const struct chunk_region *region);
bool chunk_at_edge(unsigned long addr, unsigned long size);
int chunk_zap(struct chunk_context *context, unsigned long addr,
	      unsigned long size, struct vm_area_struct *only);

/* chunk_huge.c */
void chunk_huge_sweep(struct chunk_context *context);
void chunk_huge_free(struct chunk_context *context);
int chunk_huge_zap(struct chunk_context *context, unsigned long addr,
		   unsigned long *end);

/* chunk_region.c */
struct chunk_region *chunk_region_new(unsigned long start, unsigned long size);
void chunk_region_charge(struct chunk_region *region, struct mm_struct *mm);
struct chunk_region *chunk_region_snapshot(const struct chunk_region *region);
void chunk_region_get(struct chunk_region *region);
void chunk_region_put(struct chunk_region *region);
bool chunk_region_decommitted(const struct chunk_region *region,
			      unsigned long addr);
unsigned long chunk_region_find(const struct chunk_region *region,
				unsigned long addr, unsigned long end,
				bool decommitted);
bool chunk_region_wants_page_bitmap(const struct chunk_region *region, bool commit,
				    unsigned long addr, unsigned long size,
			     unsigned long *at);
int chunk_region_add_page_bitmap(struct chunk_region *region, unsigned long at);
unsigned long chunk_region_commit(struct chunk_region *region,
				  unsigned long addr, unsigned long size);
unsigned long chunk_region_decommit(struct chunk_region *region,
				    unsigned long addr, unsigned long size);
void chunk_region_open(struct chunk_region *region, unsigned long addr,
		       unsigned long size);
void chunk_region_close(struct chunk_region *region, unsigned long addr,
			unsigned long size);
int chunk_region_clean(struct chunk_region *region, unsigned long addr,
		       unsigned long size);

/* chunk_fault.c */
vm_fault_t chunk_fault(struct vm_fault *vmf);

/* chunk_fork.c */
struct chunk_space *chunk_space_new(struct mm_struct *mm);
void chunk_space_leave(struct chunk_space *space);
struct chunk_region *chunk_region_inherit(struct chunk_region *region,
					  struct mm_struct *mm);

/* chunk_gate.c */
struct chunk_gate *chunk_gate_new(struct mm_struct *mm);
void chunk_gate_free(struct chunk_gate *gate);
struct page *chunk_gate_enter(struct chunk_gate *gate);
void chunk_gate_give(struct page *page);
void chunk_gate_exit(struct page *page);
void chunk_gate_synchronize(struct chunk_gate *gate);

/* chunk_verify.c */
#ifdef CONFIG_DEBUG_VM
void chunk_verify(struct chunk_context *context);
#else
static inline void chunk_verify(struct chunk_context *context)
{
}
#endif

#endif /* CHUNK_MODULE_H */
