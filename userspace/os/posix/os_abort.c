// SPDX-License-Identifier: MIT
/* The end of a process, where abort() says nothing of its own. */
#include <stdlib.h>

#include "os.h"

/**
 * chunk_os_abort() - end the process at once, so that it is known to have failed
 */
void chunk_os_abort(void)
{
	abort();
}
