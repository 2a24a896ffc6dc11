// SPDX-License-Identifier: MIT
/*
 * The device itself, without libchunk: an extent is allocated, a page of it traps,
 * and the counters show it. Build: cc device.c
 */
#include <fcntl.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <linux/chunk.h>

static sigjmp_buf trapped;

static void on_trap(int signal)
{
	siglongjmp(trapped, signal);
}

/* Return 1 if a read of the byte traps. */
static int traps(volatile char *byte)
{
	if (sigsetjmp(trapped, 1))
		return 1;
	(void)*byte;
	return 0;
}

static int fail(const char *call)
{
	perror(call);
	return 1;
}

int main(void)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };
	struct chunk_ioc_alloc alloc = {
		.size = sizeof(alloc),
		.length = 4 * CHUNK_SIZE,
		.alignment = 4 * CHUNK_SIZE,
	};
	struct chunk_ioc_range range = { .size = sizeof(range) };
	struct chunk_ioc_stats stats = { .size = sizeof(stats) };
	struct chunk_ioc_dealloc dealloc = { .size = sizeof(dealloc) };
	char *extent;
	int fd;

	/* Every open file is a context of its own, of this process only. */
	fd = open("/dev/chunk", O_RDWR | O_CLOEXEC);
	if (fd < 0)
		return fail("/dev/chunk");
	if (ioctl(fd, CHUNK_IOC_INFO, &info))
		return fail("CHUNK_IOC_INFO");

	if (ioctl(fd, CHUNK_IOC_ALLOC, &alloc))
		return fail("CHUNK_IOC_ALLOC");
	extent = (char *)(unsigned long)alloc.addr;
	memset(extent, 1, alloc.length);

	range.addr = alloc.addr + info.page_size;
	range.length = info.page_size;
	if (ioctl(fd, CHUNK_IOC_DECOMMIT, &range))
		return fail("CHUNK_IOC_DECOMMIT");
	/* Without CHUNK_CAP_ZAP the page traps all the same, but keeps its memory. */
	if (!(info.caps & CHUNK_CAP_ZAP))
		madvise((void *)(unsigned long)range.addr, range.length, MADV_DONTNEED);

	signal(SIGSEGV, on_trap);
	if (traps(extent) || !traps(extent + info.page_size))
		return 1;

	if (ioctl(fd, CHUNK_IOC_COMMIT, &range))
		return fail("CHUNK_IOC_COMMIT");
	if (traps(extent + info.page_size) || extent[info.page_size] || extent[0] != 1)
		return 1;

	if (ioctl(fd, CHUNK_IOC_STATS, &stats))
		return fail("CHUNK_IOC_STATS");
	printf("%llu live bytes in %llu extents, %llu traps\n",
	       (unsigned long long)stats.live_bytes,
	       (unsigned long long)stats.live_extents,
	       (unsigned long long)stats.traps);

	dealloc.addr = alloc.addr;
	dealloc.length = alloc.length;
	if (ioctl(fd, CHUNK_IOC_DEALLOC, &dealloc))
		return fail("CHUNK_IOC_DEALLOC");
	/* Closing the file does not unmap: the process's end does. */
	close(fd);
	return !traps(extent);
}
