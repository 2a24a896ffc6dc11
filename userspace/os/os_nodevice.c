// SPDX-License-Identifier: MIT
/* Systems without the module: there is no device to be opened. */
#include <errno.h>
#include <stddef.h>

#include "os.h"

static int nodevice_open(void)
{
	return -ENOENT;
}

static void nodevice_close(void)
{
}

/* Without a context nothing else of it is called. */
const struct chunk_device chunk_device = {
	.open = nodevice_open,
	.close = nodevice_close,
};
