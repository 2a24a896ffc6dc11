// SPDX-License-Identifier: MIT
/* Addresses whose high 17 bits are clear: see address_limit.h. */
#include <errno.h>

#include "address_limit.h"

static bool is_error(long addr)
{
	return addr < 0 && addr >= -4095;
}

/**
 * chunk_low_holds() - is a range where it may be?
 * @low:  the rule
 * @addr: first byte
 * @size: bytes, at least one
 *
 * Return: always true where there is no rule.
 */
bool chunk_low_holds(const struct chunk_low *low, const void *addr,
		     size_t size)
{
	uint64_t last = (uintptr_t)addr + size - 1;

	return !low->to ||
	       (last >= (uintptr_t)addr && !(last >> CHUNK_LOW_BITS));
}

/* One hint: -EEXIST if the kernel chose a place that is too high. */
static long try_hint(struct chunk_low *low, uintptr_t hint, size_t size)
{
	long got = low->map((void *)hint, size);

	if (is_error(got) || chunk_low_holds(low, (void *)got, size))
		return got;
	low->unmap((void *)got, size);
	return -EEXIST;
}

/* The kernel may also have found a place below all hints. */
static void go_on_after(struct chunk_low *low, uintptr_t end)
{
	if (end <= low->from)
		return;
	end += -(end - (uintptr_t)low->from) % low->step;
	atomic_store_explicit(&low->next, end, memory_order_relaxed);
}

/* The hints from @at to @end, until one serves or memory is out. */
static long scan(struct chunk_low *low, uintptr_t at, uintptr_t end,
		 size_t size)
{
	long got = -ENOMEM;

	for (; at < end; at += low->step) {
		got = try_hint(low, at, size);
		if (got != -EEXIST)
			break;
		got = -ENOMEM;
	}
	if (!is_error(got))
		go_on_after(low, (uintptr_t)got + size);
	return got;
}

/**
 * chunk_low_map() - map memory, as low as the rule says
 * @low:  the rule
 * @size: bytes, a multiple of the page size
 *
 * A scan goes on where the last one found something, and begins anew at the
 * end, so that neighbours take one try each.
 *
 * Return: the address, or a negative error number.
 */
long chunk_low_map(struct chunk_low *low, size_t size)
{
	uintptr_t from = low->from, next, end;
	long got;

	if (!low->to)
		return low->map(NULL, size);
	if (size > low->to - low->from)
		return -ENOMEM;
	if (!low->step) {
		got = try_hint(low, from, size);
		return got == -EEXIST ? -ENOMEM : got;
	}
	end = low->to - size + 1;
	next = atomic_load_explicit(&low->next, memory_order_relaxed);
	if (next < from || next >= end)
		next = from;
	got = scan(low, next, end, size);
	if (got == -ENOMEM && next > from)
		got = scan(low, from, next, size);
	return got;
}
