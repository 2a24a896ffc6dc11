// SPDX-License-Identifier: MIT
/*
 * The system calls of mozjemalloc's chunk layer on Linux, one for one, with
 * which each benchmark compares.
 *
 *   map       mmap(RW), prctl(name); and if that is not aligned munmap, mmap(RW)
 *             of size + alignment - page, prctl(name), munmap of the head, munmap
 *             of the tail
 *   unmap     munmap
 *   decommit  mmap(PROT_NONE, MAP_FIXED), prctl(name)
 *   commit    mmap(RW, MAP_FIXED), prctl(name)
 *
 * Chunks that are given back are decommitted, or unmapped beyond the recycle
 * limit; recycled chunks are committed. mmap and munmap are raw calls there,
 * too. prctl() is called whether the kernel supports names or not.
 */
#include <stdint.h>
#include <stdio.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "mozjemalloc.h"

#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

#ifdef SYS_mmap2
#define SYS_MMAP	SYS_mmap2
#else
#define SYS_MMAP	SYS_mmap
#endif

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

static void *map(void *addr, size_t size, int prot, int flags,
		 const char *name)
{
	long got = syscall(SYS_MMAP, addr, size, prot, PRIVATE | flags, -1, 0L);

	if (got == -1)
		return NULL;
	prctl(PR_SET_VMA, PR_SET_VMA_ANON_NAME, got, size, name);
	return (void *)got;
}

static void *map_and_trim(size_t size, size_t alignment)
{
	size_t more = size + alignment - sysconf(_SC_PAGESIZE), lead;
	char *addr = map(NULL, more, RW, 0, "jemalloc");

	if (!addr)
		return NULL;
	lead = -(uintptr_t)addr & (alignment - 1);
	if (lead)
		original_unmap(addr, lead);
	if (more - lead - size)
		original_unmap(addr + lead + size, more - lead - size);
	return addr + lead;
}

/**
 * original_map() - map memory at a multiple of an alignment
 * @size:      bytes, a multiple of the page size
 * @alignment: bytes, a power of two, at least the page size
 *
 * Return: its address, or NULL.
 */
void *original_map(size_t size, size_t alignment)
{
	void *addr = map(NULL, size, RW, 0, "jemalloc");

	if (!addr || !((uintptr_t)addr & (alignment - 1)))
		return addr;
	original_unmap(addr, size);
	return map_and_trim(size, alignment);
}

/**
 * original_unmap() - return address space
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Failures are ignored.
 */
void original_unmap(void *addr, size_t size)
{
	if (syscall(SYS_munmap, addr, size))
		perror("munmap");
}

/**
 * original_decommit() - free memory, and make accesses trap
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Return: false if the original would crash.
 */
bool original_decommit(void *addr, size_t size)
{
	return map(addr, size, PROT_NONE, MAP_FIXED, "jemalloc-decommitted");
}

/**
 * original_commit() - make memory accessible again, as zeroes
 * @addr: first byte, page-aligned
 * @size: bytes, page-aligned
 *
 * Return: false if there is no memory.
 */
bool original_commit(void *addr, size_t size)
{
	return map(addr, size, RW, MAP_FIXED, "jemalloc");
}
