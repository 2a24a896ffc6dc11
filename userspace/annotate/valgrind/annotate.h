/* SPDX-License-Identifier: MIT */
/* valgrind's Memcheck: nobody may access unusable memory. Without valgrind, some nops. */
#ifndef ANNOTATE_H
#define ANNOTATE_H

#include <stddef.h>

#include <valgrind/memcheck.h>

/* Memcheck has a table entry for each 64 KiB, so that no range takes long. */
static inline void annotate_unusable(void *addr, size_t size)
{
	(void)VALGRIND_MAKE_MEM_NOACCESS(addr, size);
}

static inline void annotate_usable(void *addr, size_t size)
{
	(void)VALGRIND_MAKE_MEM_DEFINED(addr, size);
}

#endif /* ANNOTATE_H */
