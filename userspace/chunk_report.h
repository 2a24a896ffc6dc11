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
	char text[240];
};

void chunk_line_add(struct chunk_line *line, const char *text, size_t length);
void chunk_line_text(struct chunk_line *line, const char *text);
void chunk_line_number(struct chunk_line *line, uintptr_t number,
		       unsigned int base);
void chunk_line_error(struct chunk_line *line, int err);
void chunk_line_write(struct chunk_line *line);

_Noreturn void chunk_die(const char *call, const void *addr, size_t size,
			 const char *why);

#endif /* CHUNK_REPORT_H */
