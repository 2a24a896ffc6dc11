/* SPDX-License-Identifier: MIT */
/* Files of the kernel: settings, and figures of this process */
#ifndef KERNEL_FILE_H
#define KERNEL_FILE_H

#include <stdbool.h>
#include <stddef.h>

bool put_text(const char *path, const char *text);
long get_number(const char *path);
int overcommit_mode(void);
size_t status_bytes(const char *name);

#endif /* KERNEL_FILE_H */
