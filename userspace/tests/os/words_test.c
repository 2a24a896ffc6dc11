// SPDX-License-Identifier: MIT
/*
 * The words of offered chunks, without the module: the test's own memory is a window
 * of words, and a thread of the test does to them what the kernel does.
 */
#include <pthread.h>
#include <sched.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include <sys/mman.h>

#include "chunk_internal.h"
#include "chunk_offer.h"
#include "chunk_state.h"

#include "common.h"

/* Device generations that libchunk has not seen */
#define OURS	77
#define OTHER	78

#define CYCLES	rounds(200000)
#define CHUNKS	4

static atomic_uint words[CHUNK_WINDOW_WORDS];
static struct chunk_window window = { .generation = OURS, .words = words };
static char *chunk;

/* The window has the words of the chunks; all are accessible. */
static void insert(struct chunk_window *one, const void *addr)
{
	size_t slot = chunk_window_of(addr) % CHUNK_WINDOW_SLOTS;

	one->number = chunk_window_of(addr);
	for (size_t i = 0; i < CHUNK_WINDOW_PAGES; i++)
		one->touched[i] = true;
	one->next = chunk_words_windows[slot];
	chunk_words_windows[slot] = one;
}

/* Make a chunk look like one of the device's, with words. */
static void prepare(void)
{
	struct chunk_extent *extent;

	/* All in one window */
	do {
		chunk = alloc_mib(CHUNKS);
	} while (chunk_window_of(chunk) !=
		 chunk_window_of(chunk + CHUNKS * MIB - 1));
	extent = chunk_radix_lookup(&chunk_state.registry, (uintptr_t)chunk);
	extent->owner = (void *)OURS;
	insert(&window, chunk);
}

static atomic_uint *word_of(size_t mib)
{
	return chunk_window_word(&window, chunk + mib * MIB);
}

static void expect_take(unsigned int word, enum chunk_contents contents,
			unsigned int after)
{
	*word_of(0) = word;
	expect_equal(chunk_take_word(chunk, OURS), contents);
	expect_equal(*word_of(0), after);
}

/* The other bits survive, and count what is taken intact, and wrap around. */
static void states_taken(void)
{
	prepare();
	expect_take(WORD_OFFERED, CONTENTS_INTACT, 4);
	expect_take(20 | WORD_OFFERED, CONTENTS_INTACT, 24);
	expect_take(~0U - 3 + WORD_OFFERED, CONTENTS_INTACT, 0);
	expect_take(20 | WORD_DISCARDED, CONTENTS_ZERO, 20);
	expect_take(20 | WORD_DISCARDING, CONTENTS_BUSY, 20 | WORD_DISCARDING);
	expect_take(20 | WORD_IN_USE, CONTENTS_INTACT, 20);
	expect_equal(chunk_take_word(chunk, OTHER), CONTENTS_UNKNOWN);
	expect_equal(chunk_take_word(chunk, 0), CONTENTS_UNKNOWN);
}

static void expect_offer(unsigned int word, unsigned int after)
{
	*word_of(1) = word;
	expect(chunk_offer_words(chunk + MIB, MIB, OURS));
	expect_equal(*word_of(1), after);
	expect(chunk_word_is_offered(chunk + MIB, OURS));
}

static void states_offered(void)
{
	prepare();
	expect(!chunk_word_is_offered(chunk + MIB, OURS));
	expect_offer(20, 20 | WORD_OFFERED);
	expect_offer(20 | WORD_OFFERED, 20 | WORD_OFFERED);
	expect_offer(20 | WORD_DISCARDING, 20 | WORD_DISCARDING);
	expect_offer(20 | WORD_DISCARDED, 20 | WORD_DISCARDED);
	expect_equal(*word_of(0), 0);
	expect_equal(*word_of(2), 0);
	expect(chunk_offer_words(chunk, CHUNKS * MIB, OURS));
	for (size_t i = 0; i < CHUNKS; i++)
		expect(*word_of(i) & WORD_STATE);
}

/* Words of another generation, of none, and words that cannot be accessed */
static void without_words(void)
{
	prepare();
	expect(!chunk_offer_words(chunk, MIB, OTHER));
	expect(!chunk_offer_words(chunk, MIB, 0));
	*chunk_window_page(&window, chunk) = false;
	/* The system is asked, and says that an access would trap. */
	window.words = mmap(NULL, sizeof(words), PROT_NONE,
			    MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	expect((void *)window.words != MAP_FAILED);
	expect(!chunk_offer_words(chunk, CHUNKS * MIB, OURS));
	expect(!chunk_word_is_offered(chunk, OURS));
}

/* Windows of other generations and ranges share a slot. */
static void windows_of_a_slot(void)
{
	static struct chunk_window other = { .generation = OTHER };
	static struct chunk_window far = { .generation = OURS };
	uintptr_t distance = (uintptr_t)CHUNK_WINDOW_SLOTS * CHUNK_WINDOW_WORDS;
	char *elsewhere;

	prepare();
	insert(&other, chunk);
	expect(chunk_window_find(chunk, OURS) == &window);
	expect(chunk_window_find(chunk, OTHER) == &other);
	expect(!chunk_window_find(chunk, OTHER + 1));
	if (sizeof(uintptr_t) < 8)
		return;
	elsewhere = (char *)((uintptr_t)chunk + distance * MIB);
	expect(!chunk_window_find(elsewhere, OURS));
	insert(&far, elsewhere);
	expect(chunk_window_find(elsewhere, OURS) == &far);
	expect(chunk_window_find(chunk, OURS) == &window);
	expect(chunk_window_find(chunk, OTHER) == &other);
	expect(!chunk_window_find(elsewhere, OTHER));
}

/* A child has no words, and must not look for them. */
static void child_has_none(void)
{
	pid_t child;

	prepare();
	chunk_state.last_generation = OURS;
	fill(chunk, CHUNKS * MIB, 1);
	chunk_offer(chunk, MIB);
	expect_equal(*word_of(0) & WORD_STATE, WORD_OFFERED);
	child = tap_fork();
	if (child == 0) {
		window.words = NULL;
		expect(!chunk_reclaim(chunk, 2 * MIB));
		expect(is_zero(chunk, 2 * MIB));
		expect(!chunk_window_find(chunk, OURS));
		expect(chunk_words_inherited(OURS));
		expect(!chunk_words_inherited(OTHER));
		chunk_offer(chunk, MIB);
		expect(!chunk_reclaim(chunk, MIB));
		expect(is_filled(chunk + 2 * MIB, MIB, 1 + 2 * MIB));
		_exit(0);
	}
	tap_join(child);
	expect(!chunk_words_inherited(OURS));
	expect(chunk_reclaim(chunk, MIB));
	expect(is_filled(chunk, MIB, 1));
}

/* If some chunks were discarded, the others become zero, whatever their order. */
static void mixtures(void)
{
	prepare();
	for (unsigned int which = 0; which < 1U << CHUNKS; which++) {
		fill(chunk, CHUNKS * MIB, which);
		chunk_offer(chunk, CHUNKS * MIB);
		for (size_t i = 0; i < CHUNKS; i++) {
			if (!(which >> i & 1))
				continue;
			*word_of(i) |= WORD_DISCARDED;
			memset(chunk + i * MIB, 0, MIB);
		}
		expect_equal(chunk_reclaim(chunk, CHUNKS * MIB), !which);
		expect(which ? is_zero(chunk, CHUNKS * MIB) :
			       is_filled(chunk, CHUNKS * MIB, which));
		for (size_t i = 0; i < CHUNKS; i++)
			expect_equal(*word_of(i) & WORD_STATE, WORD_IN_USE);
	}
}

static atomic_bool over;

/* Discard as the kernel does, without a pause. */
static void *discard(void *arg)
{
	size_t i = 0;

	(void)arg;
	for (; !over; i = (i + 1) % CHUNKS) {
		unsigned int old = *word_of(i);

		if ((old & WORD_STATE) != WORD_OFFERED ||
		    !atomic_compare_exchange_strong(word_of(i), &old, old + 1))
			continue;
		memset(chunk + i * MIB, 0, 4096);
		atomic_fetch_add_explicit(word_of(i), 1, memory_order_release);
	}
	return NULL;
}

/* Each number in the page is the cycle's, or zero: as the result says. */
static bool holds(const char *at, unsigned int value)
{
	const unsigned int *numbers = (const unsigned int *)at;

	for (size_t i = 0; i < 4096 / sizeof(*numbers); i += 32)
		if (numbers[i] != value)
			return false;
	return true;
}

static void write_all(char *at, unsigned int value)
{
	unsigned int *numbers = (unsigned int *)at;

	for (size_t i = 0; i < 4096 / sizeof(*numbers); i += 32)
		numbers[i] = value;
}

static unsigned long counts[CONTENTS_UNKNOWN + 1];

static char *chunk_of_cycle(unsigned int n)
{
	return chunk + n % CHUNKS * MIB;
}

static void offer_in_cycle(unsigned int n)
{
	write_all(chunk_of_cycle(n), n);
	expect(chunk_offer_words(chunk_of_cycle(n), MIB, OURS));
}

static void take_of_cycle(unsigned int n)
{
	enum chunk_contents contents;

	do {
		contents = chunk_take_word(chunk_of_cycle(n), OURS);
		counts[contents]++;
	} while (contents == CONTENTS_BUSY);
	expect(contents == CONTENTS_INTACT || contents == CONTENTS_ZERO);
	expect(holds(chunk_of_cycle(n), contents == CONTENTS_INTACT ? n : 0));
}

/* Two chunks are offered at any time, of which one is taken next. */
static void against_the_kernel(void)
{
	unsigned int taken = 0;
	pthread_t kernel;

	prepare();
	offer_in_cycle(0);
	offer_in_cycle(1);
	expect(pthread_create(&kernel, NULL, discard, NULL) == 0);
	/* On a busy machine it may take the other thread a while to begin. */
	for (unsigned int n = 2; n < CYCLES || !counts[CONTENTS_ZERO]; n++) {
		offer_in_cycle(n);
		take_of_cycle(n - 2);
		if (n % 64 == 0)
			sched_yield();
	}
	over = true;
	expect(pthread_join(kernel, NULL) == 0);
	for (size_t i = 0; i < CHUNKS; i++)
		taken += *word_of(i) / WORD_TAKE;
	expect_equal(taken, counts[CONTENTS_INTACT]);
	expect(counts[CONTENTS_ZERO]);
	tap_note("%lu intact, %lu discarded, %lu times busy",
		 counts[CONTENTS_INTACT], counts[CONTENTS_ZERO],
		 counts[CONTENTS_BUSY]);
}

/* chunk_reclaim() waits for a chunk that is being discarded. */
static void *finish_late(void *arg)
{
	(void)arg;
	usleep(20000);
	memset(chunk, 0, MIB);
	atomic_fetch_add(word_of(0), 1);
	return NULL;
}

static void waits_while_discarded(void)
{
	pthread_t kernel;

	prepare();
	fill(chunk, 2 * MIB, 1);
	chunk_offer(chunk, 2 * MIB);
	*word_of(0) += 1;
	expect(pthread_create(&kernel, NULL, finish_late, NULL) == 0);
	expect(!chunk_reclaim(chunk, 2 * MIB));
	expect(is_zero(chunk, 2 * MIB));
	expect_equal(*word_of(0), 0);
	expect(pthread_join(kernel, NULL) == 0);
}

/* Keep the chunks for reuse, as extents of the device in use. */
static void keep(void)
{
	prepare();
	fill(chunk, CHUNKS * MIB, 1);
	chunk_lock();
	chunk_state.generation = OURS;
	chunk_reuse_activate();
	chunk_state.kept.reuse = REUSE_OFFERED;
	chunk_state.kept.tree.limit = GIB;
	chunk_radix_lookup(&chunk_state.registry, (uintptr_t)chunk)->type =
		LIVE_COMMITTED;
	chunk_unlock();
	dealloc_mib(chunk, CHUNKS);
	expect_equal(chunk_state.kept.tree.bytes, CHUNKS * MIB);
	for (size_t i = 0; i < CHUNKS; i++)
		expect_equal(*word_of(i), WORD_OFFERED);
}

/* An extent of which a chunk stays out of reach is passed over, and stays offered. */
static void passed_over_while_discarded(void)
{
	bool zero = false;

	keep();
	*word_of(2) += 1;
	expect(!chunk_reuse_alloc(CHUNKS * MIB, MIB, &zero));
	expect_equal(chunk_state.kept.tree.bytes, CHUNKS * MIB);
	for (size_t i = 0; i < CHUNKS; i++)
		expect_equal(*word_of(i) & WORD_STATE,
			     i == 2 ? WORD_DISCARDING : WORD_OFFERED);
	memset(chunk + 2 * MIB, 0, MIB);
	*word_of(2) += 1;
	expect(chunk_reuse_alloc(CHUNKS * MIB, MIB, &zero) == chunk);
	expect(!zero);
	expect(is_filled(chunk, 2 * MIB, 1));
	expect(is_zero(chunk + 2 * MIB, MIB));
	expect(is_filled(chunk + 3 * MIB, MIB, 1 + 3 * MIB));
	expect_equal(chunk_state.kept.discarded, MIB);
	for (size_t i = 0; i < CHUNKS; i++)
		expect_equal(*word_of(i) & WORD_STATE, WORD_IN_USE);
}

/* Whichever chunks were discarded, all of the extent reads as zero if that is asked. */
static void kept_mixtures(void)
{
	for (unsigned int which = 0; which < 1U << CHUNKS; which++) {
		bool zero = true;

		keep();
		for (size_t i = 0; i < CHUNKS; i++) {
			if (!(which >> i & 1))
				continue;
			*word_of(i) |= WORD_DISCARDED;
			memset(chunk + i * MIB, 0, MIB);
		}
		expect(chunk_reuse_alloc(CHUNKS * MIB, MIB, &zero) == chunk);
		expect(is_zero(chunk, CHUNKS * MIB));
	}
}

static const struct tap_case cases[] = {
	{ "each state of a word is taken", states_taken },
	{ "each state of a word is offered", states_offered },
	{ "chunks without words are not offered", without_words },
	{ "windows that share a slot", windows_of_a_slot },
	{ "a child has no words", child_has_none },
	{ "some chunks discarded: all are zero", mixtures },
	{ "a chunk that is being discarded is waited for",
	  waits_while_discarded },
	{ "offered and taken while a thread discards", against_the_kernel },
	{ "a kept extent is passed over while it is being discarded",
	  passed_over_while_discarded },
	{ "some chunks of a kept extent discarded", kept_mixtures },
};

const struct tap_suite tap_suite = {
	.about = "Tests the words of offered chunks",
	.cases = cases,
	.count = TAP_COUNT(cases),
};
