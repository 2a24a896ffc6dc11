/* SPDX-License-Identifier: MIT */
/*
 * The operating system layer: what libchunk asks of a system.
 *
 * The policy of what to map, keep, reuse and count lies in src/. Each function here
 * does one thing, returns 0 or a negative error number, and never prints, aborts or
 * allocates from the heap. Every system defines all of them; the Makefile links the
 * files of one. The policy asks chunk_os_caps where systems differ, and never which
 * system it runs on. A system that lacks a function returns -EOPNOTSUPP from it,
 * and its capability is false.
 *
 * Addresses and sizes are multiples of the page size unless said otherwise. Ranges
 * are not empty. Any thread may call any function at any time after chunk_os_init()
 * unless its context says otherwise.
 */
#ifndef OS_H
#define OS_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"
#include "device.h"

/**
 * struct chunk_os_caps - capabilities of the system
 * @page_size:           granularity of all ranges, in bytes
 * @max_mappings:        mappings that chunk_os_decommit() and
 *                       chunk_os_decommit_extent() may take up, at two for each
 *                       range; 0: any number
 * @max_guard_bytes:     size up to which chunk_os_guard() is cheaper than
 *                       chunk_os_decommit(), in bytes
 * @can_unmap_partially: chunk_os_unmap() takes any part of mappings; without it,
 *                       only whole mappings, so that the policy recycles single
 *                       chunks only
 * @can_map_aligned:     chunk_os_map_aligned() may succeed
 * @can_reserve:         chunk_os_reserve() may succeed
 * @can_guard:           chunk_os_guard() works
 * @has_premap:          chunk_os_can_premap() may return true
 * @has_huge_pages:      memory can be in huge pages
 * @zero_on_commit:      decommitted memory reads as zero when it is committed,
 *                       unless chunk_os_decommit() failed
 * @charges_on_map:      the system charges memory against a limit when it is
 *                       mapped, and uncharges it only when chunk_os_decommit()
 *                       or chunk_os_unmap() frees it
 * @waits_for_memory:    the system may grant a little later what it refuses now;
 *                       chunk_os_map() and chunk_os_commit() wait for it
 * @offer_way:           what chunk_os_offer() does: OFFER_NONE, OFFER_ADVICE or
 *                       OFFER_CALLS
 *
 * They are constant after chunk_os_init().
 */
struct chunk_os_caps {
	size_t page_size;
	size_t max_mappings;
	size_t max_guard_bytes;
	bool can_unmap_partially;
	bool can_map_aligned;
	bool can_reserve;
	bool can_guard;
	bool has_premap;
	bool has_huge_pages;
	bool zero_on_commit;
	bool charges_on_map;
	bool waits_for_memory;
	enum chunk_offer_way offer_way;
};

extern struct chunk_os_caps chunk_os_caps;

/* The name that chunk_backend() returns */
extern const char *const chunk_os_name;

/* How to raise the limit of mappings, to end a message with; may be empty */
extern const char *const chunk_os_mappings_advice;

/**
 * chunk_os_init() - probe the system and fill chunk_os_caps
 * @guards: whether @can_guard may become true
 *
 * Context: once, before any other function but those whose context says so. A
 * forked child may repeat it if the parent had not finished.
 */
void chunk_os_init(bool guards);

/**
 * chunk_os_map() - map zero-filled memory, never over another mapping
 * @addr: exact address, or NULL for any
 * @size: bytes
 * @out:  set to the address on success
 *
 * Return: 0, -EEXIST if another mapping is at @addr, or -ENOMEM.
 */
int chunk_os_map(void *addr, size_t size, void **out);

/**
 * chunk_os_map_aligned() - map zero-filled memory at a multiple of an alignment
 * @size:      bytes
 * @alignment: bytes, a power of two, at least the page size
 * @out:       set to the address on success
 *
 * Return: 0, -ENOMEM, or -EOPNOTSUPP if only chunk_os_map() can do it.
 */
int chunk_os_map_aligned(size_t size, size_t alignment, void **out);

/**
 * chunk_os_map_base() - map zero-filled memory for bookkeeping
 * @size: bytes; they are touched soon and never unmapped
 * @out:  set to the address on success
 *
 * Return: 0 or -ENOMEM. Where it would slow down other calls if this memory shared
 * a mapping with chunks, it does not.
 */
int chunk_os_map_base(size_t size, void **out);

/**
 * chunk_os_reserve() - map aligned address space that is decommitted
 * @size:      bytes
 * @alignment: bytes, a power of two, at least the page size
 * @out:       set to the address on success
 *
 * Return: 0, -ENOMEM, or -EOPNOTSUPP if only chunk_os_map() can do it.
 */
int chunk_os_reserve(size_t size, size_t alignment, void **out);

/**
 * chunk_os_mapping_room() - count the mappings that the process may still have
 *
 * Takes time in proportion to the mappings that it has.
 *
 * Context: signal handlers, too.
 * Return: their number; SIZE_MAX if it is not known.
 */
size_t chunk_os_mapping_room(void);

/**
 * chunk_os_is_mapped() - test if all pages of a range are mapped
 * @addr: first byte
 * @size: bytes
 *
 * Return: false only if the system knows that some page is not mapped.
 */
bool chunk_os_is_mapped(void *addr, size_t size);

/**
 * chunk_os_unmap() - return address space to the system
 * @addr: first byte of mapped memory
 * @size: bytes; whole mappings, unless @can_unmap_partially
 *
 * Return: 0 or a negative error number; -ENOMEM if that would take one mapping too
 * many. After an error all of it is still mapped.
 */
int chunk_os_unmap(void *addr, size_t size);

/**
 * chunk_os_commit() - make memory readable and writable
 * @addr: first byte of mapped memory
 * @size: bytes; committed parts keep their contents
 *
 * Return: 0, or -ENOMEM with some part committed.
 */
int chunk_os_commit(void *addr, size_t size);

/**
 * chunk_os_decommit() - free memory and make accesses to it trap
 * @addr: first byte of mapped memory
 * @size: bytes; parts may be decommitted already
 *
 * Return: 0, or -ENOMEM if the memory is freed but does not trap.
 */
int chunk_os_decommit(void *addr, size_t size);

/**
 * chunk_os_guard() - free memory and mark its pages to trap, without a mapping
 * @addr: first byte of mapped memory
 * @size: bytes; the time it takes is proportional to them
 *
 * chunk_os_commit() undoes it.
 *
 * Return: 0, -EOPNOTSUPP unless @can_guard, or another negative error number, as
 * for locked memory.
 */
int chunk_os_guard(void *addr, size_t size);

/**
 * chunk_os_decommit_extent() - decommit a whole extent that is kept for reuse
 * @addr: first byte of mapped memory, chunk-aligned
 * @size: bytes, chunk-aligned; no part is committed before all of it is
 *
 * Return: 0, or -ENOMEM if it does not trap; its memory need not be freed.
 */
int chunk_os_decommit_extent(void *addr, size_t size);

/**
 * chunk_os_recommit_extent() - undo chunk_os_decommit_extent()
 * @addr: first byte, chunk-aligned; no page is guarded
 * @size: bytes, chunk-aligned
 *
 * Return: 0 or -ENOMEM.
 */
int chunk_os_recommit_extent(void *addr, size_t size);

/**
 * chunk_os_can_premap() - test if a fresh mapping is free until it is touched
 * @addr: first byte of the mapping
 *
 * Return: true if mapping more than is needed takes up no memory and no quota.
 */
bool chunk_os_can_premap(void *addr);

/**
 * chunk_os_populate() - make committed pages present and writable
 * @addr: first byte of committed memory
 * @size: bytes
 *
 * Return: 0, -ENOMEM, or -EOPNOTSUPP if the caller must touch the pages.
 */
int chunk_os_populate(void *addr, size_t size);

/**
 * chunk_os_want_huge() - ask for huge pages; the system may have none
 * @addr: first byte of mapped memory
 * @size: bytes
 */
void chunk_os_want_huge(void *addr, size_t size);

/**
 * chunk_os_purge() - free committed memory, which stays committed
 * @addr: first byte of committed memory
 * @size: bytes
 *
 * Return: 0 if it reads as zero, or a negative error number if it need not.
 */
int chunk_os_purge(void *addr, size_t size);

/**
 * chunk_os_offer() - let the system drop the contents of memory when it is short
 * @addr: first byte of committed memory, not offered; not to be accessed until
 *        chunk_os_take()
 * @size: bytes
 *
 * Return: 0; or -EOPNOTSUPP if the system cannot do it, with nothing changed.
 */
int chunk_os_offer(void *addr, size_t size);

/**
 * chunk_os_take() - undo chunk_os_offer()
 * @addr: first byte of offered memory; some of it may have been decommitted and
 *        committed again since
 * @size: bytes
 *
 * Return: 0 if all contents are surely intact; -EAGAIN if they are not known; or
 * -ENOMEM if some of the memory cannot be accessed. The call may be repeated then.
 */
int chunk_os_take(void *addr, size_t size);

/**
 * typedef chunk_os_cleared - function to be told what memory held
 * @chunk: first byte of a chunk
 * @full:  every page of it holds something
 */
typedef void chunk_os_cleared(uintptr_t chunk, bool full);

/**
 * chunk_os_clear() - make memory read as zero by writing to pages that hold something
 * @addr:    first byte of committed memory, chunk-aligned
 * @size:    bytes, chunk-aligned
 * @cleared: called for each chunk
 *
 * Return: 0; or -EOPNOTSUPP if it is not known which pages do; then some may be
 * zeroed.
 */
int chunk_os_clear(void *addr, size_t size, chunk_os_cleared *cleared);

/**
 * chunk_os_map_wiped() - map memory that reads as zero in a child after fork
 * @size: set to its bytes
 *
 * Context: before chunk_os_init(), by several threads at once.
 * Return: the address, or NULL if the system has no such memory.
 */
void *chunk_os_map_wiped(size_t *size);

/**
 * chunk_os_pid() - identify this process
 *
 * Context: before chunk_os_init(), too; on each call of the API where there is no
 * chunk_os_map_wiped().
 * Return: a number that no ancestor of this process has, or 0 if processes do not
 * fork.
 */
unsigned int chunk_os_pid(void);

/**
 * chunk_os_wait() - sleep while a word has a value, or for a shorter time
 * @word:  the word
 * @value: the value
 *
 * Context: before chunk_os_init(), too.
 */
void chunk_os_wait(atomic_uint *word, unsigned int value);

/**
 * chunk_os_wake() - wake a thread that waits on a word
 * @word: the word, whose value has been changed
 *
 * Context: before chunk_os_init(), too.
 */
void chunk_os_wake(atomic_uint *word);

/**
 * chunk_os_nap() - sleep for a moment, of some 50 us
 *
 * Context: lock not held.
 */
void chunk_os_nap(void);

/**
 * chunk_os_getenv() - get a variable of the environment
 * @name: its name
 *
 * Context: before chunk_os_init(), too.
 * Return: its value, or NULL. It is constant.
 */
const char *chunk_os_getenv(const char *name);

/**
 * chunk_os_on_signal() - have a function called when a user asks for statistics
 * @handler: the function; SIGUSR2 calls it, in any thread, at any point
 *
 * Context: during chunk_start().
 * Return: 0; -EBUSY if the program handles that signal; -EOPNOTSUPP if there are no
 * signals.
 */
int chunk_os_on_signal(void (*handler)(void));

/**
 * chunk_os_on_trap() - have a function called for accesses that trap
 * @handler: the function, called with the address, before the program's own handler
 *           and whatever the system does
 *
 * Puts itself in front of the program's handler; to be repeated, in case the program
 * has installed one since.
 *
 * Return: 0 or a negative error number.
 */
int chunk_os_on_trap(void (*handler)(uintptr_t addr));

/**
 * struct chunk_os_place - a place in a file of code
 * @file:   its name without folders, cut short if it is long
 * @offset: bytes from the beginning of the file
 */
struct chunk_os_place {
	char file[64];
	uintptr_t offset;
};

/**
 * chunk_os_locate() - find the file that an address is mapped from
 * @addr:  any address
 * @place: filled
 *
 * Context: signal handlers, too.
 * Return: false if it is not known.
 */
bool chunk_os_locate(uintptr_t addr, struct chunk_os_place *place);

/**
 * chunk_os_stack_prepare() - get ready for chunk_os_stack()
 *
 * Context: no lock held, neither libchunk's nor that of an allocator: it may allocate.
 */
void chunk_os_stack_prepare(void);

/**
 * chunk_os_stack() - find the functions that are active in this thread
 * @frames: filled with an address of code in each, the innermost first
 * @most:   most of them
 *
 * Context: after chunk_os_stack_prepare(). Takes no lock and does not allocate.
 * Return: how many; 0 if they are not known.
 */
unsigned int chunk_os_stack(void **frames, unsigned int most);

/**
 * chunk_os_thread() - identify this thread
 *
 * Return: its number, as other programs show it, or 0 if it has none.
 */
unsigned long chunk_os_thread(void);

/**
 * chunk_os_print() - write to standard error, if there is any
 * @text:   characters, not terminated
 * @length: number of them
 *
 * Context: before chunk_os_init(), too.
 */
void chunk_os_print(const char *text, size_t length);

/**
 * chunk_os_abort() - end the process at once with a status that shows a failure
 *
 * Context: any.
 */
_Noreturn void chunk_os_abort(void);

#endif /* OS_H */
