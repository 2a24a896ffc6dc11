/* SPDX-License-Identifier: MIT */
/*
 * libchunk: aligned chunks of address space for memory allocators.
 *
 * A chunk is an aligned unit of address space, 1 MiB. Chunks come from /dev/chunk
 * where the module is loaded and from mmap or VirtualAlloc everywhere else; the
 * guarantees are the same:
 *
 * - memory handed out is committed (readable, writable) and reads as zero;
 * - an access to decommitted or deallocated memory traps, unless the program asks for
 *   something else (REUSE_OFFERED);
 * - no function here calls malloc; each may be called from many threads, before
 *   main and in a child after fork, and preserves errno on success.
 *
 * Sizes and alignments are in bytes. Misuse (a zero or misaligned size, an
 * alignment that is no power of two, deallocating a chunk that is not live) is a
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
 * @recycle_limit:     most @recycled_bytes; extents that the system did not take
 *                     back may exceed it
 * @mapped_bytes:      address space taken from the system
 * @base_bytes:        of these, for libchunk's own bookkeeping
 * @allocs:            successful chunk_alloc() calls
 * @allocs_recycled:   of these, served by reuse
 * @deallocs:          chunk_dealloc() calls
 * @commits:           successful pages_commit() calls
 * @decommits:         pages_decommit() calls
 * @untrapped:         times that pages_decommit() or chunk_dealloc() freed memory
 *                     without making it trap, for lack of mappings: an eighth of
 *                     the mappings that a process may have is left to the program
 * @offered_bytes:     in deallocated extents that are kept as offered memory, see
 *                     enum chunk_reuse; not part of @recycled_bytes
 * @offered_taken:     bytes of such extents that were handed out again
 * @offered_discarded: of these, bytes that the system is known to have discarded
 * @retained_bytes:    address space taken from the system that is neither live nor
 *                     kept: it holds no memory
 * @word_offered_bytes: chunks of the device that are offered by words, in bytes: by
 *                     chunk_offer(), or as part of @offered_bytes
 * @word_discards:     chunks that the device has discarded
 * @traps:             accesses to decommitted pages that the device has seen; 0
 *                     without it
 * @mapping_room:      mappings that the process may still have, by
 *                     vm.max_map_count; UINT64_MAX if that is not known
 *
 * The last three of the device begin anew when it is opened again, after a fork or a
 * close. To count mappings takes time in proportion to them.
 *
 * How it grows: later versions have more counters at the end; none is moved, removed
 * or given another meaning. chunk_get_stats() tells the library how many the program
 * knows. An older program reads as many as it knows of a newer library; a newer
 * program reads zeros from an older library where that knows no counter.
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
	uint64_t offered_bytes;
	uint64_t offered_taken;
	uint64_t offered_discarded;
	uint64_t retained_bytes;
	uint64_t word_offered_bytes;
	uint64_t word_discards;
	uint64_t traps;
	uint64_t mapping_room;
};

/**
 * enum chunk_backing - the memory behind chunks
 * @GUARDED_BACKING: every access to decommitted pages and deallocated chunks
 *                   traps. From the device: small pages
 * @HUGE_BACKING:    huge pages where the system has them; Windows has none. Without
 *                   the device libchunk asks for them (MADV_HUGEPAGE). From the
 *                   device, deallocated chunks read as zero and do not trap;
 *                   nor do decommitted pages on a kernel without
 *                   MADV_GUARD_INSTALL (6.13), which a line on stderr then says.
 *                   A stray write there is undone before the memory is handed
 *                   out or committed again
 */
enum chunk_backing { GUARDED_BACKING, HUGE_BACKING };

/**
 * struct chunk_op - one element of a batch
 * @addr:      first byte; in an allocation set, to NULL if it failed
 * @size:      bytes
 * @alignment: bytes; in an allocation only
 * @type:      as for chunk_dealloc(); in a deallocation only
 * @error:     set: 0, ENOMEM, or by pages_commit_batch() EINVAL: not live
 */
struct chunk_op {
	void *addr;
	size_t size;
	size_t alignment;
	enum chunk_type type;
	int error;
};

/**
 * enum chunk_reuse - the memory of deallocated extents
 * @REUSE_TRAPPED: it is freed, and accesses trap
 * @REUSE_OFFERED: it is kept as offered memory: the system may discard its contents
 *                 when memory is short, and allocations take it without a system
 *                 call. Accesses do not trap
 */
enum chunk_reuse { REUSE_TRAPPED, REUSE_OFFERED };

/* Set everything up. Implied by every other call; safe to repeat. */
void chunks_init(void);

/*
 * Choose the backing of all chunks, and how many bytes of address space the device
 * maps at a time, a multiple of 1 MiB (0: as it likes). To be called before the
 * first chunk. Returns false and changes nothing, with errno EBUSY if there was a
 * chunk, EOPNOTSUPP if the device or Windows has no such backing. Without the
 * device, memory keeps all guarantees.
 */
bool chunk_configure(enum chunk_backing backing, size_t grow);

/*
 * Get an extent of @size bytes at a multiple of @alignment; both are non-zero
 * multiples of 1 MiB and @alignment is a power of two. It is committed and reads as
 * zero. An extent with @base is for the caller's own bookkeeping: neither recycled
 * nor registered. Returns NULL when out of memory.
 */
void *chunk_alloc(size_t size, size_t alignment, bool base);

/*
 * As chunk_alloc(), not for bookkeeping, with all pages present. A caller that is
 * about to write to all pages saves a fault for each.
 */
void *chunk_alloc_populated(size_t size, size_t alignment);

/*
 * As chunk_alloc(), not for bookkeeping, decommitted: an access traps until
 * pages_commit(). For much address space of which little will be used: it may be
 * far larger than memory.
 */
void *chunk_alloc_decommitted(size_t size, size_t alignment);

/*
 * As chunk_alloc(), not for bookkeeping, with whatever the memory holds: under
 * REUSE_OFFERED that may be what some caller in this process left there. Sets *@zero
 * if it is known to read as zero. For callers that write all of it before they read.
 */
void *chunk_alloc_dirty(size_t size, size_t alignment, bool *zero);

/*
 * Choose what becomes of deallocated extents; CHUNK_OPTIONS="reuse:offered" and
 * "offer_limit:SIZE" do so, too. At the start it is REUSE_TRAPPED.
 *
 * With REUSE_OFFERED, up to @limit bytes are kept as they are. An allocation takes the
 * best fit of these first, whatever extents they came from, and chunk_alloc() zeroes
 * what may hold something. That has a price: a stray access to a deallocated chunk does
 * not trap (CHUNK_OPTIONS="poison:on" finds writes), and the memory counts as the
 * program's until the system discards it. chunk_is_live() and chunk_lookup() call it
 * free and not committed, though it could be read; a chunk deallocated twice is
 * misuse, as ever. ZEROED_CHUNK then saves the zeroing. Beyond the limit, kept extents
 * go back to the system, in the order of their addresses, to make room; where extents
 * of the device were handed out in parts, they go when all of their parts are back.
 * When the system has no memory for a call, all are released before the call fails.
 * The memory has to be readable and writable when it is deallocated; locked memory is
 * kept, and stays locked.
 *
 * Kept extents of the device are unmapped, at the next allocation, by a process that
 * forked or closed the device. A child takes kept extents of mmap over.
 *
 * REUSE_TRAPPED releases what is kept, and @limit means nothing. Returns false with
 * errno EOPNOTSUPP, and changes nothing, if no memory can be offered here.
 */
bool chunk_set_reuse(enum chunk_reuse reuse, size_t limit);

/*
 * Give back an extent exactly as chunk_alloc() returned it. Never fails: an extent
 * that the system does not take back, for lack of mappings, is kept for reuse.
 *
 * @type says what the extent held, as in mozjemalloc's interface. A value that is
 * no enum chunk_type is misuse. Under REUSE_TRAPPED the type has no influence on what
 * becomes of the extent: its memory is freed whatever it held, ZEROED_CHUNK saves no
 * work, and the extent reads as zero when it is handed out again. With CHUNK_OPTIONS="check:on",
 * a ZEROED_CHUNK with a committed byte that is not zero is misuse.
 */
void chunk_dealloc(void *chunk, size_t size, enum chunk_type type);

/**
 * enum chunk_offer_way - what chunk_offer() does in this process
 * @OFFER_NONE:   nothing. Contents stay, and memory is not given back
 * @OFFER_ADVICE: advice to the system (MADV_FREE), which frees memory when it is
 *                short, and does not tell whether it did: chunk_reclaim() always
 *                returns false
 * @OFFER_CALLS:  calls of the system that tell
 * @OFFER_WORDS:  a store to a word that the module reads: no call at all
 */
enum chunk_offer_way { OFFER_NONE, OFFER_ADVICE, OFFER_CALLS, OFFER_WORDS };

/* Return the way in which chunks that are allocated from now on will be offered. */
enum chunk_offer_way chunk_offer_way(void);

/*
 * Discardable memory, for caches: offer chunks whose contents can be lost. When
 * memory is short, the system frees them; until then they cost nothing to keep. Any
 * whole chunks of one live extent can be offered. Until chunk_reclaim() their memory
 * must not be accessed, and no other call may be given it but chunk_dealloc(): an
 * access may read anything, and what it writes may be lost. It does not trap.
 *
 * Never fails. In the following cases contents stay, and chunk_reclaim() returns
 * true: OFFER_NONE; the process has no address space for words (RLIMIT_AS), or no
 * memory to note what is offered. Chunks of mmap that are mlocked lose their contents
 * at once.
 */
void chunk_offer(void *chunk, size_t size);

/*
 * Take chunks back. Returns true if all their contents are intact. Else, because some
 * are lost or may be lost, all of the range reads as zero; pages that were
 * decommitted before still trap. The range may differ from that of chunk_offer().
 *
 * Offering what is offered, or taking what is not, changes nothing and is misuse; it
 * is found with CHUNK_OPTIONS="check:on". A range that is not live, not of whole
 * chunks or leaves its extent always ends the process.
 *
 * After fork, the child has its own copy of what is offered, which its parent's
 * discards do not change. For chunks from the device that are older than the fork
 * chunk_reclaim() returns false in the child, since it cannot be known whether the
 * parent had lost their contents; and the child offers them by advice, or frees
 * their memory at once. Chunks that the child allocates are offered as in the parent.
 *
 * If the program closes the descriptor of the device, chunks that are offered by
 * words stay so, and can be taken back. Other chunks from that descriptor can be
 * offered as before if a chunk within the same 64 GiB of address space, aligned to
 * that, was; else their memory is freed at once when they are offered.
 *
 * Nothing is left after execve(). dlclose() does not unload libchunk.
 */
bool chunk_reclaim(void *chunk, size_t size);

/*
 * Make a new private zero-filled mapping of pages, at @addr exactly, or anywhere
 * when @addr is NULL; never over an existing mapping. Returns NULL on failure.
 */
void *pages_map(void *addr, size_t size);

/*
 * Return address space from pages_map(). A failure is reported on stderr and is not
 * fatal.
 */
void pages_unmap(void *addr, size_t size);

/*
 * The following act on pages of one live chunk, or on memory from pages_map(). A
 * range that leaves the chunk that it begins in, or runs into another, is misuse.
 * So is memory that is not live; but for that pages_commit() and pages_populate()
 * return false, with errno EINVAL.
 *
 * Make pages readable and writable again. Decommitted pages then read as zero,
 * committed pages keep their contents. Returns false when out of memory.
 */
bool pages_commit(void *addr, size_t size);

/* As pages_commit(), and all pages are present. */
bool pages_populate(void *addr, size_t size);

/*
 * Free the memory of pages; any access traps until pages_commit(). Without the
 * device, before Linux 6.13, that takes mappings, of which an eighth is left to the
 * program; beyond that memory is freed and does not trap.
 */
void pages_decommit(void *addr, size_t size);

/*
 * Free the memory of committed pages, which stay committed. Returns true if they
 * now surely read as zero; with @force_zero they do.
 */
bool pages_purge(void *addr, size_t length, bool force_zero);

/*
 * Do many operations of one kind, as if one after the other. On the device that
 * takes one system call for up to 64. Each succeeds or fails by itself, as its
 * element then says. Functions that can fail return the number of successes.
 */
size_t chunk_alloc_batch(struct chunk_op *ops, size_t count);
void chunk_dealloc_batch(struct chunk_op *ops, size_t count);
size_t pages_commit_batch(struct chunk_op *ops, size_t count);
void pages_decommit_batch(struct chunk_op *ops, size_t count);

/* In a build with CHUNK_DEBUG_VIGILANT, abort unless the range is zero. */
void chunk_assert_zero(const void *p, size_t size);

/* Return true if @addr lies in a live chunk. Lock-free, async-signal-safe. */
bool chunk_is_live(const void *addr);

/**
 * enum chunk_where - the owner of an address
 * @NO_CHUNK:   not libchunk's, or from pages_map()
 * @LIVE_CHUNK: in a live chunk
 * @FREE_CHUNK: in address space that libchunk keeps for later chunks
 */
enum chunk_where { NO_CHUNK, LIVE_CHUNK, FREE_CHUNK };

/**
 * struct chunk_info - the state of the memory at an address
 * @size:      to be set before: sizeof(struct chunk_info). Later versions have
 *             more members; members that the library does not know become zero
 * @where:     owner of the address
 * @committed: the page is of a live chunk, and readable. Other pages of a live
 *             chunk trap, or read as zero where nothing traps: see enum
 *             chunk_backing
 * @start:     first byte of the live chunk; NULL if there is none
 * @length:    size of the live chunk in bytes
 * @end:       up to here, @where and @committed are the same; beyond they may be,
 *             too
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
 * Find the state of the memory at @addr, and how far it reaches. Returns true if
 * @addr lies in a live chunk. Waits for no lock, async-signal-safe: for programs
 * that scan memory, also while all other threads are stopped. The program may
 * read where @committed is true, and its own memory where @where is NO_CHUNK; then
 * it goes on at @end.
 */
bool chunk_lookup(const void *addr, struct chunk_info *info);

/* Return the bytes kept for reuse. Takes no lock. */
size_t chunk_recycled_bytes(void);

/*
 * Bound the bytes kept for reuse, 128 MiB at the start; extents beyond a lower limit
 * are released at once. Returns the previous limit.
 */
size_t chunk_set_recycle_limit(size_t bytes);

/* Return the source of chunks: "device", "mmap" or "windows". */
const char *chunk_backend(void);

/*
 * Return why chunks come from chunk_backend(). The words never change; there may be
 * others one day. The device is in use:
 *
 *   opened       it could be opened
 *   forked       this child process has opened it for itself
 *   closed       the program closed the descriptor, and libchunk opened it again
 *
 * It is not:
 *
 *   option       CHUNK_OPTIONS says backend:mmap
 *   overcommit   the system charges for address space (vm.overcommit_memory=2)
 *   no-module    the module is not loaded
 *   no-node      the module is loaded, but this process does not see /dev/chunk:
 *                PrivateDevices= of its systemd unit, a container
 *   permission   the process may not read and write /dev/chunk
 *   forbidden    a filter of system calls or a control group's device rules
 *   files        a limit on open files
 *   memory       the kernel has no memory for it
 *   version      the module is not of this library's version
 *   unsupported  there is no module for this system
 *   error        anything else
 *
 * CHUNK_OPTIONS="verbose:on" prints the same on stderr, with the error and advice.
 */
const char *chunk_backend_reason(void);

/*
 * Read the counters of this process. Of a structure longer than the library knows, the
 * rest becomes zero. The function chunk_get_stats(), which programs compiled for the
 * first version call, fills the counters up to @untrapped.
 */
void chunk_get_stats_sized(struct chunk_stats *stats, size_t size);
void chunk_get_stats(struct chunk_stats *stats);
#define chunk_get_stats(stats)	\
	chunk_get_stats_sized((stats), sizeof(struct chunk_stats))

/**
 * struct chunk_stall - waiting for memory that the system refuses
 * @attempts: number of further attempts; 0: none
 * @delay_ms: milliseconds before each attempt
 */
struct chunk_stall {
	unsigned int attempts;
	unsigned int delay_ms;
};

/*
 * Read or set how libchunk waits for memory. Windows refuses to commit memory when
 * all of it is promised, and lets the page file grow; libchunk waits for that, 10
 * times 50 ms at the start. Both functions return true on systems where waiting
 * helps; on others all that is read is zeros and nothing is set. The values read
 * are those of this process. Neither number can be more than 65535.
 * CHUNK_OPTIONS="stall_attempts:N,stall_delay:N" sets them for a program.
 */
bool chunk_get_stall(struct chunk_stall *stall);
bool chunk_set_stall(const struct chunk_stall *stall);

/*
 * Say that this is a child process of a program, which makes half as many attempts.
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
