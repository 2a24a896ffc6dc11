/* SPDX-License-Identifier: MIT */
/*
 * XArrays, arrays of pointers with indices of any size, with the kernel's interface
 * as far as the engine uses it. The implementation is not the kernel's.
 *
 * Lookups take no lock and may run at any time, in a signal handler too: memory
 * that was once part of an array is used for nothing else, and xarray.c says why
 * that is enough. The caller serialises stores.
 */
#ifndef COMPAT_LINUX_XARRAY_H
#define COMPAT_LINUX_XARRAY_H

#include <linux/atomic.h>
#include <linux/compiler.h>
#include <linux/types.h>

/* A program may have functions of these names, too, and link the archive. */
#define xa_init_flags	chunk_xa_init_flags
#define xa_destroy	chunk_xa_destroy
#define xa_load	chunk_xa_load
#define xa_store	chunk_xa_store
#define xa_store_range	chunk_xa_store_range
#define xa_find	chunk_xa_find
#define xa_err	chunk_xa_err

struct xa_node;

/* Heights of nodes: each distinguishes 6 more bits of an index */
#define XA_LEVELS	((sizeof(uintptr_t) * 8 + 5) / 6)

/**
 * struct xarray - an array
 * @head:       the topmost node, or NULL while nothing was ever stored
 * @generation: number of times that a node left the tree
 * @free_nodes: for each height, chain of nodes that left and are in no use
 */
struct xarray {
	struct xa_node *head;
	uintptr_t generation;
	struct xa_node *free_nodes[XA_LEVELS];
};

/* Makes the kernel charge the memory to the process; no meaning here. */
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
 * @index: the index
 * @err:   0 or a negative error number
 */
struct xa_state {
	struct xarray *xa;
	uintptr_t index;
	int err;
};

#define XA_STATE(name, array, index_)				\
	struct xa_state name = { .xa = (array), .index = (index_) }

/**
 * xas_load() - read the entry at the operation's index
 * @xas: the operation
 *
 * Return: the entry or NULL.
 */
static inline void *xas_load(const struct xa_state *xas)
{
	return xa_load(xas->xa, xas->index);
}

/**
 * xas_store() - write an entry at the operation's index
 * @xas:   the operation; its @err is set
 * @entry: the entry, or NULL
 */
static inline void xas_store(struct xa_state *xas, void *entry)
{
	xas->err = xa_err(xa_store(xas->xa, xas->index, entry, 0));
}

/**
 * xas_error() - tell whether the last store failed
 * @xas: the operation
 *
 * Return: 0 or a negative error number.
 */
static inline int xas_error(const struct xa_state *xas)
{
	return xas->err;
}

/**
 * xas_set() - move an operation to an index
 * @xas:   the operation
 * @index: the index
 */
static inline void xas_set(struct xa_state *xas, uintptr_t index)
{
	xas->index = index;
}

/* The caller serialises stores; there is no allocation to be done outside. */
#define xas_is_node(xas)	((void)(xas), false)
#define xas_advance(xas, index)	xas_set(xas, index)
#define xas_lock(xas)		((void)(xas))
#define xas_unlock(xas)		((void)(xas))
#define xas_nomem(xas, gfp)	((void)(gfp), false)

#endif /* COMPAT_LINUX_XARRAY_H */
