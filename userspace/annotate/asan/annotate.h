/* SPDX-License-Identifier: MIT */
/* AddressSanitizer: unusable memory is poisoned. A program without it is left alone. */
#ifndef ANNOTATE_H
#define ANNOTATE_H

#include <stddef.h>
#include <stdint.h>
#include <unistd.h>

#include <sanitizer/asan_interface.h>
#include <sys/mman.h>

#pragma weak __asan_poison_memory_region
#pragma weak __asan_unpoison_memory_region
#pragma weak __asan_get_shadow_mapping

/* Each 8 bytes have a byte of shadow, which has memory once it was written. */
#define ANNOTATE_MOST	((size_t)64 << 20)

/* Of a larger range, the beginning alone is poisoned. */
static inline void annotate_unusable(void *addr, size_t size)
{
	if (__asan_poison_memory_region)
		__asan_poison_memory_region(addr, size < ANNOTATE_MOST ? size : ANNOTATE_MOST);
}

/* Free the shadow of a large range: it then reads as zero, and that is usable. */
static inline void annotate_usable_range(uintptr_t from, uintptr_t to)
{
	const uintptr_t page = sysconf(_SC_PAGESIZE);
	uintptr_t first, last;
	size_t scale, offset;

	__asan_get_shadow_mapping(&scale, &offset);
	first = ((from >> scale) + offset + page - 1) & ~(page - 1);
	last = ((to >> scale) + offset) & ~(page - 1);
	if (madvise((void *)first, last - first, MADV_DONTNEED)) {
		__asan_unpoison_memory_region((void *)from, to - from);
		return;
	}
	first = (first - offset) << scale;
	last = (last - offset) << scale;
	__asan_unpoison_memory_region((void *)from, first - from);
	__asan_unpoison_memory_region((void *)last, to - last);
}

static inline void annotate_usable(void *addr, size_t size)
{
	if (!__asan_unpoison_memory_region)
		return;
	if (size > ANNOTATE_MOST)
		annotate_usable_range((uintptr_t)addr, (uintptr_t)addr + size);
	else
		__asan_unpoison_memory_region(addr, size);
}

#endif /* ANNOTATE_H */
