// SPDX-License-Identifier: MIT
/* Cases that cannot run under some tool, as a file of its runner lists them. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tap_system.h"

/* Tell whether a line is about the case; the reason is then in @reason. */
static bool is_about(const char *line, const char *program, const char *name,
		     char *reason)
{
	char start[256];
	int length = snprintf(start, sizeof(start), "%s | %s | ", program, name);

	if (strncmp(line, start, length))
		return false;
	snprintf(reason, TAP_REASON, "%s", line + length);
	reason[strcspn(reason, "\n")] = '\0';
	return true;
}

/**
 * tap_excused() - tell whether a case must not be run
 * @program: the name of the test program
 * @name:    name of the case
 * @reason:  receives the reason if it must not, TAP_REASON bytes at most
 *
 * TAP_SKIPS names a file of lines "PROGRAM | CASE | REASON".
 */
bool tap_excused(const char *program, const char *name, char *reason)
{
	const char *path = getenv("TAP_SKIPS");
	FILE *list = path ? fopen(path, "r") : NULL;
	char line[512];
	bool found = false;

	if (!path)
		return false;
	/* A list that does not exist excuses no case. */
	if (!list)
		abort();
	while (!found && fgets(line, sizeof(line), list))
		found = is_about(line, program, name, reason);
	fclose(list);
	return found;
}
