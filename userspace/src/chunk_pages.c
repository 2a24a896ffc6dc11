// SPDX-License-Identifier: MIT
/*
 * Pages: committing, decommitting, populating, purging. Each part of a range is
 * treated according to its source.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_annotate.h"
#include "chunk_check.h"
#include "chunk_explain.h"
#include "chunk_guard.h"
#include "chunk_internal.h"
#include "chunk_probe.h"
#include "chunk_state.h"

/* Get the memory that noting the commit may take, before the commit. */
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
 * Purge decommitted pages once more: those that the system could not make trap may
 * have been written since.
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
		if (chunk_os_purge((void *)at, run))
			memset((void *)at, 0, run);
		at += run;
	}
}

/* Was there ever a decommitted page that does not trap? */
static bool untrapped;

/* Write to each page without changing it, also while other threads write. */
static void touch(char *at, size_t size)
{
	char *end = at + size;

	for (; at < end; at += chunk_os_caps.page_size)
		__atomic_fetch_or(at, 0, __ATOMIC_RELAXED);
}

/**
 * chunk_populate_range() - make committed pages present and writable
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Context: lock not held.
 * Return: false when out of memory.
 */
bool chunk_populate_range(void *addr, size_t size)
{
	int err = chunk_os_populate(addr, size);

	if (err == -EOPNOTSUPP)
		touch(addr, size);
	return !err || err == -EOPNOTSUPP;
}

/* Returns -ENODEV if the generation in use cannot commit it. */
static int commit_generation(struct chunk_part *part, bool populate)
{
	int err;

	if (part->lost)
		return -ENODEV;
	err = chunk_device_commit(part->at, part->size, populate);
	if (err == -ENODEV)
		chunk_device_lost(part->generation);
	return err == -ENOENT ? -ENODEV : err;
}

/*
 * For lack of mappings, pages may have to become accessible together with the
 * decommitted pages around them.
 */
static int commit_mapped(const struct chunk_part *part)
{
	if (!chunk_os_commit(part->at, part->size))
		return 0;
	if (chunk_guard_widen(part->at, part->size))
		return -ENOMEM;
	WRITE_ONCE(untrapped, true);
	return 0;
}

/*
 * Is a free chunk of a lost generation in the range? Free chunks of
 * it stay mapped and trap, and belong to nobody, so only an access tells.
 */
static bool is_left_behind(const struct chunk_part *part)
{
	uintptr_t lost = chunk_state.last_generation - !!chunk_state.generation;
	char *at = part->at, *end = at + part->size;

	for (; lost && at < end; at += CHUNK_TREE_UNIT) {
		if (chunk_device_traps_at(at))
			return true;
	}
	return false;
}

static bool commit_part(struct chunk_part *part, bool populate)
{
	int err;

	chunk_annotate_usable(part->at, part->size);
	if (part->generation) {
		err = commit_generation(part, populate);
		if (err != -ENODEV)
			return !err;
		err = chunk_device_commit_lost(part->at, part->size);
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
	chunk_probe_commit(part->at, part->size, err);
	if (err)
		return false;
	note(part, false);
	return !populate || chunk_populate_range(part->at, part->size);
}

/* Make checked pages readable and writable; false when out of memory. */
static bool commit_range(void *addr, size_t size, bool populate)
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

/* Release extents that are kept; false if there are none that can be. */
static bool release_kept(const char *call)
{
	if (!chunk_has_kept() || !chunk_reuse_release(call))
		return false;
	/* The device may recycle them. */
	chunk_recycle_release();
	return true;
}

/*
 * commit_range() once it has failed: kept memory must not make it fail. Not inline:
 * commits that succeed would save registers for it.
 */
static __attribute__((noinline)) bool
commit_after_release(const char *call, void *addr, size_t size, bool populate)
{
	bool good = false;

	while (!good && release_kept(call))
		good = commit_range(addr, size, populate);
	return good;
}

/* chunk_commit_checked(). Inline, as commit() is: most callers commit a page. */
static inline __attribute__((always_inline)) int
commit_checked(const struct chunk_call *call, void *addr, size_t size,
	       bool populate)
{
	chunk_check_range(call, addr, size, false);
	if (!chunk_may_commit(call, addr, size))
		return -EINVAL;
	if (commit_range(addr, size, populate) ||
	    commit_after_release(call->name, addr, size, populate))
		return 0;
	return -ENOMEM;
}

/**
 * chunk_commit_checked() - check a range and make its pages readable and writable
 * @call:     the function of the API that is asked
 * @addr:     first byte
 * @size:     bytes
 * @populate: make them present, too
 *
 * Context: lock not held.
 * Return: 0, -ENOMEM, or -EINVAL if the memory is not live.
 */
int chunk_commit_checked(const struct chunk_call *call, void *addr, size_t size,
			 bool populate)
{
	return commit_checked(call, addr, size, populate);
}

/* A commit of the API: errno */
static inline __attribute__((always_inline)) bool
commit(const char *name, void *addr, size_t size, bool populate)
{
	int saved = errno;
	int err;

	err = commit_checked(CHUNK_CALL(name), addr, size, populate);
	errno = err ? -err : saved;
	return !err;
}

/**
 * pages_commit() - make pages readable and writable again
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Decommitted pages read as zero afterwards; committed pages keep their contents.
 *
 * Return: true; or false with errno ENOMEM when out of memory, when part of the
 * range may be committed; or EINVAL if the memory is not live.
 */
bool pages_commit(void *addr, size_t size)
{
	return commit("pages_commit", addr, size, false);
}

/**
 * pages_populate() - commit pages and make them present
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * As pages_commit(); moreover their page faults are taken now.
 *
 * Return: as pages_commit(); when out of memory some of the committed pages may be
 * present.
 */
bool pages_populate(void *addr, size_t size)
{
	return commit("pages_populate", addr, size, true);
}

static void decommit_part(struct chunk_part *part)
{
	int err;

	if (part->generation && !part->lost) {
		err = chunk_device_decommit(part->at, part->size);
		if (!err)
			return;
		if (err == -ENODEV)
			chunk_device_lost(part->generation);
	}
	if (part->generation)
		err = chunk_device_decommit_lost(part->at, part->size);
	else
		err = chunk_guard_pages(part->at, part->size);
	chunk_probe_decommit(part->at, part->size, err);
	if (err)
		WRITE_ONCE(untrapped, true);
	note(part, true);
}

/**
 * chunk_note_decommit() - tell all who want to know of decommitted memory
 * @call:   the function of the API
 * @addr:   first byte
 * @size:   bytes
 * @caller: who has called it
 *
 * To be called if chunk_state.note_decommits says so: one look at it is all that a
 * decommit costs otherwise.
 *
 * Context: chunk_enter() done, lock not held.
 */
void chunk_note_decommit(const char *call, const void *addr, size_t size,
			 const void *caller)
{
	if (READ_ONCE(chunk_state.kept.active))
		chunk_reuse_note(addr, size, true);
	if (chunk_state.options.explain)
		chunk_explain_slowly(call, addr, size, caller);
}

/**
 * chunk_decommit_range() - free the memory of pages and make accesses trap
 * @addr: first byte, checked
 * @size: bytes, checked
 *
 * Context: lock not held; whoever wants to know of it knows.
 */
void chunk_decommit_range(void *addr, size_t size)
{
	struct chunk_part part = { .at = addr };

	while (chunk_part_next(&part, (uintptr_t)addr + size))
		decommit_part(&part);
	chunk_annotate_unusable(addr, size);
	chunk_lock();
	chunk_state.counts.decommits++;
	chunk_unlock();
}

/**
 * pages_decommit() - free the memory of pages and make accesses trap
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * For lack of mappings, the pages may not trap; their memory is freed all the same.
 */
void pages_decommit(void *addr, size_t size)
{
	const struct chunk_call *call = CHUNK_CALL("pages_decommit");
	int saved = errno;

	chunk_check_range(call, addr, size, false);
	chunk_check_pages(call, addr, size);
	if (unlikely(READ_ONCE(chunk_state.note_decommits)))
		chunk_note_decommit(call->name, addr, size,
				    __builtin_return_address(0));
	chunk_decommit_range(addr, size);
	errno = saved;
}

/**
 * pages_purge() - free the memory of committed pages, which stay committed
 * @addr:       first byte, page-aligned
 * @length:     bytes, a non-zero multiple of the page size
 * @force_zero: they must read as zero afterwards
 *
 * Return: true if they surely do.
 */
bool pages_purge(void *addr, size_t length, bool force_zero)
{
	const struct chunk_call *call = CHUNK_CALL("pages_purge");
	int saved = errno;
	bool zero;

	chunk_check_range(call, addr, length, false);
	chunk_check_pages(call, addr, length);
	chunk_check_committed(call, addr, length);
	if (READ_ONCE(chunk_state.kept.active))
		chunk_reuse_note(addr, length, false);
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
