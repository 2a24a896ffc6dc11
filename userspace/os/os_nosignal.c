// SPDX-License-Identifier: MIT
/* Systems without signals */
#include "os.h"

int chunk_os_on_signal(void (*handler)(void))
{
	(void)handler;
	return -EOPNOTSUPP;
}

int chunk_os_on_trap(void (*handler)(uintptr_t addr))
{
	(void)handler;
	return -EOPNOTSUPP;
}
