// SPDX-License-Identifier: MIT
/*
 * In a build that counts executed lines, these stand in for _exit() and
 * abort(), which would end the process without writing the counts.
 */
#include <gcov.h>

#include "tap_counted.h"

/**
 * __wrap__exit() - write the line counts before _exit()
 * @status: the exit status
 */
void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

/**
 * __wrap_abort() - write the line counts before abort()
 */
void __wrap_abort(void)
{
	__gcov_dump();
	__real_abort();
}
