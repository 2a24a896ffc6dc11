/* SPDX-License-Identifier: GPL-2.0-only */
/*
 * Words of offered chunks: see include/uapi/linux/chunk.h for the protocol.
 *
 * A page of words is made when its owner first touches it, and lives as long as
 * the context: so 4 KiB for each GiB of address space in which chunks were ever
 * offered. The owner writes words at any time and with any value. The kernel
 * therefore believes no word: it reads each once, changes it by
 * compare-and-exchange only, and checks the mapping before it discards anything.
 */
#ifndef CHUNK_WORDS_H
#define CHUNK_WORDS_H

#include <linux/list_lru.h>
#include <linux/mm.h>

#include "chunk_module.h"

#define CHUNK_PAGE_WORDS	(PAGE_SIZE / sizeof(u32))

/* Number of pages of words that stand for all addresses of a process */
#define CHUNK_WORDS_PAGES	DIV_ROUND_UP(TASK_SIZE_MAX, \
					     CHUNK_WORDS_SPAN(PAGE_SIZE))

/**
 * struct chunk_words - a page of words
 * @lru:     link in chunk_words_lru, on which the shrinker finds it
 * @context: its context, which lives longer (invariant)
 * @index:   number of the page: address / CHUNK_WORDS_SPAN (invariant)
 * @page:    the words, which the owner maps (invariant)
 * @next:    word at which the next discard begins; context->discard_lock
 */
struct chunk_words {
	struct list_head lru;
	struct chunk_context *context;
	unsigned long index;
	struct page *page;
	unsigned int next;
};

extern struct list_lru chunk_words_lru;

unsigned int chunk_words_count_offered(const struct chunk_words *words);

/**
 * chunk_words_offset() - tell whether an mmap offset is one of words
 * @pgoff: the offset in pages
 *
 * Context: any.
 * Return: whether words are to be mapped, rather than chunks.
 */
static inline bool chunk_words_offset(unsigned long pgoff)
{
	return pgoff >= CHUNK_WORDS_PGOFF &&
	       pgoff - CHUNK_WORDS_PGOFF < CHUNK_WORDS_PAGES;
}

static inline u32 *chunk_words_of(const struct chunk_words *words)
{
	return page_address(words->page);
}

static inline u32 chunk_word_state(u32 word)
{
	return word & CHUNK_WORD_STATE;
}

/* The address that word @at of a page stands for */
static inline unsigned long chunk_words_addr(const struct chunk_words *words,
					     unsigned int at)
{
	return words->index * CHUNK_WORDS_SPAN(PAGE_SIZE) + at * CHUNK_SIZE;
}

#endif /* CHUNK_WORDS_H */
