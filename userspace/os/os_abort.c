// SPDX-License-Identifier: MIT
/* The end of a process, where abort() says nothing of its own. */
#include <stdlib.h>

#include "os.h"

void chunk_os_abort(void)
{
	abort();
}
