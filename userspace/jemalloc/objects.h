/* SPDX-License-Identifier: MIT */
/* The shared objects of this process */
#ifndef OBJECTS_H
#define OBJECTS_H

#include <stdbool.h>
#include <stdint.h>

/**
 * struct object - a loaded object, found by a symbol that it defines
 * @symbol:  address of the symbol; 0: no object defines it
 * @start:   first byte of the object's code
 * @end:     byte after its code
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
uintptr_t object_find_after(const char *name);

#endif /* OBJECTS_H */
