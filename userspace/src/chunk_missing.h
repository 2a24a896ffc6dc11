/* SPDX-License-Identifier: MIT */
/* The message of a program that demands the device and does not get it. */
#ifndef CHUNK_MISSING_H
#define CHUNK_MISSING_H

_Noreturn void chunk_die_without_device(int err);

#endif /* CHUNK_MISSING_H */
