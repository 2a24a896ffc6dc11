// SPDX-License-Identifier: MIT
/*
 * jemalloc 5.3: its default extent hooks, called as its arenas call them. A
 * hook may decline: an extent that is not unmapped is retained, and found again
 * by the arena; one that is not decommitted is purged.
 */
#include <stdio.h>
#include <sys/types.h>

#include <jemalloc/jemalloc.h>

#include "bench.h"

static extent_hooks_t *hooks;

static bool start(void)
{
	size_t size = sizeof(hooks);

	return !mallctl("arena.0.extent_hooks", &hooks, &size, NULL, 0);
}

static void *fresh(size_t size, size_t alignment)
{
	bool zero = true, committed = true;

	return hooks->alloc(hooks, NULL, size, alignment, &zero, &committed, 0);
}

static bool decommit(void *addr, size_t size)
{
	if (!hooks->decommit || hooks->decommit(hooks, addr, size, 0, size, 0))
		check("purge_forced",
		      hooks->purge_forced(hooks, addr, size, 0, size, 0));
	return true;
}

/* A commit is declined where the decommit was: then there is nothing to do. */
static void commit(void *addr, size_t size)
{
	if (hooks->commit)
		hooks->commit(hooks, addr, size, 0, size, 0);
}

static void *take(void *addr, size_t size)
{
	commit(addr, size);
	return addr;
}

static bool give(void *addr, size_t size)
{
	if (!hooks->dalloc || hooks->dalloc(hooks, addr, size, true, 0))
		decommit(addr, size);
	return true;
}

/* An arena that keeps all that is freed, as long as it likes: its dirty cache. */
static int flags;

static bool start_offers(void)
{
	size_t size = sizeof(unsigned int);
	ssize_t never = -1;
	unsigned int arena;
	char name[60];

	if (mallctl("arenas.create", &arena, &size, NULL, 0))
		return false;
	flags = MALLOCX_ARENA(arena) | MALLOCX_TCACHE_NONE;
	snprintf(name, sizeof(name), "arena.%u.dirty_decay_ms", arena);
	return !mallctl(name, NULL, NULL, &never, sizeof(never));
}

static void dealloc(void *addr, size_t size)
{
	(void)size;
	dallocx(addr, flags);
}

static void *alloc(size_t size, bool zeroed)
{
	return mallocx(size, flags | (zeroed ? MALLOCX_ZERO : 0));
}

static const struct offers offers = {
	.start = start_offers,
	.dealloc = dealloc,
	.alloc = alloc,
};

const struct way way_jemalloc = {
	.key = "jemalloc",
	.title = "jemalloc 5.3",
	.start = start,
	.fresh = fresh,
	.take = take,
	.give = give,
	.decommit = decommit,
	.commit = commit,
	.offers = &offers,
};
