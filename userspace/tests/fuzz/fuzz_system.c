// SPDX-License-Identifier: MIT
/*
 * System calls on the device's memory and descriptors, for programs. They
 * change only extents that the device has returned, so that a program does not
 * destroy itself.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/wait.h>

#include "fuzz.h"
#include "uapi.h"
#include "words.h"

#define PRESENT	(64 * FUZZ_PAGE)	/* the most bytes to be made present */

#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

/**
 * struct part - part of an extent
 * @addr:   first byte
 * @length: bytes, cut at the extent's end
 */
struct part {
	char *addr;
	size_t length;
};

static bool find_part(const struct fuzz_run *run, uint64_t addr,
		      uint64_t length, struct part *part)
{
	for (unsigned int i = 0; i < FUZZ_EXTENTS; i++) {
		const struct fuzz_extent *extent = &run->extents[i];
		uint64_t rest = extent->addr + extent->length - addr;

		if (addr < extent->addr || !extent->length ||
		    addr - extent->addr >= extent->length)
			continue;
		part->addr = (char *)(uintptr_t)addr;
		part->length = length < rest ? length : rest;
		return true;
	}
	return false;
}

static int result(int status)
{
	return status ? -errno : 0;
}

/* ADDRESS, WORD: the kernel writes the word, since an access might trap. */
static int run_word(struct fuzz_run *run, const struct fuzz_call *call,
		    const uint64_t *args)
{
	uint64_t span = CHUNK_WORDS_SPAN(FUZZ_PAGE);
	uint64_t page = CHUNK_WORDS_PGOFF + args[0] / span;
	uint32_t word = args[1];
	char *words;
	int err;

	words = mmap(NULL, FUZZ_PAGE, PROT_READ | PROT_WRITE, MAP_SHARED,
		     run->fds[call->fd], page * FUZZ_PAGE);
	if (words == MAP_FAILED)
		return -errno;
	if (call->fd == FUZZ_FD_FOREIGN)
		fuzz_fail("words through another process' descriptor");
	err = result(pwrite(run->word, &word, sizeof(word), 0) < 0);
	if (!err)
		err = result(pread(run->word, words + args[0] % span / MIB *
				   sizeof(word), sizeof(word), 0) < 0);
	munmap(words, FUZZ_PAGE);
	return err;
}

/* The kernel discards what is offered. */
static int run_drop(struct fuzz_run *run, const struct fuzz_call *call,
		    const uint64_t *args)
{
	(void)run;
	(void)call;
	(void)args;
	return result(!drop_slab());
}

/* EXTENT_LENGTH, PROTECTION, MAP_FLAGS, OFFSET, ADDRESS */
static int run_mmap(struct fuzz_run *run, const struct fuzz_call *call,
		    const uint64_t *args)
{
	/* An anonymous mapping would have nothing to do with the descriptor. */
	int flags = args[2] & ~MAP_ANONYMOUS;
	void *addr;

	if (run->roomy || args[0] > MIB)
		flags &= ~(MAP_POPULATE | MAP_LOCKED);
	addr = mmap((void *)(uintptr_t)args[4], args[0], args[1], flags,
		    run->fds[call->fd], args[3]);
	if (addr == MAP_FAILED)
		return -errno;
	if (call->fd == FUZZ_FD_FOREIGN)
		fuzz_fail("mmap through another process' descriptor");
	/* Words are no extent. They stay mapped, for whoever maps memory over them. */
	if ((uint64_t)args[3] / FUZZ_PAGE >= CHUNK_WORDS_PGOFF)
		return 0;
	/* Memory with other protections can be neither written nor checked to be zero. */
	if (args[1] != (PROT_READ | PROT_WRITE))
		run->tampered = true;
	fuzz_remember(run, call->fd, (uintptr_t)addr, (args[0] + MIB - 1) &
						      -MIB);
	return 0;
}

/* ADDRESS, PAGES */
static int run_munmap(struct fuzz_run *run, const struct fuzz_call *call,
		      const uint64_t *args)
{
	struct part part;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	run->tampered = true;
	return result(munmap(part.addr, part.length));
}

/* ADDRESS, PAGES */
static int run_map_over(struct fuzz_run *run, const struct fuzz_call *call,
			const uint64_t *args)
{
	struct part part;
	void *addr;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	run->tampered = true;
	addr = mmap(part.addr, part.length, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_NORESERVE, -1,
		    0);
	return result(addr == MAP_FAILED);
}

/* ADDRESS, PAGES, PROTECTION */
static int run_mprotect(struct fuzz_run *run, const struct fuzz_call *call,
			const uint64_t *args)
{
	struct part part;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	run->tampered = true;
	return result(mprotect(part.addr, part.length, args[2]));
}

static bool makes_present(int advice)
{
	return advice == MADV_POPULATE_READ || advice == MADV_POPULATE_WRITE;
}

/* ADDRESS, PAGES, ADVICE */
static int run_madvise(struct fuzz_run *run, const struct fuzz_call *call,
		       const uint64_t *args)
{
	struct part part;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	if (makes_present(args[2]) && part.length > PRESENT)
		part.length = PRESENT;
	if (args[2] >= MADV_GUARD_INSTALL)
		run->tampered = true;
	return result(madvise(part.addr, part.length, args[2]));
}

/* ADDRESS, PAGES, PAGES */
static int run_mremap(struct fuzz_run *run, const struct fuzz_call *call,
		      const uint64_t *args)
{
	struct part part;
	void *addr;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	run->tampered = true;
	addr = mremap(part.addr, part.length, args[2], MREMAP_MAYMOVE);
	return result(addr == MAP_FAILED);
}

/* ADDRESS, PAGES */
static int run_mlock(struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	struct part part;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	if (part.length > PRESENT)
		part.length = PRESENT;
	return result(mlock(part.addr, part.length));
}

/* ADDRESS, PAGES */
static int run_munlock(struct fuzz_run *run, const struct fuzz_call *call,
		       const uint64_t *args)
{
	struct part part;

	(void)call;
	if (!find_part(run, args[0], args[1], &part))
		return -EINVAL;
	return result(munlock(part.addr, part.length));
}

/* ADDRESS, LIMIT */
static int run_write(struct fuzz_run *run, const struct fuzz_call *call,
		     const uint64_t *args)
{
	struct part part;

	(void)call;
	if (!find_part(run, args[0], sizeof(uint64_t), &part))
		return -EINVAL;
	return fuzz_write((uintptr_t)part.addr, &args[1], part.length) ?
	       0 : -EFAULT;
}

/* The old context lives on while it has mappings; the new one has none of them. */
static int run_reopen(struct fuzz_run *run, const struct fuzz_call *call,
		      const uint64_t *args)
{
	unsigned int fd = call->fd == FUZZ_FD_2 ? FUZZ_FD_2 : FUZZ_FD;
	int old = run->fds[fd];

	(void)args;
	/* The other thread may be using the descriptor. */
	if (run->racing)
		return -EBUSY;
	run->fds[fd] = device_open();
	run->huge[fd] = false;
	run->tampered = true;
	return result(close(old));
}

/* A child can neither use the device nor change the parent's memory. */
static int run_fork(struct fuzz_run *run, const struct fuzz_call *call,
		    const uint64_t *args)
{
	struct chunk_ioc_stats stats = { .size = sizeof(stats) };
	int status;
	pid_t child;

	(void)call;
	child = fork();
	if (child < 0)
		return -errno;
	if (child == 0) {
		if (fuzz_readable(args[0]))
			fuzz_write(args[0], "child", 5);
		_exit(ioctl(run->fds[FUZZ_FD], CHUNK_IOC_STATS, &stats) ?
		      errno : 0);
	}
	if (waitpid(child, &status, 0) != child || !WIFEXITED(status) ||
	    WEXITSTATUS(status) != EPERM)
		fuzz_fail("a child's call on the device: status %#x", status);
	return 0;
}

const struct fuzz_kind fuzz_system_kinds[] = {
	{ "mmap", 5, 0, 5,
	  { FUZZ_EXTENT_LENGTH, FUZZ_PROTECTION, FUZZ_MAP_FLAGS, FUZZ_OFFSET,
	    FUZZ_ADDRESS },
	  run_mmap,
	  { EINVAL, ENOMEM, EPERM, EEXIST, EACCES, EOVERFLOW, EOPNOTSUPP,
	    EAGAIN, ENODEV } },
	{ "munmap", 2, 0, 2, { FUZZ_ADDRESS, FUZZ_PAGES }, run_munmap, { 0 } },
	{ "map_over", 1, 0, 2, { FUZZ_ADDRESS, FUZZ_PAGES }, run_map_over,
	  { 0 } },
	{ "mprotect", 1, 0, 3, { FUZZ_ADDRESS, FUZZ_PAGES, FUZZ_PROTECTION },
	  run_mprotect, { 0 } },
	{ "madvise", 5, 0, 3, { FUZZ_ADDRESS, FUZZ_PAGES, FUZZ_ADVICE },
	  run_madvise, { 0 } },
	{ "mremap", 1, 0, 3, { FUZZ_ADDRESS, FUZZ_PAGES, FUZZ_PAGES },
	  run_mremap, { 0 } },
	{ "mlock", 1, 0, 2, { FUZZ_ADDRESS, FUZZ_PAGES }, run_mlock, { 0 } },
	{ "munlock", 1, 0, 2, { FUZZ_ADDRESS, FUZZ_PAGES }, run_munlock,
	  { 0 } },
	{ "write", 8, 0, 2, { FUZZ_ADDRESS, FUZZ_LIMIT }, run_write, { 0 } },
	{ "word", 16, 0, 2, { FUZZ_ADDRESS, FUZZ_WORD }, run_word,
	  { EINVAL, ENOMEM, EPERM, EFAULT, EOVERFLOW, EOPNOTSUPP, EAGAIN } },
	{ "drop", 1, 0, 0, { 0 }, run_drop, { 0 } },
	{ "reopen", 1, 0, 0, { 0 }, run_reopen, { 0 } },
	{ "fork", 1, 0, 1, { FUZZ_ADDRESS }, run_fork, { 0 } },
	{ 0 }
};
