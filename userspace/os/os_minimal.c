// SPDX-License-Identifier: MIT
/*
 * Functions of the system layer for systems that have nothing special to offer:
 * each does what os.h says of a system without it.
 */
#include "os.h"

int chunk_os_map_base(size_t size, void **out)
{
	return chunk_os_map(NULL, size, out);
}

int chunk_os_guard(void *addr, size_t size)
{
	(void)addr;
	(void)size;
	return -EOPNOTSUPP;
}

int chunk_os_decommit_extent(void *addr, size_t size)
{
	return chunk_os_decommit(addr, size);
}

int chunk_os_recommit_extent(void *addr, size_t size)
{
	return chunk_os_commit(addr, size);
}

bool chunk_os_can_premap(void *addr)
{
	(void)addr;
	return false;
}

/* The system uses huge pages unasked, or has none: see @has_huge_pages. */
void chunk_os_want_huge(void *addr, size_t size)
{
	(void)addr;
	(void)size;
}

void *chunk_os_map_wiped(size_t *size)
{
	*size = 0;
	return NULL;
}

int chunk_os_clear(void *addr, size_t size, chunk_os_cleared *cleared)
{
	(void)addr;
	(void)size;
	(void)cleared;
	return -EOPNOTSUPP;
}

size_t chunk_os_mapping_room(void)
{
	return SIZE_MAX;
}

bool chunk_os_locate(uintptr_t addr, struct chunk_os_place *place)
{
	(void)addr;
	(void)place;
	return false;
}

unsigned long chunk_os_thread(void)
{
	return 0;
}
