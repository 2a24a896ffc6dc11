/* SPDX-License-Identifier: MIT */
/* Saying something on stderr without stdio. */
#ifndef CHUNK_REPORT_H
#define CHUNK_REPORT_H

#include <stddef.h>
#include <stdint.h>

/**
 * struct chunk_line - a line of text in the making
 * @length: how long it is
 * @text:   the text; what does not fit is left out
 */
struct chunk_line {
	size_t length;
	char text[320];
};

void chunk_line_add(struct chunk_line *line, const char *text, size_t length);
void chunk_line_text(struct chunk_line *line, const char *text);
void chunk_line_number(struct chunk_line *line, uintptr_t number,
		       unsigned int base);
void chunk_line_error(struct chunk_line *line, int err);
void chunk_line_write(struct chunk_line *line);

/* A call that is about one thing */
#define CHUNK_ALONE	SIZE_MAX

/**
 * struct chunk_call - the function of the API that is at work
 * @name:  its name
 * @index: which element of a batch it is at, or CHUNK_ALONE
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
