// SPDX-License-Identifier: MIT
/* libchunk: without the module, and with it. */
#include <string.h>

#include <chunk.h>

#include "bench.h"

static bool start(void)
{
	chunk_set_recycle_limit(SIZE_MAX / 2);
	return true;
}

static bool start_device(void)
{
	return start() && !strcmp(chunk_backend(), "device");
}

static void *fresh(size_t size, size_t alignment)
{
	return chunk_alloc(size, alignment, false);
}

static void *take(void *addr, size_t size)
{
	(void)addr;
	return chunk_alloc(size, MIB, false);
}

static bool give(void *addr, size_t size)
{
	chunk_dealloc(addr, size, ARENA_CHUNK);
	return true;
}

static bool decommit(void *addr, size_t size)
{
	pages_decommit(addr, size);
	return true;
}

static void commit(void *addr, size_t size)
{
	check("pages_commit", !pages_commit(addr, size));
}

static void *alloc_populated(size_t size)
{
	return chunk_alloc_populated(size, MIB);
}

static void populate(void *addr, size_t size)
{
	check("pages_populate", !pages_populate(addr, size));
}

static struct chunk_op *ops_of(void **addrs, size_t size)
{
	static struct chunk_op ops[BATCH];

	for (size_t i = 0; i < BATCH; i++)
		ops[i] = (struct chunk_op) {
			.addr = addrs[i],
			.size = size,
			.alignment = MIB,
		};
	return ops;
}

static void take_many(void **addrs, size_t size)
{
	struct chunk_op *ops;

	memset(addrs, 0, BATCH * sizeof(*addrs));
	ops = ops_of(addrs, size);
	check("chunk_alloc_batch", chunk_alloc_batch(ops, BATCH) != BATCH);
	for (size_t i = 0; i < BATCH; i++)
		addrs[i] = ops[i].addr;
}

static void give_many(void **addrs, size_t size)
{
	chunk_dealloc_batch(ops_of(addrs, size), BATCH);
}

static void decommit_many(void **addrs, size_t size)
{
	pages_decommit_batch(ops_of(addrs, size), BATCH);
}

static void commit_many(void **addrs, size_t size)
{
	check("pages_commit_batch",
	      pages_commit_batch(ops_of(addrs, size), BATCH) != BATCH);
}

static bool start_offers(void)
{
	return chunk_set_reuse(REUSE_OFFERED, SIZE_MAX / 2);
}

static void dealloc(void *addr, size_t size)
{
	chunk_dealloc(addr, size, ARENA_CHUNK);
}

static void *alloc(size_t size, bool zeroed)
{
	bool zero;

	return zeroed ? chunk_alloc(size, MIB, false) :
			chunk_alloc_dirty(size, MIB, &zero);
}

#define OFFERS_OF_LIBCHUNK			\
	.start = start_offers,			\
	.offer = chunk_offer,			\
	.take = chunk_reclaim,			\
	.dealloc = dealloc,			\
	.alloc = alloc

static const struct offers offers_mmap = {
	OFFERS_OF_LIBCHUNK
};

static const struct offers offers_device = {
	.discards = true,
	OFFERS_OF_LIBCHUNK
};

#define CALLS_OF_LIBCHUNK			\
	.fresh = fresh,				\
	.take = take,				\
	.give = give,				\
	.decommit = decommit,			\
	.commit = commit,			\
	.alloc_populated = alloc_populated,	\
	.populate = populate,			\
	.take_many = take_many,			\
	.give_many = give_many,			\
	.decommit_many = decommit_many,		\
	.commit_many = commit_many

const struct way way_mmap = {
	.key = "mmap",
	.title = "libchunk, mmap",
	.option = "backend:mmap",
	.start = start,
	.offers = &offers_mmap,
	CALLS_OF_LIBCHUNK
};

const struct way way_guarded = {
	.key = "guarded",
	.title = "libchunk, device",
	.option = "backend:device",
	.module = true,
	.start = start_device,
	.offers = &offers_device,
	CALLS_OF_LIBCHUNK
};

const struct way way_huge = {
	.key = "huge",
	.title = "libchunk, device, huge",
	.option = "backend:device,backing:huge",
	.module = true,
	.start = start_device,
	.offers = &offers_device,
	CALLS_OF_LIBCHUNK
};
