/* SPDX-License-Identifier: MIT */
/*
 * Private interface for libchunk-jemalloc.so, which contains libchunk. Allocators'
 * adapters use chunk.h and nothing else; a preloaded library needs two things more,
 * because it runs inside the program's malloc() before that is set up:
 *
 * - messages without stdio, which allocates: struct chunk_line in chunk_report.h;
 * - the environment without getenv(), which a program may have replaced by one that
 *   allocates: chunk_os_getenv().
 *
 * The library links these symbols hidden. Nothing else of libchunk's own headers
 * may be included by an adapter.
 */
#ifndef CHUNK_ADAPTER_H
#define CHUNK_ADAPTER_H

#include "chunk_report.h"

/**
 * chunk_os_getenv() - get a variable of the environment
 * @name: its name
 *
 * Context: any; calls nothing that a program can replace.
 * Return: its value, or NULL, also in a program with more rights than its user.
 */
const char *chunk_os_getenv(const char *name);

#endif /* CHUNK_ADAPTER_H */
