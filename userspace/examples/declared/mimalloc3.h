/* SPDX-License-Identifier: MIT */
/* Declarations of mimalloc 3 that the example needs: Debian 12 has no such header. */
#ifndef DECLARED_MIMALLOC3_H
#define DECLARED_MIMALLOC3_H

#include <stdbool.h>
#include <stddef.h>

typedef void *mi_arena_id_t;
typedef bool mi_commit_fun_t(bool commit, void *start, size_t size, bool *is_zero,
			     void *user_arg);

bool mi_manage_memory(void *start, size_t size, bool is_committed, bool is_pinned,
		      bool is_zero, int numa_node, bool exclusive,
		      mi_commit_fun_t *commit_fun, void *commit_fun_arg,
		      mi_arena_id_t *arena_id);

#endif /* DECLARED_MIMALLOC3_H */
