// SPDX-License-Identifier: MIT
/* The device's own calls, without libchunk. */
#include <fcntl.h>
#include <sys/ioctl.h>

#include <linux/chunk.h>

#include "bench.h"
#include "os_device_args.h"
#include "words.h"

static int device;

static void call(const char *what, unsigned long command, void *args)
{
	check(what, ioctl(device, command, args));
}

static bool start(void)
{
	struct chunk_ioc_limit limit = { .size = sizeof(limit), .limit = -1 };

	device = open(CHUNK_DEVICE_PATH, O_RDWR | O_CLOEXEC);
	if (device < 0)
		return false;
	call("CHUNK_IOC_LIMIT", CHUNK_IOC_LIMIT, &limit);
	return true;
}

static void *alloc(size_t size, size_t alignment, unsigned int flags)
{
	struct chunk_ioc_alloc args = {
		.size = sizeof(args),
		.flags = flags,
		.length = size,
		.alignment = alignment,
	};

	if (ioctl(device, CHUNK_IOC_ALLOC, &args))
		return NULL;
	return (void *)(uintptr_t)args.addr;
}

static void *fresh(size_t size, size_t alignment)
{
	return alloc(size, alignment, 0);
}

static void *take(void *addr, size_t size)
{
	(void)addr;
	return alloc(size, MIB, 0);
}

static void *alloc_populated(size_t size)
{
	return alloc(size, MIB, CHUNK_ALLOC_POPULATE);
}

static bool give(void *addr, size_t size)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = size,
	};

	call("CHUNK_IOC_DEALLOC", CHUNK_IOC_DEALLOC, &args);
	return true;
}

static bool decommit(void *addr, size_t size)
{
	struct chunk_ioc_range args = device_range_args(0, addr, size);

	call("CHUNK_IOC_DECOMMIT", CHUNK_IOC_DECOMMIT, &args);
	return true;
}

static void commit(void *addr, size_t size)
{
	struct chunk_ioc_range args = device_range_args(0, addr, size);

	call("CHUNK_IOC_COMMIT", CHUNK_IOC_COMMIT, &args);
}

static void populate(void *addr, size_t size)
{
	struct chunk_ioc_range args =
		device_range_args(CHUNK_COMMIT_POPULATE, addr, size);

	call("CHUNK_IOC_COMMIT, populated", CHUNK_IOC_COMMIT, &args);
}

static void batch(unsigned int what, void **addrs, size_t size)
{
	struct chunk_ioc_op ops[BATCH];
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.count = BATCH,
		.ops = (uintptr_t)ops,
	};

	for (size_t i = 0; i < BATCH; i++) {
		bool alloc = what == CHUNK_BATCH_ALLOC;

		ops[i] = (struct chunk_ioc_op) {
			.addr = alloc ? 0 : (uintptr_t)addrs[i],
			.length = size,
			.alignment = alloc ? MIB : 0,
		};
	}
	call("CHUNK_IOC_BATCH", CHUNK_IOC_BATCH, &args);
	check("CHUNK_IOC_BATCH: not all done", args.done != BATCH);
	for (size_t i = 0; i < BATCH; i++)
		addrs[i] = (void *)(uintptr_t)ops[i].addr;
}

static void take_many(void **addrs, size_t size)
{
	batch(CHUNK_BATCH_ALLOC, addrs, size);
}

static void give_many(void **addrs, size_t size)
{
	batch(CHUNK_BATCH_DEALLOC, addrs, size);
}

static void decommit_many(void **addrs, size_t size)
{
	batch(CHUNK_BATCH_DECOMMIT, addrs, size);
}

static void commit_many(void **addrs, size_t size)
{
	batch(CHUNK_BATCH_COMMIT, addrs, size);
}

static bool start_offers(void)
{
	return words_map(device);
}

static const struct offers offers = {
	.discards = true,
	.start = start_offers,
	.offer = words_offer,
	.take = words_take,
};

const struct way way_ioctl = {
	.key = "ioctl",
	.title = "device's ioctls",
	.start = start,
	.module = true,
	.fresh = fresh,
	.take = take,
	.give = give,
	.decommit = decommit,
	.commit = commit,
	.alloc_populated = alloc_populated,
	.populate = populate,
	.take_many = take_many,
	.give_many = give_many,
	.decommit_many = decommit_many,
	.commit_many = commit_many,
	.offers = &offers,
};
