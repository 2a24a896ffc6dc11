// SPDX-License-Identifier: GPL-2.0-only
/*
 * The test module as a whole: its parameter, and the random numbers.
 */
#include <kunit/test.h>
#include <linux/module.h>
#include <linux/random.h>

#include "chunk_kunit.h"

static u64 seed;
module_param(seed, ullong, 0444);
MODULE_PARM_DESC(seed, "Repeats the random cases of a run that printed it");

/**
 * chunk_kunit_seed() - begin a sequence of random numbers
 * @test: the test, which prints the seed
 * @rnd:  out: the sequence
 *
 * Context: any.
 */
void chunk_kunit_seed(struct kunit *test, struct rnd_state *rnd)
{
	u64 used = seed ? seed : get_random_u64();

	kunit_info(test, "seed=%llu repeats this", used);
	prandom_seed_state(rnd, used);
}

MODULE_DESCRIPTION("KUnit tests of chunk.ko and its engine");
MODULE_AUTHOR("The chunkmod authors");
MODULE_LICENSE("GPL");
