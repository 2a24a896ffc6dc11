// SPDX-License-Identifier: MIT
/* A picture of the address space of a process: in the terminal, as SVG, in HTML. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "chunkctl.h"
#include "grid.h"
#include "text.h"

/**
 * struct look - how a cell looks
 * @glyph: in the terminal
 * @code:  colour there
 * @fill:  colour in SVG
 * @name:  in the legend
 */
struct look {
	char glyph;
	const char *code;
	const char *fill;
	const char *name;
};

static const struct look live[] = {
	[TOUCH_NONE] = { '.', "32", "#c7e9c0", "live, not touched" },
	[TOUCH_SOME] = { '+', "32", "#74c476", "live, less than half touched" },
	[TOUCH_MOST] = { '#', "32;1", "#238b45", "live, touched" },
};

static const struct look others[STATES + 1] = {
	[IS_DECOMMITTED] = { '-', "31", "#fb6a4a", "decommitted" },
	[IS_OFFERED] = { 'o', "33", "#fdbf6f", "offered" },
	[IS_RECYCLED] = { 'r', "34", "#6baed6", "kept for reuse" },
	[IS_RETAINED] = { '_', "90", "#d9d9d9", "retained, without memory" },
	[IS_UNKNOWN] = { '?', "35", "#bcbddc", "not touched, or not live" },
	[STATES] = { ' ', "0", "none", "" },
};

static const struct look *look_of(const struct cell *cell)
{
	enum state state = cell_state(cell);

	if (state == IS_LIVE || (state == IS_UNKNOWN && cell->touch != TOUCH_NONE))
		return &live[cell->touch];
	return &others[state];
}

static bool in_colour(void)
{
	return isatty(STDOUT_FILENO) && !getenv("NO_COLOR");
}

static void print_glyph(const struct look *look, bool colour)
{
	if (colour)
		printf("\033[%sm%c\033[0m", look->code, look->glyph);
	else
		putchar(look->glyph);
}

static void print_cells(const struct grid *grid)
{
	bool colour = in_colour();
	size_t row = 0;

	for (size_t i = 0; i < grid->nr; i++) {
		if (grid_row_starts(grid, i, row)) {
			printf("%s%12llx ", i ? "\n" : "", grid->cells[i].addr);
			row = i;
		}
		print_glyph(look_of(&grid->cells[i]), colour);
	}
	putchar('\n');
}

static void print_legend(void)
{
	bool colour = in_colour();

	for (size_t i = 0; i < sizeof(live) / sizeof(*live); i++) {
		print_glyph(&live[i], colour);
		printf(" %s; ", live[i].name);
	}
	putchar('\n');
	for (size_t i = IS_DECOMMITTED; i < STATES; i++) {
		print_glyph(&others[i], colour);
		printf(" %s%s", others[i].name, i + 1 < STATES ? "; " : "\n");
	}
}

static void print_totals(const struct grid *grid)
{
	char text[16];

	for (size_t i = 0; i < STATES; i++) {
		if (grid->total[i])
			printf("%s %s, ", state_names[i],
			       human(grid->total[i], text, sizeof(text)));
	}
	printf("touched %s%s\n", grid->sampled ? "about " : "",
	       human(grid->touched, text, sizeof(text)));
}

static void map_text(const struct process *process, const struct grid *grid,
		     bool debugfs)
{
	char text[16];

	printf("process %d (%s): each character is %s\n", process->pid, process->comm,
	       human(grid->unit, text, sizeof(text)));
	print_cells(grid);
	print_legend();
	print_totals(grid);
	if (!debugfs && process->own)
		puts("Which part of the device's memory is live, debugfs tells to root.");
}

static void map_json(const struct process *process, const struct grid *grid,
		     const struct runs *runs)
{
	printf("{\"pid\":%d,\"comm\":", process->pid);
	print_json(process->comm);
	printf(",\"complete\":%s,\"touched_bytes\":%llu,\"runs\":[",
	       runs->debugfs || !process->own ? "true" : "false", grid->touched);
	for (size_t i = 0; i < runs->nr; i++)
		printf("%s{\"start\":\"0x%llx\",\"end\":\"0x%llx\",\"state\":\"%s\"}",
		       i ? ",\n" : "", runs->of[i].start, runs->of[i].end,
		       state_names[runs->of[i].state]);
	puts("]}");
}

/* Pixels of a cell, of the margin, of what is left of and above the cells, of a line */
#define CELL	12
#define MARGIN	8
#define LEFT	112
#define TOP	34
#define LINE	18

/* The lower edge of letters in a square's line */
#define BASE	(CELL - 3)

static size_t count_rows(const struct grid *grid)
{
	size_t rows = 0, row = 0;

	for (size_t i = 0; i < grid->nr; i++) {
		if (grid_row_starts(grid, i, row)) {
			row = i;
			rows++;
		}
	}
	return rows;
}

/* Begin a square, which the caller ends. */
static void svg_square(const struct look *look, size_t x, size_t y)
{
	printf("<rect x=\"%zu\" y=\"%zu\" width=\"%d\" height=\"%d\" fill=\"%s\">", x, y,
	       CELL - 1, CELL - 1, look->fill);
}

static void svg_cell(const struct grid *grid, size_t at, size_t row, size_t rows)
{
	const struct look *look = look_of(&grid->cells[at]);

	if (look == &others[STATES])
		return;
	svg_square(look, LEFT + (at - row) * CELL, TOP + rows * CELL);
	printf("<title>%llx %s</title></rect>\n", grid->cells[at].addr, look->name);
}

static void svg_cells(const struct grid *grid)
{
	size_t row = 0, rows = 0;

	for (size_t i = 0; i < grid->nr; i++) {
		if (grid_row_starts(grid, i, row)) {
			rows += !!i;
			row = i;
			printf("<text x=\"%d\" y=\"%zu\">%llx</text>\n", MARGIN,
			       TOP + rows * CELL + BASE, grid->cells[i].addr);
		}
		svg_cell(grid, i, row, rows);
	}
}

static void svg_legend_entry(const struct look *look, size_t y)
{
	svg_square(look, MARGIN, y);
	printf("</rect><text x=\"%d\" y=\"%zu\">%s</text>\n", MARGIN + LINE, y + BASE,
	       look->name);
}

static void svg_legend(size_t y)
{
	for (size_t i = 0; i < sizeof(live) / sizeof(*live); i++, y += LINE)
		svg_legend_entry(&live[i], y);
	for (size_t i = IS_DECOMMITTED; i < STATES; i++, y += LINE)
		svg_legend_entry(&others[i], y);
}

static void print_title(const struct process *process, const struct grid *grid)
{
	char text[16];

	printf("Process %d (", process->pid);
	print_markup(process->comm);
	printf("): each cell is %s", human(grid->unit, text, sizeof(text)));
}

static void map_svg(const struct process *process, const struct grid *grid)
{
	size_t height = TOP + count_rows(grid) * CELL + LINE;

	printf("<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%zu\"\n",
	       LEFT + GRID_WIDTH * CELL + MARGIN, height + 8 * LINE);
	printf("role=\"img\" font-family=\"monospace\" font-size=\"11\">\n<title>");
	print_title(process, grid);
	puts("</title>\n<rect width=\"100%\" height=\"100%\" fill=\"white\"/>");
	printf("<text x=\"%d\" y=\"20\" font-size=\"14\">", MARGIN);
	print_title(process, grid);
	puts("</text>");
	svg_cells(grid);
	svg_legend(height);
	puts("</svg>");
}

static void map_html(const struct process *process, const struct grid *grid)
{
	char text[16];

	puts("<!DOCTYPE html>\n<html lang=\"en\"><head><meta charset=\"utf-8\">");
	printf("<title>chunks of ");
	print_markup(process->comm);
	puts("</title>\n<style>table { font: 13px monospace; border-spacing: 16px 3px }\n"
	     "th, td { text-align: right } th:first-child, td:first-child { text-align: left }\n"
	     "</style></head><body>");
	map_svg(process, grid);
	puts("<table><tr><th>state</th><th>bytes</th><th></th></tr>");
	for (size_t i = 0; i < STATES; i++)
		printf("<tr><td>%s</td><td>%llu</td><td>%s</td></tr>\n", state_names[i],
		       grid->total[i], human(grid->total[i], text, sizeof(text)));
	printf("<tr><td>touched%s</td><td>%llu</td><td>%s</td></tr>\n",
	       grid->sampled ? ", about" : "", grid->touched,
	       human(grid->touched, text, sizeof(text)));
	puts("</table></body></html>");
}

static void paint(const struct request *request, const struct process *process,
		  const struct grid *grid, const struct runs *runs)
{
	switch (request->form) {
	case FORM_JSON:
		map_json(process, grid, runs);
		break;
	case FORM_SVG:
		map_svg(process, grid);
		break;
	case FORM_HTML:
		map_html(process, grid);
		break;
	default:
		map_text(process, grid, runs->debugfs);
		break;
	}
}

/**
 * map() - paint the address space of a process
 * @request: the command line
 *
 * Return: the status; STATUS_NOT_ON_DEVICE if it has no chunks that can be seen.
 */
int map(const struct request *request)
{
	int status = STATUS_OK, err;
	struct process process;
	struct runs runs;
	struct grid grid;

	process_need(&process, request->pid);
	err = runs_read(&runs, &process);
	if (err) {
		fprintf(stderr, "chunkctl: %d: %s\n", process.pid, strerror(-err));
		return err == -ESRCH || err == -ENOENT ? STATUS_NO_PROCESS :
						       STATUS_FORBIDDEN;
	}
	if (runs.nr) {
		grid = grid_make(&runs, &process);
		paint(request, &process, &grid, &runs);
		free(grid.cells);
	} else {
		fprintf(stderr, "chunkctl: %d (%s) has no chunks; try: chunkctl check %d\n",
			process.pid, process.comm, process.pid);
		status = STATUS_NOT_ON_DEVICE;
	}
	free(runs.of);
	process_close(&process);
	return status;
}
