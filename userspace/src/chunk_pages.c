// SPDX-License-Identifier: MIT
/*
 * Pages: committing, decommitting, populating, purging.
 *
 * A range lies in one live chunk, or in memory from pages_map(), of which the ends
 * may come from different sources. It is treated piece by piece, each by what it
 * came from.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_check.h"
#include "chunk_guard.h"
#include "chunk_internal.h"
#include "chunk_report.h"
#include "chunk_state.h"

/* Where the owner of @at ends; what is no live chunk counts as mmap's */
static uintptr_t owner_at(uintptr_t at, uintptr_t *end)
{
	struct chunk_extent *extent = chunk_radix_lookup(&chunk_state.live,
							 at);

	if (!extent) {
		*end = (at | (CHUNK_TREE_UNIT - 1)) + 1;
		return 0;
	}
	*end = extent->addr + extent->size;
	return (uintptr_t)extent->owner;
}

/**
 * chunk_next_piece() - the next part of a range that comes from one source
 * @piece: the one before; at first @at is where the range begins, @size 0
 * @end:   byte after the range
 *
 * Context: takes chunk_lock().
 * Return: false after the last. Else @piece is it, as long as possible.
 */
bool chunk_next_piece(struct chunk_piece *piece, uintptr_t end)
{
	uintptr_t at = (uintptr_t)piece->at + piece->size;
	uintptr_t to = at, next;

	if (at == end)
		return false;
	piece->at += piece->size;
	chunk_lock();
	piece->context = owner_at(at, &to);
	/* An extent at the very top of the address space ends at 0. */
	while (to - at < end - at && owner_at(to, &next) == piece->context)
		to = next;
	piece->lost = piece->context && piece->context != chunk_state.device;
	chunk_unlock();
	if (to - at > end - at)
		to = end;
	piece->size = to - at;
	return true;
}

/* To note it later may take memory. */
static bool can_note_commit(const struct chunk_piece *piece)
{
	bool ready;

	chunk_lock();
	ready = chunk_track_ready(&chunk_state.pages, (uintptr_t)piece->at,
				  piece->size);
	chunk_unlock();
	return ready;
}

static void note(const struct chunk_piece *piece, bool decommitted)
{
	chunk_lock();
	chunk_track_set(&chunk_state.pages, (uintptr_t)piece->at, piece->size,
			decommitted);
	chunk_unlock();
}

/*
 * Pages that were to trap but could not be made to may have been written. They
 * are purged once more.
 */
static void purge_untrapped(const struct chunk_piece *piece)
{
	uintptr_t at = (uintptr_t)piece->at;
	uintptr_t end = at + piece->size;
	size_t run;

	for (;;) {
		chunk_lock();
		run = chunk_track_run(&chunk_state.pages, &at, end);
		chunk_unlock();
		if (!run)
			return;
		if (chunk_os_purge((void *)at, run))
			memset((void *)at, 0, run);
		at += run;
	}
}

static bool untrapped;

/* Write to each page what is there already, whoever else may be writing. */
static void touch(char *at, size_t size)
{
	char *end = at + size;

	for (; at < end; at += chunk_os_caps.page_size)
		__atomic_fetch_or(at, 0, __ATOMIC_RELAXED);
}

/**
 * chunk_populate() - make committed pages present and writable
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Return: false when out of memory.
 */
bool chunk_populate(void *addr, size_t size)
{
	int err = chunk_os_populate(addr, size);

	if (err == -EOPNOTSUPP)
		touch(addr, size);
	return !err || err == -EOPNOTSUPP;
}

/* -ENODEV: it is no context's that is in use */
static int commit_context(struct chunk_piece *piece, bool populate)
{
	int err;

	if (piece->lost)
		return -ENODEV;
	err = chunk_device_commit(piece->at, piece->size, populate);
	if (err == -ENODEV)
		chunk_device_lost(piece->context);
	return err == -ENOENT ? -ENODEV : err;
}

/* Without a mapping to part them pages are committed with those around them. */
static int commit_mapped(const struct chunk_piece *piece)
{
	if (!chunk_os_commit(piece->at, piece->size))
		return 0;
	if (chunk_guard_widen(piece->at, piece->size))
		return -ENOMEM;
	WRITE_ONCE(untrapped, true);
	return 0;
}

/*
 * In what a lost context of the device has left behind what was free still is: it
 * is nobody's, and nothing but an access finds out. Free are whole chunks.
 */
static bool is_left_behind(const struct chunk_piece *piece)
{
	uintptr_t lost = chunk_state.contexts - !!chunk_state.device;
	char *at = piece->at, *end = at + piece->size;

	for (; lost && at < end; at += CHUNK_TREE_UNIT) {
		if (chunk_device_traps_at(at))
			return true;
	}
	return false;
}

static bool commit_piece(struct chunk_piece *piece, bool populate)
{
	int err;

	if (piece->context) {
		err = commit_context(piece, populate);
		if (err != -ENODEV)
			return !err;
		err = chunk_device_commit_lost(piece->at, piece->size);
	} else {
		err = can_note_commit(piece) ? commit_mapped(piece) : -ENOMEM;
		/* It may lie within a larger range that traps. */
		chunk_guard_split();
		if (!err)
			chunk_want_huge(piece->at, piece->size);
		if (!err && is_left_behind(piece))
			err = -ENOMEM;
		if (!err && READ_ONCE(untrapped))
			purge_untrapped(piece);
	}
	if (err)
		return false;
	note(piece, false);
	return !populate || chunk_populate(piece->at, piece->size);
}

/**
 * chunk_commit_range() - make pages readable and writable
 * @addr:     first byte, checked
 * @size:     bytes, checked
 * @populate: and present
 *
 * Context: lock not held.
 * Return: false when out of memory.
 */
bool chunk_commit_range(void *addr, size_t size, bool populate)
{
	struct chunk_piece piece = { .at = addr };
	bool good = true;

	while (good && chunk_next_piece(&piece, (uintptr_t)addr + size))
		good = commit_piece(&piece, populate);
	if (good) {
		chunk_lock();
		chunk_state.counts.commits++;
		chunk_unlock();
	}
	return good;
}

/**
 * chunk_commit_checked() - pages_commit() and its like
 * @call:     the function of the API that is asked
 * @addr:     first byte
 * @size:     bytes
 * @populate: and present
 *
 * Context: lock not held.
 * Return: 0, -ENOMEM, or -EINVAL if the memory is not live.
 */
int chunk_commit_checked(const struct chunk_call *call, void *addr, size_t size,
			 bool populate)
{
	chunk_check_range(call, addr, size, false);
	if (!chunk_may_commit(call, addr, size))
		return -EINVAL;
	return chunk_commit_range(addr, size, populate) ? 0 : -ENOMEM;
}

/**
 * pages_commit() - make pages readable and writable again
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * What was decommitted reads as zero, what was committed is as it was.
 *
 * Return: false when out of memory; then part of the range may be committed. Or
 * with errno EINVAL if the memory is not live.
 */
bool pages_commit(void *addr, size_t size)
{
	int saved = errno;
	int err;

	err = chunk_commit_checked(CHUNK_CALL("pages_commit"), addr, size,
				   false);
	errno = err ? -err : saved;
	return !err;
}

/**
 * pages_populate() - commit pages, and take their page faults now
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * As pages_commit(); moreover all pages are present.
 *
 * Return: false as pages_commit(); when out of memory part of what is committed
 * may be present.
 */
bool pages_populate(void *addr, size_t size)
{
	int saved = errno;
	int err;

	err = chunk_commit_checked(CHUNK_CALL("pages_populate"), addr, size,
				   true);
	errno = err ? -err : saved;
	return !err;
}

static void decommit_piece(struct chunk_piece *piece)
{
	int err;

	if (piece->context && !piece->lost) {
		err = chunk_device_decommit(piece->at, piece->size);
		if (!err)
			return;
		if (err == -ENODEV)
			chunk_device_lost(piece->context);
	}
	if (piece->context)
		err = chunk_device_decommit_lost(piece->at, piece->size);
	else
		err = chunk_guard_pages(piece->at, piece->size);
	if (err)
		WRITE_ONCE(untrapped, true);
	note(piece, true);
}

/**
 * chunk_decommit_range() - free the memory of pages and make accesses trap
 * @addr: first byte, checked
 * @size: bytes, checked
 *
 * Context: lock not held.
 */
void chunk_decommit_range(void *addr, size_t size)
{
	struct chunk_piece piece = { .at = addr };

	while (chunk_next_piece(&piece, (uintptr_t)addr + size))
		decommit_piece(&piece);
	chunk_lock();
	chunk_state.counts.decommits++;
	chunk_unlock();
}

/**
 * pages_decommit() - free the memory of pages and make accesses trap
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Where the system lacks the mappings to make them trap, it frees the memory.
 */
void pages_decommit(void *addr, size_t size)
{
	const struct chunk_call *call = CHUNK_CALL("pages_decommit");
	int saved = errno;

	chunk_check_range(call, addr, size, false);
	chunk_check_pages(call, addr, size);
	chunk_decommit_range(addr, size);
	errno = saved;
}

/**
 * pages_purge() - free the memory of committed pages, which stay committed
 * @addr:       first byte, page-aligned
 * @length:     bytes, a non-zero multiple of the page size
 * @force_zero: they must read as zero afterwards
 *
 * Return: whether they surely do.
 */
bool pages_purge(void *addr, size_t length, bool force_zero)
{
	const struct chunk_call *call = CHUNK_CALL("pages_purge");
	int saved = errno;
	bool zero;

	chunk_check_range(call, addr, length, false);
	chunk_check_pages(call, addr, length);
	chunk_check_committed(call, addr, length);
	zero = !chunk_os_purge(addr, length);
	if (!zero && force_zero) {
		memset(addr, 0, length);
		zero = true;
	}
	errno = saved;
	return zero;
}

/**
 * chunk_assert_zero() - in a vigilant build, die unless memory reads as zero
 * @p:    first byte
 * @size: bytes
 */
void chunk_assert_zero(const void *p, size_t size)
{
#ifdef CHUNK_DEBUG_VIGILANT
	const unsigned char *at = p;

	for (; size; at++, size--) {
		if (*at)
			chunk_die(CHUNK_CALL("chunk_assert_zero"), at,
				  size, "this byte is not zero");
	}
#else
	(void)p;
	(void)size;
#endif
}
