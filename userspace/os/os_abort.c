// SPDX-License-Identifier: MIT
/* The end of a process on systems whose abort() prints nothing */
#include <stdlib.h>

#include "os.h"

void chunk_os_abort(void)
{
	abort();
}
