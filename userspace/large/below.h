/* SPDX-License-Identifier: MIT */
/* The allocator that the program would have without this library */
#ifndef BELOW_H
#define BELOW_H

#include <stddef.h>

/**
 * struct below - functions of the allocator below, as the C library declares them
 * @alloc:      malloc()
 * @calloc:     calloc()
 * @realloc:    realloc()
 * @free:       free()
 * @memalign:   memalign()
 * @aligned:    aligned_alloc()
 * @posix:      posix_memalign()
 * @usable:     malloc_usable_size()
 *
 * At first each is a function that looks for all of them.
 */
struct below {
	void *(*alloc)(size_t size);
	void *(*calloc)(size_t count, size_t size);
	void *(*realloc)(void *p, size_t size);
	void (*free)(void *p);
	void *(*memalign)(size_t alignment, size_t size);
	void *(*aligned)(size_t alignment, size_t size);
	int (*posix)(void **p, size_t alignment, size_t size);
	size_t (*usable)(void *p);
};

/* Reached without the global offset table: a small block must cost nothing. */
extern __attribute__((visibility("hidden"))) struct below below;

void below_find(void);

#endif /* BELOW_H */
