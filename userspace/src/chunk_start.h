/* SPDX-License-Identifier: MIT */
/* Setting chunk_state up, at first and in a forked child. */
#ifndef CHUNK_START_H
#define CHUNK_START_H

#include <stdbool.h>

void chunk_start(void);
void chunk_start_child(bool cut_short);

#endif /* CHUNK_START_H */
