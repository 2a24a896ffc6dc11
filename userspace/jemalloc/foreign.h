/* SPDX-License-Identifier: MIT */
/* Memory that jemalloc has from the system itself. */
#ifndef FOREIGN_H
#define FOREIGN_H

#include <stdbool.h>
#include <stddef.h>

bool foreign_commit(void *addr, size_t size);
bool foreign_purge(void *addr, size_t size);
void foreign_destroy(void *addr, size_t size);
bool foreign_is_charged(void);

#endif /* FOREIGN_H */
