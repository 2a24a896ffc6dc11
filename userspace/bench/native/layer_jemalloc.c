// SPDX-License-Identifier: MIT
/*
 * jemalloc's own extent layer, with its default hooks: an arena that gives
 * memory back at once, as a chunk layer does. That memory does not trap, and
 * need not be zero when it is handed out again: the layer is here for scale.
 */
#include <stdio.h>
#include <sys/types.h>

#include <jemalloc/jemalloc.h>

#include "layer.h"

static int flags;

static bool purge_at_once(unsigned int arena, const char *kind)
{
	ssize_t now = 0;
	char name[60];

	snprintf(name, sizeof(name), "arena.%u.%s_decay_ms", arena, kind);
	return !mallctl(name, NULL, NULL, &now, sizeof(now));
}

static bool start(void)
{
	size_t size = sizeof(unsigned int);
	unsigned int arena;

	if (mallctl("arenas.create", &arena, &size, NULL, 0))
		return false;
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	return purge_at_once(arena, "dirty") && purge_at_once(arena, "muzzy");
}

static void *alloc(size_t size, size_t alignment)
{
	void *addr = mallocx(size, flags | MALLOCX_ALIGN(alignment));

	if (!addr)
		fail("mallocx");
	return addr;
}

static void dealloc(void *addr, size_t size)
{
	(void)size;
	dallocx(addr, flags);
}

/* The layer keeps its address space for good. */
static void clear(void)
{
}

const struct layer layer_jemalloc = {
	.name = "jemalloc",
	.start = start,
	.alloc = alloc,
	.dealloc = dealloc,
	.clear = clear,
	.unmap = dealloc,
};
