// SPDX-License-Identifier: MIT
/* The end of a process over a programming error, with a line on stderr */
#include <stdlib.h>

#include "chunk_adapter.h"
#include "misuse.h"

static _Noreturn void end(struct chunk_line *line)
{
	chunk_line_write(line);
	abort();
}

/**
 * misuse_die() - end the process over a bad pointer
 * @call: name of the function that was called
 * @p:    its pointer
 * @why:  what is wrong with it
 */
void misuse_die(const char *call, const void *p, const char *why)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk-large: ");
	chunk_line_text(&line, call);
	chunk_line_text(&line, "(");
	chunk_line_number(&line, (uintptr_t)p, 16);
	chunk_line_text(&line, "): ");
	chunk_line_text(&line, why);
	end(&line);
}

/**
 * misuse_no_function() - end the process since no allocator is below
 * @name: name of the function that no object behind this library has
 */
void misuse_no_function(const char *name)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk-large: no object behind this library has ");
	chunk_line_text(&line, name);
	chunk_line_text(&line, "(); is it linked into the program?");
	end(&line);
}
