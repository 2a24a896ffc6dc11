/* SPDX-License-Identifier: MIT */
/* Checks of the ranges that callers of the API name. */
#ifndef CHUNK_CHECK_H
#define CHUNK_CHECK_H

#include <stdbool.h>
#include <stddef.h>

#include "chunk.h"
#include "chunk_report.h"

void chunk_check_range(const struct chunk_call *call, const void *addr,
		       size_t size, bool anywhere);
bool chunk_may_commit(const struct chunk_call *call, void *addr, size_t size);
void chunk_check_pages(const struct chunk_call *call, void *addr, size_t size);
void chunk_check_unmap(const struct chunk_call *call, void *addr, size_t size);
void chunk_check_committed(const struct chunk_call *call, void *addr,
			   size_t size);
void chunk_check_zeroed(const struct chunk_call *call, void *addr, size_t size,
			enum chunk_type type);

void chunk_check_note_mapped(void *addr, size_t size);
void chunk_check_note_unmapped(void *addr, size_t size);

#endif /* CHUNK_CHECK_H */
