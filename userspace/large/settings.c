// SPDX-License-Identifier: MIT
/*
 * Settings from the environment. Values that make no sense are reported and
 * ignored, as libchunk does with CHUNK_OPTIONS.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "chunk_adapter.h"
#include "settings.h"
#include "table.h"

/* A smaller block wastes most of the address space of its chunk. */
#define THRESHOLD_LEAST	((size_t)64 << 10)

struct settings settings = {
	.threshold = UNIT,
	.colour = true,
};

static void report(const char *name, const char *value)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk-large: ");
	chunk_line_text(&line, name);
	chunk_line_text(&line, ": ignoring the bad value \"");
	chunk_line_text(&line, value);
	chunk_line_text(&line, "\"");
	chunk_line_write(&line);
}

static unsigned int shift_of(const char *suffix)
{
	static const char suffixes[] = "KMGkmg";
	const char *at = *suffix ? strchr(suffixes, *suffix) : NULL;

	return at ? (at - suffixes) % 3 * 10 + 10 : 0;
}

/* A decimal number, and perhaps K, M or G; an option of a list may follow */
static bool parse_size(const char *value, char separator, size_t *size)
{
	unsigned long long number;
	unsigned int shift;
	char *end;

	if (*value < '0' || *value > '9')
		return false;
	errno = 0;
	number = strtoull(value, &end, 10);
	shift = shift_of(end);
	end += !!shift;
	if (errno || (*end && *end != separator) || number > SIZE_MAX >> shift)
		return false;
	*size = (size_t)number << shift;
	return true;
}

static void read_threshold(void)
{
	const char *name = "CHUNK_LARGE_THRESHOLD";
	const char *value = chunk_os_getenv(name);
	size_t size;

	if (!value)
		return;
	if (parse_size(value, 0, &size) && size >= THRESHOLD_LEAST)
		settings.threshold = size;
	else
		report(name, value);
}

static void read_switch(const char *name, bool *on)
{
	const char *value = chunk_os_getenv(name);

	if (!value)
		return;
	if ((*value == '0' || *value == '1') && !value[1])
		*on = *value == '1';
	else
		report(name, value);
}

/**
 * settings_read() - read the environment
 *
 * Context: once the C library has set up the environment, before there are threads.
 */
void settings_read(void)
{
	int saved = errno;

	read_threshold();
	read_switch("CHUNK_LARGE_COLOUR", &settings.colour);
	read_switch("CHUNK_LARGE_REPORT", &settings.report);
	errno = saved;
}

/* Return the place behind @start in CHUNK_OPTIONS, or NULL. */
static const char *find_option(const char *start)
{
	const char *at = chunk_os_getenv("CHUNK_OPTIONS");
	size_t length = strlen(start);

	while (at && strncmp(at, start, length)) {
		at = strchr(at, ',');
		if (at)
			at++;
	}
	return at ? at + length : NULL;
}

/**
 * settings_have_option() - look for an option in CHUNK_OPTIONS
 * @option: the option, with its value
 *
 * Return: whether the user has given it.
 */
bool settings_have_option(const char *option)
{
	const char *end = find_option(option);

	return end && (!*end || *end == ',');
}

/**
 * settings_size_option() - read an option in CHUNK_OPTIONS
 * @key:  the option up to its colon
 * @size: set to its value in bytes on success
 *
 * Return: whether the user has given it, and it makes sense.
 */
bool settings_size_option(const char *key, size_t *size)
{
	const char *value = find_option(key);

	return value && parse_size(value, ',', size);
}
