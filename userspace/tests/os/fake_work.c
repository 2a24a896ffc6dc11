// SPDX-License-Identifier: MIT
/* Work for libchunk on the fake operating system: see fake_work.h. */
#include <stdint.h>
#include <string.h>

#include "common.h"
#include "fake_os.h"
#include "fake_work.h"

#define SLOTS	12

/**
 * struct slot - place for a chunk
 * @addr:   the chunk; may be NULL: none
 * @size:   its size in bytes
 * @from:   offset of its decommitted part, in bytes
 * @length: size of that part, in bytes
 */
struct slot {
	char *addr;
	size_t size;
	size_t from;
	size_t length;
};

static struct slot slots[SLOTS];
static char *mapped;
static uint64_t sequence;

/**
 * expect_none_lost() - check that all mapped memory is accounted for
 */
void expect_none_lost(void)
{
	struct chunk_stats stats = stats_now();

	expect_stats_consistent();
	expect_equal(stats.mapped_bytes + fake.lost + (mapped ? fake.page : 0),
		     fake.mapped);
}

/**
 * expect_blank() - check that memory reads as zero wherever scribble() writes
 * @addr: first byte
 * @size: bytes
 */
void expect_blank(const void *addr, size_t size)
{
	const char *at = addr;

	for (size_t i = 0; i < size; i += fake.page) {
		expect_equal(at[i], 0);
		expect_equal(at[i + fake.page - 1], 0);
	}
}

/**
 * scribble() - write to both ends of each page
 * @addr: first byte
 * @size: bytes
 */
void scribble(void *addr, size_t size)
{
	char *at = addr;

	for (size_t i = 0; i < size; i += fake.page) {
		at[i] = 1;
		at[i + fake.page - 1] = 1;
	}
}

static bool is_scribbled(const struct slot *slot)
{
	for (size_t i = 0; i < slot->size; i += fake.page) {
		if (i >= slot->from && i < slot->from + slot->length)
			continue;
		if (slot->addr[i] != 1 || slot->addr[i + fake.page - 1] != 1)
			return false;
	}
	return true;
}

static void fill_slot(struct slot *slot)
{
	size_t size = (1 + random_below(&sequence, 6)) * MIB;
	size_t alignment = MIB << random_below(&sequence, 4);
	char *chunk = chunk_alloc(size, alignment, false);

	if (!chunk)
		return;
	expect_equal((uintptr_t)chunk % alignment, 0);
	expect_blank(chunk, size);
	scribble(chunk, size);
	*slot = (struct slot) { .addr = chunk, .size = size };
}

static void empty_slot(struct slot *slot)
{
	expect(is_scribbled(slot));
	chunk_dealloc(slot->addr, slot->size, UNKNOWN_CHUNK);
	slot->addr = NULL;
}

static void decommit_part(struct slot *slot)
{
	size_t all = slot->size / fake.page;
	size_t first = random_below(&sequence, all);

	slot->from = first * fake.page;
	slot->length = (1 + random_below(&sequence, all - first)) * fake.page;
	pages_decommit(slot->addr + slot->from, slot->length);
}

static void commit_part(struct slot *slot)
{
	char *part = slot->addr + slot->from;

	if (!pages_commit(part, slot->length))
		return;
	expect_blank(part, slot->length);
	scribble(part, slot->length);
	slot->length = 0;
}

static void purge_all(struct slot *slot)
{
	bool zero = pages_purge(slot->addr, slot->size, random_next(&sequence) & 1);

	if (zero)
		expect_blank(slot->addr, slot->size);
	scribble(slot->addr, slot->size);
}

static void use_slot(struct slot *slot)
{
	switch (random_below(&sequence, 4)) {
	case 0:
		empty_slot(slot);
		break;
	case 1:
		if (!slot->length)
			purge_all(slot);
		break;
	default:
		if (slot->length)
			commit_part(slot);
		else
			decommit_part(slot);
	}
	expect(!slot->addr || is_scribbled(slot));
}

static void map_or_unmap(void)
{
	size_t before;

	if (!mapped) {
		mapped = pages_map(NULL, fake.page);
		if (mapped)
			expect_blank(mapped, fake.page);
		return;
	}
	before = fake.mapped;
	pages_unmap(mapped, fake.page);
	mapped = NULL;
	if (fake.mapped == before)
		fake.lost += fake.page;
}

static void one_step(void)
{
	struct slot *slot = &slots[random_below(&sequence, SLOTS)];

	switch (random_below(&sequence, 16)) {
	case 0:
		chunk_set_recycle_limit(random_below(&sequence, 24) * MIB);
		break;
	case 1:
		map_or_unmap();
		break;
	case 2:
		if (chunk_alloc(MIB, MIB, true))
			break;
		break;
	default:
		if (slot->addr)
			use_slot(slot);
		else
			fill_slot(slot);
	}
}

/**
 * work() - make random calls, the same ones each time
 * @steps: number of calls
 */
void work(unsigned int steps)
{
	for (unsigned int i = 0; i < steps; i++) {
		one_step();
		expect_none_lost();
	}
}

/**
 * work_off() - give everything back and check that nothing is left
 *
 * Context: nothing fails any more.
 */
void work_off(void)
{
	for (size_t i = 0; i < SLOTS; i++)
		if (slots[i].addr)
			empty_slot(&slots[i]);
	if (mapped)
		map_or_unmap();
	expect_none_lost();
	chunk_set_recycle_limit(0);
	expect_none_lost();
	expect_equal(chunk_recycled_bytes(), 0);
	/* A failed unmapping may have left parts of chunks mapped. */
	expect(unmap_failed ||
	       stats_now().base_bytes + fake.lost == fake.mapped);
}
