// SPDX-License-Identifier: MIT
/* Linux, apart from memory: waiting and the environment. */
#include <linux/futex.h>
#include <stdatomic.h>
#include <string.h>
#include <sys/auxv.h>

#include "os.h"
#include "sys_linux.h"

void chunk_os_wait(atomic_uint *word, unsigned int value)
{
	sys(SYS_FUTEX, word, FUTEX_WAIT_PRIVATE, value, NULL, NULL, 0);
}

void chunk_os_wake(atomic_uint *word)
{
	sys(SYS_FUTEX, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/*
 * getenv() may be the program's own, and those of shells allocate. A program with
 * more rights than its user takes no options from that user.
 */
const char *chunk_os_getenv(const char *name)
{
	size_t length = strlen(name);
	char **at;

	if (getauxval(AT_SECURE))
		return NULL;
	for (at = environ; at && *at; at++) {
		if (!strncmp(*at, name, length) && (*at)[length] == '=')
			return *at + length + 1;
	}
	return NULL;
}
