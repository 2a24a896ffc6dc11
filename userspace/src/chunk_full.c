// SPDX-License-Identifier: MIT
/*
 * Chunks of which every page was present when they were last looked at: writing zeros
 * to all of such a chunk takes no page faults, and need not ask for its pages. That is
 * a guess. Where it is wrong, zeroing takes more time and memory, and no other harm.
 */
#include "chunk_full.h"

atomic_uint chunk_full_tags[CHUNK_FULL_ENTRIES];
