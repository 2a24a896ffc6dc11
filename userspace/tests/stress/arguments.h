/* SPDX-License-Identifier: MIT */
/* Arguments of programs that can repeat a sequence of random operations */
#ifndef ARGUMENTS_H
#define ARGUMENTS_H

#include <stdbool.h>
#include <stdint.h>

bool argument_number(const char *text, uint64_t *value);
void stop_randomising(char **argv);

#endif /* ARGUMENTS_H */
