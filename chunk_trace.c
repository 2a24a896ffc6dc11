// SPDX-License-Identifier: GPL-2.0-only
/* The code of the tracepoints that chunk_trace.h declares. */
#define CREATE_TRACE_POINTS
#include "chunk_trace.h"
