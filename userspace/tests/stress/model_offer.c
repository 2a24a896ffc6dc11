// SPDX-License-Identifier: MIT
/*
 * Offered chunks, as operations of the model: see model.h. While a chunk is offered
 * its pages are as they were, or those of the device zero. So whoever chooses pages
 * (any_run) or looks at one (check_page) takes the chunks back first: from then on
 * the model knows the contents again.
 */
#include <errno.h>
#include <sched.h>
#include <unistd.h>

#include <sys/mman.h>
#include <sys/uio.h>

#include "model.h"
#include "words.h"

#define CHUNK_PAGES	(MIB / PAGE)

static atomic_uint *chunk_word(struct model *m, const struct extent *e,
			       size_t chunk)
{
	return word_of(m->context[e->owner].words, e->addr + chunk * MIB);
}

static struct run chunk_run(struct extent *e, size_t chunk)
{
	return (struct run) { e, chunk * CHUNK_PAGES, CHUNK_PAGES };
}

static size_t chunks_of(const struct extent *e)
{
	return e->pages / CHUNK_PAGES;
}

/* Update the model: the chunk was discarded, as far as it is the device's memory. */
static void discarded(struct extent *e, size_t chunk)
{
	for (size_t i = chunk * CHUNK_PAGES; i < (chunk + 1) * CHUNK_PAGES; i++)
		if (!e->page[i].replaced)
			e->page[i].value = 0;
}

/* Tell whether the kernel must leave a chunk alone. */
static bool kept(struct extent *e, size_t chunk)
{
	struct run run = chunk_run(e, chunk);

	return run_is_replaced(&run) || run_has_locked(&run);
}

static void take_back(struct model *m, struct extent *e, size_t chunk)
{
	enum taken taken;

	while ((taken = word_take(chunk_word(m, e, chunk))) == TAKEN_BUSY)
		sched_yield();
	expect(taken != TAKEN_IN_USE);
	e->offered[chunk] = false;
	if (taken == TAKEN_ZERO) {
		expect(!kept(e, chunk));
		discarded(e, chunk);
		m->seen[SEEN_DISCARDED]++;
	} else {
		m->context[e->owner].takes++;
		m->seen[SEEN_TAKEN]++;
	}
	for (size_t i = 0; i < 4; i++)
		check_page(m, e, chunk * CHUNK_PAGES + below(m, CHUNK_PAGES));
}

/**
 * take_back_run() - take the offered chunks of a run back
 * @m:      the model
 * @extent: the extent
 * @first:  index of the first page
 * @count:  number of pages
 */
void take_back_run(struct model *m, struct extent *extent, size_t first,
		   size_t count)
{
	for (size_t chunk = first / CHUNK_PAGES;
	     chunk <= (first + count - 1) / CHUNK_PAGES; chunk++)
		if (extent->offered[chunk])
			take_back(m, extent, chunk);
}

/**
 * take_back_all() - take all offered chunks back
 * @m: the model
 */
void take_back_all(struct model *m)
{
	for (size_t i = 0; i < EXTENTS; i++)
		if (m->extent[i].addr)
			take_back_run(m, &m->extent[i], 0, m->extent[i].pages);
}

/**
 * take_back_hidden() - take back, before a fork, what a child could not look at
 * @m: the model
 */
void take_back_hidden(struct model *m)
{
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		for (size_t j = 0; e->addr && j < e->pages; j++)
			if (e->page[j].prot == PROT_NONE)
				take_back_run(m, e, j, 1);
	}
}

/* Find, in a child, what became of a chunk until the fork: it has no words. */
static bool was_discarded(const struct extent *e, size_t chunk)
{
	for (size_t i = chunk * CHUNK_PAGES; i < (chunk + 1) * CHUNK_PAGES; i++) {
		uint64_t word;
		struct iovec local = { &word, sizeof(word) };
		struct iovec remote = { e->addr + i * PAGE, sizeof(word) };

		if (!e->page[i].value || e->page[i].replaced)
			continue;
		expect(process_vm_readv(getpid(), &local, 1, &remote, 1, 0) ==
		       sizeof(word));
		return !word;
	}
	return false;
}

/**
 * inherit_offered() - update a child's model: nothing is offered there
 * @m: the model, of the child
 */
void inherit_offered(struct model *m)
{
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		for (size_t c = 0; e->addr && c < chunks_of(e); c++) {
			if (!e->offered[c])
				continue;
			e->offered[c] = false;
			if (!e->nofork && was_discarded(e, c))
				discarded(e, c);
		}
	}
}

/**
 * forget_offered() - update the model: an extent is gone, with what it offered
 * @m:      the model
 * @extent: the extent, which is still noted
 * @reset:  the device has reset the words
 */
void forget_offered(struct model *m, struct extent *extent, bool reset)
{
	for (size_t c = 0; c < chunks_of(extent); c++) {
		if (extent->offered[c] && !reset)
			m->context[extent->owner].strays = true;
		if (extent->used_word[c] && reset)
			expect_equal(atomic_load(chunk_word(m, extent, c)), 0);
		extent->offered[c] = false;
		extent->used_word[c] = false;
	}
}

/**
 * check_offered() - check the counters of what is offered against the model
 * @m:     the model
 * @owner: index of the context
 * @s:     counters of that context
 */
void check_offered(struct model *m, unsigned int owner,
		   const struct chunk_ioc_stats *s)
{
	struct context *context = &m->context[owner];
	size_t offered = 0;

	for (size_t i = 0; i < EXTENTS; i++)
		for (size_t c = 0; m->extent[i].addr && c < MOST_CHUNKS; c++)
			offered += m->extent[i].owner == owner &&
				   m->extent[i].offered[c];
	expect_equal(s->takes, context->takes);
	expect(s->discards >= context->discards);
	context->discards = s->discards;
	/* A chunk may be on its way from one to the other. */
	if (!context->strays)
		expect(s->offered_bytes + s->discarded_bytes <= offered * MIB);
}

static void offer_chunk(struct model *m, struct extent *e, size_t chunk)
{
	atomic_uint *word = chunk_word(m, e, chunk);

	if (e->offered[chunk])
		return;
	/* The word of a chunk that was handed out is 0, whatever it was before. */
	if (!e->used_word[chunk])
		expect_equal(atomic_load(word), 0);
	expect_equal(word_state(word), CHUNK_WORD_IN_USE);
	word_offer(word);
	e->used_word[chunk] = true;
	e->offered[chunk] = true;
}

static void op_offer(struct model *m)
{
	for (size_t n = 1 + below(m, 8); n; n--) {
		struct extent *e = &m->extent[below(m, EXTENTS)];

		if (!e->addr || !m->context[e->owner].words)
			continue;
		for (size_t c = 0; c < chunks_of(e); c++)
			if (below(m, 2))
				offer_chunk(m, e, c);
	}
}

static void op_drop(struct model *m)
{
	if (!drop_slab())
		return;
	for (size_t i = 0; i < EXTENTS; i++) {
		struct extent *e = &m->extent[i];

		for (size_t c = 0; e->addr && c < chunks_of(e); c++)
			if (e->offered[c] && kept(e, c))
				expect_equal(word_state(chunk_word(m, e, c)),
					     CHUNK_WORD_OFFERED);
	}
	if (below(m, 2))
		take_back_all(m);
}

static void op_take(struct model *m)
{
	struct extent *e = &m->extent[below(m, EXTENTS)];

	if (e->addr)
		take_back_run(m, e, 0, e->pages);
}

const struct operation offer_operations[] = {
	{ "offer", 800, op_offer },
	{ "offered chunks are discarded", 40, op_drop },
	{ "take", 100, op_take },
};

const size_t offer_operations_count = TAP_COUNT(offer_operations);
