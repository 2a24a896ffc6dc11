// SPDX-License-Identifier: MIT
/* The state of libchunk in this process. */
#include "chunk_state.h"

struct chunk_state chunk_state;
