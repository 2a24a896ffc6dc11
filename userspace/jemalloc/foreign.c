// SPDX-License-Identifier: MIT
/*
 * Memory that jemalloc has from the system itself, treated as jemalloc does by
 * default.
 *
 * System calls are made directly: a program, or this library when it is preloaded,
 * may have replaced the C library's functions.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "foreign.h"

/* Newer than some C libraries' headers */
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif

static int advise(void *addr, size_t size, int advice)
{
	long err;

	do {
		err = syscall(SYS_madvise, addr, size, advice);
	} while (err && (errno == EAGAIN || errno == EINTR));
	return err;
}

/**
 * foreign_commit() - make memory accessible
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * jemalloc decommits it where the system does not overcommit.
 *
 * Return: whether that worked.
 */
bool foreign_commit(void *addr, size_t size)
{
	return !syscall(SYS_mprotect, addr, size, PROT_READ | PROT_WRITE);
}

/**
 * foreign_purge() - free memory
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Return: whether it reads as zero.
 */
bool foreign_purge(void *addr, size_t size)
{
	/* Locked memory takes other advice, since Linux 5.18. */
	return !advise(addr, size, MADV_DONTNEED) ||
	       (errno == EINVAL && !advise(addr, size, MADV_DONTNEED_LOCKED));
}

/* Where the system cannot unmap for lack of mappings, memory is freed at least. */
static void unmap(void *addr, size_t size)
{
	static const char text[] =
		"libchunk-jemalloc: munmap failed; the address space is lost\n";
	static atomic_bool said;

	if (!syscall(SYS_munmap, addr, size))
		return;
	foreign_purge(addr, size);
	if (!atomic_exchange(&said, true) &&
	    syscall(SYS_write, STDERR_FILENO, text, sizeof(text) - 1) < 0)
		return;
}

/**
 * foreign_destroy() - free memory and its address space
 * @addr: first byte, page-aligned
 * @size: bytes, a non-zero multiple of the page size
 *
 * Memory below the end of the heap that sbrk() extends is purged and stays:
 * jemalloc takes memory there, too, and the kernel must not find holes in it. Other
 * memory there is treated the same, which costs address space and no more.
 */
void foreign_destroy(void *addr, size_t size)
{
	uintptr_t heap_end = (uintptr_t)syscall(SYS_brk, 0L);
	size_t below = 0;

	if ((uintptr_t)addr < heap_end)
		below = heap_end - (uintptr_t)addr;
	if (below > size)
		below = size;
	if (below)
		foreign_purge(addr, below);
	if (size > below)
		unmap((char *)addr + below, size - below);
}

/* Return vm.overcommit_memory, or '0', its default, if it cannot be read. */
static char overcommit_mode(void)
{
	long fd = syscall(SYS_openat, AT_FDCWD, "/proc/sys/vm/overcommit_memory",
			  O_RDONLY | O_CLOEXEC, 0);
	char mode = '0';

	if (fd < 0)
		return mode;
	if (syscall(SYS_read, fd, &mode, (size_t)1) != 1)
		mode = '0';
	syscall(SYS_close, fd);
	return mode;
}

/**
 * foreign_is_charged() - test if the system charges memory when it is mapped
 *
 * It then does not overcommit. Looks once.
 *
 * Return: whether it does.
 */
bool foreign_is_charged(void)
{
	static atomic_char known;
	char mode = atomic_load_explicit(&known, memory_order_relaxed);
	int saved = errno;

	if (!mode) {
		mode = overcommit_mode();
		errno = saved;
		atomic_store_explicit(&known, mode, memory_order_relaxed);
	}
	return mode == '2';
}
