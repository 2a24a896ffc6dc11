// SPDX-License-Identifier: MIT
/* Random numbers that a seed repeats. */
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

#include "random.h"
#include "tap.h"

/**
 * random_seed() - get a seed, from TEST_SEED or from the clock, and print it
 */
uint64_t random_seed(void)
{
	const char *text = getenv("TEST_SEED");
	struct timespec now;
	uint64_t seed;

	clock_gettime(CLOCK_REALTIME, &now);
	seed = text ? strtoull(text, NULL, 0) :
		      (uint64_t)now.tv_sec * 1000003 + now.tv_nsec;
	tap_note("TEST_SEED=%llu repeats this", (unsigned long long)seed);
	return seed;
}

/**
 * random_next() - get the next number of a sequence (splitmix64)
 * @state: the sequence; any value begins one
 */
uint64_t random_next(uint64_t *state)
{
	uint64_t x = *state += 0x9e3779b97f4a7c15;

	x = (x ^ x >> 30) * 0xbf58476d1ce4e5b9;
	x = (x ^ x >> 27) * 0x94d049bb133111eb;
	return x ^ x >> 31;
}

/**
 * random_below() - get a random number below a bound
 * @state: the sequence
 * @bound: at least 1
 */
size_t random_below(uint64_t *state, size_t bound)
{
	return random_next(state) % bound;
}
