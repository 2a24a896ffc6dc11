/* SPDX-License-Identifier: MIT */
/* PAGEMAP_SCAN, which is newer than some headers of Linux */
#ifndef PAGEMAP_SCAN_H
#define PAGEMAP_SCAN_H

#include <stddef.h>

#include <linux/types.h>

/* Categories of pages */
#define SCAN_WRITTEN	(1 << 1)
#define SCAN_PRESENT	(1 << 3)

long pagemap_scan(const char *addr, size_t size, __u64 category);

#endif /* PAGEMAP_SCAN_H */
