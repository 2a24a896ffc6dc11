// SPDX-License-Identifier: GPL-2.0-only
/*
 * Fault gates once more, as an object of the test module's own. The suite names
 * the broken page, since not every kernel has CONFIG_MEMORY_FAILURE.
 */
#include <linux/mm.h>
#include <linux/pagemap.h>

#include "chunk_kunit.h"

struct page *chunk_kunit_broken;

#define PageHWPoison(page)	((page) == chunk_kunit_broken)

#include "../chunk_charge.c"
#include "../chunk_gate.c"
