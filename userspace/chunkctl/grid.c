// SPDX-License-Identifier: MIT
/*
 * Address space as a grid of cells.
 *
 * The grid has some 1,500 cells however large the address space is. Which pages were
 * touched, /proc/PID/pagemap tells; of a large cell only some pages are looked at.
 */
#include <fcntl.h>
#include <stdint.h>
#include <stdlib.h>
#include <unistd.h>

#include "grid.h"
#include "text.h"

#define MOST_CELLS	(GRID_WIDTH * 24ULL)
#define LEAST_UNIT	65536ULL

/* Cells of a gap that are still shown */
#define MOST_GAP	8

/* Pages that are looked at in a row, and rows in a cell */
#define SAMPLE		16
#define SAMPLES		16

#define PRESENT_OR_SWAPPED	(3ULL << 62)

static unsigned long long cells_at(const struct runs *runs,
				   unsigned long long unit)
{
	unsigned long long cells = 0;

	for (size_t i = 0; i < runs->nr; i++)
		cells += (runs->of[i].end - runs->of[i].start) / unit;
	return cells;
}

static struct cell *cell_at(struct grid *grid, unsigned long long addr)
{
	struct cell *last = grid->nr ? &grid->cells[grid->nr - 1] : NULL;
	unsigned long long from = last ? last->addr + grid->unit : addr;

	if (last && last->addr == addr)
		return last;
	/* A short gap is painted, a long one begins a new row. */
	if (addr - from > MOST_GAP * grid->unit)
		from = addr;
	for (; from <= addr; from += grid->unit) {
		if (!(grid->nr & (grid->nr - 1)))
			grid->cells = take_more(grid->cells, sizeof(*last) *
						(grid->nr ? 2 * grid->nr : 1));
		grid->cells[grid->nr++] = (struct cell){ .addr = from };
	}
	return &grid->cells[grid->nr - 1];
}

static void add_run(struct grid *grid, const struct run *run)
{
	unsigned long long at = run->start;

	grid->total[run->state] += run->end - run->start;
	while (at < run->end) {
		unsigned long long cell = at - at % grid->unit;
		unsigned long long end = cell + grid->unit;

		if (end > run->end)
			end = run->end;
		cell_at(grid, cell)->bytes[run->state] += end - at;
		at = end;
	}
}

static bool holds_memory(const struct cell *cell)
{
	return cell->bytes[IS_LIVE] || cell->bytes[IS_UNKNOWN] ||
	       cell->bytes[IS_OFFERED];
}

/* Count touched pages among some that lie in a row. */
static unsigned int count_touched(int pagemap, unsigned long long page,
				  unsigned int nr)
{
	uint64_t entries[SAMPLE];
	ssize_t got = pread(pagemap, entries, nr * sizeof(*entries),
			    page * sizeof(*entries));
	unsigned int touched = 0;

	for (ssize_t i = 0; i < got / (ssize_t)sizeof(*entries); i++)
		touched += !!(entries[i] & PRESENT_OR_SWAPPED);
	return touched;
}

static void look_at_cell(struct grid *grid, struct cell *cell, int pagemap)
{
	unsigned long long size = sysconf(_SC_PAGESIZE);
	unsigned long long pages = grid->unit / size, step = pages / SAMPLES;
	unsigned int nr, looked = 0, touched = 0;

	/* A cell of up to SAMPLE * SAMPLES pages is looked at as a whole. */
	if (step < SAMPLE)
		step = SAMPLE;
	for (unsigned long long at = 0; at < pages; at += step) {
		nr = pages - at < SAMPLE ? pages - at : SAMPLE;
		touched += count_touched(pagemap, cell->addr / size + at, nr);
		looked += nr;
	}
	grid->sampled |= looked < pages;
	grid->touched += grid->unit / looked * touched;
	if (touched)
		cell->touch = 2 * touched < looked ? TOUCH_SOME : TOUCH_MOST;
}

static void look_at_cells(struct grid *grid, const struct process *process)
{
	int pagemap = openat(process->dir, "pagemap", O_RDONLY | O_CLOEXEC);

	if (pagemap < 0)
		return;
	for (size_t i = 0; i < grid->nr; i++) {
		if (holds_memory(&grid->cells[i]))
			look_at_cell(grid, &grid->cells[i], pagemap);
	}
	close(pagemap);
}

/**
 * grid_make() - make the grid of a process
 * @runs:    its address space
 * @process: the process
 *
 * Return: the grid; @cells is to be freed.
 */
struct grid grid_make(const struct runs *runs, const struct process *process)
{
	struct grid grid = { .unit = LEAST_UNIT };

	while (cells_at(runs, grid.unit) > MOST_CELLS)
		grid.unit *= 2;
	for (size_t i = 0; i < runs->nr; i++)
		add_run(&grid, &runs->of[i]);
	look_at_cells(&grid, process);
	return grid;
}

/**
 * cell_state() - tell the state of the most bytes of a cell
 * @cell: the cell
 *
 * Return: the state; STATES if it is no chunk.
 */
enum state cell_state(const struct cell *cell)
{
	enum state most = STATES;

	for (enum state state = 0; state < STATES; state++) {
		if (cell->bytes[state] &&
		    (most == STATES || cell->bytes[state] > cell->bytes[most]))
			most = state;
	}
	return most;
}

/**
 * grid_row_starts() - tell whether a cell begins a row
 * @grid: the grid
 * @at:   number of the cell
 * @row:  number of the cell that the row before begins with
 */
bool grid_row_starts(const struct grid *grid, size_t at, size_t row)
{
	return !at || at - row >= GRID_WIDTH ||
	       grid->cells[at].addr != grid->cells[at - 1].addr + grid->unit;
}
