/* SPDX-License-Identifier: MIT */
/*
 * libchunk: aligned chunks of address space for memory allocators.
 *
 * A chunk is a power-of-two unit of address space, 1 MiB. Chunks come from
 * /dev/chunk where the module is loaded and from mmap or VirtualAlloc
 * everywhere else; the guarantees are the same:
 *
 * - memory handed out is committed (readable, writable) and reads as zero;
 * - an access to decommitted or deallocated memory traps;
 * - nothing here calls malloc, and everything is safe from many threads, before
 *   main, in a child after fork, and with errno preserved on success.
 *
 * Sizes and alignments are in bytes. Misuse (a zero or misaligned size, an
 * alignment that is no power of two, deallocating what is not live) is a
 * programming error and ends the process with a line that names the call and
 * its values. Running out of memory returns NULL or false.
 */
#ifndef CHUNK_H
#define CHUNK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_type.h"

#ifdef __cplusplus
extern "C" {
#endif

#if defined(__GNUC__) && !defined(_WIN32)
#pragma GCC visibility push(default)
#endif

/**
 * struct chunk_stats - counters of this process; sizes in bytes
 * @live_bytes:        in live chunks, base chunks included
 * @live_chunks:       live extents, base chunks included
 * @decommitted_bytes: decommitted pages of live chunks
 * @recycled_bytes:    kept for reuse
 * @recycle_limit:     what @recycled_bytes may not exceed, but for what the system
 *                     did not take back
 * @mapped_bytes:      address space taken from the system
 * @base_bytes:        of these, for libchunk's own bookkeeping
 * @allocs:            successful chunk_alloc() calls
 * @allocs_recycled:   of these, served by reuse
 * @deallocs:          chunk_dealloc() calls
 * @commits:           successful pages_commit() calls
 * @decommits:         pages_decommit() calls
 * @untrapped:         times that pages_decommit() or chunk_dealloc() freed memory
 *                     without making it trap, for lack of mappings: an eighth of
 *                     what a process may have is left to the program
 *
 * May get more counters at its end in a library of another soname.
 */
struct chunk_stats {
	uint64_t live_bytes;
	uint64_t live_chunks;
	uint64_t decommitted_bytes;
	uint64_t recycled_bytes;
	uint64_t recycle_limit;
	uint64_t mapped_bytes;
	uint64_t base_bytes;
	uint64_t allocs;
	uint64_t allocs_recycled;
	uint64_t deallocs;
	uint64_t commits;
	uint64_t decommits;
	uint64_t untrapped;
};

/**
 * enum chunk_backing - what the memory of chunks is
 * @GUARDED_BACKING: every access to decommitted pages and deallocated chunks
 *                   traps. From the device: small pages
 * @HUGE_BACKING:    huge pages where the system has them; Windows has none. Without
 *                   the device they are asked for (MADV_HUGEPAGE). From the
 *                   device, what is deallocated reads as zero and does not trap;
 *                   nor does what is decommitted on a kernel without
 *                   MADV_GUARD_INSTALL (6.13),
 *                   which a line on stderr then says. What a stray write leaves
 *                   there is gone when the memory is handed out or committed
 */
enum chunk_backing { GUARDED_BACKING, HUGE_BACKING };

/**
 * struct chunk_op - one element of a batch
 * @addr:      first byte; allocation: filled in, NULL if it failed
 * @size:      bytes
 * @alignment: bytes; allocation only
 * @type:      what it held; deallocation only
 * @error:     filled in: 0, ENOMEM, or for pages_commit_batch() EINVAL: not live
 */
struct chunk_op {
	void *addr;
	size_t size;
	size_t alignment;
	enum chunk_type type;
	int error;
};

/* Sets everything up. Implied by every other call; safe to repeat. */
void chunks_init(void);

/*
 * What the memory of chunks shall be, and how many bytes of address space the
 * device maps at a time, a multiple of 1 MiB (0: as it likes). Before the first
 * chunk. Returns false and changes nothing, with errno EBUSY if there was one,
 * EOPNOTSUPP if the device has no such backing, or Windows none. Without the
 * device memory keeps all guarantees.
 */
bool chunk_configure(enum chunk_backing backing, size_t grow);

/*
 * An extent of @size bytes at a multiple of @alignment; both are non-zero
 * multiples of 1 MiB and @alignment is a power of two. Committed, zero. @base
 * is for the caller's own bookkeeping: neither recycled nor registered.
 * Returns NULL when out of memory.
 */
void *chunk_alloc(size_t size, size_t alignment, bool base);

/*
 * As chunk_alloc(), not for bookkeeping, with all pages present: cheaper than a
 * fault each for who is about to write to all of them.
 */
void *chunk_alloc_populated(size_t size, size_t alignment);

/*
 * As chunk_alloc(), not for bookkeeping, decommitted: an access traps until
 * pages_commit(). For much address space of which little will be used: it may be
 * far more than there is memory. As large as the system has room for.
 */
void *chunk_alloc_decommitted(size_t size, size_t alignment);

/*
 * Gives back an extent exactly as chunk_alloc() returned it. Never fails: what the
 * system does not take back, for lack of mappings, is kept for reuse.
 */
void chunk_dealloc(void *chunk, size_t size, enum chunk_type type);

/*
 * A new private zero-filled mapping of pages. At @addr exactly, or anywhere
 * when @addr is NULL; never over an existing mapping. Returns NULL on failure.
 */
void *pages_map(void *addr, size_t size);

/*
 * Returns address space from pages_map(). A failure is reported on stderr and not
 * fatal.
 */
void pages_unmap(void *addr, size_t size);

/*
 * The following act on pages of one live chunk, or on memory from pages_map().
 * What leaves the chunk that it begins in, or runs into another, is misuse, and so
 * is memory that is not live; but pages_commit() and pages_populate() say false
 * to that, with errno EINVAL.
 *
 * Makes pages readable and writable again; what was decommitted reads as zero,
 * what was committed is as it was. Returns false when out of memory.
 */
bool pages_commit(void *addr, size_t size);

/* As pages_commit(), and all pages are present. */
bool pages_populate(void *addr, size_t size);

/*
 * Frees the memory of pages; any access traps until pages_commit(). Without the
 * device, before Linux 6.13, that takes mappings, of which an eighth is left to the
 * program; beyond it memory is freed and does not trap.
 */
void pages_decommit(void *addr, size_t size);

/*
 * Frees the memory of committed pages, which stay committed. Returns whether
 * they now surely read as zero; with @force_zero they do.
 */
bool pages_purge(void *addr, size_t length, bool force_zero);

/*
 * Many operations of one kind, as if one after the other. On the device that
 * takes one system call for up to 64. Each succeeds or fails by itself, as its
 * element then says; how many succeeded is returned. What cannot fail returns
 * nothing.
 */
size_t chunk_alloc_batch(struct chunk_op *ops, size_t count);
void chunk_dealloc_batch(struct chunk_op *ops, size_t count);
size_t pages_commit_batch(struct chunk_op *ops, size_t count);
void pages_decommit_batch(struct chunk_op *ops, size_t count);

/* In a build with CHUNK_DEBUG_VIGILANT: aborts unless the range is zero. */
void chunk_assert_zero(const void *p, size_t size);

/* Whether @addr lies in a live chunk. Lock-free, async-signal-safe. */
bool chunk_is_live(const void *addr);

/**
 * enum chunk_where - whose an address is
 * @NO_CHUNK:   none of libchunk's chunks is there
 * @LIVE_CHUNK: in a live chunk
 * @FREE_CHUNK: in address space that libchunk keeps for chunks to come
 */
enum chunk_where { NO_CHUNK, LIVE_CHUNK, FREE_CHUNK };

/**
 * struct chunk_info - what is at an address
 * @size:      to be set before: sizeof(struct chunk_info). Later versions have
 *             more members; what the library does not know becomes zero
 * @where:     whose it is
 * @committed: of a live chunk, and readable. What is not committed traps, or reads
 *             as zero where nothing traps: see enum chunk_backing
 * @start:     first byte of the live chunk; NULL if there is none
 * @length:    its size in bytes
 * @end:       from the address up to here @where and @committed are the same;
 *             beyond they may be, too
 */
struct chunk_info {
	size_t size;
	enum chunk_where where;
	bool committed;
	void *start;
	size_t length;
	void *end;
};

/*
 * What is at @addr, and how far. Returns whether it lies in a live chunk. Waits for
 * no lock, async-signal-safe: for those who scan memory, also while all other
 * threads are stopped. What they may read is where @where is NO_CHUNK, as far as it
 * is theirs, and where @committed is true. Then they go on at @end. Memory from
 * pages_map() counts as NO_CHUNK.
 */
bool chunk_lookup(const void *addr, struct chunk_info *info);

/* Bytes kept for reuse. Takes no lock. */
size_t chunk_recycled_bytes(void);

/*
 * Bounds the bytes kept for reuse, 128 MiB at the start; what exceeds a lower
 * limit is released at once. Returns the previous limit.
 */
size_t chunk_set_recycle_limit(size_t bytes);

/* "device", "mmap" or "windows". */
const char *chunk_backend(void);

void chunk_get_stats(struct chunk_stats *stats);

/**
 * struct chunk_stall - how memory is waited for that the system refuses
 * @attempts: how often it is asked again; 0: not at all
 * @delay_ms: milliseconds before each time
 */
struct chunk_stall {
	unsigned int attempts;
	unsigned int delay_ms;
};

/*
 * Windows refuses to commit memory when all of it is promised, and lets the page
 * file grow; libchunk waits for that, 10 times 50 ms at the start. Both return
 * whether the system is one where waiting helps; elsewhere there is nothing to
 * read but zeros and nothing to set. What is read is what holds in this process.
 * Neither number can be more than 65535. CHUNK_OPTIONS="stall_attempts:N,
 * stall_delay:N" sets them for a program.
 */
bool chunk_get_stall(struct chunk_stall *stall);
bool chunk_set_stall(const struct chunk_stall *stall);

/*
 * Says that this is a child process of a program, which tries half as often.
 * CHUNK_OPTIONS="child:on" says so, too.
 */
void chunk_set_child(bool child);

#if defined(__GNUC__) && !defined(_WIN32)
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* CHUNK_H */
