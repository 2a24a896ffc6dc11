// SPDX-License-Identifier: GPL-2.0-only
/*
 * Discarding: the shrinker that frees the memory of offered chunks.
 *
 * Reclaim calls it with locks of mm and of filesystems held, or even mmap_lock of
 * the same process. So it waits for nobody: it takes mmap_lock and discard_lock
 * only if they are free, and comes back to another page of words later if they
 * are not. mmap_lock is not free while anybody waits to write: a process that
 * maps, unmaps or forks all the time is passed over again and again.
 *
 * It frees only memory that the context's own process mapped from it, where a word
 * says OFFERED. Words are hostile: see discard_mapped() for what is checked besides.
 */
#include <linux/mm.h>
#include <linux/sched/mm.h>
#include <linux/shrinker.h>
#include <linux/swap.h>

#include "chunk_kcompat.h"
#include "chunk_module.h"
#include "chunk_trace.h"
#include "chunk_words.h"

/*
 * Objects are pages. Twice the usual number of seeks makes reclaim take half as
 * many offered pages as of a cache of that size: each costs its owner a fault. Less
 * than a batch that is due is put off to a later call: with a larger batch, more
 * survives while files are read, and no more is swapped. docs/costs.md has the
 * measurements.
 */
#define DISCARD_SEEKS	(2 * DEFAULT_SEEKS)
#define DISCARD_BATCH	1024

/* Most chunks that are being discarded at a time; their owner cannot take them. */
#define DISCARD_RUN	4U

/* Pages of words that a count samples */
#define DISCARD_SAMPLE	16UL

/*
 * Most pages of words that one call visits, some 3,000 instructions each: it may be
 * another user's reclaim. The next call goes on behind them.
 */
#define DISCARD_VISITS	128UL

/*
 * Most searches for a mapping in one call, some hundred instructions each: words can
 * offer what is not mapped, or has a mapping for each page.
 */
#define DISCARD_LOOKUPS	4096UL

/**
 * struct discard - a pass over one page of words
 * @words:   the page
 * @vma:     mapping of the address before, may be NULL: not looked up, or a hole
 * @want:    pages to free
 * @chunks:  chunks discarded
 * @lookups: searches for a mapping that may still be made
 * @lone:    on the huge backing: discard single chunks of a huge page, too
 */
struct discard {
	struct chunk_words *words;
	struct vm_area_struct *vma;
	unsigned long want;
	unsigned long chunks;
	unsigned long lookups;
	bool lone;
};

/* Chunks that are discarded together or not at all */
static unsigned int discard_group(const struct discard *discard)
{
	if (!chunk_is_huge(discard->words->context) || discard->lone)
		return 1;
	return clamp_t(unsigned long, PMD_SIZE / CHUNK_SIZE, 1, DISCARD_RUN);
}

/* May memory of a mapping be discarded? userfaultfd's monitor would have to be told. */
static bool discard_vma(struct chunk_context *context,
			struct vm_area_struct *vma)
{
	return vma && chunk_vma_is_ours(vma, context) &&
	       !(vma->vm_flags & (VM_LOCKED | CHUNK_VM_SEALED)) &&
	       !(vma_is_anonymous(vma) && userfaultfd_armed(vma));
}

/*
 * Find the mapping of an address. It is mostly that of the address before; NULL in a
 * hole.
 *
 * Context: mmap_lock held.
 */
static struct vm_area_struct *discard_lookup(struct discard *discard,
					     unsigned long addr)
{
	struct vm_area_struct *vma = discard->vma;

	if (vma && vma->vm_start <= addr && addr < vma->vm_end)
		return vma;
	if (discard->lookups)
		discard->lookups--;
	discard->vma = vma_lookup(discard->words->context->mm, addr);
	return discard->vma;
}

/*
 * May the chunk at @addr be discarded, whatever its word says? It may have several
 * mappings: on the guarded backing mm merges none that mlock() or madvise() split.
 *
 * Context: mmap_lock held.
 */
static bool discard_mapped(struct discard *discard, unsigned long addr)
{
	unsigned long end = addr + CHUNK_SIZE;

	while (addr < end) {
		struct vm_area_struct *vma = discard_lookup(discard, addr);

		if (!discard_vma(discard->words->context, vma))
			return false;
		addr = vma->vm_end;
	}
	return true;
}

static void discard_zap(struct discard *discard, unsigned long addr,
			unsigned long size)
{
	unsigned long end = addr + size;

	while (addr < end) {
		struct vm_area_struct *vma = discard_lookup(discard, addr);
		unsigned long part = min(end, vma->vm_end) - addr;

		chunk_zap_vma(vma, addr, part);
		addr += part;
	}
}

static bool discard_claim(u32 *word)
{
	u32 old = READ_ONCE(*word);

	return chunk_word_state(old) == CHUNK_WORD_OFFERED &&
	       cmpxchg(word, old, (old & ~CHUNK_WORD_STATE) |
				  CHUNK_WORD_DISCARDING) == old;
}

/* Change a word from DISCARDING; if it is something else, leave it alone. */
static void discard_finish(u32 *word, u32 state)
{
	u32 old = READ_ONCE(*word);

	if (chunk_word_state(old) == CHUNK_WORD_DISCARDING)
		cmpxchg(word, old, (old & ~CHUNK_WORD_STATE) | state);
}

/* Claim up to @max chunks from @at on; returns their number. */
static unsigned int discard_claim_run(struct discard *discard, unsigned int at,
				      unsigned int max)
{
	u32 *words = chunk_words_of(discard->words);
	unsigned int nr;

	for (nr = 0; nr < max; nr++) {
		unsigned long addr = chunk_words_addr(discard->words, at + nr);

		if (chunk_word_state(READ_ONCE(words[at + nr])) !=
		    CHUNK_WORD_OFFERED)
			break;
		if (!discard_mapped(discard, addr))
			break;
		if (!discard_claim(&words[at + nr]))
			break;
	}
	return nr;
}

/* Discard up to @max chunks from @at on, in whole groups; returns their number. */
static unsigned int discard_run(struct discard *discard, unsigned int at,
				unsigned int max)
{
	u32 *words = chunk_words_of(discard->words);
	unsigned int group = discard_group(discard);
	unsigned int nr, claimed, i;

	if (at % group)
		return 0;
	claimed = discard_claim_run(discard, at, max);
	nr = rounddown(claimed, group);
	for (i = nr; i < claimed; i++)
		discard_finish(&words[at + i], CHUNK_WORD_OFFERED);
	if (!nr)
		return 0;
	discard_zap(discard, chunk_words_addr(discard->words, at),
		    nr * CHUNK_SIZE);
	trace_chunk_discard(chunk_words_addr(discard->words, at),
			    nr * CHUNK_SIZE,
			    pid_nr(discard->words->context->owner));
	/* The memory has left all TLBs before the owner sees that it is gone. */
	smp_mb__before_atomic();
	for (i = 0; i < nr; i++)
		discard_finish(&words[at + i], CHUNK_WORD_DISCARDED);
	return nr;
}

/* Discard chunks of the page until there are enough, or none is left. */
static void discard_pass(struct discard *discard)
{
	struct chunk_words *words = discard->words;
	unsigned int looked, nr, max;

	for (looked = 0; looked < CHUNK_PAGE_WORDS; looked += nr) {
		unsigned long done = discard->chunks * CHUNK_PAGES;

		if (done >= discard->want || !discard->lookups)
			return;
		max = DIV_ROUND_UP(discard->want - done, CHUNK_PAGES);
		max = max(max, discard_group(discard));
		words->next %= CHUNK_PAGE_WORDS;
		max = min3(max, DISCARD_RUN,
			   (unsigned int)CHUNK_PAGE_WORDS - words->next);
		nr = discard_run(discard, words->next, max);
		discard->chunks += nr;
		if (nr)
			cond_resched();
		nr = max(nr, 1U);
		words->next += nr;
	}
}

static void discard_locked(struct discard *discard)
{
	struct chunk_context *context = discard->words->context;

	discard_pass(discard);
	/* A huge page that is split is better than one that is swapped out. */
	if (chunk_is_huge(context) && discard->chunks * CHUNK_PAGES < discard->want) {
		discard->lone = true;
		discard_pass(discard);
	}
	WRITE_ONCE(context->discards, context->discards + discard->chunks);
}

/* Anonymous pages of an address space, those of other threads' work included */
static unsigned long discard_resident(struct mm_struct *mm)
{
	return get_mm_counter(mm, MM_ANONPAGES);
}

/*
 * Discard chunks of one page of words. Returns the number of pages that it freed,
 * about; discard->chunks tells the number of chunks.
 */
static unsigned long discard_words(struct discard *discard)
{
	struct chunk_context *context = discard->words->context;
	struct mm_struct *mm = context->mm;
	unsigned long freed = 0, before, after;

	if (!chunk_words_count_offered(discard->words) || !mmget_not_zero(mm))
		return 0;
	if (!mmap_read_trylock(mm))
		goto put;
	if (chunk_zap_is_private(context) &&
	    mutex_trylock(&context->discard_lock)) {
		before = discard_resident(mm);
		discard_locked(discard);
		after = discard_resident(mm);
		mutex_unlock(&context->discard_lock);
		freed = before > after ? before - after : 0;
		freed = min(freed, discard->chunks * CHUNK_PAGES);
	}
	mmap_read_unlock(mm);
put:
	mmput_async(mm);
	return freed;
}

/* Take the first page of words, with a reference to its context; put it last. */
static enum lru_status discard_pick_one(CHUNK_LRU_WALK_ARGS(item), void *arg)
{
	struct chunk_words **pick = arg;
	struct chunk_words *words = container_of(item, struct chunk_words, lru);

	if (refcount_inc_not_zero(&words->context->refs))
		*pick = words;
	return LRU_ROTATE;
}

static struct chunk_words *discard_pick(const struct shrink_control *sc)
{
	struct chunk_words *words = NULL;
	unsigned long nr = 1;

	list_lru_walk_one(&chunk_words_lru, sc->nid, sc->memcg,
			  discard_pick_one, &words, &nr);
	return words;
}

static bool discard_ready;

/*
 * Estimate the number of pages that are offered. The owners change that without
 * telling: so words must be read, but not all of a large heap's.
 */
static unsigned long discard_count(struct shrinker *shrinker,
				   struct shrink_control *sc)
{
	unsigned long all, looked, offered = 0;

	/* Here until the list is initialised: see chunk_shrinker_start(). */
	if (!smp_load_acquire(&discard_ready))
		return 0;
	all = list_lru_shrink_count(&chunk_words_lru, sc);
	if (!all)
		return SHRINK_EMPTY;
	for (looked = 0; looked < min(all, DISCARD_VISITS); looked++) {
		struct chunk_words *words;

		if (looked >= DISCARD_SAMPLE && offered)
			break;
		words = discard_pick(sc);
		if (!words)
			continue;
		offered += chunk_words_count_offered(words);
		chunk_context_put(words->context);
	}
	/* Not SHRINK_EMPTY: nobody says when the first chunk is offered. */
	return mult_frac(offered * CHUNK_PAGES, all, looked);
}

static unsigned long discard_scan(struct shrinker *shrinker,
				  struct shrink_control *sc)
{
	unsigned long visits = list_lru_shrink_count(&chunk_words_lru, sc);
	unsigned long freed = 0, scanned = 0;
	unsigned long lookups = DISCARD_LOOKUPS;

	for (visits = min(visits, DISCARD_VISITS);
	     visits && lookups && scanned < sc->nr_to_scan; visits--) {
		struct discard discard = {
			.words = discard_pick(sc),
			.want = sc->nr_to_scan - scanned,
			.lookups = lookups,
		};

		if (!discard.words)
			continue;
		freed += discard_words(&discard);
		scanned += discard.chunks * CHUNK_PAGES;
		lookups = discard.lookups;
		chunk_context_put(discard.words->context);
	}
	if (!scanned)
		return SHRINK_STOP;
	sc->nr_scanned = max(sc->nr_to_scan, scanned);
	/* Reclaim would not know otherwise that it can stop. */
	chunk_account_reclaimed(freed);
	return freed;
}

static struct chunk_shrinker discard_shrinker;

/**
 * chunk_discard_init() - set the shrinker up
 *
 * Context: may sleep.
 * Return: 0 or a negative error number.
 */
int chunk_discard_init(void)
{
	int err;

	err = chunk_words_cache_init();
	if (err)
		return err;
	err = chunk_shrinker_start(&discard_shrinker, &chunk_words_lru,
				   discard_count, discard_scan, DISCARD_SEEKS,
				   DISCARD_BATCH, &discard_ready);
	if (err)
		chunk_words_cache_exit();
	return err;
}

/**
 * chunk_discard_exit() - take the shrinker down
 *
 * Waits until it does not run any more.
 *
 * Context: may sleep; no context is left.
 */
void chunk_discard_exit(void)
{
	chunk_shrinker_stop(&discard_shrinker, &chunk_words_lru);
	chunk_words_cache_exit();
}
