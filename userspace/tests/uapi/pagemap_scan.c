// SPDX-License-Identifier: MIT
/* PAGEMAP_SCAN, which is newer than some headers of Linux */
#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <unistd.h>

#include <sys/ioctl.h>

#include "pagemap_scan.h"
#include "tap.h"

/* The structures of linux/fs.h, under names that no header has taken */
struct scan_region {
	__u64 start;
	__u64 end;
	__u64 categories;
};

struct scan_request {
	__u64 size;
	__u64 flags;
	__u64 start;
	__u64 end;
	__u64 walk_end;
	__u64 vec;
	__u64 vec_len;
	__u64 max_pages;
	__u64 category_inverted;
	__u64 category_mask;
	__u64 category_anyof_mask;
	__u64 return_mask;
};

#define IOCTL_SCAN	_IOWR('f', 16, struct scan_request)

/**
 * pagemap_scan() - get how much of a range is in pages of a category
 * @addr:     first byte, page-aligned
 * @size:     bytes
 * @category: SCAN_*
 *
 * Return: bytes, or a negative errno.
 */
long pagemap_scan(const char *addr, size_t size, __u64 category)
{
	struct scan_region regions[64];
	struct scan_request request = {
		.size = sizeof(request),
		.start = (uintptr_t)addr,
		.end = (uintptr_t)addr + size,
		.vec = (uintptr_t)regions,
		.vec_len = TAP_COUNT(regions),
		.category_mask = category,
		.return_mask = category,
	};
	int file = open("/proc/self/pagemap", O_RDONLY | O_CLOEXEC);
	int count = ioctl(file, IOCTL_SCAN, &request), error = errno;
	long bytes = 0;

	expect(file >= 0);
	close(file);
	if (count < 0)
		return -error;
	expect(request.walk_end == request.end);
	for (int i = 0; i < count; i++)
		bytes += regions[i].end - regions[i].start;
	return bytes;
}
