// SPDX-License-Identifier: MIT
/*
 * The words of offered chunks: which of them are mapped.
 *
 * Words are mapped by windows, each when a chunk in its range is first offered, and
 * stay mapped. They outlive the descriptor, so that the chunks of a device
 * generation that was lost by closing it can still be taken back. A forked child
 * has no words: it empties the table before it does anything else.
 */
#include "chunk_base.h"
#include "chunk_state.h"
#include "chunk_words.h"

struct chunk_window *_Atomic chunk_words_windows[CHUNK_WINDOW_SLOTS];

static struct chunk_window *free_windows;

/* The last device generation of the processes that this one was forked from */
static atomic_uintptr_t inherited;

static struct chunk_window *window_new(void)
{
	struct chunk_window *window = free_windows;

	if (window)
		free_windows = window->next;
	else
		window = chunk_base_node(sizeof(*window));
	return window;
}

static void window_free(struct chunk_window *window)
{
	window->next = free_windows;
	free_windows = window;
}

static void publish(struct chunk_window *window)
{
	size_t slot = window->number % CHUNK_WINDOW_SLOTS;

	window->next = atomic_load_explicit(&chunk_words_windows[slot],
					    memory_order_relaxed);
	atomic_store_explicit(&chunk_words_windows[slot], window,
			      memory_order_release);
}

/**
 * chunk_words_map() - map the words of an address, unless they are
 * @addr:       any address
 * @generation: device generation
 *
 * Context: chunk_lock() held.
 * Return: the window; NULL if the generation is not in use any more, has no words,
 * or memory or address space is short.
 */
struct chunk_window *chunk_words_map(const void *addr, uintptr_t generation)
{
	struct chunk_window *window = chunk_window_find(addr, generation);
	atomic_uint *words;
	size_t page;

	if (window || generation != chunk_state.generation ||
	    !chunk_device_has_words())
		return window;
	window = window_new();
	if (!window)
		return NULL;
	if (chunk_device_map_words(chunk_window_of(addr), &words)) {
		window_free(window);
		return NULL;
	}
	window->generation = generation;
	window->number = chunk_window_of(addr);
	window->words = words;
	for (page = 0; page < CHUNK_WINDOW_PAGES; page++)
		atomic_store_explicit(&window->touched[page], false,
				      memory_order_relaxed);
	publish(window);
	return window;
}

/**
 * chunk_words_reset() - drop all words, which this process has not inherited
 *
 * Context: in a forked child, chunk_lock() held, before anything is offered or
 * taken.
 */
void chunk_words_reset(void)
{
	struct chunk_window *window, *next;
	size_t slot;

	for (slot = 0; slot < CHUNK_WINDOW_SLOTS; slot++) {
		window = atomic_load_explicit(&chunk_words_windows[slot],
					      memory_order_relaxed);
		/* Not written to if it is empty: that would cost the child a page. */
		if (!window)
			continue;
		atomic_store_explicit(&chunk_words_windows[slot], NULL,
				      memory_order_relaxed);
		for (; window; window = next) {
			next = window->next;
			window_free(window);
		}
	}
	atomic_store_explicit(&inherited, chunk_state.last_generation,
			      memory_order_relaxed);
}

/**
 * chunk_words_inherited() - test if chunks come from a process before a fork
 * @generation: their device generation, or 0
 *
 * Context: chunk_enter() done.
 * Return: true if a parent may have offered them by words that this process lacks.
 */
bool chunk_words_inherited(uintptr_t generation)
{
	uintptr_t last = atomic_load_explicit(&inherited, memory_order_relaxed);

	return generation && generation <= last;
}
