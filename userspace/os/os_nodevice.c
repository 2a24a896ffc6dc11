// SPDX-License-Identifier: MIT
/*
 * Systems without the module: the device cannot be opened. The functions for a
 * device that is open are never called.
 */
#include "device.h"

int chunk_device_open(void)
{
	return -EOPNOTSUPP;
}

bool chunk_device_is_loaded(void)
{
	return false;
}

void chunk_device_close(void)
{
}

bool chunk_device_access(struct chunk_device_access *access)
{
	(void)access;
	return false;
}

int chunk_device_configure(enum chunk_backing backing, size_t grow)
{
	(void)backing;
	(void)grow;
	return -ENODEV;
}

bool chunk_device_traps(void)
{
	return false;
}

int chunk_device_alloc(size_t size, size_t alignment, enum chunk_birth birth,
		       void **out)
{
	(void)size;
	(void)alignment;
	(void)birth;
	(void)out;
	return -ENODEV;
}

int chunk_device_dealloc(void *addr, size_t size, enum chunk_type type)
{
	(void)addr;
	(void)size;
	(void)type;
	return -ENODEV;
}

int chunk_device_commit(void *addr, size_t size, bool populate)
{
	(void)addr;
	(void)size;
	(void)populate;
	return -ENODEV;
}

int chunk_device_decommit(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -ENODEV;
}

int chunk_device_batch(enum chunk_batch what, struct chunk_op *ops,
		       size_t count)
{
	(void)what;
	(void)ops;
	(void)count;
	return -ENODEV;
}

int chunk_device_limit(size_t bytes)
{
	(void)bytes;
	return -ENODEV;
}

int chunk_device_stats(struct chunk_device_stats *stats)
{
	(void)stats;
	return -ENODEV;
}

int chunk_device_lookup(void *addr, struct chunk_device_run *run)
{
	(void)addr;
	(void)run;
	return -ENODEV;
}

bool chunk_device_keeps(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return false;
}

bool chunk_device_has_words(void)
{
	return false;
}

bool chunk_device_takes_advice(void)
{
	return false;
}

int chunk_device_map_words(size_t window, atomic_uint **words)
{
	(void)window;
	(void)words;
	return -ENODEV;
}

int chunk_device_touch_word(atomic_uint *word)
{
	(void)word;
	return -ENODEV;
}

int chunk_device_purge(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -ENODEV;
}

bool chunk_device_traps_at(void *page)
{
	(void)page;
	return false;
}

int chunk_device_commit_lost(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -ENODEV;
}

int chunk_device_decommit_lost(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -ENODEV;
}
