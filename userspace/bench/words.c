// SPDX-License-Identifier: MIT
/* Offering by the device's words alone, without libchunk and its trees */
#include <limits.h>
#include <stdatomic.h>
#include <sys/mman.h>

#include <linux/chunk.h>

#include "words.h"

#define HOW		(MAP_SHARED | MAP_NORESERVE)

static _Atomic uint32_t *words;

/**
 * words_map() - map the words of all addresses of the process
 * @device: descriptor of the device
 *
 * The stack is in the upper half of these.
 *
 * Return: false: this module, or this kernel, has no words.
 */
bool words_map(int device)
{
	unsigned long here = (unsigned long)__builtin_frame_address(0);
	unsigned int bits = sizeof(here) * CHAR_BIT - __builtin_clzl(here);
	void *at = mmap(NULL, (1UL << bits) / CHUNK_SIZE * sizeof(*words),
			PROT_READ | PROT_WRITE, HOW, device,
			CHUNK_WORDS_PGOFF * PAGE);

	if (at == MAP_FAILED)
		return false;
	words = at;
	return true;
}

static _Atomic uint32_t *word_of(void *chunk)
{
	return &words[(uintptr_t)chunk >> CHUNK_SHIFT];
}

/**
 * words_offer() - offer chunks
 * @addr: the first chunk
 * @size: bytes of all chunks
 */
void words_offer(void *addr, size_t size)
{
	for (size_t at = 0; at < size; at += MIB) {
		_Atomic uint32_t *word = word_of((char *)addr + at);
		uint32_t old = atomic_load_explicit(word, memory_order_relaxed);

		atomic_store_explicit(word,
				      (old & ~CHUNK_WORD_STATE) |
					      CHUNK_WORD_OFFERED,
				      memory_order_release);
	}
}

static bool take_one(_Atomic uint32_t *word)
{
	uint32_t old = atomic_load_explicit(word, memory_order_acquire);

	while ((old & CHUNK_WORD_STATE) != CHUNK_WORD_DISCARDED) {
		uint32_t offered = (old & ~CHUNK_WORD_STATE) | CHUNK_WORD_OFFERED;
		uint32_t taken = (old & ~CHUNK_WORD_STATE) + CHUNK_WORD_TAKE;

		old = offered;
		if (atomic_compare_exchange_weak_explicit(word, &old, taken,
							  memory_order_acquire,
							  memory_order_acquire))
			return true;
	}
	atomic_store_explicit(word, old & ~CHUNK_WORD_STATE,
			      memory_order_relaxed);
	return false;
}

/**
 * words_take() - take offered chunks back
 * @addr: the first chunk
 * @size: bytes of all chunks
 *
 * Waits for the kernel where it is discarding one.
 *
 * Return: whether all contents are intact.
 */
bool words_take(void *addr, size_t size)
{
	bool intact = true;

	for (size_t at = 0; at < size; at += MIB)
		intact &= take_one(word_of((char *)addr + at));
	return intact;
}
