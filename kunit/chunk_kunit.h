/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Helpers that the suites share: random numbers, and a broken page.
 */
#ifndef CHUNK_KUNIT_H
#define CHUNK_KUNIT_H

#include <linux/prandom.h>

struct kunit;

void chunk_kunit_seed(struct kunit *test, struct rnd_state *rnd);

/**
 * chunk_kunit_below() - draw a random number
 * @rnd: the sequence
 * @end: bound, not 0
 *
 * Context: any.
 * Return: a number below @end, which may have up to 63 bits.
 */
static inline u64 chunk_kunit_below(struct rnd_state *rnd, u64 end)
{
	u64 high = prandom_u32_state(rnd);

	return (high << 32 | prandom_u32_state(rnd)) % end;
}

struct page;

/* engine_gate.c: the source page whose memory is broken, may be NULL: none is */
extern struct page *chunk_kunit_broken;

#endif /* CHUNK_KUNIT_H */
