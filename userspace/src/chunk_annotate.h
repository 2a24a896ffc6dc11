/* SPDX-License-Identifier: MIT */
/*
 * Annotations: AddressSanitizer or Memcheck learns which memory of chunks may be used,
 * also where an access does not trap. "make ANNOTATE=asan" or "ANNOTATE=valgrind"; by
 * default nothing is compiled in.
 *
 * Memory must be usable when libchunk itself writes to it, and when it goes back to the
 * system or to the device: others may get the address.
 */
#ifndef CHUNK_ANNOTATE_H
#define CHUNK_ANNOTATE_H

#include "annotate.h"

/**
 * chunk_annotate_unusable() - tell that nobody may access memory
 * @addr: first byte
 * @size: bytes: decommitted, or of an extent that is kept for reuse
 *
 * Context: nobody else can get the memory yet.
 */
static inline void chunk_annotate_unusable(void *addr, size_t size)
{
	annotate_unusable(addr, size);
}

/**
 * chunk_annotate_usable() - tell that memory may be accessed, or leaves libchunk
 * @addr: first byte
 * @size: bytes
 *
 * Context: nobody else has the memory.
 */
static inline void chunk_annotate_usable(void *addr, size_t size)
{
	annotate_usable(addr, size);
}

#endif /* CHUNK_ANNOTATE_H */
