// SPDX-License-Identifier: MIT
/* Cases that cannot run under some tool, as whoever runs them says. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap.h"

/* Return: whether a line is about the case; the reason is then in @reason */
static bool is_about(const char *line, const char *name, char *reason,
		     size_t size)
{
	char start[256];
	int length = snprintf(start, sizeof(start), "%s | %s | ",
			      program_invocation_short_name, name);

	if (strncmp(line, start, length))
		return false;
	snprintf(reason, size, "%s", line + length);
	reason[strcspn(reason, "\n")] = '\0';
	return true;
}

/**
 * tap_excused() - is a case not to be run?
 * @name:   of the case
 * @reason: receives why it is not
 * @size:   bytes there
 *
 * TAP_SKIPS names a file of lines "PROGRAM | CASE | REASON".
 */
bool tap_excused(const char *name, char *reason, size_t size)
{
	const char *path = getenv("TAP_SKIPS");
	FILE *list = path ? fopen(path, "r") : NULL;
	char line[512];
	bool found = false;

	if (!path)
		return false;
	/* A list that is not there excuses nobody. */
	if (!list)
		abort();
	while (!found && fgets(line, sizeof(line), list))
		found = is_about(line, name, reason, size);
	fclose(list);
	return found;
}
