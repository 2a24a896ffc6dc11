// SPDX-License-Identifier: MIT
/*
 * The engine against a model, as in the fuzzer, but with random inputs and
 * built as for libchunk.
 */
#include "engine.h"
#include "random.h"
#include "tap.h"

#define INPUTS	1000
#define LONGEST	600

static void random_inputs(void)
{
	static uint8_t input[LONGEST];
	uint64_t random = random_seed();

	for (size_t i = 0; i < INPUTS; i++) {
		size_t size = random_below(&random, LONGEST + 1);

		for (size_t at = 0; at < size; at++)
			input[at] = random_below(&random, 256);
		LLVMFuzzerTestOneInput(input, size);
	}
}

static const struct tap_case cases[] = {
	{ "random calls do as the model says", random_inputs },
};

const struct tap_suite tap_suite = {
	.about = "Tests the engine against a model",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
