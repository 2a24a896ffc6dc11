/* SPDX-License-Identifier: MIT */
/* Huge pages, as /proc/self/smaps and /sys tell of them. */
#ifndef SMAPS_H
#define SMAPS_H

#include <stdbool.h>
#include <stddef.h>

size_t mapping_figure(const void *addr, const char *name);
bool vm_flag(const void *addr, const char *name);
bool mapping_wants_huge(const void *addr);
bool huge_pages_always(void);
size_t huge_page_size(void);
size_t some_huge_pages(void);

#endif /* SMAPS_H */
