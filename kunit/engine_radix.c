// SPDX-License-Identifier: GPL-2.0-only
/* The engine once more, as an object of the test module's own. */
#include "../chunk_radix.c"
