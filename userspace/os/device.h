/* SPDX-License-Identifier: MIT */
/*
 * The device: a source of aligned chunks that recycles them itself.
 *
 * The Makefile links os_device.c, which calls /dev/chunk, or os_nodevice.c for
 * systems without one: its chunk_device_open() fails, so that functions for an open
 * device are never called.
 *
 * Each opening of the device begins a device generation. Functions return 0 or a
 * negative error number. -ENODEV from any of them ends the generation: this process
 * has forked, or closed the descriptor. Its chunks are then handled by
 * chunk_device_commit_lost() and chunk_device_decommit_lost(), and unmapped when
 * they are given back. So are chunks for which the device returns -ENOENT: they are
 * of an earlier generation.
 */
#ifndef DEVICE_H
#define DEVICE_H

#include <errno.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk.h"

/* Windows has no such error. */
#ifndef ESTALE
#define ESTALE	116
#endif

/**
 * struct chunk_device_stats - counters of the device
 * @mapped_bytes:      address space, in bytes
 * @decommitted_bytes: decommitted pages of live extents, in bytes
 * @recycled_bytes:    extents kept for reuse, in bytes
 * @allocs_recycled:   number of extents handed out by reuse
 * @offered_bytes:     chunks that are offered, in bytes
 * @discarded_bytes:   chunks that were discarded and not taken back, in bytes
 * @discards:          number of chunks discarded
 * @takes:             number of chunks taken back intact
 * @retained_bytes:    address space that is neither live nor kept for reuse, in bytes
 * @traps:             accesses to decommitted pages
 */
struct chunk_device_stats {
	uint64_t mapped_bytes;
	uint64_t decommitted_bytes;
	uint64_t recycled_bytes;
	uint64_t allocs_recycled;
	uint64_t offered_bytes;
	uint64_t discarded_bytes;
	uint64_t discards;
	uint64_t takes;
	uint64_t retained_bytes;
	uint64_t traps;
};

/**
 * struct chunk_device_access - permission to open the device
 * @mode:     permission bits of the device node
 * @user:     owner of the node
 * @group:    group of the node
 * @my_user:  effective user of this process
 * @my_group: effective group of this process, without the supplementary ones
 */
struct chunk_device_access {
	unsigned int mode;
	unsigned int user;
	unsigned int group;
	unsigned int my_user;
	unsigned int my_group;
};

/**
 * struct chunk_device_run - addresses of one state
 * @held:      they belong to the open device, live or free
 * @live:      they lie in a live extent
 * @committed: they are live and committed
 * @end:       byte after them; the state may go on there
 */
struct chunk_device_run {
	bool held;
	bool live;
	bool committed;
	uintptr_t end;
};

/* The operation on each element of a batch */
enum chunk_batch { BATCH_ALLOC, BATCH_DEALLOC, BATCH_COMMIT, BATCH_DECOMMIT };

/* State of a new extent; @BORN_PRESENT: committed, with all its pages */
enum chunk_birth { BORN_COMMITTED, BORN_PRESENT, BORN_DECOMMITTED };

/* State of a chunk in its word, as in linux/chunk.h; other bits are a count. */
enum chunk_word {
	WORD_IN_USE,
	WORD_OFFERED,
	WORD_DISCARDING,
	WORD_DISCARDED,
	WORD_STATE = 3,
	WORD_TAKE = 4,
};

/* Words of a window, for 64 GiB of address space, or all of it where that is less */
#define CHUNK_WINDOW_SHIFT	(sizeof(uintptr_t) > 4 ? 16 : 12)
#define CHUNK_WINDOW_WORDS	((size_t)1 << CHUNK_WINDOW_SHIFT)

/* The most elements at a time */
#define CHUNK_BATCH_GROUP	64

/* How often to open a device that somebody keeps closing */
#define CHUNK_DEVICE_TRIES	3

/**
 * chunk_device_open() - open the device
 *
 * Context: it is closed; no other function of the device runs.
 * Return: 0, an error of open(2), -ENOENT among them, -EPROTO if it is a device that this
 * library does not know, or -EOPNOTSUPP on a system for which there is no module.
 */
int chunk_device_open(void);

/**
 * chunk_device_close() - close the device; chunks from it stay mapped
 *
 * Context: any; it need not be open.
 */
void chunk_device_close(void);

/**
 * chunk_device_is_loaded() - test if the system has the device
 *
 * Context: it need not be open.
 * Return: true if the device surely exists, though this process may not see its node.
 */
bool chunk_device_is_loaded(void);

/**
 * chunk_device_access() - find out who may open the device
 * @access: filled on success
 *
 * Context: it need not be open.
 * Return: false if that cannot be found out.
 */
bool chunk_device_access(struct chunk_device_access *access);

/**
 * chunk_device_configure() - choose how the device backs its memory
 * @backing: small pages or huge ones
 * @grow:    address space to map at a time, in bytes; 0: the device's default
 *
 * Context: before the first chunk_device_alloc().
 * Return: 0, -EBUSY, -EOPNOTSUPP or -ENODEV.
 */
int chunk_device_configure(enum chunk_backing backing, size_t grow);

/**
 * chunk_device_traps() - test if decommitted memory traps, as configured
 *
 * Return: whether it does.
 */
bool chunk_device_traps(void);

/**
 * chunk_device_alloc() - allocate an extent
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the chunk size
 * @birth:     state of the extent
 * @out:       set to the address on success
 *
 * Return: 0 with memory that reads as zero when it is committed, or a negative
 * error number.
 */
int chunk_device_alloc(size_t size, size_t alignment, enum chunk_birth birth,
		       void **out);

/**
 * chunk_device_dealloc() - give an extent back
 * @addr: address from chunk_device_alloc()
 * @size: its size in bytes
 * @type: what the owner knows of its contents
 *
 * Return: 0, -ESTALE if somebody has unmapped it already, or another negative
 * error number.
 */
int chunk_device_dealloc(void *addr, size_t size, enum chunk_type type);

/**
 * chunk_device_commit() - make pages of an extent readable and writable
 * @addr:     first byte
 * @size:     bytes
 * @populate: whether to make them present, too
 *
 * Return: 0 or a negative error number.
 */
int chunk_device_commit(void *addr, size_t size, bool populate);

/**
 * chunk_device_decommit() - free pages of an extent; accesses trap
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0 or a negative error number; after -ENOMEM nothing has changed.
 */
int chunk_device_decommit(void *addr, size_t size);

/**
 * chunk_device_batch() - apply an operation to several extents or ranges
 * @what:  the operation
 * @ops:   elements; each @error is set to 0 or an error number, and by BATCH_ALLOC
 *         each @addr to an address or NULL
 * @count: number of elements, CHUNK_BATCH_GROUP at most
 *
 * Return: 0, or a negative error number if nothing was done; -EOPNOTSUPP if the
 * caller must do them one by one.
 */
int chunk_device_batch(enum chunk_batch what, struct chunk_op *ops,
		       size_t count);

/**
 * chunk_device_limit() - bound the address space that the device keeps for reuse
 * @bytes: the limit
 *
 * Return: 0 or a negative error number.
 */
int chunk_device_limit(size_t bytes);

/**
 * chunk_device_stats() - get counters
 * @stats: filled on success
 *
 * Return: 0 or a negative error number.
 */
int chunk_device_stats(struct chunk_device_stats *stats);

/**
 * chunk_device_lookup() - get the state of an address
 * @addr: any address
 * @run:  filled on success
 *
 * Context: whenever the device is open. Changes nothing.
 * Return: 0 or a negative error number.
 */
int chunk_device_lookup(void *addr, struct chunk_device_run *run);

/**
 * chunk_device_keeps() - test if the device keeps some of a range for reuse
 * @addr: first byte
 * @size: bytes
 *
 * Return: whether some byte belongs to the open device and is free.
 */
bool chunk_device_keeps(void *addr, size_t size);

/**
 * chunk_device_has_words() - test if chunks can be offered
 *
 * Return: whether chunk_device_map_words() may succeed.
 */
bool chunk_device_has_words(void);

/**
 * chunk_device_takes_advice() - test if chunk_os_offer() works, as configured
 *
 * Return: whether memory of the device is anonymous memory.
 */
bool chunk_device_takes_advice(void);

/**
 * chunk_device_map_words() - map the words of a window, for good
 * @window: number of the window
 * @words:  set to the first word
 *
 * The words are valid until the process forks or ends, also if the device is closed
 * in the meantime. A forked child does not have them.
 *
 * Return: 0, -ENODEV, or another negative error number if the device or the
 * process has no room.
 */
int chunk_device_map_words(size_t window, atomic_uint **words);

/**
 * chunk_device_touch_word() - see to it that a word can be accessed
 * @word: the word of a live chunk
 *
 * The first access to a page of words fails where no extent is live, or when memory
 * is short.
 *
 * Return: 0, or a negative error number if an access would trap.
 */
int chunk_device_touch_word(atomic_uint *word);

/**
 * chunk_device_purge() - free memory of extents; decommitted pages stay so
 * @addr: first byte, of whatever generation
 * @size: bytes
 *
 * Return: 0 if committed pages read as zero, or a negative error number.
 */
int chunk_device_purge(void *addr, size_t size);

/**
 * chunk_device_traps_at() - test if a page traps, wherever it comes from
 * @page: any page
 *
 * Return: whether it surely does.
 */
bool chunk_device_traps_at(void *page);

/**
 * chunk_device_commit_lost() - commit pages of an earlier generation
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0 or -ENOMEM.
 */
int chunk_device_commit_lost(void *addr, size_t size);

/**
 * chunk_device_decommit_lost() - decommit pages of an earlier generation
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0, or -ENOMEM if the memory is freed but does not trap.
 */
int chunk_device_decommit_lost(void *addr, size_t size);

#endif /* DEVICE_H */
