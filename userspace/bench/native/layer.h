/* SPDX-License-Identifier: MIT */
/* The chunk layers that are compared, all in one process */
#ifndef LAYER_H
#define LAYER_H

#include <stdbool.h>
#include <stddef.h>

#define MIB	((size_t)1 << 20)

/**
 * struct layer - a chunk layer; functions that it lacks are NULL
 * @name:     name in the table
 * @start:    prepares the layer; false: not available
 * @fresh:    gets memory that was never used
 * @give:     gives memory back, to be used again
 * @take:     uses again memory that was given back, or other memory like it
 * @decommit: decommits pages
 * @commit:   commits pages
 * @alloc:    gets memory, recycled or fresh, as the layer chooses
 * @dealloc:  frees memory of @alloc
 * @clear:    returns all recycled memory to the system
 * @unmap:    returns memory to the system, without recycling it
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
