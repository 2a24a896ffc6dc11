/* SPDX-License-Identifier: MIT */
/*
 * XArrays with the kernel's interface, as far as the engine uses it: an array
 * of pointers with indices of any size. The implementation is our own.
 *
 * Lookups take no lock and may run at any time, in a signal handler too: memory
 * once part of an array is never freed. Stores are the caller's to serialise.
 */
#ifndef COMPAT_LINUX_XARRAY_H
#define COMPAT_LINUX_XARRAY_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/types.h>

/* A program may have the like of its own, and a static library no secrets. */
#define xa_init_flags	chunk_xa_init_flags
#define xa_destroy	chunk_xa_destroy
#define xa_load	chunk_xa_load
#define xa_store	chunk_xa_store
#define xa_store_range	chunk_xa_store_range
#define xa_find	chunk_xa_find
#define xa_err	chunk_xa_err

struct xa_node;

/**
 * struct xarray - an array
 * @head: the topmost node, or NULL while nothing was ever stored
 */
struct xarray {
	struct xa_node *head;
};

/* The kernel charges the memory to whoever causes it; here that is us. */
#define XA_FLAGS_ACCOUNT	0U
#define XA_PRESENT		0U

void xa_init_flags(struct xarray *xa, gfp_t flags);
void xa_destroy(struct xarray *xa);
void *xa_load(struct xarray *xa, uintptr_t index);
void *xa_store(struct xarray *xa, uintptr_t index, void *entry, gfp_t gfp);
void *xa_store_range(struct xarray *xa, uintptr_t first, uintptr_t last,
		     void *entry, gfp_t gfp);
void *xa_find(struct xarray *xa, uintptr_t *index, uintptr_t max,
	      unsigned int filter);
int xa_err(void *entry);

#endif /* COMPAT_LINUX_XARRAY_H */
