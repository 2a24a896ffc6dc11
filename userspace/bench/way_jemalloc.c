// SPDX-License-Identifier: MIT
/*
 * jemalloc 5.3: its default extent hooks, called as its arenas call them. They
 * may decline: what is not unmapped is retained, what is not decommitted purged.
 */
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
	bool zero = false, committed = true;
	void *addr = hooks->alloc(hooks, NULL, size, alignment, &zero,
				  &committed, 0);

	check("jemalloc's alloc", !addr);
	return addr;
}

static void decommit(void *addr, size_t size)
{
	if (!hooks->decommit || hooks->decommit(hooks, addr, size, 0, size, 0))
		hooks->purge_forced(hooks, addr, size, 0, size, 0);
}

/* Declined where decommit was: then there is nothing to do. */
static void commit(void *addr, size_t size)
{
	if (hooks->commit)
		hooks->commit(hooks, addr, size, 0, size, 0);
}

static void give(void *addr, size_t size)
{
	if (!hooks->dalloc || hooks->dalloc(hooks, addr, size, true, 0))
		decommit(addr, size);
}

const struct way way_jemalloc = {
	.name = "jemalloc",
	.start = start,
	.fresh = fresh,
	.take = commit,
	.give = give,
	.decommit = decommit,
	.commit = commit,
};
