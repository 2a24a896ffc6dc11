/* SPDX-License-Identifier: MIT */
/* The chunk layers that are compared, all in one process. */
#ifndef LAYER_H
#define LAYER_H

#include <stdbool.h>
#include <stddef.h>

#define MIB	((size_t)1 << 20)

/**
 * struct layer - a chunk layer; what it lacks is NULL
 * @name:     for the table
 * @start:    get ready; false: not available
 * @fresh:    memory that was never used
 * @give:     give back, to be used again
 * @take:     use again what was given back, or as good
 * @decommit: pages
 * @commit:   pages
 * @alloc:    recycled or fresh, as the layer sees fit
 * @dealloc:  the opposite
 * @clear:    give back to the system all that is kept for reuse
 * @unmap:    to the system, past what is kept for reuse
 */
struct layer {
	const char *name;
	bool (*start)(void);
	void *(*fresh)(size_t size, size_t alignment);
	void (*give)(void *addr, size_t size);
	void (*take)(void *addr, size_t size);
	void (*decommit)(void *addr, size_t size);
	void (*commit)(void *addr, size_t size);
	void *(*alloc)(size_t size, size_t alignment);
	void (*dealloc)(void *addr, size_t size);
	void (*clear)(void);
	void (*unmap)(void *addr, size_t size);
};

extern const struct layer layer_original;
extern const struct layer layer_libchunk;
extern const struct layer layer_jemalloc;

void fail(const char *what);

#endif /* LAYER_H */
