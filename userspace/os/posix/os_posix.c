// SPDX-License-Identifier: MIT
/*
 * Systems that have POSIX, with anonymous mappings, and no more that libchunk
 * relies on: macOS, FreeBSD, NetBSD and others.
 *
 * Mappings are replaced where Linux takes advice: POSIX does not define the
 * contents of memory after POSIX_MADV_DONTNEED, and a new mapping is surely zero.
 * The system may refuse to split a mapping.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "os.h"
#include "os_unix.h"
#include "unix_calls.h"

#define RW	(PROT_READ | PROT_WRITE)

/* Long enough for the holder of a lock, short enough to go unnoticed */
#define NAP_NANOSECONDS	50000

struct chunk_os_caps chunk_os_caps;
const char *const chunk_os_name = "mmap";
const char *const chunk_os_mappings_advice = "";

/* Without MAP_FIXED an address is a hint, and never replaces anything. */
int chunk_os_map(void *addr, size_t size, void **out)
{
	long got = unix_map(addr, size, RW, 0);

	if (chunk_unix_failed(got))
		return -ENOMEM;
	if (addr && (void *)got != addr) {
		unix_unmap((void *)got, size);
		return -EEXIST;
	}
	*out = (void *)got;
	return 0;
}

int chunk_os_reserve(size_t size, size_t alignment, void **out)
{
	return chunk_unix_reserve(size, alignment, out);
}

static int replace(void *addr, size_t size, int prot)
{
	return chunk_unix_failed(unix_map(addr, size, prot, MAP_FIXED)) ?
	       -ENOMEM : 0;
}

int chunk_os_commit(void *addr, size_t size)
{
	return mprotect(addr, size, RW) ? -ENOMEM : 0;
}

int chunk_os_purge(void *addr, size_t size)
{
	return replace(addr, size, RW);
}

int chunk_os_decommit(void *addr, size_t size)
{
	if (!replace(addr, size, PROT_NONE))
		return 0;
	/* Advice is only a request, but takes no mapping. */
	if (chunk_os_purge(addr, size))
		madvise(addr, size, MADV_DONTNEED);
	return -ENOMEM;
}

/*
 * Neither advice says later whether a page has kept its contents. macOS's own keeps
 * the memory from counting as the program's meanwhile.
 */
#if defined(MADV_FREE_REUSABLE)
#define ADVICE_OFFER	MADV_FREE_REUSABLE
#define ADVICE_TAKE	MADV_FREE_REUSE
#elif defined(MADV_FREE)
#define ADVICE_OFFER	MADV_FREE
#endif

#ifdef ADVICE_OFFER
#define OFFER_WAY	OFFER_ADVICE

int chunk_os_offer(void *addr, size_t size)
{
	/* Some of what is refused may be marked already: free it at once. */
	if (madvise(addr, size, ADVICE_OFFER))
		chunk_os_purge(addr, size);
	return 0;
}
#else
#define OFFER_WAY	OFFER_NONE

int chunk_os_offer(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EOPNOTSUPP;
}
#endif

int chunk_os_take(void *addr, size_t size)
{
#ifdef ADVICE_TAKE
	madvise(addr, size, ADVICE_TAKE);
#endif
	(void)addr;
	(void)size;
	return -EAGAIN;
}

int chunk_os_populate(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EOPNOTSUPP;
}

void chunk_os_nap(void)
{
	struct timespec nap = { .tv_nsec = NAP_NANOSECONDS };

	nanosleep(&nap, NULL);
}

void chunk_os_wait(atomic_uint *word, unsigned int value)
{
	if (atomic_load_explicit(word, memory_order_relaxed) == value)
		chunk_os_nap();
}

void chunk_os_wake(atomic_uint *word)
{
	(void)word;
}

const char *chunk_os_getenv(const char *name)
{
	return getenv(name);
}

void chunk_os_init(bool guards)
{
	(void)guards;
	chunk_os_caps = (struct chunk_os_caps) {
		.page_size = sysconf(_SC_PAGESIZE),
		.can_unmap_partially = true,
		.can_reserve = true,
		.has_huge_pages = true,
		.zero_on_commit = true,
		.offer_way = OFFER_WAY,
	};
}
