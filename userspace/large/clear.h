/* SPDX-License-Identifier: MIT */
/* Memory that shall read as zero */
#ifndef CLEAR_H
#define CLEAR_H

#include <stddef.h>

void clear_memory(char *p, size_t size);

#endif /* CLEAR_H */
