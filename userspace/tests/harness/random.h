/* SPDX-License-Identifier: MIT */
/* Random numbers that a seed repeats. */
#ifndef RANDOM_H
#define RANDOM_H

#include <stddef.h>
#include <stdint.h>

uint64_t random_seed(void);
uint64_t random_next(uint64_t *state);
size_t random_below(uint64_t *state, size_t bound);

#endif /* RANDOM_H */
