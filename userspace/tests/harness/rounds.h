/* SPDX-License-Identifier: MIT */
/* How often tests repeat what they do. */
#ifndef ROUNDS_H
#define ROUNDS_H

unsigned int rounds(unsigned int count);
unsigned int stride(unsigned int step);

#endif /* ROUNDS_H */
