/* SPDX-License-Identifier: MIT */
#ifndef CHUNK_MISSING_H
#define CHUNK_MISSING_H

_Noreturn void chunk_die_without_device(int err);

#endif /* CHUNK_MISSING_H */
