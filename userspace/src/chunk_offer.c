// SPDX-License-Identifier: MIT
/*
 * Offering memory by words of the device, or by advice to the system.
 *
 * A word is written by its owner alone while the chunk is in use. While it is
 * offered, the owner and the kernel compete for it, and one of them wins.
 */
#include <errno.h>

#include "chunk_lock.h"
#include "chunk_offer.h"
#include "os.h"

static struct chunk_window *map(const void *addr, uintptr_t generation)
{
	struct chunk_window *window;

	chunk_lock();
	window = chunk_words_map(addr, generation);
	chunk_unlock();
	return window;
}

/* Make the word of a live chunk accessible. */
static bool prepare(const void *chunk, uintptr_t generation)
{
	struct chunk_window *window = chunk_window_find(chunk, generation);
	atomic_bool *touched;

	if (!window)
		window = map(chunk, generation);
	if (!window)
		return false;
	touched = chunk_window_page(window, chunk);
	if (atomic_load_explicit(touched, memory_order_relaxed))
		return true;
	if (chunk_device_touch_word(chunk_window_word(window, chunk)))
		return false;
	atomic_store_explicit(touched, true, memory_order_relaxed);
	return true;
}

/* A chunk that is offered already keeps its state: it may be discarded by now. */
static void offer(const void *chunk, uintptr_t generation)
{
	struct chunk_window *window = chunk_window_find(chunk, generation);
	atomic_uint *word = chunk_window_word(window, chunk);
	unsigned int old = atomic_load_explicit(word, memory_order_relaxed);

	if ((old & WORD_STATE) == WORD_IN_USE)
		atomic_store_explicit(word, old + WORD_OFFERED,
				      memory_order_release);
}

/**
 * chunk_offer_words() - offer chunks of the device by their words
 * @addr:       first byte, chunk-aligned, of live chunks that the caller owns
 * @size:       bytes, chunk-aligned
 * @generation: their device generation, or 0: none
 *
 * Context: chunk_enter() done, lock not held. Makes no system call but for the first
 * chunk in a GiB, and in 64 GiB.
 * Return: false if they have no words in this process, with nothing changed.
 */
bool chunk_offer_words(void *addr, size_t size, uintptr_t generation)
{
	char *at, *end = (char *)addr + size;

	if (!generation)
		return false;
	for (at = addr; at != end; at += CHUNK_TREE_UNIT) {
		if (!prepare(at, generation))
			return false;
	}
	for (at = addr; at != end; at += CHUNK_TREE_UNIT)
		offer(at, generation);
	return true;
}

/**
 * chunk_word_is_offered() - test if a chunk is offered by its word
 * @chunk:      first byte of a live chunk
 * @generation: its device generation, or 0: none
 *
 * Context: chunk_enter() done; takes no lock. The caller owns the chunk.
 * Return: false also if it has no word in this process.
 */
bool chunk_word_is_offered(const void *chunk, uintptr_t generation)
{
	struct chunk_window *window = chunk_window_find(chunk, generation);

	return window &&
	       atomic_load_explicit(chunk_window_page(window, chunk),
				    memory_order_relaxed) &&
	       (atomic_load_explicit(chunk_window_word(window, chunk),
				     memory_order_relaxed) & WORD_STATE) !=
	       WORD_IN_USE;
}

/**
 * chunk_take_word_slowly() - take back a chunk that is not merely offered
 * @word: its word
 * @old:  the value that it had
 *
 * Context: for chunk_take_word() only.
 * Return: the contents of the chunk.
 */
enum chunk_contents chunk_take_word_slowly(atomic_uint *word, unsigned int old)
{
	switch (old & WORD_STATE) {
	case WORD_DISCARDED:
		/* The kernel is done with it. */
		atomic_store_explicit(word, old - WORD_DISCARDED,
				      memory_order_relaxed);
		return CONTENTS_ZERO;
	case WORD_IN_USE:
		return CONTENTS_INTACT;
	default:
		return CONTENTS_BUSY;
	}
}

/**
 * chunk_offer_advise() - offer memory by advice to the system
 * @addr: first byte of committed memory, page-aligned; not the device's, unless it
 *        is anonymous: chunk_device_takes_advice()
 * @size: bytes, page-aligned
 *
 * Context: chunk_enter() done. Takes time linear in the pages that are present.
 * Return: false if the system knows no such advice, with nothing changed.
 */
bool chunk_offer_advise(void *addr, size_t size)
{
	return !chunk_os_offer(addr, size);
}

/**
 * chunk_take_advised() - take back memory that was offered by advice
 * @addr: first byte, page-aligned, of committed memory
 * @size: bytes, page-aligned; any part of what was offered
 *
 * Context: chunk_enter() done.
 * Return: its contents; never CONTENTS_ZERO. After CONTENTS_BUSY, when memory is
 * short, some of it may not be accessible.
 */
enum chunk_contents chunk_take_advised(void *addr, size_t size)
{
	int err = chunk_os_take(addr, size);

	if (!err)
		return CONTENTS_INTACT;
	return err == -EAGAIN ? CONTENTS_UNKNOWN : CONTENTS_BUSY;
}
