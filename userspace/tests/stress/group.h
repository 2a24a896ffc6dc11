/* SPDX-License-Identifier: MIT */
/* A control group with a memory limit, and other files of the kernel */
#ifndef GROUP_H
#define GROUP_H

#include <stdint.h>

void write_to(const char *path, const char *text);

void need_swap(void);

void group_make(const char *memory, const char *swap);
void group_join(void);
void group_remove(void);
uint64_t group_number(const char *file, const char *key);

#endif /* GROUP_H */
