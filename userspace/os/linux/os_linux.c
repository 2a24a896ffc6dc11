// SPDX-License-Identifier: MIT
/*
 * Linux without the module: memory by mmap(2) and madvise(2).
 *
 * Decommitted pages trap in one of two ways. MADV_GUARD_INSTALL, since Linux 6.13,
 * marks pages and leaves mappings alone. PROT_NONE works everywhere but splits a
 * mapping, and a process may have only so many: at the limit memory is freed all
 * the same, and -ENOMEM says that it does not trap.
 */
#include <fcntl.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/mman.h>
#include <sys/prctl.h>

#include "os.h"
#include "address_limit.h"
#include "os_linux.h"
#include "os_unix.h"

/* Newer than the C library's headers. */
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#define MADV_GUARD_REMOVE	103
#endif
#ifndef MADV_POPULATE_WRITE
#define MADV_POPULATE_WRITE	23
#endif
#ifndef MADV_DONTNEED_LOCKED
#define MADV_DONTNEED_LOCKED	24
#endif
#ifndef MADV_FREE
#define MADV_FREE		8
#endif
#ifndef MAP_FIXED_NOREPLACE
#define MAP_FIXED_NOREPLACE	0x100000
#endif
#ifndef PR_SET_VMA
#define PR_SET_VMA		0x53564d41
#define PR_SET_VMA_ANON_NAME	0
#endif

/*
 * Guarding writes a mark for each page, touched or not, into page tables that it
 * allocates: for large ranges PROT_NONE is cheaper, and takes up less memory.
 */
#define MAX_GUARD_BYTES	((size_t)1 << 20)

#define MAX_MAP_COUNT	"/proc/sys/vm/max_map_count"

#define PRIVATE	(MAP_PRIVATE | MAP_ANONYMOUS)
#define RW	(PROT_READ | PROT_WRITE)

struct chunk_os_caps chunk_os_caps;
const char *const chunk_os_name = "mmap";
const char *const chunk_os_mappings_advice =
	"; a process may have more mappings by sysctl vm.max_map_count";

/* Can mappings have names? */
static atomic_bool have_names;

/* Emulators ignore MADV_DONTNEED, or MADV_DONTNEED_LOCKED, and report success. */
static bool purge_ignored;

/* Names in /proc/PID/maps; some kernels keep the pointer. */
static const char name_used[] = "chunk";
static const char name_decommitted[] = "chunk-decommitted";

/* Was any memory ever made PROT_NONE? Only then does a commit need mprotect(2). */
static atomic_bool used_none;

/**
 * chunk_sys_mmap() - map anonymous memory
 * @addr:  hint, or exact address with MAP_FIXED; may be NULL: anywhere
 * @size:  bytes
 * @prot:  protection, PROT_*
 * @flags: flags, MAP_*, with MAP_PRIVATE and MAP_ANONYMOUS
 *
 * Return: the address, or a negative error number.
 */
long chunk_sys_mmap(void *addr, size_t size, int prot, int flags)
{
	return chunk_abi_mmap(addr, size, prot, flags, -1, 0);
}

/**
 * chunk_sys_madvise() - call madvise(2) until no signal interrupts it
 * @addr:   first byte
 * @size:   bytes
 * @advice: advice, MADV_*
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

/**
 * chunk_linux_name() - name memory in /proc/PID/maps
 * @addr: first byte
 * @size: bytes
 * @name: string constant
 *
 * Some kernels cannot do that, and nothing depends on it.
 */
void chunk_linux_name(void *addr, size_t size, const char *name)
{
	/* chunk_os_map_wiped() comes here before the kernel was probed. */
	if (atomic_load_explicit(&have_names, memory_order_relaxed))
		sys(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME, addr, size, name);
}

static long map_near(void *hint, size_t size)
{
	return chunk_sys_mmap(hint, size, RW, PRIVATE);
}

static long map_near_base(void *hint, size_t size)
{
	return chunk_sys_mmap(hint, size, RW, PRIVATE | MAP_NORESERVE);
}

static void unmap_quietly(void *addr, size_t size)
{
	sys(SYS_munmap, addr, size);
}

static struct chunk_address_limit limit = {
	.map = map_near,
	.unmap = unmap_quietly,
	CHUNK_ADDRESS_HINTS,
};

/* The same for bookkeeping */
static struct chunk_address_limit limit_base = {
	.map = map_near_base,
	.unmap = unmap_quietly,
	CHUNK_ADDRESS_HINTS,
};

static long map_at(void *addr, size_t size)
{
	long got;

	if (!chunk_address_limit_allows(&limit, addr, size))
		return -ENOMEM;
	/* A kernel that does not know the flag takes the address for a hint. */
	got = chunk_sys_mmap(addr, size, RW, PRIVATE | MAP_FIXED_NOREPLACE);
	if (chunk_unix_failed(got) || (void *)got == addr)
		return got;
	unmap_quietly((void *)got, size);
	return -EEXIST;
}

int chunk_os_map(void *addr, size_t size, void **out)
{
	long got = addr ? map_at(addr, size) :
			  chunk_address_limit_map(&limit, size);

	/* EAGAIN is a limit on locked memory, EPERM a place that is forbidden. */
	if (chunk_unix_failed(got))
		return got == -EEXIST ? -EEXIST : -ENOMEM;
	*out = (void *)got;
	chunk_linux_name(*out, size, name_used);
	return 0;
}

/*
 * Bookkeeping is not charged, so that it never shares a mapping with chunks: once
 * touched, such a mapping has an anon_vma, which the kernel clones each time that
 * a part of it becomes PROT_NONE.
 */
int chunk_os_map_base(size_t size, void **out)
{
	long got = chunk_address_limit_map(&limit_base, size);

	if (chunk_unix_failed(got))
		return -ENOMEM;
	*out = (void *)got;
	chunk_linux_name(*out, size, name_used);
	return 0;
}

/* Without MAP_NORESERVE the system would refuse more than it has memory. */
int chunk_os_reserve(size_t size, size_t alignment, void **out)
{
	void *addr;

	if (chunk_unix_reserve(size, alignment, &addr))
		return -ENOMEM;
	if (!chunk_address_limit_allows(&limit, addr, size)) {
		unmap_quietly(addr, size);
		return -ENOMEM;
	}
	atomic_store_explicit(&used_none, true, memory_order_relaxed);
	chunk_linux_name(addr, size, name_decommitted);
	*out = addr;
	return 0;
}

/**
 * chunk_linux_purge() - free memory by advice; it then reads as zero
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0 or a negative error number.
 */
int chunk_linux_purge(void *addr, size_t size)
{
	int err = chunk_sys_madvise(addr, size, MADV_DONTNEED);

	/* Locked memory takes advice of its own, since Linux 5.18. */
	if (err == -EINVAL)
		err = chunk_sys_madvise(addr, size, MADV_DONTNEED_LOCKED);
	return err;
}

/* -EINVAL: a kernel before Linux 5.14. Anything else counts as out of memory. */
int chunk_os_populate(void *addr, size_t size)
{
	int err = chunk_sys_madvise(addr, size, MADV_POPULATE_WRITE);

	if (err == -EINVAL)
		return -EOPNOTSUPP;
	return err ? -ENOMEM : 0;
}

/* On most systems transparent_hugepage is set to madvise. */
void chunk_os_want_huge(void *addr, size_t size)
{
	chunk_sys_madvise(addr, size, MADV_HUGEPAGE);
}

int chunk_os_purge(void *addr, size_t size)
{
	long got;

	if (!purge_ignored)
		return chunk_linux_purge(addr, size);
	got = chunk_sys_mmap(addr, size, RW, PRIVATE | MAP_FIXED);
	if (chunk_unix_failed(got))
		return got;
	chunk_linux_name(addr, size, name_used);
	return 0;
}

/* Free memory for good, locked or not. */
static void discard(void *addr, size_t size)
{
	if (chunk_os_purge(addr, size) && !sys(SYS_munlock, addr, size))
		chunk_os_purge(addr, size);
}

/*
 * A new mapping was never touched, so it merges with its neighbours, unlike the
 * result of mprotect(2). MAP_NORESERVE would keep it from merging when it becomes
 * accessible again.
 */
static int replace_by_none(void *addr, size_t size)
{
	long got = chunk_sys_mmap(addr, size, PROT_NONE, PRIVATE | MAP_FIXED);

	if (chunk_unix_failed(got))
		return got;
	chunk_linux_name(addr, size, name_decommitted);
	return 0;
}

int chunk_os_decommit(void *addr, size_t size)
{
	atomic_store_explicit(&used_none, true, memory_order_relaxed);
	if (!replace_by_none(addr, size))
		return 0;
	discard(addr, size);
	return -ENOMEM;
}

int chunk_os_guard(void *addr, size_t size)
{
	if (!chunk_os_caps.can_guard)
		return -EOPNOTSUPP;
	return chunk_sys_madvise(addr, size, MADV_GUARD_INSTALL);
}

/**
 * chunk_linux_unguard() - undo chunk_os_guard()
 * @addr: first byte
 * @size: bytes
 *
 * Return: 0 or a negative error number.
 */
int chunk_linux_unguard(void *addr, size_t size)
{
	if (!chunk_os_caps.can_guard)
		return 0;
	return chunk_sys_madvise(addr, size, MADV_GUARD_REMOVE);
}

int chunk_os_commit(void *addr, size_t size)
{
	int err = chunk_linux_unguard(addr, size);

	if (!err && atomic_load_explicit(&used_none, memory_order_relaxed)) {
		err = sys(SYS_mprotect, addr, size, RW);
		/* Mappings of different names do not merge. */
		chunk_linux_name(addr, size, name_used);
	}
	return err ? -ENOMEM : 0;
}

/*
 * Guarding a whole chunk, and removing the guards again, takes longer than to
 * replace its mapping.
 */
int chunk_os_decommit_extent(void *addr, size_t size)
{
	return replace_by_none(addr, size) ? -ENOMEM : 0;
}

int chunk_os_recommit_extent(void *addr, size_t size)
{
	if (sys(SYS_mprotect, addr, size, RW))
		return -ENOMEM;
	chunk_linux_name(addr, size, name_used);
	return 0;
}

/*
 * MADV_FREE leaves it open whether a page has kept its contents. It takes anonymous
 * memory that is not locked. Memory that it refuses is freed at once: some may be
 * marked already.
 */
int chunk_os_offer(void *addr, size_t size)
{
	if (chunk_os_caps.offer_way == OFFER_NONE)
		return -EOPNOTSUPP;
	if (chunk_sys_madvise(addr, size, MADV_FREE))
		chunk_os_purge(addr, size);
	return 0;
}

int chunk_os_take(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EAGAIN;
}

/*
 * Locked memory is present from the start, and MS_INVALIDATE fails for it and for
 * nothing else. It looks at the mapping alone; mincore(2) would answer as well, but
 * allocates a page.
 */
bool chunk_os_can_premap(void *addr)
{
	return !sys(SYS_msync, addr, (size_t)1, MS_ASYNC | MS_INVALIDATE);
}

/* Emulators report success for any advice, even an invalid one, and ignore it. */
static bool wipes(void *page, size_t size)
{
	return chunk_sys_madvise(page, size, -1) == -EINVAL &&
	       !chunk_sys_madvise(page, size, MADV_WIPEONFORK);
}

void *chunk_os_map_wiped(size_t *size)
{
	void *page;

	*size = sysconf(_SC_PAGESIZE);
	if (chunk_os_map(NULL, *size, &page))
		return NULL;
	if (wipes(page, *size))
		return page;
	chunk_os_unmap(page, *size);
	return NULL;
}

/* A system call that writes there returns -EFAULT instead of a signal. */
static bool traps(void *page)
{
	return sys(SYS_uname, page) == -EFAULT;
}

/* Does the kernel report that it has freed memory, and keep it? */
static bool pretends(void *page, size_t size, int advice)
{
	atomic_char *byte = page;

	atomic_store(byte, 1);
	return !chunk_sys_madvise(page, size, advice) && atomic_load(byte);
}

/* Kernels, filters of system calls and emulators differ: only trying tells. */
static void probe(bool guards)
{
	size_t size = chunk_os_caps.page_size;
	void *page;

	if (chunk_os_map(NULL, size, &page))
		return;
	atomic_store_explicit(&have_names,
			      !sys(SYS_prctl, PR_SET_VMA, PR_SET_VMA_ANON_NAME,
				   page, size, name_used),
			      memory_order_relaxed);
	purge_ignored = pretends(page, size, MADV_DONTNEED) ||
			pretends(page, size, MADV_DONTNEED_LOCKED);
	if (!chunk_sys_madvise(page, size, MADV_FREE))
		chunk_os_caps.offer_way = OFFER_ADVICE;
	chunk_os_caps.can_guard =
		guards && !chunk_sys_madvise(page, size, MADV_GUARD_INSTALL) &&
		traps(page);
	chunk_os_unmap(page, size);
}

/* Read a setting of the kernel; return its default if it cannot be read. */
static size_t setting(const char *path, size_t by_default)
{
	size_t value = 0;
	char digits[20];
	long fd, length, i;

	fd = sys(SYS_openat, AT_FDCWD, path, O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return by_default;
	length = sys(SYS_read, fd, digits, sizeof(digits));
	sys(SYS_close, fd);
	for (i = 0; i < length && digits[i] >= '0' && digits[i] <= '9'; i++)
		value = value * 10 + (digits[i] - '0');
	return i > 0 ? value : by_default;
}

/* Count the mappings of this process, one a line; 0: that cannot be known. */
static size_t count_mappings(void)
{
	char text[1024];
	size_t count = 0;
	long fd, length, i;

	fd = sys(SYS_openat, AT_FDCWD, "/proc/self/maps", O_RDONLY | O_CLOEXEC, 0);
	if (fd < 0)
		return 0;
	while ((length = sys(SYS_read, fd, text, sizeof(text))) > 0) {
		for (i = 0; i < length; i++)
			count += text[i] == '\n';
	}
	sys(SYS_close, fd);
	return count;
}

size_t chunk_os_mapping_room(void)
{
	size_t most = setting(MAX_MAP_COUNT, 0), count = count_mappings();

	if (!most || !count)
		return SIZE_MAX;
	return most > count ? most - count : 0;
}

/* In overcommit mode 2 the kernel charges all mappings against one limit. */
static bool overcommit_is_strict(void)
{
	return setting("/proc/sys/vm/overcommit_memory", 0) == 2;
}

/* An eighth is left to the program, for threads, files and libraries. */
static size_t max_mappings(void)
{
	size_t all = setting(MAX_MAP_COUNT, 65530);

	return all - all / 8;
}

void chunk_os_init(bool guards)
{
	bool strict = overcommit_is_strict();

	chunk_os_caps = (struct chunk_os_caps) {
		.page_size = sysconf(_SC_PAGESIZE),
		.max_mappings = max_mappings(),
		.max_guard_bytes = MAX_GUARD_BYTES,
		.can_unmap_partially = true,
		.can_reserve = true,
		.has_premap = !strict,
		.has_huge_pages = true,
		.zero_on_commit = true,
		.charges_on_map = strict,
	};
	probe(guards);
}
