/* SPDX-License-Identifier: MIT */
/* Address space as a grid of cells, to be painted. */
#ifndef GRID_H
#define GRID_H

#include "runs.h"

/* Cells in a row */
#define GRID_WIDTH	64

/**
 * enum touch - how much of a cell is in memory or swapped out
 * @TOUCH_NONE: nothing that was looked at
 * @TOUCH_SOME: less than half
 * @TOUCH_MOST: the rest
 */
enum touch { TOUCH_NONE, TOUCH_SOME, TOUCH_MOST };

/**
 * struct cell - a piece of address space
 * @addr:  its first byte
 * @bytes: bytes of each state; all zero if it is no chunk
 * @touch: how much of it was touched
 */
struct cell {
	unsigned long long addr;
	unsigned long long bytes[STATES];
	enum touch touch;
};

/**
 * struct grid - all cells; long gaps between runs are left out
 * @unit:    bytes of a cell
 * @cells:   the cells, by address
 * @nr:      number of them
 * @total:   bytes of each state
 * @touched: bytes that were touched, by what was looked at
 * @sampled: @touched is an estimate
 */
struct grid {
	unsigned long long unit;
	struct cell *cells;
	size_t nr;
	unsigned long long total[STATES];
	unsigned long long touched;
	bool sampled;
};

struct grid grid_make(const struct runs *runs, const struct process *process);
enum state cell_state(const struct cell *cell);
bool grid_row_starts(const struct grid *grid, size_t at, size_t row);

#endif /* GRID_H */
