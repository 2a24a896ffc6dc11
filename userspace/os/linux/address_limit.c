// SPDX-License-Identifier: MIT
/* The address limit of 47 bits: see address_limit.h. */
#include <errno.h>

#include "address_limit.h"
#include "os_unix.h"

/**
 * chunk_address_limit_allows() - test if a range lies below the limit
 * @limit: the limit
 * @addr:  first byte
 * @size:  bytes, at least one
 *
 * Return: true if it does, or if this machine needs no search.
 */
bool chunk_address_limit_allows(const struct chunk_address_limit *limit,
				const void *addr, size_t size)
{
	uint64_t last = (uintptr_t)addr + size - 1;

	return !limit->to || (last >= (uintptr_t)addr &&
			      !(last >> CHUNK_ADDRESS_BITS));
}

/* Try one hint. Return -EEXIST if the kernel chose a place beyond the limit. */
static long try_hint(struct chunk_address_limit *limit, uintptr_t hint,
		     size_t size)
{
	long got = limit->map((void *)hint, size);

	if (chunk_unix_failed(got) ||
	    chunk_address_limit_allows(limit, (void *)got, size))
		return got;
	limit->unmap((void *)got, size);
	return -EEXIST;
}

/* Note where to go on, unless the kernel found a place below all hints. */
static void go_on_after(struct chunk_address_limit *limit, uintptr_t end)
{
	if (end <= limit->from)
		return;
	end += -(end - (uintptr_t)limit->from) % limit->step;
	atomic_store_explicit(&limit->next, end, memory_order_relaxed);
}

/* Try the hints from @at to @end until one succeeds or memory is out. */
static long scan(struct chunk_address_limit *limit, uintptr_t at, uintptr_t end,
		 size_t size)
{
	long got = -ENOMEM;

	for (; at < end; at += limit->step) {
		got = try_hint(limit, at, size);
		if (got != -EEXIST)
			break;
		got = -ENOMEM;
	}
	if (!chunk_unix_failed(got))
		go_on_after(limit, (uintptr_t)got + size);
	return got;
}

/**
 * chunk_address_limit_map() - map memory below the limit
 * @limit: the limit
 * @size:  bytes, a multiple of the page size
 *
 * A scan starts where the last one succeeded, so that neighbours take one try
 * each, and starts over when it has reached the end.
 *
 * Return: the address, or a negative error number.
 */
long chunk_address_limit_map(struct chunk_address_limit *limit, size_t size)
{
	uintptr_t from = limit->from, next, end;
	long got;

	if (!limit->to)
		return limit->map(NULL, size);
	if (size > limit->to - limit->from)
		return -ENOMEM;
	if (!limit->step) {
		got = try_hint(limit, from, size);
		return got == -EEXIST ? -ENOMEM : got;
	}
	end = limit->to - size + 1;
	next = atomic_load_explicit(&limit->next, memory_order_relaxed);
	if (next < from || next >= end)
		next = from;
	got = scan(limit, next, end, size);
	if (got == -ENOMEM && next > from)
		got = scan(limit, from, next, size);
	return got;
}
