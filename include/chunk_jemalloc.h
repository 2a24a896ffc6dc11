/* SPDX-License-Identifier: MIT */
/*
 * jemalloc on libchunk.
 *
 * There are two ways to have it.
 *
 * - Preload libchunk-jemalloc.so into an unmodified program that uses a shared
 *   jemalloc, whichever version, before or behind it if that is preloaded, too.
 *   jemalloc's mmap() and munmap() are then answered with chunks. Nothing else
 *   changes: its arenas keep their hooks and come into being when it likes, and
 *   calloc(), merging, purging, guards, thp and hpa cost and do what they do
 *   without us. Nothing is decommitted unless jemalloc itself does so, where the
 *   system does not overcommit.
 * - Link libchunk-jemalloc.a and libchunk.a, and give the extent hooks to arenas
 *   of your choice, of jemalloc 5:
 *
 *	extent_hooks_t *hooks = &chunk_jemalloc_hooks;
 *
 *	mallctl("arenas.create", &arena, &length, &hooks, sizeof(hooks));
 *
 *   With any hooks but its own jemalloc clears recycled memory for calloc() by
 *   writing to it, makes no guards and turns hpa off. These hooks refuse to
 *   decommit where the system overcommits, and on the device; jemalloc purges
 *   then, and uses what it purged without a call.
 *
 * A program that has jemalloc linked into it is not noticed unless it exports
 * mallctl(). If it does, the arenas that are in use when the preloaded library
 * starts are given the hooks; so they are when the library is loaded by dlopen().
 * It stays until the process ends. Arenas that are made later remain jemalloc's.
 *
 * thp:always in MALLOC_CONF has libchunk's backing:huge, too.
 *
 * CHUNK_JEMALLOC_REPORT=1 in the environment prints a line at exit that says what
 * came from where, or that there is no jemalloc.
 *
 * Memory that jemalloc took from elsewhere before an arena had these hooks stays
 * where it is, and is treated as jemalloc itself would.
 */
#ifndef CHUNK_JEMALLOC_H
#define CHUNK_JEMALLOC_H

#include <stdbool.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#ifdef __GNUC__
#pragma GCC visibility push(default)
#endif

/* An extent_hooks_t, as <jemalloc/jemalloc.h> calls it. */
struct extent_hooks_s;
extern struct extent_hooks_s chunk_jemalloc_hooks;

/**
 * struct chunk_jemalloc_stats - what jemalloc has from libchunk; bytes
 * @extent_bytes: in jemalloc's hands, committed or not
 * @piece_bytes:  parts of chunks that are in nobody's hands: the rest where
 *                jemalloc asked for less than chunks, and what is left of
 *                destroyed arenas while other parts of a chunk are in use
 * @lost_bytes:   such parts that could not be remembered, for lack of memory
 * @allocs:       extents handed to jemalloc
 * @deallocs:     how often it gave address space back
 * @refused:      extents it tried to give back by hooks but could not: parts of
 *                chunks, which it keeps for reuse, without memory
 * @decommits:    ranges that it decommitted
 * @commits:      ranges that it committed again
 * @foreign:      calls of hooks about memory that is not libchunk's
 */
struct chunk_jemalloc_stats {
	uint64_t extent_bytes;
	uint64_t piece_bytes;
	uint64_t lost_bytes;
	uint64_t allocs;
	uint64_t deallocs;
	uint64_t refused;
	uint64_t decommits;
	uint64_t commits;
	uint64_t foreign;
};

void chunk_jemalloc_get_stats(struct chunk_jemalloc_stats *stats);

/* Whether an address lies in memory that came from libchunk. Lock-free. */
bool chunk_jemalloc_owns(const void *addr);

/* "device" or "mmap", as chunk_backend() of the libchunk in here. */
const char *chunk_jemalloc_backend(void);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* CHUNK_JEMALLOC_H */
