/* SPDX-License-Identifier: MIT */
/*
 * Random work for libchunk on the fake operating system. Any call may fail, and
 * after each one the invariants are checked.
 */
#ifndef FAKE_WORK_H
#define FAKE_WORK_H

#include <stddef.h>

void expect_none_lost(void);
void expect_blank(const void *addr, size_t size);
void scribble(void *addr, size_t size);

void work(unsigned int steps);
void work_off(void);

#endif /* FAKE_WORK_H */
