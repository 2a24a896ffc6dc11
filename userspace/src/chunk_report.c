// SPDX-License-Identifier: MIT
/* Messages on stderr without stdio, which may allocate. */
#include <errno.h>
#include <string.h>

#include "chunk_report.h"
#include "os.h"

/**
 * chunk_line_add() - append some characters
 * @line:   the line
 * @text:   the characters; unprintable ones become question marks
 * @length: number of characters
 */
void chunk_line_add(struct chunk_line *line, const char *text, size_t length)
{
	/* One character less, for the end of the line */
	size_t room = sizeof(line->text) - 1 - line->length;

	for (; length && room; text++, length--, room--)
		line->text[line->length++] =
			*text >= ' ' && *text <= '~' ? *text : '?';
}

/**
 * chunk_line_text() - append a string
 * @line: the line
 * @text: the string
 */
void chunk_line_text(struct chunk_line *line, const char *text)
{
	chunk_line_add(line, text, strlen(text));
}

/**
 * chunk_line_number() - append a number
 * @line:   the line
 * @number: the number
 * @base:   8, 10, or 16, which puts 0x in front
 */
void chunk_line_number(struct chunk_line *line, uint64_t number,
		       unsigned int base)
{
	char digits[24];
	size_t at = sizeof(digits);

	do {
		digits[--at] = "0123456789abcdef"[number % base];
		number /= base;
	} while (number);
	if (base == 16)
		chunk_line_text(line, "0x");
	chunk_line_add(line, digits + at, sizeof(digits) - at);
}

/**
 * chunk_line_error() - append the meaning of an error number
 * @line: the line
 * @err:  the number, positive
 */
void chunk_line_error(struct chunk_line *line, int err)
{
	const char *name = NULL;

#ifdef __GLIBC__
	/* Unlike strerror() it neither translates nor allocates. */
	name = strerrordesc_np(err);
#endif
	if (name) {
		chunk_line_text(line, name);
	} else {
		chunk_line_text(line, "error ");
		chunk_line_number(line, err, 10);
	}
}

/**
 * chunk_line_write() - write a line to stderr
 * @line: the line, without its end
 *
 * Preserves errno.
 */
void chunk_line_write(struct chunk_line *line)
{
	int saved = errno;

	line->text[line->length++] = '\n';
	chunk_os_print(line->text, line->length);
	errno = saved;
}

static void begin(struct chunk_line *line, const struct chunk_call *call)
{
	chunk_line_text(line, "libchunk: ");
	chunk_line_text(line, call->name);
	chunk_line_text(line, "(");
	if (call->index == CHUNK_ALONE)
		return;
	chunk_line_text(line, "ops[");
	chunk_line_number(line, call->index, 10);
	chunk_line_text(line, "]: ");
}

static _Noreturn void end(struct chunk_line *line, size_t last, const char *why)
{
	chunk_line_text(line, ", ");
	chunk_line_number(line, last, 10);
	chunk_line_text(line, "): ");
	chunk_line_text(line, why);
	chunk_line_write(line);
	chunk_os_abort();
}

/**
 * chunk_die() - end the process over a programming error
 * @call: the function that was called
 * @addr: its address argument
 * @size: its size argument
 * @why:  what is wrong with them
 */
void chunk_die(const struct chunk_call *call, const void *addr, size_t size,
	       const char *why)
{
	struct chunk_line line = { 0 };

	begin(&line, call);
	chunk_line_number(&line, (uintptr_t)addr, 16);
	end(&line, size, why);
}

/**
 * chunk_die_numbers() - end the process over wrong numbers
 * @call:   the function that was called
 * @first:  its first argument
 * @second: its second argument
 * @why:    what is wrong with them
 */
void chunk_die_numbers(const struct chunk_call *call, size_t first,
		       size_t second, const char *why)
{
	struct chunk_line line = { 0 };

	begin(&line, call);
	chunk_line_number(&line, first, 10);
	end(&line, second, why);
}
