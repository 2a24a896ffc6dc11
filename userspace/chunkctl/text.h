/* SPDX-License-Identifier: MIT */
/* Files read as a whole, numbers and strings as people and programs want them. */
#ifndef TEXT_H
#define TEXT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>

/* The status of chunkctl; the manual describes them. */
enum status {
	STATUS_OK,
	STATUS_NOT_ON_DEVICE,
	STATUS_USAGE,
	STATUS_NO_PROCESS,
	STATUS_FORBIDDEN,
	STATUS_TROUBLE,
};

void *take(size_t size);
void *take_more(void *memory, size_t size);
char *read_whole(int dir, const char *name);
bool text_value(const char *text, const char *key, unsigned long long *value);
const char *next_line(const char *text);
const char *human(unsigned long long bytes, char *text, size_t size);
void make_plain(char *text);
void print_json(const char *text);
void print_markup(const char *text);
void print_label(const char *text);
noreturn void trouble(const char *what);

#endif /* TEXT_H */
