/* SPDX-License-Identifier: MIT */
/* The shared objects of this process: where jemalloc is, and whom we replace. */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct object - a symbol that a loaded object defines, and its code
 * @symbol:  address of the symbol, or 0 if no object defines it
 * @start:   first byte of the object's code
 * @end:     byte behind its code
 * @program: the object is the program itself
 * @ours:    the object is this library
 */
struct object {
	uintptr_t symbol;
	uintptr_t start;
	uintptr_t end;
	bool program;
	bool ours;
};

bool object_find(const char *name, struct object *object);
uintptr_t object_find_behind(const char *name);

#endif /* OBJECTS_H */
