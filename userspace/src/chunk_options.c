// SPDX-License-Identifier: MIT
/*
 * CHUNK_OPTIONS="key:value,key:value", in the manner of MALLOC_CONF. Options that
 * make no sense are reported and ignored: an allocator must not keep a program
 * from starting over a misspelt option.
 */
#include <stdint.h>
#include <string.h>

#include "chunk_options.h"
#include "chunk_report.h"
#include "chunk_stall.h"
#include "os.h"

/**
 * struct slice - part of a string
 * @at:     its first character
 * @length: number of characters
 */
struct slice {
	const char *at;
	size_t length;
};

static bool is(struct slice slice, const char *text)
{
	return slice.length == strlen(text) &&
	       !memcmp(slice.at, text, slice.length);
}

/*
 * Cut @rest at the first @separator and return what is in front of it; without a
 * separator all is, and @rest becomes empty.
 */
static struct slice split(struct slice *rest, char separator)
{
	struct slice first = *rest;
	const char *end = memchr(rest->at, separator, rest->length);

	if (end)
		first.length = end - rest->at;
	rest->at += first.length + !!end;
	rest->length -= first.length + !!end;
	return first;
}

static unsigned int suffix_shift(char suffix)
{
	switch (suffix) {
	case 'k':
	case 'K':
		return 10;
	case 'm':
	case 'M':
		return 20;
	case 'g':
	case 'G':
		return 30;
	default:
		return 0;
	}
}

/* Digits, at least one */
static bool parse_number(struct slice value, size_t *out)
{
	size_t number = 0;

	if (!value.length)
		return false;
	for (; value.length; value.at++, value.length--) {
		unsigned int digit = *value.at - '0';

		if (digit > 9 || number > (SIZE_MAX - digit) / 10)
			return false;
		number = number * 10 + digit;
	}
	*out = number;
	return true;
}

/* Digits, and perhaps K, M or G */
static bool parse_size(struct slice value, size_t *size)
{
	unsigned int shift;
	size_t number;

	if (!value.length)
		return false;
	shift = suffix_shift(value.at[value.length - 1]);
	if (shift)
		value.length--;
	if (!parse_number(value, &number) || number > SIZE_MAX >> shift)
		return false;
	*size = number << shift;
	return true;
}

static bool parse_stall(struct slice value, unsigned int *out)
{
	size_t number;

	if (!parse_number(value, &number) || number > CHUNK_STALL_MOST)
		return false;
	*out = number;
	return true;
}

static bool parse_backend(struct slice value, struct chunk_options *options)
{
	if (is(value, "auto"))
		options->backend = BACKEND_AUTO;
	else if (is(value, "device"))
		options->backend = BACKEND_DEVICE;
	else if (is(value, "mmap") || is(value, chunk_os_name))
		options->backend = BACKEND_MMAP;
	else
		return false;
	return true;
}

static bool parse_backing(struct slice value, enum chunk_backing *backing)
{
	*backing = is(value, "huge") ? HUGE_BACKING : GUARDED_BACKING;
	return *backing == HUGE_BACKING || is(value, "guarded");
}

static bool parse_reuse(struct slice value, enum chunk_reuse *reuse)
{
	*reuse = is(value, "offered") ? REUSE_OFFERED : REUSE_TRAPPED;
	return *reuse == REUSE_OFFERED || is(value, "trapped");
}

static bool parse_switch(struct slice value, bool *on)
{
	*on = is(value, "on");
	return *on || is(value, "off");
}

static bool parse_explain(struct slice value, struct chunk_options *options)
{
	options->explain_stack = is(value, "stack");
	options->explain = options->explain_stack || is(value, "on");
	return options->explain || is(value, "off");
}

/* Several values add up. */
static bool parse_stats(struct slice value, struct chunk_options *options)
{
	bool off = is(value, "off"), on_exit = is(value, "exit");
	bool on_signal = is(value, "signal");

	options->stats_exit = on_exit || (options->stats_exit && !off);
	options->stats_signal = on_signal || (options->stats_signal && !off);
	return off || on_exit || on_signal;
}

static bool parse_format(struct slice value, bool *json)
{
	*json = is(value, "json");
	return *json || is(value, "text");
}

static void report(const char *what, struct slice option)
{
	struct chunk_line line = { 0 };

	chunk_line_text(&line, "libchunk: CHUNK_OPTIONS: ignoring ");
	chunk_line_text(&line, what);
	chunk_line_text(&line, " \"");
	chunk_line_add(&line, option.at, option.length);
	chunk_line_text(&line, "\"");
	chunk_line_write(&line);
}

static void parse_option(struct slice option, struct chunk_options *options)
{
	struct slice value = option;
	struct slice key = split(&value, ':');
	struct chunk_options before = *options;
	bool good;

	if (is(key, "backend")) {
		good = parse_backend(value, options);
	} else if (is(key, "backing")) {
		good = parse_backing(value, &options->backing);
	} else if (is(key, "recycle_limit")) {
		good = parse_size(value, &options->recycle_limit);
	} else if (is(key, "offer_limit")) {
		good = parse_size(value, &options->offer_limit);
	} else if (is(key, "reuse")) {
		good = parse_reuse(value, &options->reuse);
	} else if (is(key, "poison")) {
		good = parse_switch(value, &options->poison);
	} else if (is(key, "guard")) {
		good = parse_switch(value, &options->guards);
	} else if (is(key, "child")) {
		good = parse_switch(value, &options->child);
	} else if (is(key, "check")) {
		good = parse_switch(value, &options->check);
	} else if (is(key, "verbose")) {
		good = parse_switch(value, &options->verbose);
	} else if (is(key, "explain")) {
		good = parse_explain(value, options);
	} else if (is(key, "stats")) {
		good = parse_stats(value, options);
	} else if (is(key, "stats_format")) {
		good = parse_format(value, &options->stats_json);
	} else if (is(key, "stall_attempts")) {
		good = parse_stall(value, &options->stall.attempts);
	} else if (is(key, "stall_delay")) {
		good = parse_stall(value, &options->stall.delay_ms);
	} else {
		report("the unknown option", option);
		return;
	}
	if (!good) {
		*options = before;
		report("the bad value of", option);
	}
}

static const struct chunk_options defaults = {
	.backend = BACKEND_AUTO,
	.backing = GUARDED_BACKING,
	.recycle_limit = CHUNK_RECYCLE_LIMIT,
	.offer_limit = CHUNK_OFFER_LIMIT,
	.reuse = REUSE_TRAPPED,
	.guards = true,
	.stall = { CHUNK_STALL_ATTEMPTS, CHUNK_STALL_DELAY_MS },
};

/**
 * chunk_options_read() - read CHUNK_OPTIONS
 * @options: filled; the defaults where an option is not set or makes no sense
 *
 * Context: once, at the start.
 */
void chunk_options_read(struct chunk_options *options)
{
	const char *text = chunk_os_getenv("CHUNK_OPTIONS");
	struct slice rest;

	*options = defaults;
	if (!text)
		return;
	rest.at = text;
	rest.length = strlen(text);
	while (rest.length) {
		struct slice option = split(&rest, ',');

		if (option.length)
			parse_option(option, options);
	}
}
