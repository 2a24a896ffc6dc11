/* SPDX-License-Identifier: MIT */
/* Counters of the kernel's tracepoints, for this process and its threads. */
#ifndef EVENTS_H
#define EVENTS_H

#include <stdint.h>

int event_open(const char *name, const char *filter);
int64_t event_read(int event);

#endif /* EVENTS_H */
