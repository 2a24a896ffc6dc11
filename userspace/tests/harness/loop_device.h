/* SPDX-License-Identifier: MIT */
/* A block device, for O_DIRECT where no file system supports that. */
#ifndef LOOP_DEVICE_H
#define LOOP_DEVICE_H

#include <stddef.h>

int loop_open(size_t size);

#endif /* LOOP_DEVICE_H */
