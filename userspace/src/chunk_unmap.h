/* SPDX-License-Identifier: MIT */
/* Returning address space to the system. */
#ifndef CHUNK_UNMAP_H
#define CHUNK_UNMAP_H

#include <stdbool.h>
#include <stddef.h>

int chunk_unmap_used(void *addr, size_t size);
void chunk_report_unmap(const char *call, const void *addr, size_t size,
			int err, const char *fate);
bool chunk_unmap_or_report(const char *call, void *addr, size_t size);

#endif /* CHUNK_UNMAP_H */
