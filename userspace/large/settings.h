/* SPDX-License-Identifier: MIT */
/* Settings from the environment */
#ifndef SETTINGS_H
#define SETTINGS_H

#include <stdbool.h>
#include <stddef.h>

/**
 * struct settings - settings, at their defaults until settings_read()
 * @threshold: size in bytes from which a block is large
 * @colour:    blocks begin at different cache sets; else they end at the guard
 * @report:    figures are printed at exit
 */
struct settings {
	size_t threshold;
	bool colour;
	bool report;
};

/* Reached without the global offset table: a small block must cost nothing. */
extern __attribute__((visibility("hidden"))) struct settings settings;

void settings_read(void);
bool settings_have_option(const char *option);
bool settings_size_option(const char *key, size_t *size);

#endif /* SETTINGS_H */
