// SPDX-License-Identifier: MIT
/* How often tests repeat what they do. */
#include <stdlib.h>

#include "rounds.h"

/* The divisor that TEST_FEWER names; 1: all repetitions are done. */
static unsigned int fewer(void)
{
	const char *text = getenv("TEST_FEWER");
	unsigned int divisor = text ? strtoul(text, NULL, 10) : 1;

	return divisor > 1 ? divisor : 1;
}

/**
 * rounds() - scale the number of mere repetitions
 * @count: repetitions where there is time
 *
 * Return: @count, or less, at least 1, where TEST_FEWER names a divisor.
 */
unsigned int rounds(unsigned int count)
{
	return fewer() > 1 ? count / fewer() + 1 : count;
}

/**
 * stride() - scale the distance between places that are tried one after another
 * @step: distance where there is time
 *
 * Return: @step, or more where TEST_FEWER names a divisor.
 */
unsigned int stride(unsigned int step)
{
	return step * fewer();
}
