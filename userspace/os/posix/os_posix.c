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

/* Without MAP_FIXED an address is a hint, and never replaces anything. */
static int posix_map(void *addr, size_t size, void **out)
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

static int posix_reserve(size_t size, size_t alignment, void **out)
{
	size_t more = size + alignment - chunk_os.caps.page_size;
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
static bool posix_mapped(void *addr, size_t size)
{
	return !msync(addr, size, MS_ASYNC) || errno != ENOMEM;
}

static int posix_unmap(void *addr, size_t size)
{
	return munmap(addr, size) ? -errno : 0;
}

static int replace(void *addr, size_t size, int prot)
{
	void *got = mmap(addr, size, prot, PRIVATE | MAP_FIXED, -1, 0);

	return got == MAP_FAILED ? -ENOMEM : 0;
}

static int posix_commit(void *addr, size_t size)
{
	return mprotect(addr, size, RW) ? -ENOMEM : 0;
}

static int posix_purge(void *addr, size_t size)
{
	return replace(addr, size, RW);
}

static int posix_decommit(void *addr, size_t size)
{
	if (!replace(addr, size, PROT_NONE))
		return 0;
	/* It cannot be more than a request, but then it takes no mapping. */
	if (posix_purge(addr, size))
		madvise(addr, size, MADV_DONTNEED);
	return -ENOMEM;
}

/* Wiping is not POSIX's. */
static void *posix_map_forked(size_t *size)
{
	*size = 0;
	return NULL;
}

static unsigned int posix_process(void)
{
	return getpid();
}

static void posix_wait(atomic_uint *word, unsigned int value)
{
	struct timespec nap = { .tv_nsec = NAP_NANOSECONDS };

	if (atomic_load_explicit(word, memory_order_relaxed) == value)
		nanosleep(&nap, NULL);
}

static void posix_wake(atomic_uint *word)
{
	(void)word;
}

static const char *posix_option(const char *name)
{
	return getenv(name);
}

static void posix_complain(const char *text, size_t length)
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

static void posix_start(bool guards)
{
	(void)guards;
	chunk_os.caps = (struct chunk_caps) {
		.page_size = sysconf(_SC_PAGESIZE),
		.partial_unmap = true,
		.zero_on_commit = true,
		.huge_pages = true,
	};
}

struct chunk_os chunk_os = {
	.name = "mmap",
	.start = posix_start,
	.map = posix_map,
	.reserve = posix_reserve,
	.mapped = posix_mapped,
	.unmap = posix_unmap,
	.commit = posix_commit,
	.decommit = posix_decommit,
	.purge = posix_purge,
	.map_forked = posix_map_forked,
	.process = posix_process,
	.wait = posix_wait,
	.wake = posix_wake,
	.option = posix_option,
	.complain = posix_complain,
};
