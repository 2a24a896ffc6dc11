// SPDX-License-Identifier: MIT
/*
 * Stacks by backtrace(3), which goes by the tables of exceptions: most programs have these,
 * and few have frame pointers. In glibc 2.35 and later it takes no lock and allocates
 * nothing once libgcc is loaded, so that it may be called below malloc().
 */
#include <execinfo.h>

#include "os.h"

void chunk_os_stack_prepare(void)
{
	void *frame;

	backtrace(&frame, 1);
}

unsigned int chunk_os_stack(void **frames, unsigned int most)
{
	int count = backtrace(frames, most);

	return count > 0 ? count : 0;
}
