// SPDX-License-Identifier: MIT
/* Choosing what becomes of deallocated extents. */
#include <errno.h>

#include "chunk.h"
#include "chunk_report.h"
#include "chunk_reuse.h"
#include "chunk_state.h"

/* By advice, memory of the device would be freed at once. */
static bool can_offer(void)
{
	if (atomic_load_explicit(&chunk_state.generation, memory_order_relaxed))
		return chunk_device_has_words();
	return chunk_os_caps.offer_way != OFFER_NONE;
}

/**
 * chunk_set_reuse() - choose what becomes of deallocated extents
 * @reuse: whether their memory is freed, or kept as offered memory
 * @limit: with REUSE_OFFERED, the most bytes to keep so; others are freed. Extents
 *         beyond a lower limit are released at once
 *
 * REUSE_TRAPPED releases all extents that are kept as offered memory.
 *
 * Return: true; or false with errno EOPNOTSUPP if no memory can be offered here.
 * Then nothing has changed.
 */
bool chunk_set_reuse(enum chunk_reuse reuse, size_t limit)
{
	int saved = errno;

	if ((unsigned int)reuse > REUSE_OFFERED)
		chunk_die_numbers(CHUNK_CALL("chunk_set_reuse"), reuse, limit,
				  "there is no such reuse");
	chunk_enter();
	if (reuse == REUSE_OFFERED && !can_offer()) {
		errno = EOPNOTSUPP;
		return false;
	}
	chunk_lock();
	if (reuse == REUSE_OFFERED)
		chunk_reuse_activate();
	chunk_state.kept.reuse = reuse;
	WRITE_ONCE(chunk_state.kept.tree.limit,
		   reuse == REUSE_OFFERED ? limit : 0);
	chunk_unlock();
	chunk_reuse_trim("chunk_set_reuse");
	errno = saved;
	return true;
}
