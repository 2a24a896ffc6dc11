/* SPDX-License-Identifier: MIT */
/*
 * jemalloc on libchunk, in two ways.
 *
 * - Preload libchunk-jemalloc.so into an unmodified program that uses a shared
 *   jemalloc, whichever version, before or behind it if that is preloaded, too.
 *   The library then serves jemalloc's mmap() and munmap() with chunks. Nothing
 *   else changes: jemalloc's arenas keep their hooks and it makes them when it
 *   likes, and calloc(), merging, purging, guards, thp and hpa work and cost as
 *   without libchunk. Only jemalloc itself decommits, where the system does not
 *   overcommit.
 * - Link libchunk-jemalloc.a and libchunk.a, and give the extent hooks to arenas
 *   of your choice, of jemalloc 5:
 *
 *	extent_hooks_t *hooks = &chunk_jemalloc_hooks;
 *
 *	mallctl("arenas.create", &arena, &length, &hooks, sizeof(hooks));
 *
 *   With any hooks but its own, jemalloc clears recycled memory for calloc() by
 *   writing to it, makes no guards and turns hpa off. These hooks refuse to
 *   decommit where the system overcommits, and on the device; jemalloc then purges
 *   instead, and needs no call to use purged memory again.
 *
 * The preloaded library only finds a jemalloc that is linked into the program if the
 * program exports mallctl(). Then it gives the hooks to the arenas that are in use
 * when it starts; so it does when it is loaded by dlopen(). It stays loaded until
 * the process ends. Arenas that are made later keep jemalloc's hooks.
 *
 * With CHUNK_OPTIONS="reuse:offered" libchunk keeps what jemalloc gives back as offered
 * memory. The hooks then hand it out again as it is, where jemalloc does not ask for
 * zeroes; mmap() of the preloaded library has to zero it.
 *
 * thp:always in MALLOC_CONF also turns on libchunk's backing:huge.
 *
 * CHUNK_JEMALLOC_REPORT=1 in the environment prints a line at exit with the
 * counters below, or that there is no jemalloc.
 *
 * Memory that jemalloc took from elsewhere before an arena had these hooks stays
 * where it is, and the hooks treat it as jemalloc's own would.
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
 * struct chunk_jemalloc_stats - counters of jemalloc's use of libchunk
 * @extent_bytes: bytes that jemalloc holds, committed or not
 * @piece_bytes:  bytes in free partial chunks: the rest where jemalloc asked for less
 *                than whole chunks, and parts of destroyed arenas while other parts
 *                of a chunk are in use
 * @lost_bytes:   bytes in partial chunks that could not be noted, for lack of memory
 * @allocs:       extents handed to jemalloc
 * @deallocs:     times that jemalloc gave address space back
 * @refused:      extents that the hooks refused to take back: partial chunks, which
 *                jemalloc keeps for reuse, without memory
 * @decommits:    ranges that jemalloc decommitted
 * @commits:      ranges that jemalloc committed again
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

/* Read the counters of this process. */
void chunk_jemalloc_get_stats(struct chunk_jemalloc_stats *stats);

/* Return true if an address lies in memory that came from libchunk. Lock-free. */
bool chunk_jemalloc_owns(const void *addr);

/* Return "device" or "mmap", as chunk_backend() of the libchunk inside. */
const char *chunk_jemalloc_backend(void);

#ifdef __GNUC__
#pragma GCC visibility pop
#endif

#ifdef __cplusplus
}
#endif

#endif /* CHUNK_JEMALLOC_H */
