/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
#include <stddef.h>

void *memchr(const void *s, int c, size_t n);
int memcmp(const void *s1, const void *s2, size_t n);
void *memcpy(void *to, const void *from, size_t n);
void *memset(void *s, int c, size_t n);
size_t strlen(const char *s);
