/* SPDX-License-Identifier: MIT */
/* io_uring by its system calls: one request at a time */
#ifndef MODEL_RING_H
#define MODEL_RING_H

#include <stdbool.h>
#include <stddef.h>

#include <linux/io_uring.h>

bool ring_open(void);
bool ring_is_open(void);
int ring_do(unsigned int opcode, int file, void *addr, size_t size,
	    unsigned int flags);
int ring_register(void *addr, size_t size);
void ring_unregister(void);

#endif /* MODEL_RING_H */
