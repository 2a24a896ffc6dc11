/* SPDX-License-Identifier: MIT */
/* Helpers that the black-box suites of libchunk share. */
#ifndef COMMON_H
#define COMMON_H

#include <chunk.h>

#include "memory.h"
#include "random.h"
#include "rounds.h"
#include "tap.h"

/* Every suite's first case. */
#define BACKEND_CASE { "the backend asked for is in use", check_backend }

void check_backend(void);
bool on_device(void);
bool plain_posix(void);

struct chunk_stats stats_now(void);
extern bool unmap_failed;
void expect_stats_consistent(void);

void *alloc_mib(size_t mib);
void dealloc_mib(void *chunk, size_t mib);
char *adjoining_chunks(size_t count);
size_t recyclable(size_t mib);
void need_cutting(void);

void need_limit(int resource);
void need_no_mappings(void);
bool emulator_survives(void (*run)(void *), void *arg);

#endif /* COMMON_H */
