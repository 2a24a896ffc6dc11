// SPDX-License-Identifier: MIT
/*
 * Checks of the ranges that callers of the API name.
 *
 * Always: a range that begins in a live extent has to end in it. A range that
 * begins elsewhere must be mapped, and may not run into a live extent or into
 * chunks kept for reuse. That takes a lookup or two, and for memory that is no chunk
 * a system call. With CHUNK_OPTIONS="check:on" also: memory that is no chunk came
 * from pages_map(), and pages are in the state that the caller says.
 */
#include <errno.h>

#include "chunk.h"
#include "chunk_check.h"
#include "chunk_known.h"
#include "chunk_report.h"
#include "chunk_state.h"

/**
 * chunk_check_range() - end the process if this is no range of pages
 * @call:     the function of the API that is asked
 * @addr:     first byte
 * @size:     bytes
 * @anywhere: the address may be NULL
 *
 * Context: lock not held; does chunk_enter().
 */
void chunk_check_range(const struct chunk_call *call, const void *addr,
		       size_t size, bool anywhere)
{
	uintptr_t start = (uintptr_t)addr;
	size_t page;

	chunk_enter();
	page = chunk_os_caps.page_size;
	if (!size || size % page || start % page)
		chunk_die(call, addr, size,
			  "address or size is no multiple of the page size");
	if (addr ? start + size - 1 < start : !anywhere)
		chunk_die(call, addr, size, "there is no such range");
}

/* Is all of a range in one live extent, or none? Else the process ends. */
static bool is_live(const struct chunk_call *call, void *addr, size_t size)
{
	uintptr_t start = (uintptr_t)addr, last = start + size - 1;
	struct chunk_extent *extent;

	extent = chunk_radix_lookup(&chunk_state.registry, start);
	if (extent && last - extent->addr >= extent->size)
		chunk_die(call, addr, size,
			  "this range leaves the chunk that it begins in");
	if (!extent && chunk_radix_next(&chunk_state.registry, start, last))
		chunk_die(call, addr, size,
			  "this range runs into a live chunk");
	return extent;
}

static bool is_in_tree(const struct chunk_tree *tree, uintptr_t start,
		       uintptr_t last)
{
	struct chunk_extent *extent = chunk_tree_seek(tree, start);

	return extent && extent->addr <= last;
}

/* Does libchunk keep any of a range for later? Context: chunk_lock() held. */
static bool is_kept(uintptr_t start, uintptr_t last)
{
	const struct chunk_premap *premap = &chunk_state.premap;
	uintptr_t from = (uintptr_t)premap->addr;

	if (is_in_tree(&chunk_state.recycled, start, last) ||
	    is_in_tree(&chunk_state.kept.tree, start, last))
		return true;
	return premap->size && from <= last && start - from < premap->size;
}

/* Does the device? */
static bool is_kept_by_device(void *addr, size_t size)
{
	return atomic_load_explicit(&chunk_state.generation,
				    memory_order_relaxed) &&
	       chunk_device_keeps(addr, size);
}

/* With check:on, is memory neither from pages_map() nor a base chunk? */
static bool is_unknown(void *addr, size_t size)
{
	bool known;

	if (!chunk_state.options.check)
		return false;
	chunk_lock();
	known = chunk_known_has((uintptr_t)addr, size);
	chunk_unlock();
	return !known;
}

/* Why memory that is not live may not be used either, or NULL if it may */
static const char *why_not(void *addr, size_t size, bool mapped)
{
	uintptr_t start = (uintptr_t)addr;
	bool kept;

	chunk_lock();
	kept = is_kept(start, start + size - 1);
	chunk_unlock();
	if (kept || is_kept_by_device(addr, size))
		return "this memory is not live";
	if (mapped && !chunk_os_is_mapped(addr, size))
		return "this range is not mapped, or not all of it";
	return NULL;
}

static void check_known(const struct chunk_call *call, void *addr, size_t size)
{
	if (is_unknown(addr, size))
		chunk_die(call, addr, size,
			  "this memory is neither a chunk nor from pages_map()");
}

/**
 * chunk_may_commit() - check that pages may be committed
 * @call: the function of the API that is asked
 * @addr: first byte, of a range that was checked
 * @size: bytes
 *
 * Ends the process if the range leaves the chunk that it begins in.
 *
 * Context: lock not held.
 * Return: false if the range is neither live nor other memory that may be used.
 */
bool chunk_may_commit(const struct chunk_call *call, void *addr, size_t size)
{
	if (is_live(call, addr, size))
		return true;
	if (why_not(addr, size, true))
		return false;
	check_known(call, addr, size);
	return true;
}

/**
 * chunk_check_pages() - end the process unless these pages may be changed
 * @call: the function of the API that is asked
 * @addr: first byte, of a range that was checked
 * @size: bytes
 *
 * Context: lock not held.
 */
void chunk_check_pages(const struct chunk_call *call, void *addr, size_t size)
{
	const char *why;

	if (is_live(call, addr, size))
		return;
	why = why_not(addr, size, true);
	if (why)
		chunk_die(call, addr, size, why);
	check_known(call, addr, size);
}

/**
 * chunk_check_unmap() - end the process unless this may be unmapped
 * @call: the function of the API that is asked
 * @addr: first byte, of a range that was checked
 * @size: bytes
 *
 * The system itself sees whether the range is mapped.
 *
 * Context: lock not held.
 */
void chunk_check_unmap(const struct chunk_call *call, void *addr, size_t size)
{
	const char *why;

	if (is_live(call, addr, size))
		chunk_die(call, addr, size,
			  "this is part of a live chunk, for chunk_dealloc()");
	why = why_not(addr, size, false);
	if (why)
		chunk_die(call, addr, size, why);
	check_known(call, addr, size);
}

/* The state of pages at an address of a live chunk, up to its end at most */
static struct chunk_info info_at(const char *at)
{
	struct chunk_info info = { .size = sizeof(info) };

	chunk_lookup(at, &info);
	return info;
}

/**
 * chunk_check_committed() - end the process if pages are decommitted
 * @call: the function of the API that is asked
 * @addr: first byte, of a range that was checked
 * @size: bytes
 *
 * Does nothing without check:on.
 *
 * Context: lock not held.
 */
void chunk_check_committed(const struct chunk_call *call, void *addr,
			   size_t size)
{
	char *at = addr, *end = at + size;

	if (!chunk_state.options.check || !chunk_is_live(addr))
		return;
	while (at < end) {
		struct chunk_info info = info_at(at);

		if (!info.committed)
			chunk_die(call, addr, size,
				  "this range has decommitted pages");
		at = info.end;
	}
}

static const char *first_byte(const char *at, const char *end)
{
	while (at < end && !*at)
		at++;
	return at;
}

/**
 * chunk_check_zeroed() - end the process if an extent is not as zero as its type
 * @call: the function of the API that is given it
 * @addr: its first byte
 * @size: bytes
 * @type: what the caller says it holds
 *
 * Does nothing without check:on.
 *
 * Context: lock not held.
 */
void chunk_check_zeroed(const struct chunk_call *call, void *addr, size_t size,
			enum chunk_type type)
{
	char *at = addr, *end = at + size;

	if (!chunk_state.options.check || type != ZEROED_CHUNK)
		return;
	/* The registry finds misuse of other kinds. */
	while (at < end && chunk_is_live(at)) {
		struct chunk_info info = info_at(at);
		const char *to = (char *)info.end < end ? info.end : end;

		if (info.committed && first_byte(at, to) != to)
			chunk_die(call, addr, size,
				  "this chunk is not zero, as its type says");
		at = info.end;
	}
}

/**
 * chunk_check_note_mapped() - note memory mapped for the caller that is no chunk
 * @addr: first byte
 * @size: bytes
 *
 * Does nothing without check:on.
 *
 * Context: lock not held.
 */
void chunk_check_note_mapped(void *addr, size_t size)
{
	if (!chunk_state.options.check)
		return;
	chunk_lock();
	chunk_known_add((uintptr_t)addr, size);
	chunk_unlock();
}

/**
 * chunk_check_note_unmapped() - note that such memory is about to be unmapped
 * @addr: first byte
 * @size: bytes
 *
 * Does nothing without check:on.
 *
 * Context: lock not held.
 */
void chunk_check_note_unmapped(void *addr, size_t size)
{
	if (!chunk_state.options.check)
		return;
	chunk_lock();
	chunk_known_remove((uintptr_t)addr, size);
	chunk_unlock();
}
