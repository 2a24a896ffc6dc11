/* SPDX-License-Identifier: MIT */
/*
 * XArrays with the kernel's interface, as far as the engine uses it: an array
 * of pointers with indices of any size. The implementation is our own.
 *
 * Lookups take no lock and may run at any time, in a signal handler too: memory
 * once part of an array is used for nothing else, and xarray.c says why that is
 * enough. Stores are the caller's to serialise.
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

/* Heights of nodes: each distinguishes 6 bits more of an index. */
#define XA_LEVELS	((sizeof(uintptr_t) * 8 + 5) / 6)

/**
 * struct xarray - an array
 * @head:       the topmost node, or NULL while nothing was ever stored
 * @generation: how many nodes have left the tree
 * @spares:     for each height, nodes that did and were not used again
 */
struct xarray {
	struct xa_node *head;
	uintptr_t generation;
	struct xa_node *spares[XA_LEVELS];
};

/* The kernel charges the memory to whoever causes it; here that is us. */
#define XA_FLAGS_ACCOUNT	0U
#define XA_PRESENT		0U
#define XA_CHUNK_SIZE		64UL

void xa_init_flags(struct xarray *xa, gfp_t flags);
void xa_destroy(struct xarray *xa);
void *xa_load(struct xarray *xa, uintptr_t index);
void *xa_store(struct xarray *xa, uintptr_t index, void *entry, gfp_t gfp);
void *xa_store_range(struct xarray *xa, uintptr_t first, uintptr_t last,
		     void *entry, gfp_t gfp);
void *xa_find(struct xarray *xa, uintptr_t *index, uintptr_t max,
	      unsigned int filter);
void xa_recover(struct xarray *xa);
int xa_err(void *entry);

/**
 * struct xa_state - one operation on one index
 * @xa:    the array
 * @index: where
 * @err:   0 or a negative error number
 */
struct xa_state {
	struct xarray *xa;
	uintptr_t index;
	int err;
};

#define XA_STATE(name, array, index_)				\
	struct xa_state name = { .xa = (array), .index = (index_) }

static inline void *xas_load(const struct xa_state *xas)
{
	return xa_load(xas->xa, xas->index);
}

static inline void xas_store(struct xa_state *xas, void *entry)
{
	xas->err = xa_err(xa_store(xas->xa, xas->index, entry, 0));
}

static inline int xas_error(const struct xa_state *xas)
{
	return xas->err;
}

static inline void xas_set(struct xa_state *xas, uintptr_t index)
{
	xas->index = index;
}

/* Whoever stores has serialised it, and without memory there is none. */
#define xas_is_node(xas)	((void)(xas), false)
#define xas_advance(xas, index)	xas_set(xas, index)
#define xas_lock(xas)		((void)(xas))
#define xas_unlock(xas)		((void)(xas))
#define xas_nomem(xas, gfp)	((void)(gfp), false)

#endif /* COMPAT_LINUX_XARRAY_H */
