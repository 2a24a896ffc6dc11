/* SPDX-License-Identifier: MIT */
/* Only the declarations of POSIX: for building, not for running. */
#include <sys/types.h>

#define STDERR_FILENO	2
#define _SC_PAGESIZE	1

pid_t getpid(void);
long sysconf(int name);
ssize_t write(int fd, const void *buffer, size_t size);
