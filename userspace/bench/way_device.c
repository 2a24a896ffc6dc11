// SPDX-License-Identifier: MIT
/* The device's own calls. */
#include <fcntl.h>
#include <stdlib.h>
#include <sys/ioctl.h>

#include <linux/chunk.h>

#include "bench.h"

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

	call("CHUNK_IOC_ALLOC", CHUNK_IOC_ALLOC, &args);
	return (void *)(uintptr_t)args.addr;
}

static void *fresh(size_t size, size_t alignment)
{
	return alloc(size, alignment, 0);
}

static void take(void *addr, size_t size)
{
	(void)addr;
	alloc(size, MIB, 0);
}

static void *populate(size_t size)
{
	return alloc(size, MIB, CHUNK_ALLOC_POPULATE);
}

static void give(void *addr, size_t size)
{
	struct chunk_ioc_dealloc args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = size,
	};

	call("CHUNK_IOC_DEALLOC", CHUNK_IOC_DEALLOC, &args);
}

static void range(const char *what, unsigned long command, void *addr,
		  size_t size)
{
	struct chunk_ioc_range args = {
		.size = sizeof(args),
		.addr = (uintptr_t)addr,
		.length = size,
	};

	call(what, command, &args);
}

static void decommit(void *addr, size_t size)
{
	range("CHUNK_IOC_DECOMMIT", CHUNK_IOC_DECOMMIT, addr, size);
}

static void commit(void *addr, size_t size)
{
	range("CHUNK_IOC_COMMIT", CHUNK_IOC_COMMIT, addr, size);
}

static void batch(unsigned int what, struct chunk_ioc_op *ops, size_t count)
{
	struct chunk_ioc_batch args = {
		.size = sizeof(args),
		.what = what,
		.count = count,
		.ops = (uintptr_t)ops,
	};

	call("CHUNK_IOC_BATCH", CHUNK_IOC_BATCH, &args);
	check("CHUNK_IOC_BATCH", args.done != count);
}

static struct chunk_ioc_op ops[64];

static void take_many(void **chunks, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++)
		ops[i] = (struct chunk_ioc_op) {
			.length = size,
			.alignment = MIB,
		};
	batch(CHUNK_BATCH_ALLOC, ops, count);
	for (size_t i = 0; i < count; i++)
		chunks[i] = (void *)(uintptr_t)ops[i].addr;
}

static void give_many(void **chunks, size_t count, size_t size)
{
	for (size_t i = 0; i < count; i++)
		ops[i] = (struct chunk_ioc_op) {
			.addr = (uintptr_t)chunks[i],
			.length = size,
		};
	batch(CHUNK_BATCH_DEALLOC, ops, count);
}

const struct way way_device = {
	.name = "device",
	.start = start,
	.fresh = fresh,
	.take = take,
	.give = give,
	.decommit = decommit,
	.commit = commit,
	.populate = populate,
	.take_many = take_many,
	.give_many = give_many,
};
