// SPDX-License-Identifier: MIT
/*
 * Systems with POSIX and nothing more that can be relied on: macOS, FreeBSD,
 * NetBSD and others. Anonymous mappings have become part of POSIX of late.
 *
 * Mappings are replaced where Linux has advice: what POSIX_MADV_DONTNEED does to
 * memory is not said, and a new mapping is surely zero. Whether a mapping may be
 * split is for the system; it has been seen to refuse.
 */
#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <time.h>
#include <unistd.h>

#include "os.h"

#define PRIVATE	(MAP_PRIVATE | MAP_ANON)
#define RW	(PROT_READ | PROT_WRITE)

/* Not all systems have it, nor need it. */
#ifdef MAP_NORESERVE
#define RESERVE_ONLY	MAP_NORESERVE
#else
#define RESERVE_ONLY	0
#endif

/* Long enough for who holds the lock, short enough to go unnoticed. */
#define NAP_NANOSECONDS	50000

struct chunk_os_caps chunk_os_caps;
const char chunk_os_name[] = "mmap";
const char chunk_os_mappings_advice[] = "";

/* Without MAP_FIXED an address is a hint, and never replaces anything. */
int chunk_os_map(void *addr, size_t size, void **out)
{
	void *got = mmap(addr, size, RW, PRIVATE, -1, 0);

	if (got == MAP_FAILED)
		return -ENOMEM;
	if (addr && got != addr) {
		munmap(got, size);
		return -EEXIST;
	}
	*out = got;
	return 0;
}

int chunk_os_map_aligned(size_t size, size_t alignment, void **out)
{
	(void)size;
	(void)alignment;
	(void)out;
	return -EOPNOTSUPP;
}

int chunk_os_map_base(size_t size, void **out)
{
	return chunk_os_map(NULL, size, out);
}

int chunk_os_reserve(size_t size, size_t alignment, void **out)
{
	size_t more = size + alignment - chunk_os_caps.page_size;
	size_t lead, trail;
	char *got, *addr;

	got = mmap(NULL, more, PROT_NONE, PRIVATE | RESERVE_ONLY, -1, 0);
	if (got == MAP_FAILED)
		return -ENOMEM;
	lead = -(uintptr_t)got & (alignment - 1);
	trail = more - lead - size;
	addr = got + lead;
	if ((lead && munmap(got, lead)) ||
	    (trail && munmap(addr + size, trail))) {
		munmap(got, more);
		return -ENOMEM;
	}
	*out = addr;
	return 0;
}

/* Other errors are not about that. */
bool chunk_os_is_mapped(void *addr, size_t size)
{
	return !msync(addr, size, MS_ASYNC) || errno != ENOMEM;
}

int chunk_os_unmap(void *addr, size_t size)
{
	return munmap(addr, size) ? -errno : 0;
}

static int replace(void *addr, size_t size, int prot)
{
	void *got = mmap(addr, size, prot, PRIVATE | MAP_FIXED, -1, 0);

	return got == MAP_FAILED ? -ENOMEM : 0;
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
	/* It cannot be more than a request, but then it takes no mapping. */
	if (chunk_os_purge(addr, size))
		madvise(addr, size, MADV_DONTNEED);
	return -ENOMEM;
}

int chunk_os_guard(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EOPNOTSUPP;
}

int chunk_os_decommit_extent(void *addr, size_t size)
{
	return chunk_os_decommit(addr, size);
}

int chunk_os_recommit_extent(void *addr, size_t size)
{
	return chunk_os_commit(addr, size);
}

bool chunk_os_can_premap(void *addr)
{
	(void)addr;
	return false;
}

int chunk_os_populate(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EOPNOTSUPP;
}

/* Systems that have huge pages use them unasked. */
void chunk_os_want_huge(void *addr, size_t size)
{
	(void)addr;
	(void)size;
}

/* POSIX has no way to wipe memory in a child. */
void *chunk_os_map_wiped(size_t *size)
{
	*size = 0;
	return NULL;
}

unsigned int chunk_os_pid(void)
{
	return getpid();
}

void chunk_os_wait(atomic_uint *word, unsigned int value)
{
	struct timespec nap = { .tv_nsec = NAP_NANOSECONDS };

	if (atomic_load_explicit(word, memory_order_relaxed) == value)
		nanosleep(&nap, NULL);
}

void chunk_os_wake(atomic_uint *word)
{
	(void)word;
}

const char *chunk_os_getenv(const char *name)
{
	return getenv(name);
}

void chunk_os_print(const char *text, size_t length)
{
	while (length) {
		ssize_t written = write(STDERR_FILENO, text, length);

		if (written < 0 && errno == EINTR)
			continue;
		/* Where there is no stderr, there is nobody to tell. */
		if (written <= 0)
			return;
		text += written;
		length -= written;
	}
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
	};
}
