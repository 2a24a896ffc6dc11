/* SPDX-License-Identifier: MIT */
/* The engine, driven by an input */
#ifndef ENGINE_H
#define ENGINE_H

#include <stddef.h>
#include <stdint.h>

/* The name is libFuzzer's choice. */
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

#endif /* ENGINE_H */
