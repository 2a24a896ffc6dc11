// SPDX-License-Identifier: MIT
/*
 * Linux without the module: mmap and its relatives.
 *
 * Decommitted pages are guarded in one of two ways. MADV_GUARD_INSTALL, since
 * Linux 6.13, marks pages and leaves mappings alone. PROT_NONE works everywhere
 * but splits a mapping, and there are only so many: where no more can be had the
 * memory is freed all the same, and -ENOMEM says that it does not trap.
 */
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "os.h"
#include "os_linux.h"

/* Newer than the C library's headers. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

static bool have_guards;

/* Was anything ever made PROT_NONE? Then commit must look for it. */
static atomic_bool used_none;

/**
 * chunk_sys_mmap() - map anonymous memory
 * @addr:  hint, or with MAP_FIXED the place
 * @size:  bytes
 * @prot:  PROT_*
 * @flags: MAP_*, MAP_PRIVATE and MAP_ANONYMOUS included
 *
 * Return: the address, or a negative error number.
 */
long chunk_sys_mmap(void *addr, size_t size, int prot, int flags)
{
#ifdef SYS_mmap2
	return sys(SYS_mmap2, addr, size, prot, flags, -1, 0);
#else
	return sys(SYS_mmap, addr, size, prot, flags, -1, 0L);
#endif
}

/**
 * chunk_sys_madvise() - madvise(2)
 * @addr:   first byte
 * @size:   bytes
 * @advice: MADV_*
 *
 * Return: 0 or a negative error number.
 */
int chunk_sys_madvise(void *addr, size_t size, int advice)
{
	long err;

	do {
		err = sys(SYS_madvise, addr, size, advice);
	} while (err == -EAGAIN || err == -EINTR);
	return err;
}

static bool failed(long addr)
{
	return addr < 0 && addr >= -4095;
}

/**
 * chunk_linux_name() - name memory in /proc/PID/maps
 * @addr: first byte
 * @size: bytes
 * @name: a string constant; some kernels keep the pointer
 *
 * Not all kernels can, and nothing depends on it.
 */
void chunk_linux_name(void *addr, size_t size, const char *name)
{
	sys(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, size, name);
}

static int linux_map(void *addr, size_t size, void **out)
{
	long got = chunk_sys_mmap(addr, size, RW, PRIVATE);

	if (failed(got))
		return got;
	if (addr && (void *)got != addr) {
		sys(SYS_munmap, got, size);
		return -EEXIST;
	}
	*out = (void *)got;
	chunk_linux_name(*out, size, "chunk");
	return 0;
}

static int linux_unmap(void *addr, size_t size)
{
	return sys(SYS_munmap, addr, size);
}

/**
 * chunk_linux_purge() - free memory, which then reads as zero
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0 or a negative error number.
 */
int chunk_linux_purge(void *addr, size_t size)
{
	int err = chunk_sys_madvise(addr, size, MADV_DONTNEED);

	/* Locked memory is not given back; nobody needs this any more. */
	if (err == -EINVAL && !sys(SYS_munlock, addr, size))
		err = chunk_sys_madvise(addr, size, MADV_DONTNEED);
	return err;
}

/**
 * chunk_linux_none() - replace memory by what traps
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0, or -ENOMEM with the memory freed but accessible.
 */
int chunk_linux_none(void *addr, size_t size)
{
	long got;

	atomic_store_explicit(&used_none, true, memory_order_relaxed);
	got = chunk_sys_mmap(addr, size, PROT_NONE,
			     PRIVATE | MAP_FIXED | MAP_NORESERVE);
	if (failed(got)) {
		chunk_linux_purge(addr, size);
		return -ENOMEM;
	}
	chunk_linux_name(addr, size, "chunk-decommitted");
	return 0;
}

static int linux_decommit(void *addr, size_t size)
{
	/* Refused where memory is locked, for one. */
	if (have_guards &&
	    !chunk_sys_madvise(addr, size, MADV_GUARD_INSTALL))
		return 0;
	return chunk_linux_none(addr, size);
}

static int linux_commit(void *addr, size_t size)
{
	int err = 0;

	if (have_guards)
		err = chunk_sys_madvise(addr, size, MADV_GUARD_REMOVE);
	if (!err && atomic_load_explicit(&used_none, memory_order_relaxed)) {
		err = sys(SYS_mprotect, addr, size, RW);
		/* Mappings of different names do not merge. */
		chunk_linux_name(addr, size, "chunk");
	}
	return err ? -ENOMEM : 0;
}

static void *linux_map_forked(void)
{
	void *page;

	if (linux_map(NULL, chunk_os.page_size, &page))
		return NULL;
	chunk_sys_madvise(page, chunk_os.page_size, MADV_WIPEONFORK);
	return page;
}

/* Only trying tells: guards are refused for many reasons. */
static bool probe_guards(void)
{
	void *page;
	int err;

	if (linux_map(NULL, chunk_os.page_size, &page))
		return false;
	err = chunk_sys_madvise(page, chunk_os.page_size, MADV_GUARD_INSTALL);
	linux_unmap(page, chunk_os.page_size);
	return !err;
}

static void linux_start(bool guards)
{
	chunk_os.page_size = sysconf(_SC_PAGESIZE);
	have_guards = guards && probe_guards();
}

struct chunk_os chunk_os = {
	.name = "mmap",
	.start = linux_start,
	.map = linux_map,
	.unmap = linux_unmap,
	.commit = linux_commit,
	.decommit = linux_decommit,
	.purge = chunk_linux_purge,
	.map_forked = linux_map_forked,
};
