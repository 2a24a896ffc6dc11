// SPDX-License-Identifier: MIT
/* Files read as a whole, numbers and strings as people and programs want them. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "text.h"

/**
 * trouble() - end the program over an error of the system
 * @what: what could not be done; errno says why
 */
void trouble(const char *what)
{
	fprintf(stderr, "chunkctl: %s: %s\n", what, strerror(errno));
	exit(STATUS_TROUBLE);
}

/**
 * take() - allocate zeroed memory, or end the program
 * @size: bytes
 */
void *take(size_t size)
{
	void *memory = calloc(1, size ? size : 1);

	if (!memory)
		trouble("memory");
	return memory;
}

/**
 * take_more() - enlarge memory, or end the program
 * @memory: the memory, from take(), or NULL
 * @size:   bytes
 */
void *take_more(void *memory, size_t size)
{
	memory = realloc(memory, size);
	if (!memory)
		trouble("memory");
	return memory;
}

static char *read_open_file(int fd)
{
	size_t size = 4096, length = 0;
	char *text = take(size);
	ssize_t got;

	while ((got = read(fd, text + length, size - length - 1)) > 0) {
		length += got;
		if (size - length < 1024)
			text = take_more(text, size *= 2);
	}
	if (got < 0) {
		free(text);
		return NULL;
	}
	text[length] = '\0';
	/* Lists of /proc are separated by NUL. */
	while (length && !text[length - 1])
		length--;
	while (length--) {
		if (!text[length])
			text[length] = '\n';
	}
	return text;
}

/**
 * read_whole() - read a file of /proc
 * @dir:  the folder that @name is relative to
 * @name: the file
 *
 * Return: its text, to be freed, with NUL replaced by newlines; or NULL, with errno.
 */
char *read_whole(int dir, const char *name)
{
	int fd = openat(dir, name, O_RDONLY | O_CLOEXEC), saved;
	char *text;

	if (fd < 0)
		return NULL;
	text = read_open_file(fd);
	saved = errno;
	close(fd);
	errno = saved;
	return text;
}

/**
 * next_line() - find the line after the one that a text begins with
 * @text: the text
 *
 * Return: the line, or NULL if there is none.
 */
const char *next_line(const char *text)
{
	const char *end = strchr(text, '\n');

	return end && end[1] ? end + 1 : NULL;
}

/**
 * text_value() - find the number behind a key at the beginning of a line
 * @text:  lines of the form "key: number"
 * @key:   the key, without its colon
 * @value: set if it is there
 *
 * Return: false if it is not.
 */
bool text_value(const char *text, const char *key, unsigned long long *value)
{
	size_t length = strlen(key);

	for (; text; text = next_line(text)) {
		if (!strncmp(text, key, length) && text[length] == ':')
			return sscanf(text + length + 1, "%llu", value) == 1;
	}
	return false;
}

/**
 * human() - write a size with a unit
 * @bytes: the size
 * @text:  where to put it
 * @size:  bytes of @text
 *
 * Return: @text.
 */
const char *human(unsigned long long bytes, char *text, size_t size)
{
	static const char units[] = "BKMGTPE";
	double value = bytes;
	int unit = 0;

	for (; value >= 1024 && units[unit + 1]; unit++)
		value /= 1024;
	snprintf(text, size, value < 10 && unit ? "%.1f%c" : "%.0f%c", value,
		 units[unit]);
	return text;
}

/**
 * make_plain() - make text of others fit for a terminal
 * @text: the text; bytes that are no printable ASCII become question marks
 */
void make_plain(char *text)
{
	for (; *text; text++) {
		if (*text < ' ' || *text > '~')
			*text = '?';
	}
}

/**
 * print_json() - print a string of JSON, with its quotes
 * @text: the string; bytes that are not ASCII become question marks
 */
void print_json(const char *text)
{
	putchar('"');
	for (; *text; text++) {
		unsigned char byte = *text;

		if (byte == '"' || byte == '\\')
			printf("\\%c", byte);
		else if (byte < ' ')
			printf("\\u%04x", byte);
		else
			putchar(byte < 0x7f ? byte : '?');
	}
	putchar('"');
}

/**
 * print_markup() - print text into SVG or HTML
 * @text: the text
 */
void print_markup(const char *text)
{
	for (; *text; text++) {
		unsigned char byte = *text;

		if (strchr("<>&\"'", byte))
			printf("&#%u;", byte);
		else
			putchar(byte < ' ' || byte > '~' ? '?' : byte);
	}
}

/**
 * print_label() - print the value of a label in Prometheus' text format
 * @text: the value
 */
void print_label(const char *text)
{
	for (; *text; text++) {
		if (*text == '"' || *text == '\\')
			putchar('\\');
		putchar(*text < ' ' || *text > '~' ? '?' : *text);
	}
}
