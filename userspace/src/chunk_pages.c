// SPDX-License-Identifier: MIT
/*
 * Pages: committing, decommitting, populating, purging.
 *
 * A range lies in one live chunk, or in memory from pages_map(), of which the ends
 * may come from different sources. It is treated part by part, each by what it
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
	struct chunk_extent *extent =
		chunk_radix_lookup(&chunk_state.registry, at);

	if (!extent) {
		*end = (at | (CHUNK_TREE_UNIT - 1)) + 1;
		return 0;
	}
	*end = extent->addr + extent->size;
	return (uintptr_t)extent->owner;
}

/**
 * chunk_part_next() - the next part of a range that comes from one source
 * @part: the one before; at first @at is where the range begins, @size 0
 * @end:   byte after the range
 *
 * Context: takes chunk_lock().
 * Return: false after the last. Else @part is it, as long as possible.
 */
bool chunk_part_next(struct chunk_part *part, uintptr_t end)
{
	uintptr_t at = (uintptr_t)part->at + part->size;
	uintptr_t to = at, next;

	if (at == end)
		return false;
	part->at += part->size;
	chunk_lock();
	part->generation = owner_at(at, &to);
	/* An extent at the very top of the address space ends at 0. */
	while (to - at < end - at && owner_at(to, &next) == part->generation)
		to = next;
	part->lost = part->generation &&
		     part->generation != chunk_state.generation;
	chunk_unlock();
	if (to - at > end - at)
		to = end;
	part->size = to - at;
	return true;
}

/* To note it later may take memory. */
static bool can_note_commit(const struct chunk_part *part)
{
	bool ready;

	chunk_lock();
	ready = chunk_decommit_map_prepare(&chunk_state.decommit_map,
					   (uintptr_t)part->at, part->size);
	chunk_unlock();
	return ready;
}

static void note(const struct chunk_part *part, bool decommitted)
{
	chunk_lock();
	chunk_decommit_map_set(&chunk_state.decommit_map, (uintptr_t)part->at,
			       part->size, decommitted);
	chunk_unlock();
}

/*
 * Pages that were to trap but could not be made to may have been written. They
 * are purged once more.
 */
static void purge_untrapped(const struct chunk_part *part)
{
	uintptr_t at = (uintptr_t)part->at;
	uintptr_t end = at + part->size;
	size_t run;

	for (;;) {
		chunk_lock();
		run = chunk_decommit_map_find(&chunk_state.decommit_map, &at,
					      end);
		chunk_unlock();
		if (!run)
			return;
		if (chunk_os.purge((void *)at, run))
			memset((void *)at, 0, run);
		at += run;
	}
}

static bool untrapped;

/* Write to each page what is there already, whoever else may be writing. */
static void touch(char *at, size_t size)
{
	char *end = at + size;

	for (; at < end; at += chunk_os.caps.page_size)
		__atomic_fetch_or(at, 0, __ATOMIC_RELAXED);
}

/**
 * chunk_populate_range() - make committed pages present and writable
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Return: false when out of memory.
 */
bool chunk_populate_range(void *addr, size_t size)
{
	int err = chunk_os.populate ? chunk_os.populate(addr, size) : -EINVAL;

	if (err == -EINVAL)
		touch(addr, size);
	return !err || err == -EINVAL;
}

/* -ENODEV: it is no context's that is in use */
static int commit_generation(struct chunk_part *part, bool populate)
{
	int err;

	if (part->lost)
		return -ENODEV;
	err = chunk_device.commit(part->at, part->size, populate);
	if (err == -ENODEV)
		chunk_device_lost(part->generation);
	return err == -ENOENT ? -ENODEV : err;
}

/* Without a mapping to part them pages are committed with those around them. */
static int commit_mapped(const struct chunk_part *part)
{
	if (!chunk_os.commit(part->at, part->size))
		return 0;
	if (chunk_guard_widen(part->at, part->size))
		return -ENOMEM;
	WRITE_ONCE(untrapped, true);
	return 0;
}

/*
 * In what a lost context of the device has left behind what was free still is: it
 * is nobody's, and nothing but an access finds out. Free are whole chunks.
 */
static bool is_left_behind(const struct chunk_part *part)
{
	uintptr_t lost = chunk_state.last_generation - !!chunk_state.generation;
	char *at = part->at, *end = at + part->size;

	for (; lost && at < end; at += CHUNK_TREE_UNIT) {
		if (chunk_device.traps_at(at))
			return true;
	}
	return false;
}

static bool commit_part(struct chunk_part *part, bool populate)
{
	int err;

	if (part->generation) {
		err = commit_generation(part, populate);
		if (err != -ENODEV)
			return !err;
		err = chunk_device.commit_lost(part->at, part->size);
	} else {
		err = can_note_commit(part) ? commit_mapped(part) : -ENOMEM;
		/* It may lie within a larger range that traps. */
		chunk_guard_split();
		if (!err)
			chunk_backing_apply(part->at, part->size);
		if (!err && is_left_behind(part))
			err = -ENOMEM;
		if (!err && READ_ONCE(untrapped))
			purge_untrapped(part);
	}
	if (err)
		return false;
	note(part, false);
	return !populate || chunk_populate_range(part->at, part->size);
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
	struct chunk_part part = { .at = addr };
	bool good = true;

	while (good && chunk_part_next(&part, (uintptr_t)addr + size))
		good = commit_part(&part, populate);
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

static void decommit_part(struct chunk_part *part)
{
	int err;

	if (part->generation && !part->lost) {
		err = chunk_device.decommit(part->at, part->size);
		if (!err)
			return;
		if (err == -ENODEV)
			chunk_device_lost(part->generation);
	}
	if (part->generation)
		err = chunk_device.decommit_lost(part->at, part->size);
	else
		err = chunk_guard_pages(part->at, part->size);
	if (err)
		WRITE_ONCE(untrapped, true);
	note(part, true);
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
	struct chunk_part part = { .at = addr };

	while (chunk_part_next(&part, (uintptr_t)addr + size))
		decommit_part(&part);
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
	zero = !chunk_os.purge(addr, length);
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
