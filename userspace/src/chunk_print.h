/* SPDX-License-Identifier: MIT */
/* Statistics on stderr: at exit and on a signal. */
#ifndef CHUNK_PRINT_H
#define CHUNK_PRINT_H

void chunk_print_start(void);

#endif /* CHUNK_PRINT_H */
