// SPDX-License-Identifier: MIT
/*
 * Tests and what they test end in _exit() or abort(), which write down nothing
 * of the lines that were run. In a build that counts them these come first.
 */
#include <gcov.h>

#include "tap_counted.h"

/**
 * __wrap__exit() - _exit() that writes down the counts
 * @status: the exit status
 */
void __wrap__exit(int status)
{
	__gcov_dump();
	__real__exit(status);
}

/**
 * __wrap_abort() - abort() that writes down the counts
 */
void __wrap_abort(void)
{
	__gcov_dump();
	__real_abort();
}
