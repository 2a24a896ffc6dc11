// SPDX-License-Identifier: MIT
/* Words of offered chunks, as their owner uses them: see words.h. */
#include <errno.h>
#include <string.h>

#include <sys/mman.h>

#include "kernel_file.h"
#include "words.h"

/**
 * has_words() - tell whether the device lets chunks be offered
 * @fd: the device
 */
bool has_words(int fd)
{
	struct chunk_ioc_info info = { .size = sizeof(info) };

	expect_equal(call(fd, CHUNK_IOC_INFO, &info), 0);
	return info.caps & CHUNK_CAP_OFFER;
}

/**
 * try_words() - call mmap(2) for words
 * @fd:         the device
 * @first:      the first page of words
 * @length:     bytes
 * @protection: PROT_*
 * @flags:      MAP_*
 *
 * Return: MAP_FAILED with errno set, or the words.
 */
void *try_words(int fd, uint64_t first, size_t length, int protection,
		int flags)
{
	return mmap(NULL, length, protection, flags, fd,
		    (off_t)((CHUNK_WORDS_PGOFF + first) * page_size()));
}

/**
 * words_map() - map the words of all chunks, or skip the case if there are none
 * @fd: the device
 *
 * Return: the words. Memory is behind those only that are accessed.
 */
atomic_uint *words_map(int fd)
{
	size_t length;
	void *words;

	if (!has_words(fd))
		tap_skip("chunks cannot be offered on this kernel");
	length = (1ULL << address_bits()) / CHUNK_SIZE * sizeof(atomic_uint);
	words = try_words(fd, 0, length, PROT_READ | PROT_WRITE, MAP_SHARED);
	expect(words != MAP_FAILED);
	return words;
}

/**
 * words_page() - map the page that has the word of a chunk
 * @fd:    the device
 * @chunk: the chunk
 *
 * Return: the word, or NULL if mmap(2) fails.
 */
atomic_uint *words_page(int fd, const void *chunk)
{
	size_t span = CHUNK_WORDS_SPAN(page_size());
	atomic_uint *words = try_words(fd, (uintptr_t)chunk / span, page_size(),
				       PROT_READ | PROT_WRITE, MAP_SHARED);

	if (words == MAP_FAILED)
		return NULL;
	return words + (uintptr_t)chunk % span / CHUNK_SIZE;
}

/**
 * word_offer() - offer a chunk, as its owner
 * @word: its word
 */
void word_offer(atomic_uint *word)
{
	uint32_t old = atomic_load_explicit(word, memory_order_relaxed);

	atomic_store_explicit(word, (old & ~CHUNK_WORD_STATE) |
			      CHUNK_WORD_OFFERED, memory_order_release);
}

/**
 * word_take() - take a chunk back, unless another thread is quicker
 * @word: its word
 *
 * Return: its contents.
 */
enum taken word_take(atomic_uint *word)
{
	uint32_t old = atomic_load_explicit(word, memory_order_acquire);
	bool intact = (old & CHUNK_WORD_STATE) == CHUNK_WORD_OFFERED;
	uint32_t new = (old & ~CHUNK_WORD_STATE) + CHUNK_WORD_TAKE * intact;

	if ((old & CHUNK_WORD_STATE) == CHUNK_WORD_IN_USE)
		return TAKEN_IN_USE;
	if ((old & CHUNK_WORD_STATE) == CHUNK_WORD_DISCARDING)
		return TAKEN_BUSY;
	if (!atomic_compare_exchange_strong_explicit(word, &old, new,
						     memory_order_acquire,
						     memory_order_relaxed))
		return TAKEN_BUSY;
	return intact ? TAKEN_INTACT : TAKEN_ZERO;
}

/**
 * drop_slab() - let all shrinkers give what they can give
 *
 * Return: false, with errno set, if this user may not do that.
 */
bool drop_slab(void)
{
	return put_text("/proc/sys/vm/drop_caches", "2");
}

/**
 * owner_of() - map the words of a context, or skip the case if there are none
 * @fd: the device
 */
struct owner owner_of(int fd)
{
	struct owner owner = { .fd = fd, .words = words_map(fd) };

	owner.bait = device_alloc(fd, MIB, MIB);
	return owner;
}

/**
 * owner_word() - find the word of a chunk
 * @owner: the owner
 * @chunk: any address in the chunk
 */
atomic_uint *owner_word(const struct owner *owner, const void *chunk)
{
	return word_of(owner->words, chunk);
}

/**
 * owner_offer() - offer chunks
 * @owner:  the owner
 * @extent: the first of them
 * @size:   bytes
 */
void owner_offer(const struct owner *owner, char *extent, size_t size)
{
	for (size_t at = 0; at < size; at += MIB)
		word_offer(owner_word(owner, extent + at));
}

/**
 * owner_take() - take a chunk back
 * @owner: the owner
 * @chunk: the chunk
 *
 * Return: its contents.
 */
enum taken owner_take(const struct owner *owner, const void *chunk)
{
	return word_take(owner_word(owner, chunk));
}

/**
 * owner_press() - let the kernel discard all that it may discard
 * @owner: the owner
 *
 * The kernel comes by more than once: a chunk that it has taken last time would
 * otherwise stand for those that it has not reached.
 */
void owner_press(const struct owner *owner)
{
	atomic_uint *word = owner_word(owner, owner->bait);

	for (unsigned int i = 0; i < 2; i++) {
		unsigned int tries = 0;

		touch(owner->bait, MIB);
		word_offer(word);
		for (; word_state(word) != CHUNK_WORD_DISCARDED; tries++) {
			expect(tries < 100);
			if (!drop_slab())
				tap_skip("drop_caches: %s", strerror(errno));
		}
		expect_equal(word_take(word), TAKEN_ZERO);
	}
}
