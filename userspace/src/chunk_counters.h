/* SPDX-License-Identifier: MIT */
/* The counters of this process, put together. */
#ifndef CHUNK_COUNTERS_H
#define CHUNK_COUNTERS_H

#include "chunk.h"
#include "device.h"

struct chunk_device_stats chunk_counters_device(void);
uint64_t chunk_counters_mapping_room(void);
struct chunk_stats chunk_counters_read(void);

#endif /* CHUNK_COUNTERS_H */
