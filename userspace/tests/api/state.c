// SPDX-License-Identifier: MIT
/* Prints the settings of libchunk in a fresh process: "= backend limit". */
#include <stdio.h>

#include <chunk.h>

int main(void)
{
	struct chunk_stats stats;

	chunk_get_stats(&stats);
	fprintf(stderr, "= %s %llu\n", chunk_backend(),
		(unsigned long long)stats.recycle_limit);
	return 0;
}
