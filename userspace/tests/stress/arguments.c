// SPDX-License-Identifier: MIT
/* Arguments of programs that can repeat a sequence of random operations */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include <sys/personality.h>

#include "arguments.h"

/**
 * argument_number() - read a number
 * @text:  an argument, or NULL
 * @value: filled in
 *
 * Return: true if the text is a number and nothing else.
 */
bool argument_number(const char *text, uint64_t *value)
{
	char *rest;

	if (!text || !*text || *text == '-')
		return false;
	errno = 0;
	*value = strtoull(text, &rest, 0);
	return !errno && !*rest;
}

/**
 * stop_randomising() - execute the program again without address randomisation
 * @argv: arguments of main(), for the execution
 */
void stop_randomising(char **argv)
{
	int persona = personality(0xffffffff);

	if (persona & ADDR_NO_RANDOMIZE)
		return;
	if (personality(persona | ADDR_NO_RANDOMIZE) != -1)
		execv("/proc/self/exe", argv);
}
