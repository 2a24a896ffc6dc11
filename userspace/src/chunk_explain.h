/* SPDX-License-Identifier: MIT */
/* CHUNK_OPTIONS=explain:on: an access that traps is explained on stderr. */
#ifndef CHUNK_EXPLAIN_H
#define CHUNK_EXPLAIN_H

#include <linux/compiler.h>

#include "chunk_state.h"

void chunk_explain_slowly(const char *call, const void *addr, size_t size,
			  const void *caller);

/**
 * chunk_explain_note() - note who makes memory trap, if that is wanted
 * @call: function of the API that does; to be called by it, before it does
 * @addr: first byte
 * @size: bytes
 *
 * Context: chunk_enter() done, lock not held.
 */
static inline __attribute__((always_inline)) void
chunk_explain_note(const char *call, const void *addr, size_t size)
{
	if (unlikely(chunk_state.options.explain))
		chunk_explain_slowly(call, addr, size,
				     __builtin_return_address(0));
}

#endif /* CHUNK_EXPLAIN_H */
