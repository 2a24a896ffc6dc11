/* SPDX-License-Identifier: MIT */
/* Words of offered chunks, as their owner uses them; and reclaim, on demand. */
#ifndef WORDS_H
#define WORDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "uapi.h"

/**
 * enum taken - contents of a chunk that its owner takes back
 * @TAKEN_INTACT: all of them as they were when it was offered
 * @TAKEN_ZERO:   discarded: zero
 * @TAKEN_BUSY:   it is being discarded, and was not taken
 * @TAKEN_IN_USE: it was not offered, and was not taken
 */
enum taken { TAKEN_INTACT, TAKEN_ZERO, TAKEN_BUSY, TAKEN_IN_USE };

bool has_words(int fd);
void *try_words(int fd, uint64_t first, size_t length, int protection,
		int flags);
atomic_uint *words_map(int fd);
atomic_uint *words_page(int fd, const void *chunk);

/**
 * word_of() - find the word of a chunk
 * @words: all words, of words_map()
 * @chunk: any address in the chunk
 *
 * Return: the word. The first access to it may trap.
 */
static inline atomic_uint *word_of(atomic_uint *words, const void *chunk)
{
	return words + (uintptr_t)chunk / CHUNK_SIZE;
}

/**
 * word_state() - read the state of a chunk
 * @word: its word
 *
 * Return: CHUNK_WORD_IN_USE and so on.
 */
static inline uint32_t word_state(atomic_uint *word)
{
	return atomic_load(word) & CHUNK_WORD_STATE;
}

void word_offer(atomic_uint *word);
enum taken word_take(atomic_uint *word);

bool drop_slab(void);

/**
 * struct owner - a context with words
 * @fd:    the device
 * @words: all words
 * @bait:  a chunk that owner_press() offers
 */
struct owner {
	int fd;
	atomic_uint *words;
	char *bait;
};

struct owner owner_of(int fd);
atomic_uint *owner_word(const struct owner *owner, const void *chunk);
void owner_offer(const struct owner *owner, char *extent, size_t size);
enum taken owner_take(const struct owner *owner, const void *chunk);
void owner_press(const struct owner *owner);

#endif /* WORDS_H */
