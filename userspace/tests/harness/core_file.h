/* SPDX-License-Identifier: MIT */
/* Core dumps. */
#ifndef CORE_FILE_H
#define CORE_FILE_H

#include <sys/types.h>

off_t core_offset(int core, const char *addr);

#endif /* CORE_FILE_H */
