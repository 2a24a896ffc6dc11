/* SPDX-License-Identifier: MIT */
/* The operations that are measured */
#ifndef OPERATIONS_H
#define OPERATIONS_H

#include "layer.h"

/**
 * struct operation - a row of the table
 * @title:   title in the table
 * @every:   number of rounds of which one measures it: more than 1 if it takes
 *           long
 * @can:     tells whether a layer has the functions that are needed
 * @measure: measures a batch; returns nanoseconds for each operation, without
 *           preparation and clean-up
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
