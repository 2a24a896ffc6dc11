// SPDX-License-Identifier: MIT
/*
 * Offered chunks: what the kernel discards and what it leaves alone, and the
 * words while extents come and go. The mapping of the words is the subject of
 * uapi_words_test.c.
 */
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/syscall.h>

#include "smaps.h"
#include "uapi.h"
#include "words.h"

#ifndef SYS_mseal
#define SYS_mseal	462
#endif
#ifndef MADV_GUARD_INSTALL
#define MADV_GUARD_INSTALL	102
#endif

#define RW	(PROT_READ | PROT_WRITE)

static struct owner open_owner(void)
{
	return owner_of(device_open());
}

/* Fill chunks of an extent, each with a seed of its own. */
static char *filled(const struct owner *o, size_t chunks)
{
	char *extent = device_alloc(o->fd, chunks * MIB, MIB);

	for (size_t i = 0; i < chunks; i++)
		fill(extent + i * MIB, MIB, i);
	return extent;
}

static void expect_left_alone(const struct owner *o, char *chunk, uint64_t seed)
{
	expect_equal(word_state(owner_word(o, chunk)), CHUNK_WORD_OFFERED);
	expect(is_filled(chunk, MIB, seed));
}

static void expect_discarded(const struct owner *o, char *chunk)
{
	expect_equal(word_state(owner_word(o, chunk)), CHUNK_WORD_DISCARDED);
	expect_equal(owner_take(o, chunk), TAKEN_ZERO);
	expect(is_zero(chunk, MIB));
	fill(chunk, MIB, 99);
	expect(is_filled(chunk, MIB, 99));
}

/* The kernel may discard the chunk or not, and its word tells the truth. */
static void expect_as_word(const struct owner *o, char *chunk, uint64_t seed)
{
	if (word_state(owner_word(o, chunk)) == CHUNK_WORD_OFFERED)
		expect_left_alone(o, chunk, seed);
	else
		expect_discarded(o, chunk);
}

/* Without memory pressure a chunk comes back as it was. */
static void taken_intact(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 4);

	for (unsigned int i = 0; i < 3; i++) {
		owner_offer(&o, extent, 4 * MIB);
		for (size_t c = 0; c < 4; c++) {
			expect_equal(owner_take(&o, extent + c * MIB),
				     TAKEN_INTACT);
			expect(is_filled(extent + c * MIB, MIB, c));
		}
	}
	expect_equal(atomic_load(owner_word(&o, extent)), 3 * CHUNK_WORD_TAKE);
}

static void discarded(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 5);

	owner_offer(&o, extent, MIB);
	owner_offer(&o, extent + 2 * MIB, 2 * MIB);
	owner_press(&o);
	expect_resident(extent, 5 * MIB, 2 * MIB);
	expect_discarded(&o, extent);
	expect_discarded(&o, extent + 2 * MIB);
	expect_discarded(&o, extent + 3 * MIB);
	/* The chunks between were in use. */
	for (size_t c = 1; c < 5; c += 3) {
		expect_equal(atomic_load(owner_word(&o, extent + c * MIB)), 0);
		expect(is_filled(extent + c * MIB, MIB, c));
	}
	expect_equal(device_dealloc(o.fd, extent, 5 * MIB), 0);
	expect_consistent(o.fd);
}

/* The bits that are the owner's survive, and other states mean nothing. */
static void owners_bits(void)
{
	struct owner o = open_owner();
	uint32_t mine = 0xdeadbeef & ~CHUNK_WORD_STATE;
	char *extent = filled(&o, 4);

	for (uint32_t state = 0; state < 4; state++)
		atomic_store(owner_word(&o, extent + state * MIB), mine | state);
	owner_press(&o);
	for (uint32_t state = 0; state < 4; state++) {
		char *chunk = extent + state * MIB;
		uint32_t now = state == CHUNK_WORD_OFFERED ?
			       CHUNK_WORD_DISCARDED : state;

		expect_equal(atomic_load(owner_word(&o, chunk)), mine | now);
		if (state == CHUNK_WORD_OFFERED)
			expect(is_zero(chunk, MIB));
		else
			expect(is_filled(chunk, MIB, state));
	}
}

/* Extents in as many pages of words as there are extents */
static void far_apart(void)
{
	size_t span = CHUNK_WORDS_SPAN(page_size());
	struct owner o = open_owner();
	char *extents[12];
	/* There is no room for more in 32 bits. */
	size_t count = sizeof(void *) > 4 ? TAP_COUNT(extents) : 2;

	for (size_t i = 0; i < count; i++) {
		extents[i] = device_alloc(o.fd, 2 * MIB, span);
		fill(extents[i], 2 * MIB, i);
		owner_offer(&o, extents[i], MIB);
	}
	owner_press(&o);
	for (size_t i = 0; i < count; i++) {
		expect_discarded(&o, extents[i]);
		expect(is_filled(extents[i] + MIB, MIB, i + MIB));
	}
}

/* The first and the last words of a page, and a run of chunks beyond it */
static void across_pages_of_words(void)
{
	size_t span = CHUNK_WORDS_SPAN(page_size());
	struct owner o = open_owner();
	char *extent = device_alloc(o.fd, span + 2 * MIB, span), *at;

	for (at = extent; at < extent + span + 2 * MIB; at += MIB)
		fill(at, page_size(), (uintptr_t)at);
	owner_offer(&o, extent + MIB, span);
	owner_press(&o);
	for (at = extent + MIB; at < extent + span + MIB; at += MIB) {
		expect_equal(owner_take(&o, at), TAKEN_ZERO);
		expect(is_zero(at, page_size()));
	}
	expect(is_filled(extent, page_size(), (uintptr_t)extent));
	expect(is_filled(at, page_size(), (uintptr_t)at));
}

static void locked(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 3);

	for (size_t at = 0; at < MIB; at += MIB - page_size()) {
		expect(mlock(extent + MIB + at, page_size()) == 0);
		owner_offer(&o, extent, 3 * MIB);
		owner_press(&o);
		expect_left_alone(&o, extent + MIB, 1);
		expect_discarded(&o, extent);
		expect_discarded(&o, extent + 2 * MIB);
		expect(munlock(extent + MIB + at, page_size()) == 0);
	}
	/* The mapping of the chunk stays split, on many kernels. */
	owner_press(&o);
	expect_discarded(&o, extent + MIB);
}

static void seal(void *addr, size_t size)
{
	if (syscall(SYS_mseal, addr, size, 0))
		tap_skip("mseal: %s", strerror(errno));
}

static void sealed(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 4);

	seal(extent, page_size());
	expect(mprotect(extent + 2 * MIB, MIB, PROT_READ) == 0);
	seal(extent + 2 * MIB, MIB);
	owner_offer(&o, extent, 4 * MIB);
	owner_press(&o);
	expect_left_alone(&o, extent, 0);
	expect_discarded(&o, extent + MIB);
	expect_left_alone(&o, extent + 2 * MIB, 2);
	expect_discarded(&o, extent + 3 * MIB);
	/* The owner takes it back as it was. */
	expect_equal(owner_take(&o, extent), TAKEN_INTACT);
	fill(extent, MIB, 5);
	expect(is_filled(extent, MIB, 5));
}

/* Protections do not keep contents: they are gone when they can be read again. */
static void protected(void)
{
	static const int protections[] = { PROT_NONE, PROT_READ };
	struct owner o = open_owner();
	char *extent = filled(&o, 2);

	for (size_t i = 0; i < TAP_COUNT(protections); i++)
		expect(mprotect(extent + i * MIB, MIB, protections[i]) == 0);
	owner_offer(&o, extent, 2 * MIB);
	owner_press(&o);
	expect(mprotect(extent, 2 * MIB, RW) == 0);
	expect_discarded(&o, extent);
	expect_discarded(&o, extent + MIB);
}

/* Chunks that have several mappings, between others that have one */
static void split(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 5);

	expect(mprotect(extent + MIB, MIB / 2, PROT_READ) == 0);
	for (size_t at = 0; at < MIB; at += MIB / 4)
		expect(madvise(extent + 3 * MIB + at, page_size(),
			       MADV_DONTDUMP) == 0);
	owner_offer(&o, extent, 5 * MIB);
	owner_press(&o);
	expect_resident(extent, 5 * MIB, 0);
	expect(mprotect(extent + MIB, MIB / 2, RW) == 0);
	for (size_t c = 0; c < 5; c++)
		expect_discarded(&o, extent + c * MIB);
}

static void move_in(char *addr, size_t size, uint64_t seed)
{
	expect(mmap(addr, size, RW, MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1,
		    0) == addr);
	fill(addr, size, seed);
}

static void foreign_memory(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 5);

	owner_offer(&o, extent, 5 * MIB);
	move_in(extent, MIB, 50);
	/* Parts of a chunk: its beginning, its middle, its end */
	move_in(extent + MIB, page_size(), 51);
	move_in(extent + 2 * MIB + MIB / 2, page_size(), 52);
	move_in(extent + 4 * MIB - page_size(), page_size(), 53);
	owner_press(&o);
	expect_left_alone(&o, extent, 50);
	for (size_t c = 1; c < 4; c++)
		expect_equal(word_state(owner_word(&o, extent + c * MIB)),
			     CHUNK_WORD_OFFERED);
	expect(is_filled(extent + MIB, page_size(), 51));
	expect(is_filled(extent + MIB + page_size(), MIB - page_size(),
			 1 + page_size()));
	expect(is_filled(extent + 2 * MIB, MIB / 2, 2));
	expect(is_filled(extent + 2 * MIB + MIB / 2, page_size(), 52));
	expect(is_filled(extent + 3 * MIB, MIB - page_size(), 3));
	expect_discarded(&o, extent + 4 * MIB);
}

static void holes(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 4);

	owner_offer(&o, extent, 4 * MIB);
	expect(munmap(extent, MIB) == 0);
	expect(munmap(extent + MIB, MIB / 2) == 0);
	expect(munmap(extent + 3 * MIB - page_size(), page_size()) == 0);
	owner_press(&o);
	for (size_t c = 0; c < 3; c++)
		expect_equal(word_state(owner_word(&o, extent + c * MIB)),
			     CHUNK_WORD_OFFERED);
	expect_discarded(&o, extent + 3 * MIB);
	expect(is_filled(extent + MIB + MIB / 2, MIB / 2, 1 + MIB / 2));
	expect(is_filled(extent + 2 * MIB, MIB - page_size(), 2));
	expect_trap_only(extent + 3 * MIB - page_size(), page_size());
}

/* Memory of another context, where the words of the first say that it is offered */
static void another_contexts(void)
{
	struct owner o = open_owner(), other = open_owner();
	char *chunk = filled(&o, 1), *again;

	owner_offer(&o, chunk, MIB);
	again = mmap(chunk, MIB, RW, MAP_PRIVATE | MAP_NORESERVE | MAP_FIXED,
		     other.fd, 0);
	expect(again == chunk);
	fill(chunk, MIB, 7);
	word_offer(owner_word(&o, chunk));
	owner_press(&o);
	expect_left_alone(&o, chunk, 7);
	expect_equal(atomic_load(owner_word(&other, chunk)), 0);
	/* Its own word counts. */
	word_offer(owner_word(&other, chunk));
	owner_press(&other);
	expect_discarded(&other, chunk);
}

/* The words themselves are in a mapping of this file, too. */
static void words_in_place(void)
{
	struct owner o = open_owner();
	char *chunk = filled(&o, 1);
	size_t span = CHUNK_WORDS_SPAN(page_size());
	off_t offset = (off_t)(CHUNK_WORDS_PGOFF + (uintptr_t)chunk / span) *
		       page_size();
	char *first = (char *)((uintptr_t)chunk & -span);
	uint32_t *copy;

	copy = mmap(chunk, page_size(), RW, MAP_SHARED | MAP_FIXED, o.fd,
		    offset);
	expect((char *)copy == chunk);
	word_offer(owner_word(&o, chunk));
	owner_press(&o);
	expect_equal(word_state(owner_word(&o, chunk)), CHUNK_WORD_OFFERED);
	expect(!memcmp(copy, (uint32_t *)owner_word(&o, first), page_size()));
}

/* Pages that trap do so after the chunk was discarded, too. */
static void decommitted(void)
{
	size_t page = page_size();
	struct owner o = open_owner();
	char *extent = filled(&o, 3);

	expect_equal(device_decommit(o.fd, extent + 3 * page, 4 * page), 0);
	expect_equal(device_decommit(o.fd, extent + MIB, MIB), 0);
	owner_offer(&o, extent, 2 * MIB);
	owner_press(&o);
	expect_equal(owner_take(&o, extent), TAKEN_ZERO);
	expect(is_zero(extent, 3 * page));
	expect_trap_only(extent + 3 * page, 4 * page);
	expect(is_zero(extent + 7 * page, MIB - 7 * page));
	expect_equal(owner_take(&o, extent + MIB), TAKEN_ZERO);
	expect_trap_only(extent + MIB, MIB);
	expect_equal(device_stats(o.fd).decommitted_bytes, MIB + 4 * page);
	expect_equal(device_commit(o.fd, extent, 2 * MIB), 0);
	expect(is_zero(extent, 2 * MIB));
}

static void guards(void)
{
	size_t page = page_size();
	struct owner o = open_owner();
	char *chunk = filled(&o, 1);

	if (madvise(chunk + 5 * page, page, MADV_GUARD_INSTALL))
		tap_skip("MADV_GUARD_INSTALL: %s", strerror(errno));
	owner_offer(&o, chunk, MIB);
	owner_press(&o);
	expect_equal(owner_take(&o, chunk), TAKEN_ZERO);
	expect(is_zero(chunk, 5 * page));
	expect_trap_only(chunk + 5 * page, page);
}

/* DEALLOC and ALLOC */

static void expect_reset(const struct owner *o, char *extent, size_t chunks)
{
	for (size_t c = 0; c < chunks; c++)
		expect_equal(atomic_load(owner_word(o, extent + c * MIB)), 0);
}

/* All states, with bits of the owner's */
static void set_words(const struct owner *o, char *extent, size_t chunks)
{
	for (size_t c = 0; c < chunks; c++)
		atomic_store(owner_word(o, extent + c * MIB), 0xabc0 + c);
}

static void dealloc_resets(void)
{
	struct owner o = open_owner();

	for (__u64 limit = 0; limit <= 64 * MIB; limit += 64 * MIB) {
		char *extent = filled(&o, 8);

		device_limit(o.fd, limit);
		set_words(&o, extent, 8);
		expect_equal(device_dealloc(o.fd, extent, 8 * MIB), 0);
		expect_reset(&o, extent, 8);
	}
	expect_consistent(o.fd);
}

static void dealloc_of_discarded(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 3), *again;

	owner_offer(&o, extent, 3 * MIB);
	owner_press(&o);
	owner_offer(&o, extent + MIB, MIB);
	expect_equal(device_dealloc(o.fd, extent, 3 * MIB), 0);
	expect_reset(&o, extent, 3);
	again = device_alloc(o.fd, 3 * MIB, MIB);
	expect(again == extent);
	expect(is_zero(again, 3 * MIB));
	fill(again, 3 * MIB, 4);
	owner_press(&o);
	expect(is_filled(again, 3 * MIB, 4));
}

/* A call that is refused has changed no word. */
static void expect_words_kept(const struct owner *o, char *extent, size_t chunks)
{
	for (size_t c = 0; c < chunks; c++)
		expect_equal(atomic_load(owner_word(o, extent + c * MIB)),
			     0xabc0 + c);
}

static void failed_dealloc(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 4);

	set_words(&o, extent, 4);
	expect_refusal(o.fd, EINVAL, device_dealloc(o.fd, extent, 2 * MIB));
	expect_refusal(o.fd, EINVAL, device_dealloc(o.fd, extent + MIB,
						    3 * MIB));
	expect_refusal(o.fd, EINVAL, device_dealloc(o.fd, extent, 5 * MIB));
	expect_refusal(o.fd, ENOENT, device_dealloc(o.fd, extent + GIB, MIB));
	expect_words_kept(&o, extent, 4);
}

static void dealloc_of_sealed(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 4);

	set_words(&o, extent, 4);
	expect(mprotect(extent, 4 * MIB, PROT_READ) == 0);
	seal(extent, 4 * MIB);
	expect_refusal(o.fd, EACCES, device_dealloc(o.fd, extent, 4 * MIB));
	expect_words_kept(&o, extent, 4);
}

/* Words that were set while the address space was free */
static void alloc_resets(void)
{
	struct owner o = open_owner();

	for (__u64 limit = 0; limit <= 64 * MIB; limit += 64 * MIB) {
		char *extent = device_alloc(o.fd, 4 * MIB, MIB), *again;

		device_limit(o.fd, limit);
		atomic_store(owner_word(&o, extent), 0);
		expect_equal(device_dealloc(o.fd, extent, 4 * MIB), 0);
		set_words(&o, extent, 4);
		owner_press(&o);
		again = device_alloc(o.fd, 4 * MIB, MIB);
		expect_reset(&o, again, 4);
		fill(again, 4 * MIB, 1);
		owner_press(&o);
		expect(is_filled(again, 4 * MIB, 1));
	}
}

static void alloc_by_batch_resets(void)
{
	struct chunk_ioc_op ops[4] = { 0 };
	struct chunk_ioc_batch batch = {
		.size = sizeof(batch),
		.what = CHUNK_BATCH_ALLOC,
		.count = TAP_COUNT(ops),
		.ops = (uintptr_t)ops,
	};
	struct owner o = open_owner();
	char *extent = device_alloc(o.fd, TAP_COUNT(ops) * MIB, MIB);

	atomic_store(owner_word(&o, extent), 0);
	expect_equal(device_dealloc(o.fd, extent, TAP_COUNT(ops) * MIB), 0);
	set_words(&o, extent, TAP_COUNT(ops));
	for (size_t i = 0; i < TAP_COUNT(ops); i++) {
		ops[i].length = MIB;
		ops[i].alignment = MIB;
	}
	expect_equal(call(o.fd, CHUNK_IOC_BATCH, &batch), 0);
	expect_equal(batch.done, TAP_COUNT(ops));
	for (size_t i = 0; i < TAP_COUNT(ops); i++)
		expect_reset(&o, (char *)(uintptr_t)ops[i].addr, 1);
}

static void mmap_resets(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 3), *again;

	set_words(&o, extent, 3);
	again = mmap(extent + MIB, MIB, RW, MAP_PRIVATE | MAP_NORESERVE |
		     MAP_FIXED, o.fd, 0);
	expect(again == extent + MIB);
	expect_reset(&o, again, 1);
	expect_equal(atomic_load(owner_word(&o, extent)), 0xabc0);
	expect_equal(atomic_load(owner_word(&o, extent + 2 * MIB)), 0xabc2);
	fill(again, MIB, 3);
	owner_press(&o);
	expect(is_filled(again, MIB, 3));
	/* Space that the user unmaps, and that mmap maps anew */
	expect(munmap(again, MIB) == 0);
	set_words(&o, again, 1);
	again = mmap(extent + MIB, MIB, RW, MAP_PRIVATE | MAP_NORESERVE |
		     MAP_FIXED, o.fd, 0);
	expect_reset(&o, again, 1);
}

/* The device drops the extent, and the next one in its place is in use. */
static void stale(void)
{
	struct owner o = open_owner();
	char *extent = filled(&o, 4), *again;

	owner_offer(&o, extent, 4 * MIB);
	expect(munmap(extent + MIB, MIB) == 0);
	expect_equal(device_dealloc(o.fd, extent, 4 * MIB), ESTALE);
	owner_press(&o);
	for (size_t i = 0; i < 8; i++) {
		again = device_alloc(o.fd, 2 * MIB, MIB);
		expect_reset(&o, again, 2);
		fill(again, 2 * MIB, i);
		owner_press(&o);
		expect(is_filled(again, 2 * MIB, i));
	}
	expect_consistent(o.fd);
}

/* The huge backing */

static struct owner open_huge(void)
{
	int fd = device_open_huge();

	if (!huge_pages_always())
		tap_skip("transparent huge pages are not set to always");
	if (huge_page_size() != 2 * MIB)
		tap_skip("written for huge pages of two chunks");
	return owner_of(fd);
}

static char *huge_pages(const struct owner *o, size_t pairs)
{
	char *extent = device_alloc(o->fd, pairs * 2 * MIB, 2 * MIB);

	for (size_t c = 0; c < 2 * pairs; c++)
		fill(extent + c * MIB, MIB, c);
	expect_equal(mapping_figure(extent, "AnonHugePages") / (2 * MIB), pairs);
	return extent;
}

static void huge_pairs(void)
{
	struct owner o = open_huge();
	char *extent = huge_pages(&o, 4);

	/* Two whole pairs of four */
	owner_offer(&o, extent + 2 * MIB, 4 * MIB);
	owner_press(&o);
	expect_equal(mapping_figure(extent, "AnonHugePages"), 4 * MIB);
	for (size_t c = 2; c < 6; c++)
		expect_discarded(&o, extent + c * MIB);
	for (size_t c = 0; c < 8; c = c == 1 ? 6 : c + 1)
		expect(is_filled(extent + c * MIB, MIB, c));
}

/* How often a huge page was split, on the whole machine */
static unsigned long splits(void)
{
	FILE *file = fopen("/proc/vmstat", "re");
	unsigned long number = 0;
	char line[128];

	expect(file);
	while (fgets(line, sizeof(line), file))
		if (sscanf(line, "thp_split_pmd %lu", &number) == 1)
			break;
	fclose(file);
	return number;
}

/* A run of offered chunks that begins in the middle of a huge page splits only that. */
static void huge_run(void)
{
	struct owner o = open_huge();
	char *extent = huge_pages(&o, 3);
	unsigned long before;

	/* From now on the bait is in small pages. */
	owner_press(&o);
	before = splits();
	owner_offer(&o, extent + MIB, 5 * MIB);
	owner_press(&o);
	expect(splits() <= before + 1);
	expect(is_filled(extent, MIB, 0));
	for (size_t c = 1; c < 6; c++)
		expect_discarded(&o, extent + c * MIB);
}

/* Of a huge page only one chunk is offered: the other is as it was, in any case. */
static void huge_halves(void)
{
	struct owner o = open_huge();
	char *extent = huge_pages(&o, 4);

	for (size_t c = 0; c < 8; c += 2)
		owner_offer(&o, extent + (c + (c > 3)) * MIB, MIB);
	owner_press(&o);
	for (size_t c = 0; c < 8; c += 2) {
		char *offered = extent + (c + (c > 3)) * MIB;
		size_t kept = c + (c <= 3);

		expect(is_filled(extent + kept * MIB, MIB, kept));
		expect_equal(atomic_load(owner_word(&o, extent + kept * MIB)),
			     0);
		expect_as_word(&o, offered, c + (c > 3));
	}
}

/* The other chunk of each of these huge pages is offered, too. */
static void huge_edges(void)
{
	struct owner o = open_huge();
	char *extent = huge_pages(&o, 3);

	owner_offer(&o, extent, 6 * MIB);
	expect(mlock(extent, page_size()) == 0);
	move_in(extent + 3 * MIB, MIB, 50);
	owner_press(&o);
	expect_left_alone(&o, extent, 0);
	expect_left_alone(&o, extent + 3 * MIB, 50);
	expect_discarded(&o, extent + 4 * MIB);
	expect_discarded(&o, extent + 5 * MIB);
	expect(munlock(extent, page_size()) == 0);
	expect_equal(owner_take(&o, extent), TAKEN_INTACT);
}

static const struct tap_case cases[] = {
	{ "taken back intact", taken_intact },
	{ "discarded: zero, and usable again", discarded },
	{ "the owner's bits survive, and only OFFERED is discarded",
	  owners_bits },
	{ "extents far apart", far_apart },
	{ "an extent across pages of words", across_pages_of_words },
	{ "mlocked chunks are left alone", locked },
	{ "sealed chunks are left alone", sealed },
	{ "protected chunks are discarded", protected },
	{ "chunks of several mappings are discarded", split },
	{ "foreign memory is left alone", foreign_memory },
	{ "chunks with holes are left alone", holes },
	{ "memory of another context is left alone", another_contexts },
	{ "words that are mapped in a chunk's place", words_in_place },
	{ "decommitted pages trap after a discard", decommitted },
	{ "guards of MADV_GUARD_INSTALL survive a discard", guards },
	{ "DEALLOC resets words", dealloc_resets },
	{ "DEALLOC of discarded chunks", dealloc_of_discarded },
	{ "a failed DEALLOC changes no word", failed_dealloc },
	{ "a DEALLOC that a seal forbids changes no word", dealloc_of_sealed },
	{ "ALLOC resets words that were set in free space", alloc_resets },
	{ "ALLOC in a batch does, too", alloc_by_batch_resets },
	{ "mmap resets words", mmap_resets },
	{ "extents that are dropped as stale", stale },
	{ "huge backing: pairs of chunks are discarded as huge pages",
	  huge_pairs },
	{ "huge backing: a run of chunks splits one huge page at most",
	  huge_run },
	{ "huge backing: one chunk of a huge page", huge_halves },
	{ "huge backing: locked and foreign memory", huge_edges },
};

const struct tap_suite tap_suite = {
	.about = "Tests what the kernel discards of offered chunks",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
