// SPDX-License-Identifier: MIT
/*
 * Pages: mapping, committing, decommitting, purging.
 *
 * A range may lie in one live chunk, in several that adjoin, or in memory from
 * pages_map(). It is treated piece by piece, each by what it came from.
 */
#include <errno.h>
#include <string.h>

#include "chunk.h"
#include "chunk_internal.h"
#include "chunk_report.h"
#include "chunk_state.h"

/* How often to map an aligned place that others may take. */
#define PLACE_TRIES	10

static void check_range(const char *call, const void *addr, size_t size,
			bool anywhere)
{
	uintptr_t start = (uintptr_t)addr;
	size_t page;

	chunk_enter();
	page = chunk_os.caps.page_size;
	if (!size || size % page || start % page)
		chunk_die(call, addr, size,
			  "address or size is no multiple of the page size");
	if (addr ? start + size - 1 < start : !anywhere)
		chunk_die(call, addr, size, "there is no such range");
}

/**
 * chunk_unmap_or_report() - return address space
 * @call: the function of the API that does
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Where the system cannot, for lack of mappings, the memory is freed, and a line
 * on stderr says that the address space is lost.
 *
 * Return: whether it was returned.
 */
bool chunk_unmap_or_report(const char *call, void *addr, size_t size)
{
	struct chunk_line line = { 0 };
	int err = chunk_os.unmap(addr, size);

	if (!err)
		return true;
	chunk_os.decommit(addr, size);
	chunk_line_text(&line, "libchunk: ");
	chunk_line_text(&line, call);
	chunk_line_text(&line, ": unmap(");
	chunk_line_number(&line, (uintptr_t)addr, 16);
	chunk_line_text(&line, ", ");
	chunk_line_number(&line, size, 10);
	chunk_line_text(&line, "): ");
	chunk_line_error(&line, -err);
	chunk_line_write(&line);
	return false;
}

/* Cut an aligned piece out of a larger mapping. */
static void *trim(char *addr, size_t mapped, size_t size, size_t alignment)
{
	size_t lead = -(uintptr_t)addr & (alignment - 1);
	size_t trail = mapped - lead - size;

	if (lead)
		chunk_unmap_or_report("chunk_alloc", addr, lead);
	if (trail)
		chunk_unmap_or_report("chunk_alloc", addr + lead + size,
				      trail);
	return addr + lead;
}

/*
 * Where the last mapping is that was cut out of a larger one. Where addresses
 * are handed out from the top down there is most likely room below it, and one
 * call does for three or more.
 */
static atomic_uintptr_t last_cut;

static void remember(void *addr)
{
	atomic_store_explicit(&last_cut, (uintptr_t)addr, memory_order_relaxed);
}

static void *map_below_last(size_t size, size_t alignment)
{
	uintptr_t last = atomic_load_explicit(&last_cut, memory_order_relaxed);
	uintptr_t at = (last - size) & ~(alignment - 1);
	void *addr;

	if (last <= size || !at || chunk_os.map((void *)at, size, &addr))
		return NULL;
	remember(addr);
	return addr;
}

/* A mapping so large that an aligned one fits in, and that one alone is kept */
static void *map_larger(size_t size, size_t alignment)
{
	size_t more = size + alignment - chunk_os.caps.page_size;
	unsigned int tries;
	uintptr_t at;
	void *addr;
	int err;

	if (more < size)
		return NULL;
	addr = map_below_last(size, alignment);
	if (addr)
		return addr;
	for (tries = 0; tries < PLACE_TRIES; tries++) {
		if (chunk_os.map(NULL, more, &addr))
			return NULL;
		if (chunk_os.caps.partial_unmap) {
			addr = trim(addr, more, size, alignment);
			remember(addr);
			return addr;
		}
		/* Another thread may take the place in between. */
		if (!chunk_unmap_or_report("chunk_alloc", addr, more))
			return NULL;
		at = ((uintptr_t)addr + alignment - 1) & ~(alignment - 1);
		err = chunk_os.map((void *)at, size, &addr);
		if (err != -EEXIST)
			return err ? NULL : addr;
	}
	return NULL;
}

/* As chunk_map_aligned(), by unaligned mappings */
static void *map_by_trying(size_t size, size_t alignment)
{
	uintptr_t at;
	void *addr;

	/* Neighbours of such sizes leave no aligned place but by chance. */
	if (size & (alignment - 1))
		return map_larger(size, alignment);
	/* Once its neighbours are aligned, it mostly is by itself. */
	if (chunk_os.map(NULL, size, &addr))
		return NULL;
	at = (uintptr_t)addr & ~(alignment - 1);
	if (at == (uintptr_t)addr)
		return addr;
	chunk_unmap_or_report("chunk_alloc", addr, size);
	/* Where addresses are handed out from the top down, there is room. */
	if (at && !chunk_os.map((void *)at, size, &addr))
		return addr;
	return map_larger(size, alignment);
}

/**
 * chunk_map_aligned() - a fresh mapping at a multiple of an alignment
 * @size:      bytes, a multiple of the chunk size
 * @alignment: bytes, a power of two, at least the page size
 *
 * Return: memory that reads as zero, or NULL.
 */
void *chunk_map_aligned(size_t size, size_t alignment)
{
	void *addr;
	int err = -ENODEV;

	if (chunk_os.map_aligned)
		err = chunk_os.map_aligned(size, alignment, &addr);
	if (err == -ENODEV)
		return map_by_trying(size, alignment);
	return err ? NULL : addr;
}

/**
 * pages_map() - a new private zero-filled mapping
 * @addr: exactly where, or NULL for anywhere; page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Never over another mapping.
 *
 * Return: the address, or NULL with errno ENOMEM, or EEXIST if the place is
 * taken.
 */
void *pages_map(void *addr, size_t size)
{
	int saved = errno;
	void *out;
	int err;

	check_range("pages_map", addr, size, true);
	err = chunk_os.map(addr, size, &out);
	errno = err ? -err : saved;
	return err ? NULL : out;
}

/**
 * pages_unmap() - return address space
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * A failure is reported on stderr and is not fatal.
 */
void pages_unmap(void *addr, size_t size)
{
	int saved = errno;

	check_range("pages_unmap", addr, size, false);
	chunk_unmap_or_report("pages_unmap", addr, size);
	errno = saved;
}

/**
 * struct piece - part of a range that comes from one source
 * @at:      its first byte
 * @size:    bytes
 * @context: of the device, or 0 for mmap
 * @lost:    a context of the device that is not in use any more
 */
struct piece {
	char *at;
	size_t size;
	uintptr_t context;
	bool lost;
};

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

/* The next piece of a range, as long as possible; false after the last */
static bool next_piece(struct piece *piece, uintptr_t end)
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

static void note(const struct piece *piece, bool decommitted)
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
static void purge_untrapped(const struct piece *piece)
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
		if (chunk_os.purge((void *)at, run))
			memset((void *)at, 0, run);
		at += run;
	}
}

static bool untrapped;

/* -ENODEV: it is no context's that is in use */
static int commit_context(struct piece *piece)
{
	int err;

	if (piece->lost)
		return -ENODEV;
	err = chunk_device.commit(piece->at, piece->size);
	if (err == -ENODEV)
		chunk_device_lost(piece->context);
	return err == -ENOENT ? -ENODEV : err;
}

static bool commit_piece(struct piece *piece)
{
	int err;

	if (piece->context) {
		err = commit_context(piece);
		if (err != -ENODEV)
			return !err;
		err = chunk_device.commit_lost(piece->at, piece->size);
	} else {
		err = chunk_os.commit(piece->at, piece->size);
		if (!err && READ_ONCE(untrapped))
			purge_untrapped(piece);
	}
	if (!err)
		note(piece, false);
	return !err;
}

/**
 * pages_commit() - make pages readable and writable again
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * What was decommitted reads as zero, what was committed is as it was.
 *
 * Return: false when out of memory; then part of the range may be committed.
 */
bool pages_commit(void *addr, size_t size)
{
	struct piece piece = { .at = addr };
	int saved = errno;
	bool good = true;

	check_range("pages_commit", addr, size, false);
	while (good && next_piece(&piece, (uintptr_t)addr + size))
		good = commit_piece(&piece);
	if (good) {
		chunk_lock();
		chunk_state.counts.commits++;
		chunk_unlock();
	}
	errno = good ? saved : ENOMEM;
	return good;
}

static void decommit_piece(struct piece *piece)
{
	int err;

	if (piece->context && !piece->lost) {
		err = chunk_device.decommit(piece->at, piece->size);
		if (!err)
			return;
		if (err == -ENODEV)
			chunk_device_lost(piece->context);
	}
	if (piece->context)
		err = chunk_device.decommit_lost(piece->at, piece->size);
	else
		err = chunk_os.decommit(piece->at, piece->size);
	if (err)
		WRITE_ONCE(untrapped, true);
	note(piece, true);
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
	struct piece piece = { .at = addr };
	int saved = errno;

	check_range("pages_decommit", addr, size, false);
	while (next_piece(&piece, (uintptr_t)addr + size))
		decommit_piece(&piece);
	chunk_lock();
	chunk_state.counts.decommits++;
	chunk_unlock();
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
	int saved = errno;
	bool zero;

	check_range("pages_purge", addr, length, false);
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
			chunk_die("chunk_assert_zero", at, size,
				  "this byte is not zero");
	}
#else
	(void)p;
	(void)size;
#endif
}
