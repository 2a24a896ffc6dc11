/* SPDX-License-Identifier: MIT */
/*
 * Offering memory: the system may drop its contents until it is taken back.
 *
 * Memory from the device is offered by words, without a system call, and its
 * contents are known when it is taken. All other memory is offered by advice. The
 * user remembers which of the two it was, and does not access the memory meanwhile.
 */
#ifndef CHUNK_OFFER_H
#define CHUNK_OFFER_H

#include "chunk_words.h"

/**
 * enum chunk_contents - what memory holds when it is taken back
 * @CONTENTS_INTACT:  what it held
 * @CONTENTS_ZERO:    zeroes, but for pages that are decommitted
 * @CONTENTS_BUSY:    nothing yet: it was not taken. Others may be tried, or the same
 *                    a little later
 * @CONTENTS_UNKNOWN: of each page what it held, zeroes or, on Windows, anything
 */
enum chunk_contents {
	CONTENTS_INTACT,
	CONTENTS_ZERO,
	CONTENTS_BUSY,
	CONTENTS_UNKNOWN,
};

/* chunk_offer.c */
bool chunk_word_is_offered(const void *chunk, uintptr_t generation);
bool chunk_offer_words(void *addr, size_t size, uintptr_t generation);
enum chunk_contents chunk_take_word_slowly(atomic_uint *word, unsigned int old);
bool chunk_offer_advise(void *addr, size_t size);
enum chunk_contents chunk_take_advised(void *addr, size_t size);

/**
 * chunk_take_word() - take back a chunk that was offered by its word
 * @chunk:      one chunk, offered by chunk_offer_words()
 * @generation: its device generation
 *
 * Context: chunk_enter() done; takes no lock and makes no system call. The caller
 * owns the chunk.
 * Return: its contents. CONTENTS_UNKNOWN if it was offered before a fork, by another
 * process: then it is not offered in this one.
 */
static inline enum chunk_contents chunk_take_word(void *chunk,
						  uintptr_t generation)
{
	struct chunk_window *window = chunk_window_find(chunk, generation);
	const memory_order order = memory_order_acquire;
	unsigned int old, taken;
	atomic_uint *word;

	if (!window)
		return CONTENTS_UNKNOWN;
	word = chunk_window_word(window, chunk);
	old = atomic_load_explicit(word, order);
	taken = old - WORD_OFFERED + WORD_TAKE;
	if ((old & WORD_STATE) == WORD_OFFERED &&
	    atomic_compare_exchange_strong_explicit(word, &old, taken, order,
						    order))
		return CONTENTS_INTACT;
	return chunk_take_word_slowly(word, old);
}

#endif /* CHUNK_OFFER_H */
