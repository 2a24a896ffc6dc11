/* SPDX-License-Identifier: MIT */
/* Offering by the device's words alone, without libchunk and its trees */
#ifndef BENCH_WORDS_H
#define BENCH_WORDS_H

#include "bench.h"

bool words_map(int device);
void words_offer(void *addr, size_t size);
bool words_take(void *addr, size_t size);

#endif /* BENCH_WORDS_H */
