/* SPDX-License-Identifier: GPL-2.0-only WITH Linux-syscall-note */
/*
 * /dev/chunk: aligned chunks of address space for memory allocators.
 *
 * One open file is one context. It belongs to the address space (mm) that
 * opened it: after fork, exec or passing the descriptor to another process,
 * every call through it fails with EPERM.
 *
 * A chunk is CHUNK_SIZE bytes of address space at a multiple of CHUNK_SIZE. An
 * extent is a run of chunks. An extent is live from CHUNK_IOC_ALLOC (or mmap)
 * until CHUNK_IOC_DEALLOC. Pages of a live extent are committed (readable and
 * writable, zero until written) or decommitted (no memory; an access raises
 * SIGSEGV). Pages outside live extents are decommitted.
 *
 * ALLOC hands out memory that is readable and writable. An extent is not handed
 * out again if the user gave its mappings another protection or a protection
 * key, kept them from children (MADV_DONTFORK) or, on the huge backing,
 * registered them with userfaultfd; nor is it kept for reuse if it is mlocked.
 * DEALLOC then returns it to the system, or if that would split a mapping,
 * leaves its address space alone for as long as the context lasts. Memory that
 * mlockall(2) has locked may be handed out again locked.
 *
 * mmap(2) on the device, MAP_PRIVATE, yields a live, committed extent in one
 * call. The offset is CHUNK_MMAP_ALIGN(log2 of the alignment), or 0 for
 * CHUNK_SIZE. Without MAP_NORESERVE the whole length is charged against the
 * commit limit. MAP_SHARED is refused.
 *
 * A forked child inherits the memory, but not the context: the pages that were
 * decommitted at the moment of the fork trap, for ever. If the kernel has no
 * memory to record them, the child keeps all pages that were written, but every
 * other page of the same region (one mmap, or the address space that ALLOC
 * mapped at a time) traps with SIGBUS, committed or not. This holds in its
 * children, too.
 *
 * userfaultfd(2) can be registered on the mappings only for tracking writes
 * (UFFD_FEATURE_WP_ASYNC, Linux 6.7), else it fails with EINVAL. Pages that
 * were decommitted or deallocated count as written from then on, if the device
 * frees their memory (CHUNK_CAP_ZAP). Neither COMMIT nor a read is a write.
 *
 * chunk(4) has a table of the other things that the kernel can do with this
 * memory: madvise, userfaultfd, io_uring and so on. No call of the device
 * removes guards of MADV_GUARD_INSTALL.
 *
 * Every argument structure starts with its own size as the caller knows it.
 * Fields may be added at the end: a shorter structure is taken as if the rest
 * were zero; a longer one is accepted if the part that the kernel does not know
 * is zero, else the call fails with E2BIG. Pads and unknown flags must be zero.
 *
 * Errors. A call that fails has changed nothing, except as said for ESTALE. But
 * address space mapped for it may stay retained or be kept for reuse. Before a
 * call fails with ENOMEM, retained address space and that kept for reuse goes
 * back to the system, and extents that the user unmapped or replaced may be
 * dropped with it.
 *
 * EFAULT      the argument, or part of it, is not accessible
 * E2BIG       the structure is longer than known here, and not zero there
 * EINVAL      the structure is too short; a flag, pad or type is unknown; an
 *             address, length or alignment is zero, misaligned, wraps or
 *             reaches beyond the addresses of a process (ENOMEM if it is only
 *             too much for ALLOC or mmap);
 *             DEALLOC of anything but a whole extent; DECOMMIT of a range with
 *             mlocked pages without CHUNK_DECOMMIT_LOCKED
 * EPERM       the caller's address space is not the one that opened the device
 * ENOTTY      unknown command
 * ENOENT      the range, or part of it, is not live. If another call gives part
 *             of it back meanwhile, the range before that part may have changed
 * ENOMEM      no memory, or no address space (RLIMIT_AS, RLIMIT_DATA,
 *             overcommit, mapping limit), or more than CHUNK_LENGTH_MAX
 * EBUSY       CONFIGURE after the first extent of the context
 * EOPNOTSUPP  the backing is not available on this kernel
 * ESTALE      the user unmapped or replaced the mapping under the range.
 *             DEALLOC has then dropped the extent; other calls have changed
 *             nothing, except as with ENOENT if that happened meanwhile
 * EACCES      DEALLOC, DECOMMIT: mseal(2) keeps the contents of the range, or of
 *             part of it: it is sealed, and the caller could not write to it
 * EINTR       a fatal signal arrived. The process ends without seeing this. If
 *             another one shares its address space (CLONE_VM), COMMIT and
 *             DECOMMIT have changed part of the range, decommitted pages may
 *             have kept their contents, and DEALLOC may have dropped the
 *             extent, as with ESTALE
 *
 * Memory. The device's own memory for a process is charged to the memory
 * control group of the process, and counted as page tables (VmPTE in
 * /proc/PID/status), which the OOM killer looks at: 4 KiB for every 128 MiB of
 * address space that is partly decommitted, about 10 bytes for every MiB
 * mapped, 100 for each extent.
 */
#ifndef _UAPI_LINUX_CHUNK_H
#define _UAPI_LINUX_CHUNK_H

#include <linux/ioctl.h>
#include <linux/types.h>

#define CHUNK_DEVICE_PATH	"/dev/chunk"

#define CHUNK_SHIFT		20
#define CHUNK_SIZE		(1UL << CHUNK_SHIFT)

/* The longest extent, and region: 8 TiB. mmap(2) and ALLOC refuse more. */
#define CHUNK_LENGTH_MAX	(1ULL << 43)

/* For the offset of mmap(2): alignment 1 << log2, on pages of @page bytes. */
#define CHUNK_MMAP_ALIGN(log2, page)	((__u64)(log2) * (page))

/*
 * Offered chunks (CHUNK_CAP_OFFER). The owner of a live chunk may offer it: when
 * memory is short, the kernel may then discard its contents. Until that happens
 * the owner takes it back as it was, without a system call.
 *
 * mmap(2) on the device, MAP_SHARED, with PROT_READ and PROT_WRITE, at page offset
 * CHUNK_WORDS_PGOFF + N yields one __u32 word for each chunk of address space,
 * from address N * CHUNK_WORDS_SPAN(page size) on. The kernel makes a page of
 * words when it is first touched, if an extent is live in the address space that
 * the page stands for; else the access raises SIGBUS. Words cannot be mapped
 * privately or executable, moved, or inherited by fork.
 *
 *   IN_USE -> OFFERED         by the owner: a store, release
 *   OFFERED -> IN_USE         by the owner: compare-and-exchange, acquire. All
 *                             contents are intact
 *   OFFERED -> DISCARDING     by the kernel: compare-and-exchange
 *   DISCARDING -> DISCARDED   by the kernel, once the memory is freed
 *   DISCARDING -> OFFERED     by the kernel, if it has thought better of it
 *   DISCARDED -> IN_USE       by the owner: acquire. The chunk reads as zero, but
 *                             for pages that are decommitted
 *
 * On DISCARDING the owner takes another chunk, or tries again a little later. The
 * other bits of a word are the owner's, and survive. By convention it counts there
 * how often it took the chunk back with its contents intact: CHUNK_IOC_STATS adds
 * these counts up.
 *
 * ALLOC and mmap(2) hand out chunks whose words are 0, and DEALLOC resets them. A
 * word that has no such state at a moment when the owner may not write it harms
 * nobody but the owner: the kernel discards nothing but whole chunks of this
 * address space, in mappings of this context.
 *
 * Offered chunks are live, and do not trap. The kernel does not discard what is
 * mlocked or sealed, chunks that are not wholly mapped, and those of a forked
 * child. In the child, which has no words, what its parent had offered is as it
 * was at the fork. On the huge backing the kernel prefers to discard all chunks of
 * a huge page at once.
 */
#define CHUNK_WORDS_PGOFF	(1UL << 20)
#define CHUNK_WORDS_SPAN(page)	((page) / sizeof(__u32) * CHUNK_SIZE)

#define CHUNK_WORD_STATE	3U
#define CHUNK_WORD_IN_USE	0U
#define CHUNK_WORD_OFFERED	1U
#define CHUNK_WORD_DISCARDING	2U
#define CHUNK_WORD_DISCARDED	3U
/* The owner adds this when it takes a chunk back with its contents intact. */
#define CHUNK_WORD_TAKE		4U

/* Version of this interface as a whole, in struct chunk_ioc_info. */
#define CHUNK_ABI		1

/* Known contents of an extent: CHUNK_IOC_DEALLOC, CHUNK_IOC_LOOKUP */
#define CHUNK_TYPE_UNKNOWN	0
#define CHUNK_TYPE_ZEROED	1
#define CHUNK_TYPE_ARENA	2
#define CHUNK_TYPE_HUGE		3
#define CHUNK_TYPE_RECYCLED	4

/*
 * Backings of a context's regions. HUGE is anonymous memory, huge pages
 * included. Nothing traps there: decommitted pages and those outside live
 * extents read as zero, and data written to them is lost when they are
 * committed or handed out. mmap(2) aligns a mapping to 2 MiB if it is that
 * long.
 *
 * userfaultfd(2) may be registered on HUGE. It gets no UFFD_EVENT_REMOVE when
 * DECOMMIT, DEALLOC or a COMMIT frees memory, since a device cannot send one:
 * the caller has to tell a monitor. Accesses afterwards are missing faults as
 * after madvise(MADV_DONTNEED).
 */
#define CHUNK_BACKING_GUARDED	0	/* decommitted pages trap; small pages */
#define CHUNK_BACKING_HUGE	1

/* Capabilities, in struct chunk_ioc_info. */
#define CHUNK_CAP_GUARDED	(1ULL << 0)	/* CHUNK_BACKING_GUARDED works */
#define CHUNK_CAP_HUGE		(1ULL << 1)	/* CHUNK_BACKING_HUGE works */
/*
 * DECOMMIT and DEALLOC free the memory. If this is not set, the kernel exports
 * no zap: they only make those pages trap that are not present. The caller must
 * free the others by madvise(MADV_DONTNEED), after DECOMMIT and before DEALLOC.
 */
#define CHUNK_CAP_ZAP		(1ULL << 2)
/*
 * Chunks can be offered. Without CHUNK_CAP_ZAP none is discarded while a forked
 * child has mappings that it inherited from the context.
 */
#define CHUNK_CAP_OFFER		(1ULL << 3)

/**
 * struct chunk_ioc_info - CHUNK_IOC_INFO: what this device can do
 * @size:      in: size of the structure; out: bytes of it that the kernel knows
 * @abi:       out: CHUNK_ABI of the kernel
 * @caps:      out: CHUNK_CAP_*
 * @chunk_size: out: CHUNK_SIZE of the kernel, in bytes
 * @page_size: out: granularity of COMMIT and DECOMMIT, in bytes
 * @max_recycle_limit: out: the most CHUNK_IOC_LIMIT will set, in bytes
 */
struct chunk_ioc_info {
	__u32 size;
	__u32 abi;
	__u64 caps;
	__u32 chunk_size;
	__u32 page_size;
	__u64 max_recycle_limit;
};

/**
 * struct chunk_ioc_configure - CHUNK_IOC_CONFIGURE: before the first extent
 * @size:    size of the structure
 * @flags:   0
 * @backing: CHUNK_BACKING_*
 * @pad:     0
 * @grow:    bytes of address space to map at a time, a multiple of CHUNK_SIZE;
 *           0 leaves the default
 */
struct chunk_ioc_configure {
	__u32 size;
	__u32 flags;
	__u32 backing;
	__u32 pad;
	__u64 grow;
};

/*
 * CHUNK_IOC_ALLOC: all pages are present and writable when the call returns,
 * which is cheaper than a fault on each; it fails with ENOMEM if they cannot
 * be.
 */
#define CHUNK_ALLOC_POPULATE	(1U << 0)
/*
 * CHUNK_IOC_ALLOC: the extent is decommitted. Not with CHUNK_ALLOC_POPULATE. A
 * large extent then costs little: the caller commits the parts that it uses.
 */
#define CHUNK_ALLOC_DECOMMITTED	(1U << 1)

/**
 * struct chunk_ioc_alloc - CHUNK_IOC_ALLOC: a live extent, committed and zero
 *                          unless @flags say otherwise
 * @size:      size of the structure
 * @flags:     CHUNK_ALLOC_*
 * @length:    bytes, a non-zero multiple of CHUNK_SIZE
 * @alignment: bytes, a power of two, at least CHUNK_SIZE
 * @addr:      out: the extent's first byte
 */
struct chunk_ioc_alloc {
	__u32 size;
	__u32 flags;
	__u64 length;
	__u64 alignment;
	__u64 addr;
};

/**
 * struct chunk_ioc_dealloc - CHUNK_IOC_DEALLOC: give an extent back
 * @size:   size of the structure
 * @type:   CHUNK_TYPE_* of the contents; has no effect
 * @addr:   the extent's first byte
 * @length: the extent's length in bytes
 */
struct chunk_ioc_dealloc {
	__u32 size;
	__u32 type;
	__u64 addr;
	__u64 length;
};

/* CHUNK_IOC_DECOMMIT: decommit mlocked pages, too, as MADV_DONTNEED_LOCKED */
#define CHUNK_DECOMMIT_LOCKED	(1U << 0)

/*
 * CHUNK_IOC_COMMIT: make all pages present and writable as well. If that fails,
 * with ENOMEM, the range is committed and perhaps partly present.
 */
#define CHUNK_COMMIT_POPULATE	(1U << 0)

/**
 * struct chunk_ioc_range - CHUNK_IOC_COMMIT, CHUNK_IOC_DECOMMIT
 * @size:   size of the structure
 * @flags:  COMMIT: CHUNK_COMMIT_*. DECOMMIT: CHUNK_DECOMMIT_*
 * @addr:   first byte, a multiple of the page size
 * @length: bytes, a non-zero multiple of the page size
 *
 * The range lies in one live extent or in several that adjoin. Committing
 * committed pages changes nothing: contents stay. Neither does decommitting
 * decommitted ones. If calls on overlapping ranges run concurrently, data
 * written before the last one returns may be lost.
 */
struct chunk_ioc_range {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
};

/* CHUNK_IOC_LOOKUP: state of an address */
#define CHUNK_STATE_LIVE	(1U << 0)	/* in a live extent */
#define CHUNK_STATE_RECYCLED	(1U << 1)	/* in an extent kept for reuse */
#define CHUNK_STATE_DECOMMITTED	(1U << 2)	/* an access traps */

/**
 * struct chunk_ioc_lookup - CHUNK_IOC_LOOKUP: the state at an address
 * @size:   size of the structure
 * @flags:  0
 * @addr:   any address; out: the first byte of the extent that contains it, or
 *          unchanged if @state has neither LIVE nor RECYCLED
 * @length: out: the extent's length in bytes, or 0
 * @state:  out: CHUNK_STATE_*; 0 if the address is in no extent of this context;
 *          DECOMMITTED without LIVE and RECYCLED if it is retained
 * @type:   out: CHUNK_TYPE_*
 * @end:    out: from the given address up to here @state is the same; it may be the
 *          same beyond, too, since no call looks far
 *
 * A scanner of memory goes from @end to @end, and passes over DECOMMITTED
 * ranges. Without @end, which was added later, the structure has
 * CHUNK_LOOKUP_SIZE_1 bytes.
 */
struct chunk_ioc_lookup {
	__u32 size;
	__u32 flags;
	__u64 addr;
	__u64 length;
	__u32 state;
	__u32 type;
	__u64 end;
};

#define CHUNK_LOOKUP_SIZE_1	32

/**
 * struct chunk_ioc_limit - CHUNK_IOC_LIMIT: bound the extents kept for reuse
 * @size:  size of the structure
 * @flags: 0
 * @limit: in: bytes, capped at chunk_ioc_info.max_recycle_limit; extents beyond a
 *         lowered limit are released at once. out: the limit before
 */
struct chunk_ioc_limit {
	__u32 size;
	__u32 flags;
	__u64 limit;
};

/**
 * struct chunk_ioc_stats - CHUNK_IOC_STATS: counters of this context
 * @size:              in: size of the structure; out: bytes that the kernel knows
 * @flags:             0
 * @mapped_bytes:      bytes of address space in regions
 * @live_bytes:        bytes in live extents
 * @live_extents:      number of live extents
 * @decommitted_bytes: bytes in decommitted pages of live extents
 * @recycled_bytes:    bytes in extents kept for reuse, never above @recycle_limit
 *                     but for moments after that was lowered
 * @recycle_limit:     see CHUNK_IOC_LIMIT
 * @reserved_bytes:    bytes in retained extents: premapped, or given back and not
 *                     recycled; they hold no memory
 * @regions:           number of regions
 * @allocs:            extents handed out since open
 * @allocs_recycled:   of these, by reuse
 * @deallocs:          extents taken back since open
 * @commits:           COMMIT calls that succeeded
 * @decommits:         DECOMMIT calls that succeeded
 * @traps:             accesses to decommitted pages
 * @offered_bytes:     bytes in chunks that are offered
 * @discarded_bytes:   bytes in chunks that were discarded and not taken back yet
 * @discards:          chunks discarded since open
 * @takes:             times since open that a chunk was taken back intact, as the
 *                     owner counted them in the words
 *
 * Without @offered_bytes and what follows, which was added later, the structure has
 * CHUNK_STATS_SIZE_1 bytes.
 */
struct chunk_ioc_stats {
	__u32 size;
	__u32 flags;
	__u64 mapped_bytes;
	__u64 live_bytes;
	__u64 live_extents;
	__u64 decommitted_bytes;
	__u64 recycled_bytes;
	__u64 recycle_limit;
	__u64 reserved_bytes;
	__u64 regions;
	__u64 allocs;
	__u64 allocs_recycled;
	__u64 deallocs;
	__u64 commits;
	__u64 decommits;
	__u64 traps;
	__u64 offered_bytes;
	__u64 discarded_bytes;
	__u64 discards;
	__u64 takes;
};

#define CHUNK_STATS_SIZE_1	120

/* CHUNK_IOC_BATCH: the call to make for each element */
#define CHUNK_BATCH_ALLOC	0
#define CHUNK_BATCH_DEALLOC	1
#define CHUNK_BATCH_COMMIT	2
#define CHUNK_BATCH_DECOMMIT	3

/* The most elements of one batch. */
#define CHUNK_BATCH_MAX		65536

/**
 * struct chunk_ioc_op - one element of a batch: arguments of the single call
 * @addr:      ALLOC: out, the extent's first byte, or 0. Else the first byte
 * @length:    bytes
 * @alignment: ALLOC: bytes. Else 0
 * @type:      DEALLOC: CHUNK_TYPE_*. Else 0
 * @error:     out: 0, or the error number that the single call would fail with
 */
struct chunk_ioc_op {
	__u64 addr;
	__u64 length;
	__u64 alignment;
	__u32 type;
	__u32 error;
};

/**
 * struct chunk_ioc_batch - CHUNK_IOC_BATCH: many calls of one kind in one
 * @size:  size of the structure
 * @what:  CHUNK_BATCH_*
 * @flags: as of the single call, for all elements
 * @count: number of elements, 1 to CHUNK_BATCH_MAX
 * @ops:   address of an array of struct chunk_ioc_op, readable and writable
 * @done:  out: number of elements that succeeded
 * @pad:   0
 *
 * Each element succeeds or fails by itself, in order; the call succeeds even if
 * all of them fail. If the call itself fails, with EFAULT because part of the
 * array is not accessible or with EINTR, the elements before that have their
 * results, and @done counts them, unless it is not accessible itself.
 */
struct chunk_ioc_batch {
	__u32 size;
	__u32 what;
	__u32 flags;
	__u32 count;
	__u64 ops;
	__u32 done;
	__u32 pad;
};

#define CHUNK_IOC_MAGIC		0xC4

/* The size is in the structure, not in the number, so that it can grow. */
#define CHUNK_IOC_INFO		_IO(CHUNK_IOC_MAGIC, 0)
#define CHUNK_IOC_CONFIGURE	_IO(CHUNK_IOC_MAGIC, 1)
#define CHUNK_IOC_ALLOC		_IO(CHUNK_IOC_MAGIC, 2)
#define CHUNK_IOC_DEALLOC	_IO(CHUNK_IOC_MAGIC, 3)
#define CHUNK_IOC_COMMIT	_IO(CHUNK_IOC_MAGIC, 4)
#define CHUNK_IOC_DECOMMIT	_IO(CHUNK_IOC_MAGIC, 5)
#define CHUNK_IOC_LOOKUP	_IO(CHUNK_IOC_MAGIC, 6)
#define CHUNK_IOC_LIMIT		_IO(CHUNK_IOC_MAGIC, 7)
#define CHUNK_IOC_STATS		_IO(CHUNK_IOC_MAGIC, 8)
#define CHUNK_IOC_BATCH		_IO(CHUNK_IOC_MAGIC, 9)

#endif /* _UAPI_LINUX_CHUNK_H */
