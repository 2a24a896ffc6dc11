// SPDX-License-Identifier: MIT
/* Protection, locking, sealing and moving of the device's memory: see feature.h. */
#include <errno.h>
#include <stdint.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>

#include "feature.h"
#include "smaps.h"
#include "uapi.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif

static int protect(const struct site *site, int protection)
{
	return mprotect(site->addr, site->length, protection) ? errno : WORKS;
}

int try_protect_none(const struct site *site)
{
	int error = protect(site, PROT_NONE);

	if (error)
		return error;
	for (size_t at = 0; at < site->length; at += site->page)
		expect_trap(site->addr + at);
	expect_no_trap(site->addr - 1);
	expect_no_trap(site->addr + site->length);
	expect_equal(protect(site, PROT_READ | PROT_WRITE), 0);
	expect_kept(site);
	return WORKS;
}

int try_protect_read(const struct site *site)
{
	int error = protect(site, PROT_READ);

	if (error)
		return error;
	expect_kept(site);
	for (size_t at = 0; at < site->length; at += site->page)
		expect(write_traps(site->addr + at));
	expect_equal(protect(site, PROT_READ | PROT_WRITE), 0);
	expect_kept(site);
	return WORKS;
}

/* Write a function that returns at once. */
static void put_function(char *addr)
{
#ifdef __x86_64__
	*addr = (char)0xc3;
	((void (*)(void))(uintptr_t)addr)();
#else
	(void)addr;
#endif
}

int try_protect_exec(const struct site *site)
{
	int error = protect(site, PROT_READ | PROT_WRITE | PROT_EXEC);

	if (error)
		return error;
	expect_kept(site);
	put_function(site->addr);
	expect_equal(protect(site, PROT_READ | PROT_WRITE), 0);
	fill(site->addr, site->page, 1);
	expect_kept(site);
	return WORKS;
}

/*
 * A signal handler starts without rights to the key, and a jump out of it keeps
 * none: so the rights are set anew each time, and no page that traps is read.
 */
int try_pkey(const struct site *site)
{
	int key = pkey_alloc(0, 0), error;

	if (key < 0)
		untested("no protection keys: %s", strerror(errno));
	error = pkey_mprotect(site->addr, site->length, PROT_READ | PROT_WRITE,
			      key) ? errno : WORKS;
	if (error)
		return error;
	expect(is_filled(site->addr, site->page, 1));
	fill(site->addr, site->page, 1);
	expect(pkey_set(key, PKEY_DISABLE_WRITE) == 0);
	expect(is_filled(site->addr, site->page, 1));
	expect(write_traps(site->addr));
	expect(pkey_set(key, PKEY_DISABLE_ACCESS) == 0);
	expect(read_traps(site->addr));
	expect_no_trap(site->addr - 1);
	expect_no_trap(site->addr + site->length);
	expect(pkey_mprotect(site->addr, site->length, PROT_READ | PROT_WRITE,
			     0) == 0);
	expect(pkey_free(key) == 0);
	expect_kept(site);
	return WORKS;
}

int try_seal(const struct site *site)
{
	if (syscall(SYS_mseal, site->addr, site->length, 0))
		return errno;
	expect_kept(site);
	expect_equal(protect(site, PROT_READ), EPERM);
	expect(munmap(site->addr, site->length) == -1 && errno == EPERM);
	expect_kept(site);
	return WORKS;
}

int try_lock(const struct site *site)
{
	int error = mlock(site->addr, site->length) ? errno : WORKS;

	if (!error)
		expect(mapping_figure(site->addr, "Locked") >= site->length);
	expect_kept(site);
	expect(munlock(site->addr, site->length) == 0);
	expect_equal(mapping_figure(site->addr, "Locked"), 0);
	return error;
}

int try_lock_onfault(const struct site *site)
{
	int error;

	expect(madvise(site->addr, site->length, MADV_DONTNEED) == 0);
	error = mlock2(site->addr, site->length, MLOCK_ONFAULT) ? errno : WORKS;
	if (!error) {
		expect_equal(mapping_figure(site->addr, "Rss"), 0);
		touch(site->addr, site->page);
		expect(mapping_figure(site->addr, "Locked") > 0);
	}
	expect(munlock(site->addr, site->length) == 0);
	return error;
}

int try_lock_all(const struct site *site)
{
	int error = mlockall(MCL_CURRENT) ? errno : WORKS;

	if (!error)
		expect(mapping_figure(site->addr, "Locked") > 0);
	expect_kept(site);
	expect(munlockall() == 0);
	return error;
}

static int move(const struct site *site, int flags)
{
	char *place = anonymous(site->length, PROT_NONE);
	int error = mremap(site->addr, site->length, site->length,
			   MREMAP_MAYMOVE | flags, place) == MAP_FAILED ?
		    errno : WORKS;

	expect_kept(site);
	return error;
}

int try_move(const struct site *site)
{
	return move(site, MREMAP_FIXED);
}

int try_move_only(const struct site *site)
{
	return move(site, MREMAP_DONTUNMAP);
}

/* Grow a mapping that nothing is mapped behind. */
int try_grow(const struct site *site)
{
	char *place = anonymous(8 * MIB, PROT_NONE);
	char *extent = (char *)(((uintptr_t)place + 2 * MIB - 1) & -2 * MIB);

	expect(mmap(extent, 2 * MIB, PROT_READ | PROT_WRITE, MAP_PRIVATE |
		    MAP_NORESERVE | MAP_FIXED, site->fd, 0) == extent);
	fill(extent, MIB, 1);
	if (site->hole)
		expect_equal(device_decommit(site->fd, extent + MIB,
					     site->page), 0);
	expect(munmap(extent + 2 * MIB, 2 * MIB) == 0);
	if (mremap(extent, 2 * MIB, 4 * MIB, 0) == MAP_FAILED)
		return errno;
	expect(is_filled(extent, MIB, 1));
	if (site->hole && !site->huge)
		expect_trap_only(extent + MIB, site->page);
	/* The memory that was added is not the device's. */
	expect_equal(device_state(site->fd, extent + 2 * MIB), 0);
	expect_equal(device_decommit(site->fd, extent + 2 * MIB, site->page),
		     ENOENT);
	expect_equal(device_dealloc(site->fd, extent, 2 * MIB), 0);
	return WORKS;
}

int try_shrink(const struct site *site)
{
	char *extent = device_mmap(site->fd, 2 * MIB, 0);

	fill(extent, 2 * MIB, 1);
	if (site->hole)
		expect_equal(device_decommit(site->fd, extent + MIB / 2,
					     site->page), 0);
	if (mremap(extent, 2 * MIB, MIB, 0) == MAP_FAILED)
		return errno;
	expect(is_filled(extent, MIB / 2, 1));
	if (site->hole && !site->huge)
		expect_trap_only(extent + MIB / 2, site->page);
	expect_trap(extent + MIB);
	expect_equal(device_decommit(site->fd, extent, MIB), 0);
	expect_equal(device_decommit(site->fd, extent + MIB, MIB), ESTALE);
	return WORKS;
}

/* There is nothing to write back. */
int try_msync(const struct site *site)
{
	int error = msync(site->addr, site->length, MS_SYNC) ? errno : IGNORED;

	expect_kept(site);
	return error;
}
