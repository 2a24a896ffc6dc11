/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * The module's own structures: contexts, regions, and how they hang together.
 *
 * Layers, lowest first. A function calls others of its own file or of a lower
 * layer; files of one layer do not call each other.
 *
 *   layer 1: chunk_tree.c chunk_radix.c chunk_charge.c chunk_trace.c
 *   layer 2: chunk_node.c chunk_gate.c
 *   layer 3: chunk_space.c
 *   layer 4: chunk_region.c
 *   layer 5: chunk_vmas.c chunk_area.c chunk_drop.c chunk_fault.c chunk_fork.c
 *   layer 6: chunk_zap.c chunk_free.c chunk_grow.c chunk_words.c
 *   layer 7: chunk_huge.c chunk_populate.c chunk_report.c
 *   layer 8: chunk_context.c chunk_mapping.c chunk_alloc.c chunk_dealloc.c chunk_range.c
 *   layer 9: chunk_ioctl.c chunk_verify.c chunk_discard.c chunk_debugfs.c
 *   layer 10: chunkmod.c
 *
 * Objects
 *
 *   file -> context -> regions, extents in two trees and a registry, and pages
 *                      of words
 *   VMA  -> region, and VMA -> file
 *
 * A context is one open file. It lives until .release; VMAs pin the file, so
 * no region of the context has a VMA left by then. It holds the opener's
 * mm_struct by mmgrab() only: with mmget() the mm would own the VMA, the VMA
 * the file and the file the mm, for ever.
 *
 * The shrinker of chunk_discard.c may refer to a context for a moment longer, and
 * readers of chunk_debugfs.c for longer than that: by then the context has neither
 * regions nor extents, only pages of words.
 *
 * A region is the result of one mmap: a range of address space, and a bitmap of
 * its decommitted chunks. A region never learns VMA pointers. The user may
 * unmap, replace or split its VMAs at any time: the region only counts them,
 * and every operation that acts on memory looks them up afresh.
 *
 * A region is referenced by each of its VMAs and, while it has any, by its
 * context's list. Extents name their region without a reference: when the last
 * VMA goes, the extents are dropped before the region is.
 *
 * After fork the child's VMAs point to snapshots, regions without a context:
 * the guards stay as they were at the moment of fork. All VMAs of a region
 * share one snapshot of the whole region, since mm moves the borders between
 * them without telling us: see chunk_fork.c.
 *
 * The VMAs of the huge backing are anonymous: they have no operations, hence no
 * region, and mm tells nobody when they go. A region of that backing stays on
 * its context's list until a sweep finds none of it mapped. Every operation on
 * it checks the mappings first, as where a region may have holes. Its
 * decommitted pages do not trap: ALLOC and COMMIT zap them again before reuse.
 *
 * Invariant: every byte of a region's address space that is still mapped
 * belongs to exactly one extent, and chunk_drop_range() finds that extent. The
 * extent is live (in the registry), recycled or retained (in one of the trees),
 * or context->unmapping. An operation that takes an extent out of all of these
 * and drops context->lock keeps mmap_lock until the extent is back: while
 * mmap_lock is held nobody unmaps or replaces a mapping, so nobody has an
 * extent to drop. The munmap of chunk_free.c cannot hold mmap_lock, which is
 * why context->unmapping exists. chunk_verify.c checks the invariant;
 * docs/ownership.md lists the functions that rely on it.
 *
 * Locks, outermost first
 *
 *   context->map_lock   our own vm_mmap and vm_munmap calls, one at a time, so
 *                       that .mmap and ->close can tell them from the user's;
 *                       and commits of the huge backing, each of which frees the
 *                       pages that it finds decommitted
 *   mmap_lock, or in a fault the lock of one VMA, which excludes fork, split
 *                       and unmapping of that VMA as well
 *   discard_lock        while offered chunks are being discarded: from the claim
 *                       of their words to the end of the zap. The shrinker only
 *                       tries to get it, and mmap_lock. Without an exported zap
 *                       mapping.i_mmap_rwsem is taken inside it, for reading
 *   fault gate          held from before the fault handler reads the state until
 *                       the page is mapped: see chunk_gate.c
 *   context->lock       spinlock: trees, registry, lists, counters, and writing
 *                       a region's state. Innermost but for the XArray's own
 *                       lock. Nothing sleeps, faults or zaps under it
 *
 * The fault path reads a region's state with no lock at all.
 *
 * Dealloc and decommit hold mmap_lock for reading from the check of the VMAs to
 * the end, so that the mappings that they act on stay as they were checked.
 * Alloc takes mmap_lock only for regions that may have holes: where the user
 * unmapped or replaced part of one, split its mapping, or changed a protection.
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
#include <linux/sched.h>
#include <linux/spinlock.h>
#include <linux/xarray.h>

#include <linux/chunk.h>

#include "chunk_radix.h"
#include "chunk_tree.h"

#define CHUNK_PAGES	(CHUNK_SIZE / PAGE_SIZE)

/*
 * Most of a range that is worked on in one piece under context->lock: 8 page
 * bitmaps, some 0.1 ms. See docs/loops.md.
 */
#define CHUNK_STEP		(1024 * CHUNK_SIZE)

/* Most memory that is freed before others are let in: 65,536 pages */
#define CHUNK_ZAP_STEP		(256 * CHUNK_SIZE)

struct chunk_gate;
struct seq_file;

/**
 * struct chunk_space - an address space that has regions of one context
 * @refs:  one while there are @users, one of the parent's @heir
 * @users: the context; in a forked child its snapshots
 * @mm:    the address space; only compared
 * @gate:  the fault gate of its regions
 * @heir:  the latest forked child, may be NULL: none yet; mmap_lock of @mm held
 *         for writing, or no user left
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
 * @mm:        its address space, only charged: see chunk_charge.c
 * @space:     the same with its fault gate (invariant)
 * @copy:      its snapshot in the child of fork number @copied, may be NULL:
 *             there was no memory; valid only during that fork
 * @copied:    space->forks when @copy was made; mmap_lock of @mm held for writing
 * @context:   its context, may be NULL: a snapshot in a forked child
 * @list:      link in context->regions; context->lock
 * @vmas:      number of its VMAs, 0 once it is unlinked; context->lock
 * @bytes:     bytes of it that belong to an extent; context->lock
 * @may_have_holes: part of it was unmapped, replaced, split or protected by the
 *             user, or may have been, unnoticed, since the backing is huge;
 *             context->lock
 * @start:     first byte, a multiple of CHUNK_SIZE (invariant)
 * @chunks:    size in chunks (invariant)
 * @pgoff:     file offset of its first page, which identifies its VMAs
 *             (invariant)
 * @executable: premapped and executable all the same, since the process wants
 *             all of its memory to be (READ_IMPLIES_EXEC) (invariant)
 * @verified:  bytes in extents as chunk_verify() counts them; context->lock
 * @read_next: address at which a read fault would be the next in a row; a hint,
 *             no lock
 * @nr_page_bitmaps: number of page bitmaps; context->lock
 * @decommitted_chunks: a bit for each chunk: wholly decommitted
 * @page_bitmaps: for each run of CHUNK_BITMAP_CHUNKS chunks a bit for each
 *             page: decommitted; may be NULL: none is, but for pages of chunks
 *             that are wholly decommitted. The bits of those mean nothing
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
 * struct chunk_account - counters of a context, written by chunk_account.h only
 * @mapped:          bytes in regions; context->lock, as the others
 * @live_bytes:      bytes in live extents
 * @live_extents:    number of live extents
 * @decommitted:     decommitted pages of live extents
 * @regions:         number of regions
 * @allocs:          extents handed out since open
 * @allocs_recycled: of these, by reuse
 * @deallocs:        extents taken back
 * @commits:         commit calls
 * @decommits:       decommit calls
 * @traps:           faults on decommitted pages; no lock
 */
struct chunk_account {
	unsigned long mapped;
	unsigned long live_bytes;
	unsigned long live_extents;
	unsigned long decommitted;
	unsigned long regions;
	u64 allocs;
	u64 allocs_recycled;
	u64 deallocs;
	u64 commits;
	u64 decommits;
	atomic_long_t traps;
};

/* CHUNK_BACKING_HUGE; constant once the context is configured */
#define CHUNK_SPECIAL_HUGE	1
/* There is a page of words; never reset */
#define CHUNK_SPECIAL_WORDS	2

/**
 * struct chunk_context - one open file
 * @refs:        one of the file; others of the shrinker, for a moment, and of
 *               readers of debugfs
 * @all:         link in the list of all contexts, until @refs is 0; its own lock
 * @id:          number of the context, in order of opening (invariant)
 * @owner:       the process that opened the file, with a reference (invariant)
 * @mm:          the opener's address space, pinned by mmgrab() (invariant)
 * @space:       the same with its fault gate (invariant)
 * @mapping:     file->f_mapping, without pages, for the VMAs of this file only.
 *               That of the inode would have the VMAs of all users, and a lock
 *               for which they wait in mmap, munmap and fork
 * @inherited:   VMAs of regions in other address spaces: forked children's. From 0
 *               it grows only with mmap_lock of @mm held for writing
 * @offsets:     number of ranges of file offsets that regions were given;
 *               mmap_lock of @mm held for writing
 * @map_lock:    serialises our own vm_mmap and vm_munmap
 * @mapper:      the task inside one of them; written under @map_lock
 * @refused:     its vm_mmap has not come as far as .mmap; @map_lock
 * @grown:       number of times that we premapped; written under @map_lock
 * @charge_max:  the most bytes to premap where they are charged; @map_lock
 * @words:       pages of words, struct chunk_words, by address
 * @discard_lock: see above
 * @discards:    chunks discarded since open; written under @discard_lock
 * @takes:       what the owner counted in words that were reset since; written
 *               under @discard_lock
 * @lock:        see above
 * @recycled:    free extents kept for reuse, up to the limit
 * @retained:    free extents that are premapped and unused, or could not be
 *               unmapped without splitting a mapping
 * @live:        extents handed out
 * @unmapping:   extent in no tree that chunk_free_unmap() is unmapping, may be
 *               NULL: there is none, or it was dropped meanwhile
 * @free_nodes:  unused nodes, a few
 * @regions:     regions that have VMAs
 * @sweep:       number of regions at which the huge backing looks for regions
 *               that the user has unmapped
 * @grow:        bytes to map at a time
 * @special:     CHUNK_SPECIAL_*; 0 for most. May be read without the lock
 * @configured:  there was an extent: the backing is settled
 * @account:     counters
 */
struct chunk_context {
	refcount_t refs;
	struct list_head all;
	u64 id;
	struct pid *owner;
	struct mm_struct *mm;
	struct chunk_space *space;
	struct address_space mapping;
	atomic_t inherited;
	unsigned long offsets;
	/* outermost */
	struct mutex map_lock;
	struct task_struct *mapper;
	bool refused;
	unsigned long grown;
	unsigned long charge_max;
	struct xarray words;
	/* inside mmap_lock */
	struct mutex discard_lock;
	u64 discards;
	u64 takes;
	/* innermost */
	spinlock_t lock;
	struct chunk_tree recycled;
	struct chunk_tree retained;
	struct chunk_radix live;
	struct chunk_extent *unmapping;
	struct chunk_extent *free_nodes;
	struct list_head regions;
	unsigned long sweep;
	unsigned long grow;
	u8 special;
	bool configured;
	struct chunk_account account;
};

/**
 * struct chunk_run - pages of one state, for debugfs
 * @start:   first byte
 * @end:     byte after them; the state may go on there
 * @state:   CHUNK_STATE_*
 * @offered: they are in chunks that are offered
 * @extent:  first byte of their extent; of what is retained, @start
 * @length:  bytes of the extent
 */
struct chunk_run {
	unsigned long start;
	unsigned long end;
	u32 state;
	bool offered;
	unsigned long extent;
	unsigned long length;
};

/* Traits that a user may have given to mappings */
#define CHUNK_VMA_LOCKED	BIT(0)	/* mlocked */
#define CHUNK_VMA_SEALED	BIT(1)	/* mseal() keeps its contents */
#define CHUNK_VMA_CHANGED	BIT(2)	/* not as ALLOC hands it out */
#define CHUNK_VMA_EXEC		BIT(3)	/* executable, too */
#define CHUNK_VMA_MIXED		BIT(4)	/* of several regions */

/**
 * struct chunk_vmas - the mappings of a range, as chunk_check_vmas() found them
 * @only:   the mapping, if one covers the whole range; else NULL. Good for as
 *          long as mmap_lock is held
 * @base:   file offset, in pages, that the first mapping would give to address 0:
 *          differs from region to region
 * @traits: CHUNK_VMA_* that one of them has at least
 */
struct chunk_vmas {
	struct vm_area_struct *only;
	unsigned long base;
	unsigned long traits;
};

/* The most jobs that one call deals with */
#define CHUNK_JOBS	32

/**
 * struct chunk_alloc_job - one extent to hand out
 * @size:        bytes, a non-zero multiple of CHUNK_SIZE
 * @alignment:   bytes, a power of two, at least CHUNK_SIZE
 * @decommitted: hand the extent out decommitted, else committed
 * @err:         result: 0, -ENOMEM or -EINTR
 * @addr:        result: first byte of the extent
 * @extent:      private to chunk_alloc.c: the extent, not yet registered
 * @recycled:    result: the extent had been kept for reuse
 */
struct chunk_alloc_job {
	unsigned long addr;
	unsigned long size;
	unsigned long alignment;
	bool decommitted;
	bool recycled;
	int err;
	struct chunk_extent *extent;
};

/**
 * struct chunk_dealloc_job - one extent to take back
 * @addr:   first byte
 * @size:   bytes
 * @err:    result: 0 or a negative error number
 * @mapped: private to chunk_dealloc.c: return value of chunk_check_vmas()
 * @extent: private: the extent once it is unregistered, else NULL
 * @region: private: its region, with a reference
 * @room:   private: bytes of it that may be kept for reuse
 * @vmas:   private: its mappings
 */
struct chunk_dealloc_job {
	unsigned long addr;
	unsigned long size;
	int err;
	int mapped;
	struct chunk_extent *extent;
	struct chunk_region *region;
	size_t room;
	struct chunk_vmas vmas;
};

/**
 * struct chunk_range_job - one range to commit, decommit or populate
 * @addr:    first byte, page-aligned
 * @size:    bytes, page-aligned
 * @err:     result: 0 or a negative error number
 * @trapped: private to chunk_range.c: bytes that a decommit made trap, from the
 *           first on
 * @vma:     private: the mapping, if one covers the whole range, else NULL
 */
struct chunk_range_job {
	unsigned long addr;
	unsigned long size;
	int err;
	unsigned long trapped;
	struct vm_area_struct *vma;
};

/**
 * chunk_mapping_ourselves() - are we inside our own vm_mmap or vm_munmap?
 * @context: the context
 *
 * Context: any; only the task that set context->mapper can find itself there.
 * Return: whether this module called mm, not the user.
 */
static inline bool chunk_mapping_ourselves(const struct chunk_context *context)
{
	return READ_ONCE(context->mapper) == current;
}

/**
 * chunk_is_special() - tell whether a context is huge or has words
 * @context: the context
 *
 * One test for all that the usual paths leave to others. It races with the first page
 * of words: whoever offers a chunk while it is allocated or freed harms himself alone.
 *
 * Context: any.
 * Return: whether it is one of them.
 */
static inline bool chunk_is_special(const struct chunk_context *context)
{
	return unlikely(READ_ONCE(context->special));
}

/**
 * chunk_is_huge() - tell whether a context has the huge backing
 * @context: the context
 *
 * Context: any; constant once the context is configured.
 * Return: whether it has.
 */
static inline bool chunk_is_huge(const struct chunk_context *context)
{
	/* The other bit may be set meanwhile. */
	return data_race(context->special) & CHUNK_SPECIAL_HUGE;
}

/**
 * chunk_has_words() - tell whether chunks of a context were ever offered
 * @context: the context
 *
 * If not, no word needs a look.
 *
 * Context: any.
 * Return: whether there may be words other than 0.
 */
static inline bool chunk_has_words(const struct chunk_context *context)
{
	return unlikely(READ_ONCE(context->special) & CHUNK_SPECIAL_WORDS);
}

/* chunk_charge.c */
void chunk_charge(struct mm_struct *mm, size_t bytes);
void chunk_uncharge(struct mm_struct *mm, size_t bytes);

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

/* chunk_gate.c */
struct chunk_gate *chunk_gate_new(struct mm_struct *mm);
void chunk_gate_free(struct chunk_gate *gate);
struct page *chunk_gate_enter(struct chunk_gate *gate);
void chunk_gate_give(struct page *page);
void chunk_gate_exit(struct page *page);
void chunk_gate_synchronize(struct chunk_gate *gate);

/* chunk_space.c */
struct chunk_space *chunk_space_new(struct mm_struct *mm);
void chunk_space_enter(struct chunk_space *space);
void chunk_space_leave(struct chunk_space *space);
struct chunk_space *chunk_space_heir(struct chunk_space *space,
				     struct mm_struct *mm);

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
bool chunk_region_wants_page_bitmap(const struct chunk_region *region,
				    bool commit, unsigned long addr,
				    unsigned long size, unsigned long *at);
int chunk_region_add_page_bitmap(struct chunk_region *region,
				 unsigned long at);
unsigned long chunk_region_commit(struct chunk_region *region,
				  unsigned long addr, unsigned long size);
unsigned long chunk_region_decommit(struct chunk_region *region,
				    unsigned long addr, unsigned long size);
void chunk_region_open(struct chunk_region *region, unsigned long addr,
		       unsigned long size);
void chunk_region_close(struct chunk_region *region, unsigned long addr,
			unsigned long size);
int chunk_region_clear_page_bits(struct chunk_region *region,
				 unsigned long addr, unsigned long size);

/* chunk_vmas.c */
bool chunk_vma_is_ours(const struct vm_area_struct *vma,
		       const struct chunk_context *context);
bool chunk_vma_changed(struct vm_area_struct *vma);
int chunk_check_vmas(struct chunk_context *context, unsigned long addr,
		     unsigned long size, struct chunk_vmas *vmas);
int chunk_check_mapped(struct chunk_context *context, unsigned long addr,
		       unsigned long size, bool locked,
		       struct vm_area_struct **only);
bool chunk_vmas_of(const struct chunk_vmas *vmas,
		   const struct chunk_region *region);
bool chunk_vmas_changed(const struct chunk_vmas *vmas,
			const struct chunk_region *region);
bool chunk_vmas_at_edge(unsigned long addr, unsigned long size);

/* chunk_area.c */
unsigned long chunk_offset_alignment(unsigned long pgoff);
unsigned long chunk_get_unmapped_area(struct file *file, unsigned long addr,
				      unsigned long len, unsigned long pgoff,
				      unsigned long flags);

/* chunk_drop.c */
void chunk_unregister(struct chunk_context *context,
		      struct chunk_extent *extent);
void chunk_drop_extent(struct chunk_context *context,
		       struct chunk_extent *extent);
void chunk_drop_range(struct chunk_context *context, unsigned long start,
		      unsigned long last, struct chunk_region *owner);
void chunk_unlink_region(struct chunk_context *context,
			 struct chunk_region *region);
void chunk_drop_region(struct chunk_context *context,
		       struct chunk_region *region);

/* chunk_fault.c */
vm_fault_t chunk_fault(struct vm_fault *vmf);

/* chunk_fork.c */
struct chunk_region *chunk_region_inherit(struct chunk_region *region,
					  struct mm_struct *mm);

/* chunk_zap.c */
int chunk_zap(struct chunk_context *context, unsigned long addr,
	      unsigned long size, struct vm_area_struct *only);
bool chunk_zap_is_private(const struct chunk_context *context);

/* chunk_free.c */
void chunk_free_put(struct chunk_context *context, struct chunk_tree *tree,
		    struct chunk_extent *extent,
		    struct chunk_extent **free_nodes);
void chunk_free_retain(struct chunk_context *context,
		       struct chunk_extent *extent,
		       struct chunk_extent **free_nodes);
void chunk_free_unmap(struct chunk_context *context, unsigned long addr);
bool chunk_free_trim(struct chunk_context *context, bool split);
unsigned long chunk_recycle_limit(struct chunk_context *context);
int chunk_set_limit(struct chunk_context *context, unsigned long limit);

/* chunk_grow.c */
int chunk_grow(struct chunk_context *context, struct file *file,
	       unsigned long size, unsigned long alignment);

/* chunk_words.c */
int chunk_words_cache_init(void);
void chunk_words_cache_exit(void);
int chunk_words_mmap(struct chunk_context *context,
		     struct vm_area_struct *vma);
bool chunk_words_clear(struct chunk_context *context, unsigned long addr,
		       unsigned long size);
void chunk_words_reset(struct chunk_context *context, unsigned long addr,
		       unsigned long size);
void chunk_words_report(struct chunk_context *context,
			struct chunk_ioc_stats *stats);
bool chunk_words_run(struct chunk_context *context, unsigned long addr,
		     unsigned long *end);
void chunk_words_unlist(struct chunk_context *context);
void chunk_words_free(struct chunk_context *context);

/* chunk_report.c */
void chunk_report_stats(struct chunk_context *context,
			struct chunk_ioc_stats *stats);
void chunk_report_lookup(struct chunk_context *context,
			 struct chunk_ioc_lookup *lookup);
void chunk_report_show(struct seq_file *m, struct chunk_context *context);
bool chunk_report_next_run(struct chunk_context *context,
			   struct chunk_run *run);

/* chunk_huge.c */
void chunk_huge_sweep(struct chunk_context *context);
void chunk_huge_free(struct chunk_context *context);
int chunk_huge_zap(struct chunk_context *context, unsigned long addr,
		   unsigned long *end);

/* chunk_context.c */
unsigned long chunk_max_recycle_limit(void);
struct chunk_context *chunk_context_new(struct mm_struct *mm);
void chunk_context_close(struct chunk_context *context);
void chunk_context_put(struct chunk_context *context);
struct chunk_context *chunk_context_next(struct chunk_context *context);

/* chunk_mapping.c */
int chunk_mmap(struct file *file, struct vm_area_struct *vma);

/* chunk_alloc.c */
void chunk_extent_alloc(struct chunk_context *context, struct file *file,
			struct chunk_alloc_job *jobs, unsigned int nr);

/* chunk_dealloc.c */
void chunk_extent_dealloc(struct chunk_context *context,
			  struct chunk_dealloc_job *jobs, unsigned int nr);
void chunk_extent_undo_alloc(struct chunk_context *context,
			     const struct chunk_alloc_job *job);

/* chunk_range.c */
void chunk_range_commit(struct chunk_context *context,
			struct chunk_range_job *jobs, unsigned int nr);
void chunk_range_decommit(struct chunk_context *context,
			  struct chunk_range_job *jobs, unsigned int nr,
			  bool locked);

/* chunk_populate.c */
int chunk_range_populate(unsigned long addr, unsigned long size);

/* chunk_ioctl.c */
long chunk_ioctl(struct file *file, unsigned int cmd, unsigned long arg);

/* chunk_discard.c */
int chunk_discard_init(void);
void chunk_discard_exit(void);

/* chunk_debugfs.c */
void chunk_debugfs_init(void);
void chunk_debugfs_exit(void);

/* chunk_verify.c */
#ifdef CONFIG_DEBUG_VM
void chunk_verify(struct chunk_context *context);
#else
static inline void chunk_verify(struct chunk_context *context)
{
}
#endif

#endif /* CHUNK_MODULE_H */
