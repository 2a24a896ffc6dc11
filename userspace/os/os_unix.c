// SPDX-License-Identifier: MIT
/*
 * Functions of the system layer that all systems with mmap(2) share. The folder of
 * each has its unix_calls.h.
 */
#include <poll.h>
#include <sys/mman.h>
#include <unistd.h>

#include "os.h"
#include "os_unix.h"
#include "unix_calls.h"

int chunk_os_map_aligned(size_t size, size_t alignment, void **out)
{
	(void)size;
	(void)alignment;
	(void)out;
	return -EOPNOTSUPP;
}

/**
 * chunk_unix_reserve() - reserve address space that traps and is not charged
 * @size:      bytes
 * @alignment: bytes, a power of two, at least the page size
 * @out:       set to the address on success
 *
 * It maps more than that and unmaps both ends.
 *
 * Return: 0 or -ENOMEM.
 */
int chunk_unix_reserve(size_t size, size_t alignment, void **out)
{
	size_t more = size + alignment - chunk_os_caps.page_size;
	long got = unix_map(NULL, more, PROT_NONE, RESERVE_ONLY);
	size_t lead, trail;
	char *addr;

	if (chunk_unix_failed(got))
		return -ENOMEM;
	lead = -(uintptr_t)got & (alignment - 1);
	trail = more - lead - size;
	addr = (char *)got + lead;
	if ((lead && unix_unmap((void *)got, lead)) ||
	    (trail && unix_unmap(addr + size, trail))) {
		unix_unmap((void *)got, more);
		return -ENOMEM;
	}
	*out = addr;
	return 0;
}

/* Any other error, as from a filter of system calls, says nothing about pages. */
bool chunk_os_is_mapped(void *addr, size_t size)
{
	return unix_sync(addr, size, MS_ASYNC) != -ENOMEM;
}

int chunk_os_unmap(void *addr, size_t size)
{
	return unix_unmap(addr, size);
}

unsigned int chunk_os_pid(void)
{
	return getpid();
}

/* A write to a pipe that nobody reads from would raise SIGPIPE. */
static bool is_broken(int fd)
{
	struct pollfd poll_fd = { .fd = fd };

	return poll(&poll_fd, 1, 0) > 0;
}

void chunk_os_print(const char *text, size_t length)
{
	if (is_broken(STDERR_FILENO))
		return;
	while (length) {
		long written = unix_write(STDERR_FILENO, text, length);

		if (written == -EINTR)
			continue;
		/* Without standard error there is nobody to tell. */
		if (written <= 0)
			return;
		text += written;
		length -= written;
	}
}
