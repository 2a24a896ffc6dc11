// SPDX-License-Identifier: MIT
/*
 * A cache in discardable memory: results that could be computed again are offered to
 * the system, which takes their memory when it is short, and are taken back when they
 * are asked for. Build: cc cache.c -lchunk
 */
#include <stdio.h>
#include <string.h>

#include <chunk.h>

#define SIZE	((size_t)4 << 20)
#define ENTRIES	16

/* struct entry - one result; @chunk is offered whenever no one uses it */
struct entry {
	unsigned char *chunk;
	bool valid;
};

static struct entry entries[ENTRIES];
static unsigned int computed;

static void compute(unsigned int key, unsigned char *result)
{
	memset(result, (int)key + 1, SIZE);
	computed++;
}

/* Return the result for a key, intact until cache_put(); NULL without memory. */
static unsigned char *cache_get(unsigned int key)
{
	struct entry *entry = &entries[key % ENTRIES];

	if (!entry->chunk) {
		entry->chunk = chunk_alloc(SIZE, (size_t)1 << 20, false);
		if (!entry->chunk)
			return NULL;
	} else if (!chunk_reclaim(entry->chunk, SIZE)) {
		/* Some or all of it was discarded: all of it reads as zero. */
		entry->valid = false;
	}
	if (!entry->valid)
		compute(key, entry->chunk);
	entry->valid = true;
	return entry->chunk;
}

/* The caller does not use the result any more. */
static void cache_put(unsigned int key)
{
	chunk_offer(entries[key % ENTRIES].chunk, SIZE);
}

int main(void)
{
	static const char *const way[] = { "not at all", "by advice", "by calls", "by words" };
	unsigned char *result;

	for (int round = 0; round < 3; round++) {
		for (unsigned int key = 0; key < ENTRIES; key++) {
			result = cache_get(key);
			if (!result)
				return 1;
			if (result[0] != key + 1 || result[SIZE - 1] != key + 1)
				return 1;
			cache_put(key);
		}
	}
	printf("offered %s: %u results computed, %d asked for\n",
	       way[chunk_offer_way()], computed, 3 * ENTRIES);
	return 0;
}
