/* SPDX-License-Identifier: MIT */
/* The engine doing whatever an input says. */
#ifndef ENGINE_H
#define ENGINE_H

#include <stddef.h>
#include <stdint.h>

/* Its name is libFuzzer's choice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* ENGINE_H */
