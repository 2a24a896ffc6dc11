// SPDX-License-Identifier: GPL-2.0-only
/* Source pages once more, as an object of the test module's own. */
#include "../chunk_source.c"
