/* SPDX-License-Identifier: MIT */
/* The words of offered chunks, by address and device generation. */
#ifndef CHUNK_WORDS_H
#define CHUNK_WORDS_H

#include <stdatomic.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "chunk_tree.h"
#include "device.h"

/* A page of words is touched before its words are used; pages have 4 KiB or more. */
#define CHUNK_WORDS_TOUCHED	1024
#define CHUNK_WINDOW_PAGES	(CHUNK_WINDOW_WORDS / CHUNK_WORDS_TOUCHED)

/* Windows of one process are close together: each has a slot of its own, mostly. */
#define CHUNK_WINDOW_SLOTS	256

/**
 * struct chunk_window - the words of a range of address space, mapped
 * @next:       another window with the same slot; may be NULL: the last
 * @generation: device generation
 * @number:     number of the range
 * @words:      a word for each chunk in it
 * @touched:    for each page of words: it can be accessed
 *
 * All but @touched is constant while it is in the table.
 */
struct chunk_window {
	struct chunk_window *next;
	uintptr_t generation;
	size_t number;
	atomic_uint *words;
	atomic_bool touched[CHUNK_WINDOW_PAGES];
};

/* Hidden, as in chunk_process.h */
#ifndef _WIN32
#pragma GCC visibility push(hidden)
#endif
extern struct chunk_window *_Atomic chunk_words_windows[CHUNK_WINDOW_SLOTS];
#ifndef _WIN32
#pragma GCC visibility pop
#endif

/**
 * chunk_window_of() - compute the window of an address
 * @addr: any address
 *
 * Return: its number.
 */
static inline size_t chunk_window_of(const void *addr)
{
	return (uintptr_t)addr >> CHUNK_TREE_SHIFT >> CHUNK_WINDOW_SHIFT;
}

/**
 * chunk_window_find() - find the words of a device generation
 * @addr:       any address
 * @generation: device generation
 *
 * Context: chunk_enter() done; takes no lock.
 * Return: the window with the word of the address; NULL if it is not mapped in this
 * process.
 */
static inline struct chunk_window *chunk_window_find(const void *addr,
						     uintptr_t generation)
{
	size_t number = chunk_window_of(addr);
	struct chunk_window *window;

	window = atomic_load_explicit(&chunk_words_windows[number % CHUNK_WINDOW_SLOTS],
				      memory_order_acquire);
	while (window && (window->generation != generation ||
			  window->number != number))
		window = window->next;
	return window;
}

/**
 * chunk_window_word() - find a word in its window
 * @window: the window
 * @addr:   an address that it is for
 *
 * Return: the word; to be accessed only after chunk_words_prepare().
 */
static inline atomic_uint *chunk_window_word(struct chunk_window *window,
					     const void *addr)
{
	return &window->words[((uintptr_t)addr >> CHUNK_TREE_SHIFT) %
			      CHUNK_WINDOW_WORDS];
}

/**
 * chunk_window_page() - find the mark of a page of words
 * @window: the window
 * @addr:   an address that it is for
 *
 * Return: the mark: the word of the address can be accessed.
 */
static inline atomic_bool *chunk_window_page(struct chunk_window *window,
					     const void *addr)
{
	return &window->touched[((uintptr_t)addr >> CHUNK_TREE_SHIFT) %
				CHUNK_WINDOW_WORDS / CHUNK_WORDS_TOUCHED];
}

struct chunk_window *chunk_words_map(const void *addr, uintptr_t generation);
void chunk_words_reset(void);
bool chunk_words_inherited(uintptr_t generation);

#endif /* CHUNK_WORDS_H */
