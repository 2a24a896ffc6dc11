/* SPDX-License-Identifier: MIT */
/* Messages on stderr without stdio. */
#ifndef CHUNK_REPORT_H
#define CHUNK_REPORT_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct chunk_line - a line of text under construction
 * @length: characters so far
 * @text:   the text; characters that do not fit are left out
 */
struct chunk_line {
	size_t length;
	char text[1024];
};

void chunk_line_add(struct chunk_line *line, const char *text, size_t length);
void chunk_line_text(struct chunk_line *line, const char *text);
void chunk_line_number(struct chunk_line *line, uint64_t number,
		       unsigned int base);
void chunk_line_error(struct chunk_line *line, int err);
void chunk_line_write(struct chunk_line *line);

/* The index of a call that is no batch */
#define CHUNK_ALONE	SIZE_MAX

/**
 * struct chunk_call - the call of the API that a message is about
 * @name:  name of the function
 * @index: element of the batch, or CHUNK_ALONE
 */
struct chunk_call {
	const char *name;
	size_t index;
};

#define CHUNK_CALL(name)	(&(const struct chunk_call) { name, CHUNK_ALONE })

_Noreturn void chunk_die(const struct chunk_call *call, const void *addr,
			 size_t size, const char *why);
_Noreturn void chunk_die_numbers(const struct chunk_call *call, size_t first,
				 size_t second, const char *why);

#endif /* CHUNK_REPORT_H */
