/* SPDX-License-Identifier: MIT */
/* The operations that are measured. */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "layer.h"

/**
 * struct operation - a row of the table
 * @title:   for people
 * @every:   measured in one of so many rounds only, since it takes long
 * @can:     has a layer what it takes?
 * @measure: nanoseconds for each, of a batch of them; setting up and cleaning up
 *           are not counted
 */
struct operation {
	const char *title;
	unsigned int every;
	bool (*can)(const struct layer *layer);
	double (*measure)(const struct layer *layer);
};

extern const struct operation operations[];
extern const size_t nr_operations;

#endif /* OPERATIONS_H */
